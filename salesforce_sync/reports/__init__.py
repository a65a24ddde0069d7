"""What came of a command, as text for a person and as JSON for a program."""
