"""Object declarations, as data."""
