-- Runs that were told to have begun, and of which no end is told yet: with their objects, as JSON.
CREATE TABLE _sync_open_run (
    run_id TEXT NOT NULL PRIMARY KEY,
    objects TEXT NOT NULL
);
