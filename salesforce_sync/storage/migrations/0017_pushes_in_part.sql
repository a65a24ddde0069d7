-- How many changes of a push ended in which way (JSON, by the outcome) beside those in _sync_pushed: not sent at all, or
-- sent without what is in dispute.
ALTER TABLE _sync_push ADD COLUMN besides TEXT NOT NULL DEFAULT '{}';
