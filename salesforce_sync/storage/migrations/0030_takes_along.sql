-- A describe tells which other objects' records go with one of its own: every object is described anew.
UPDATE _sync_object SET described_as = NULL;
