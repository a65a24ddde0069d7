-- The org's stamps of rows from before a push of ours (null: it made the record) to after it, for a day.
CREATE TABLE _sync_own_stamp (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    after TEXT NOT NULL,
    before TEXT,
    PRIMARY KEY (object_name, record_id, after)
) WITHOUT ROWID;
CREATE INDEX _sync_own_stamp_by_time ON _sync_own_stamp (after);
