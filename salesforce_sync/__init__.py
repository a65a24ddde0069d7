"""A local-first replica of a Salesforce org in one SQLite file."""

__version__ = "0.1.0"
