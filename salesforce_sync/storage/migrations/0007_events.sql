-- Change events: where an object's events have been merged up to, and how often it became unsure since it was polled.
CREATE TABLE _sync_follow (
    object_name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
    replay BLOB,
    unsure INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The last changes of a record that came by events, which come twice, and in another order.
CREATE TABLE _sync_seen (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    places TEXT NOT NULL,       -- JSON array of [commit number, place in the transaction]
    newest INTEGER NOT NULL,    -- the last commit number
    PRIMARY KEY (object_name, record_id)
) WITHOUT ROWID;
CREATE INDEX _sync_seen_by_age ON _sync_seen (object_name, newest);

-- Records whose events did not tell everything.
CREATE TABLE _sync_read_again (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    lacks TEXT NOT NULL,    -- values, or only derived ones
    PRIMARY KEY (object_name, record_id)
) WITHOUT ROWID;
