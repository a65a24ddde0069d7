-- Records that drafts from elsewhere (a workbook) have made, so that none is made twice.
CREATE TABLE _sync_draft (
    name TEXT NOT NULL PRIMARY KEY,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL   -- the local id that it was given
) WITHOUT ROWID;
