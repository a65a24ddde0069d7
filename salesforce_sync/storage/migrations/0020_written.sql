-- Records of which the org has taken a change, and which it has not shown since: what it shows next tells of them.
CREATE TABLE _sync_written (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    push_id TEXT NOT NULL,
    operation TEXT NOT NULL,   -- what the org has done: create, update, delete, undelete
    bases TEXT NOT NULL,       -- JSON object: what the org had in fields that were edited beneath a deletion
    PRIMARY KEY (object_name, record_id)
) WITHOUT ROWID;
-- What a push has done, where an item tells of that and not of a change that waits.
ALTER TABLE _sync_inbox ADD COLUMN operation TEXT;
