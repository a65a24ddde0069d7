-- Of what was too old before it could go, how much the sink has been told of.
ALTER TABLE _sync_sink ADD COLUMN dropped_told INTEGER NOT NULL DEFAULT 0;
