-- Rows that refer to a deleted record also after they have been read again: the org leaves them so.
CREATE TABLE _sync_orphan (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    PRIMARY KEY (object_name, record_id, parent_id)
) WITHOUT ROWID;
-- How many tombstones the objects had to which an object's rows may refer, when those rows were last looked at.
ALTER TABLE _sync_object ADD COLUMN bereaved TEXT NOT NULL DEFAULT '';
