-- Unfinished pulls that made way for records that were asked for by id, as a push reads them again: the rows up to the
-- last durable page stand in _sync_aside_<object>, and go back where they were before the pull goes on.
CREATE TABLE _sync_aside (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY REFERENCES _sync_object (name),
    columns TEXT NOT NULL,
    since TEXT,
    resume TEXT NOT NULL,
    durable INTEGER NOT NULL,
    server_time TEXT,
    total INTEGER
);
