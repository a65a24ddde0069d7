-- What the drafts of a name have written: JSON object: field → [value, what its author saw, where it was written down].
ALTER TABLE _sync_draft ADD COLUMN wrote TEXT NOT NULL DEFAULT '{}';
ALTER TABLE _sync_draft ADD COLUMN at TEXT NOT NULL DEFAULT '';
