"""How much memory the pages of a connection may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

READER_CACHE_KIB = 8_192
FURTHER_CACHE_KIB = 2_048
WRITER_CACHE_KIB = 4_096
"""Pages are staged one after the other, so a larger cache makes that no faster; and SQLite sorts (for an index) in as
much memory again."""

MERGE_CACHE_KIB = 16_384
"""A merge changes pages all over the secondary indexes. What the cache cannot hold is written to the log before the
transaction ends, and again when it is changed again: with 4 MB a merge of a tenth of a table's rows takes half as much
CPU again. Few rows meet hardly a page twice: a merge of a hundredth takes a tenth more at most."""
MERGE_CACHE_ROWS = 20_000


def bound_cache(connection: apsw.Connection, kib: int) -> None:
    """Hold the page cache to so much.

    SQLite turns the size into a number of pages of the size that it knows at that moment, so the file is read first:
    otherwise that would be pages of 4 KB, and four times the memory.
    """
    connection.pragma("schema_version")
    connection.pragma("cache_size", -kib)


@contextmanager
def room_to_merge(db: apsw.Connection, rows: int) -> Iterator[None]:
    """Within the writer's open transaction: room for the pages that so many rows change, if they are many.

    Not for longer than the merge itself: what is sorted would take as much again.
    """
    if rows > MERGE_CACHE_ROWS:
        bound_cache(db, MERGE_CACHE_KIB)
    try:
        yield
    finally:
        bound_cache(db, WRITER_CACHE_KIB)
