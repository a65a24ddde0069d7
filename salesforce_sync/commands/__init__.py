"""The commands: parse, call, print. `salesforce_sync.cli` puts them together."""
