-- What happened, in the order of the transactions that it happened in. data: JSON of the signal's typed values.
CREATE TABLE _sync_signals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX _sync_signals_by_time ON _sync_signals (at);

-- Rows that merges have changed and no records_updated has told yet: a killed run's are told by the next.
CREATE TABLE _sync_untold (
    object_name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
    count INTEGER NOT NULL
) WITHOUT ROWID;

-- How far each sink has got, and when it is tried again. dropped: signals that were too old before they could go.
CREATE TABLE _sync_sink (
    name TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at TEXT,
    problem TEXT NOT NULL DEFAULT '',
    delivered_at TEXT,
    dropped INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Signals that a sink has refused. again: somebody wants them to be tried once more.
CREATE TABLE _sync_dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    problem TEXT NOT NULL,
    died_at TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sink, number)
);

-- Syncs that somebody has asked the daemon for.
CREATE TABLE _sync_request (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    objects TEXT NOT NULL,     -- JSON array of API names; empty: all that are configured
    taken_at TEXT,
    done_at TEXT,
    state TEXT                 -- how the run ended: complete, partial, failed
);

-- The daemon, as it last told.
CREATE TABLE _sync_daemon (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    owner TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    told_at TEXT NOT NULL,
    doing TEXT NOT NULL,
    next TEXT NOT NULL DEFAULT '{}',       -- JSON object: object → when it is due
    not_before TEXT,                       -- the day's API calls are used up until then
    problem TEXT NOT NULL DEFAULT '',      -- the last error,
    problem_at TEXT                        -- and when that was
);

-- This replica among others, in the names of messages.
CREATE TABLE _sync_replica (id TEXT NOT NULL);
INSERT INTO _sync_replica VALUES (lower(hex(randomblob(8))));

-- Told in the transaction that caused it, whoever wrote that.
CREATE TRIGGER _sync_tell_inbox AFTER INSERT ON _sync_inbox BEGIN
    INSERT INTO _sync_signals (at, name, data) SELECT NEW.at, told, CASE told
        WHEN 'rejected' THEN json_object('object', NEW.object_name, 'id', NEW.record_id, 'code', NEW.code)
        ELSE json_object('object', NEW.object_name, 'id', NEW.record_id, 'kind', NEW.kind) END
    FROM (SELECT CASE WHEN NEW.kind IN ('rejected', 'duplicate', 'uncertain') THEN 'rejected' ELSE 'conflict' END AS told);
END;
CREATE TRIGGER _sync_tell_proof AFTER INSERT ON _sync_proof BEGIN
    INSERT INTO _sync_signals (at, name, data) VALUES (NEW.at, 'verify_complete', json_object(
        'object', NEW.object_name, 'rows', NEW.rows,
        'repaired', (SELECT coalesce(sum(json_extract(value, '$[1]')), 0) FROM json_each(NEW.repaired))));
END;
