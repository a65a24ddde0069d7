"""A small org is filled once in each process: the next of the same kind is a copy of its file, moved to its own time.

Tests make some thousand orgs of a few dozen rows; to make a table, its indexes and its rows takes ten times as long as
to copy them.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simorg.database import Database, quote

if TYPE_CHECKING:
    from simorg.org import SimOrg

LARGEST = 1000
"""Contacts of the largest org that is kept."""
KEPT = 6
PAGE_BYTES = 2_048
"""Of their files: with some hundred tables and indexes that hold little, larger ones are mostly empty."""
MOVING = frozenset({"CreatedDate", "LastModifiedDate", "SystemModstamp", "ContentModifiedDate", "ActivatedDate"})
"""The columns that seeding counts from the org's time; every other value is the same in each org of one seed."""
_kept: "OrderedDict[tuple[int, int], Template]" = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Template:
    """A filled org: its file, the numbers it has given out, its time when it was filled, and where it has stamps."""

    content: bytes
    numbers: dict[str, int]
    stamp_ms: int
    stamped: tuple[tuple[str, tuple[str, ...]], ...]


def kept(records: int, seed: int) -> Template | None:
    """Return the template of orgs with so many contacts, or None if there is none yet."""
    with _lock:
        return _kept.get((records, seed))


def database(records: int, template: Template | None) -> Database:
    """Make the database of an org with so many contacts: empty, or with what the template holds."""
    if records > LARGEST:
        return Database()
    return Database(template.content if template else None, page_bytes=PAGE_BYTES)


def keep(org: "SimOrg", records: int, seed: int, stamp_ms: int) -> None:
    """Let later orgs be copies of this one, which has just been filled, from `stamp_ms` on; not of a large one."""
    if records > LARGEST:
        return
    stamped = []
    for name, schema in org.objects.items():
        columns = tuple(one.name for one in schema.stored_fields if one.name in MOVING)
        if columns and org.database.value(f"SELECT 1 FROM {quote(name)} LIMIT 1"):
            stamped.append((name, columns))
    made = Template(org.database.content(), org.numbering.given(), stamp_ms, tuple(stamped))
    with _lock:
        _kept[records, seed] = made
        while len(_kept) > KEPT:
            _kept.popitem(last=False)


def forget() -> None:
    """Let the next org of each kind be filled anew."""
    with _lock:
        _kept.clear()


def settle(org: "SimOrg", template: Template) -> None:
    """Move the stamps of a copied org to its own time, and go on with the template's numbers."""
    later = org.now_stamp() - template.stamp_ms
    with org.transaction():
        for name, columns in template.stamped:
            changes = ", ".join(f"{quote(column)} = {quote(column)} + ?1" for column in columns)
            org.db.execute(f"UPDATE {quote(name)} SET {changes}", (later,))
    org.numbering.go_on(template.numbers)
