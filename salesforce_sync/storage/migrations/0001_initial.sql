-- The store's own tables. An object's rows live in a table of the object's name.

-- Every adopted object: its schema as JSON, and how far it has been merged.
CREATE TABLE _sync_object (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    schema TEXT NOT NULL,
    described_at TEXT NOT NULL,
    until TEXT,          -- the checkpoint: the org's own time; null: read everything
    merged INTEGER NOT NULL DEFAULT 0,  -- whether a complete pull has ever been merged
    refill INTEGER NOT NULL DEFAULT 0   -- whether everything is to be read once more, to fill new columns
);

-- Pulls that were begun and not merged. Their rows are in _sync_staging_<object>.
CREATE TABLE _sync_staging (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY REFERENCES _sync_object (name),
    columns TEXT NOT NULL,   -- JSON array of API names, the order of the pull's pages
    since TEXT,
    resume TEXT,             -- where the pull goes on; null: nothing is durable yet
    durable INTEGER NOT NULL DEFAULT 0,   -- rows behind `resume`: rowids up to this one
    server_time TEXT
);

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
