-- Records with edits that the org has not acknowledged: one row a record. Triggers on the objects' tables write here.
CREATE TABLE _sync_outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    operation TEXT NOT NULL,   -- what is wanted next: create, update, delete, undelete
    sending TEXT,              -- the operation that was handed to the org and has no answer yet
    state TEXT NOT NULL DEFAULT 'waiting',   -- waiting, parked
    edited_at TEXT NOT NULL,   -- this machine's time of the last edit
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before TEXT,
    push_id TEXT,
    sent_at TEXT,              -- the org's time when it was handed over
    job TEXT,                  -- the Bulk job that has it
    allow_duplicates INTEGER NOT NULL DEFAULT 0,
    UNIQUE (object_name, record_id)
);
CREATE INDEX _sync_outbox_by_record ON _sync_outbox (record_id);

-- Its fields. base: what the org last showed; value: what is here; sent: what was handed to the org.
CREATE TABLE _sync_edit (
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    field TEXT NOT NULL,
    base,
    value,
    in_flight INTEGER NOT NULL DEFAULT 0,
    sent,
    contested INTEGER NOT NULL DEFAULT 0,    -- whether the org has changed it too, to `org`, and a person must decide
    org,
    PRIMARY KEY (object_name, record_id, field)
) WITHOUT ROWID;
CREATE INDEX _sync_edit_local ON _sync_edit (value) WHERE value GLOB 'local-*';

-- Records that were made here and have an id of the org by now.
CREATE TABLE _sync_local (
    local_id TEXT NOT NULL PRIMARY KEY,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL
) WITHOUT ROWID;

-- What waits for a person.
CREATE TABLE _sync_inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    fields TEXT NOT NULL DEFAULT '[]',     -- JSON array of API names
    matches TEXT NOT NULL DEFAULT '[]',    -- JSON array of [object, id]
    replaced TEXT NOT NULL DEFAULT '[]',   -- JSON array of [field, base, local, org]
    UNIQUE (object_name, record_id, kind)
);

-- Values of restricted picklists, as describe knows them.
CREATE TABLE _sync_picklist (
    object_name TEXT NOT NULL COLLATE NOCASE,
    field TEXT NOT NULL COLLATE NOCASE,
    value TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (object_name, field, value)
) WITHOUT ROWID;

-- Pushes, and what became of their changes.
CREATE TABLE _sync_push (
    push_id TEXT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    code TEXT,
    message TEXT,
    hint TEXT
);
CREATE TABLE _sync_pushed (
    id INTEGER PRIMARY KEY,
    push_id TEXT NOT NULL,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    edits TEXT NOT NULL,       -- JSON array of [field, base, value]
    outcome TEXT NOT NULL,
    code TEXT,
    message TEXT,
    hint TEXT
);
CREATE INDEX _sync_pushed_by_push ON _sync_pushed (push_id);
CREATE INDEX _sync_pushed_by_record ON _sync_pushed (record_id);

-- Values that were replaced.
CREATE TABLE _sync_history (
    id INTEGER PRIMARY KEY,
    object_name TEXT NOT NULL COLLATE NOCASE,
    record_id TEXT NOT NULL,
    at TEXT NOT NULL,
    origin TEXT NOT NULL,      -- pull, push, decision
    who TEXT NOT NULL DEFAULT '',
    push_id TEXT,
    replaced TEXT NOT NULL     -- JSON object, field → [old, new], or the old value alone: then the new one follows
);
CREATE INDEX _sync_history_by_record ON _sync_history (record_id);
CREATE INDEX _sync_history_by_object ON _sync_history (object_name, id);
