-- Rows that were found gone and wait for a person's word: when the org was last asked (this machine's time), and what
-- the refusal said. Null: none, or the object has been proved since.
ALTER TABLE _sync_object ADD COLUMN loss_found_at TEXT;
ALTER TABLE _sync_object ADD COLUMN loss TEXT;
ALTER TABLE _sync_object ADD COLUMN loss_hint TEXT;
UPDATE _sync_object SET (loss_found_at, loss, loss_hint) = (
    SELECT finished, message, hint FROM _sync_run r
    WHERE object_name = _sync_object.name AND code = 'LOSS_REFUSED' AND finished > coalesce(
        (SELECT at FROM _sync_proof WHERE object_name = r.object_name ORDER BY id DESC LIMIT 1), '')
    ORDER BY id DESC LIMIT 1);
