-- Fields that an object had and has no more: their columns, and what is in them, stay. `type`: as it was last.
CREATE TABLE _sync_lost_field (
    object_name TEXT NOT NULL COLLATE NOCASE,
    field TEXT NOT NULL COLLATE NOCASE,
    type TEXT NOT NULL,
    PRIMARY KEY (object_name, field)
) WITHOUT ROWID;
