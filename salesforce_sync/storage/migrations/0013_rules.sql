-- What the fields of each object take: the checks of the triggers look it up here.
CREATE TABLE _sync_rule (
    object_name TEXT NOT NULL COLLATE NOCASE,
    number INTEGER NOT NULL,      -- by which the checks call the field
    field TEXT NOT NULL COLLATE NOCASE,
    type TEXT NOT NULL,
    creates TEXT NOT NULL,        -- whether a new record may have it: never, may, must
    changes TEXT NOT NULL,        -- whether it may be changed: never, once (until the record is made), may
    needed INTEGER NOT NULL,      -- 1 if it cannot be emptied
    length INTEGER,               -- the most characters of a text
    digits INTEGER,               -- the most digits before a number's point
    picklist TEXT,                -- whether only listed values are taken: one, several
    PRIMARY KEY (object_name, number)
) WITHOUT ROWID;
