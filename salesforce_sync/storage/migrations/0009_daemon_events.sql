-- How the daemon follows change events: JSON object: object → '' while it is followed, or why it is not.
ALTER TABLE _sync_daemon ADD COLUMN events TEXT NOT NULL DEFAULT '{}';
