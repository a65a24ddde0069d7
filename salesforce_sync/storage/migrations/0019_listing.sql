-- Listings of all of an object's ids and stamps whose comparison has not ended. Their rows are in _sync_listing_<object>.
CREATE TABLE _sync_listing (
    object_name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    columns TEXT NOT NULL,      -- as in _sync_staging
    resume TEXT,                -- where it goes on; null: it cannot
    rows INTEGER NOT NULL,      -- that have come of it
    server_time TEXT            -- the org's own time just before it began
) WITHOUT ROWID;
