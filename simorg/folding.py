"""When two texts that differ only in letter case are equal: in Python, in SQL and in the indexes, always the same."""

from typing import Any

import apsw

# ASCII texts are compared by SQLite's own NOCASE, which is fast; others are lower-cased by Python.
WIDE = "GLOB '*[^\x01-\x7f]*'"


def fold(text: str) -> str:
    """Return the form in which two texts that differ only in letter case are equal, whatever stands beside a letter."""
    return text.lower().replace("\u03c2", "\u03c3")  # a final sigma is a sigma


def register(connection: apsw.Connection) -> None:
    """Give a connection `sf_lower`; doing it twice is harmless."""
    connection.create_scalar_function("sf_lower", _lower, 1, deterministic=True)


def _lower(*values: Any) -> Any:
    (value,) = values
    return fold(value) if isinstance(value, str) else value


def equals(column: str) -> str:
    """Return the SQL condition that a quoted column equals a text, whose folded form is bound as `:folded`.

    Both halves can use an index of the column: that of NOCASE and that of `wide_index`.
    """
    return f"({column} = :folded COLLATE NOCASE OR (sf_lower({column}) = :folded AND {column} {WIDE}))"


def wide_index(column: str) -> str:
    """Return what an index for the texts beyond ASCII is on: its columns and its condition."""
    return f"(sf_lower({column})) WHERE {column} {WIDE}"
