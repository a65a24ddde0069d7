-- Sync sessions of the HTTP API, for whoever asks after the server was started anew. `server`: who runs it, or ran it;
-- `told`: JSON, its events and what else is told of it.
CREATE TABLE _sync_session (
    session_id TEXT NOT NULL PRIMARY KEY,
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    state TEXT NOT NULL,
    told TEXT NOT NULL
);
