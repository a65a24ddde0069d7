-- The stamps of rows that may have changed in the very second in which they were read (null: none).
ALTER TABLE _sync_object ADD COLUMN doubt_from TEXT;
ALTER TABLE _sync_object ADD COLUMN doubt_to TEXT;
