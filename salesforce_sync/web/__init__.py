"""The HTTP API: parse, call `SFSync`, answer. `serving.py` runs it, `house.py` puts it together."""
