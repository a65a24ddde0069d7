-- Who was connected when a change left, as far as the login told it: a create whose answer was lost is looked for among
-- the records of that user, whoever is connected by then.
ALTER TABLE _sync_outbox ADD COLUMN sent_by TEXT;
