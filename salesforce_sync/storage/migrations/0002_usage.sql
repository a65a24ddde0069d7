-- What the org last said of the API calls of the last 24 hours, everybody's together.
CREATE TABLE _sync_usage (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    used INTEGER NOT NULL,
    most INTEGER NOT NULL,   -- the org's own limit
    at TEXT NOT NULL         -- this machine's time
);
