-- Sweeps (some columns of all rows) that have not ended: listings of ids and stamps, and columns that are filled.
-- Their rows are in _sync_listing_<object>, _sync_filling_<object> and _sync_refresh_<object>.
CREATE TABLE _sync_sweep (
    object_name TEXT NOT NULL COLLATE NOCASE,
    kind TEXT NOT NULL,         -- 'listing', 'filling' or 'refresh'
    columns TEXT NOT NULL,      -- as in _sync_staging
    resume TEXT,                -- where it goes on; null: it cannot
    rows INTEGER NOT NULL,      -- that have come of it
    server_time TEXT,           -- the org's own time just before it began
    PRIMARY KEY (object_name, kind)
) WITHOUT ROWID;
INSERT INTO _sync_sweep SELECT object_name, 'listing', columns, resume, rows, server_time FROM _sync_listing;
DROP TABLE _sync_listing;
-- What kind of sweep is staged; null: a pull.
ALTER TABLE _sync_staging ADD COLUMN kind TEXT;
UPDATE _sync_staging SET kind = 'listing' WHERE since IS NULL AND NOT partial AND NOT EXISTS (
    SELECT 1 FROM json_each(columns) WHERE value NOT IN (
        'Id: id', 'IsDeleted: boolean', 'SystemModstamp: datetime', 'LastModifiedDate: datetime', 'CreatedDate: datetime'));
-- Columns that the table gained and that are not filled yet (JSON array of names); null while everything is to be read.
ALTER TABLE _sync_object ADD COLUMN unfilled TEXT;
-- Rows that the org did not show while a column was filled: nothing of it is here, and their stamps do not tell.
CREATE TABLE _sync_missed (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,   -- whether the org has been asked for it since
    PRIMARY KEY (object_name, record_id)
) WITHOUT ROWID;
