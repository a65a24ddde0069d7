-- A record that a deletion of ours takes along: the record that was deleted, as a person is told of it.
ALTER TABLE _sync_written ADD COLUMN with_it TEXT;
-- Describes tell which fields take their records along: every object is described anew.
UPDATE _sync_object SET described_as = NULL;
