-- The store's own tables. An object's rows live in a table of the object's name.

-- The org that this database is a replica of.
CREATE TABLE _sync_org (
    id TEXT NOT NULL PRIMARY KEY,
    instance_url TEXT NOT NULL
);

-- Every adopted object: its schema as JSON, and how far it has been merged.
CREATE TABLE _sync_object (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    schema TEXT NOT NULL,
    described_at TEXT NOT NULL,
    until TEXT,          -- the checkpoint: the org's own time; null: read everything
    merged INTEGER NOT NULL DEFAULT 0,  -- whether a complete pull has ever been merged
    refill INTEGER NOT NULL DEFAULT 0,  -- whether everything is to be read once more, to fill new columns
    read_at TEXT,        -- the org's own time when all that is newer than the checkpoint's overlap was last read
    refreshed_at TEXT,   -- this machine's time of the last refresh of values that change without a stamp
    described_as TEXT    -- the describe's Last-Modified
);

-- Pulls that were begun and not merged. Their rows are in _sync_staging_<object>.
CREATE TABLE _sync_staging (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY REFERENCES _sync_object (name),
    columns TEXT NOT NULL,   -- JSON array of "API name: type", the order of the pull's pages
    since TEXT,
    resume TEXT,             -- where the pull goes on; null: nothing is durable yet
    durable INTEGER NOT NULL DEFAULT 0,   -- rows behind `resume`: rowids up to this one
    server_time TEXT,
    total INTEGER,           -- rows that the org has announced
    partial INTEGER NOT NULL DEFAULT 0   -- whether the rows say nothing about the others (asked for by id)
);

-- Records that were here and that the org no longer shows, with the values they had.
CREATE TABLE _sync_gone (
    object_name TEXT NOT NULL COLLATE NOCASE,
    id TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    row TEXT NOT NULL,       -- JSON object, column → stored value
    PRIMARY KEY (object_name, id)
) WITHOUT ROWID;

-- What each verify proved.
CREATE TABLE _sync_proof (
    id INTEGER PRIMARY KEY,
    object_name TEXT NOT NULL COLLATE NOCASE,
    at TEXT NOT NULL,
    org_rows INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    repaired TEXT NOT NULL   -- JSON array of [cause, number]
);
CREATE INDEX _sync_proof_by_object ON _sync_proof (object_name, id);

-- One row per object and run.
CREATE TABLE _sync_run (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    object_name TEXT NOT NULL COLLATE NOCASE,
    state TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT NOT NULL,
    rows INTEGER NOT NULL,
    inserted INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    code TEXT,
    message TEXT,
    hint TEXT
);
CREATE INDEX _sync_run_by_object ON _sync_run (object_name, id);
