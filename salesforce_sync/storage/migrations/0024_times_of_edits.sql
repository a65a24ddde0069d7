-- This machine's time of each field's last edit; null: not known, as of those made before this version.
ALTER TABLE _sync_edit ADD COLUMN edited_at TEXT;
-- The triggers, which write it, are made anew.
