"""Reads records of the replica DATABASE and tells the microseconds of CPU that each took."""

import sys
from pathlib import Path

from benchmarks.columns import describe
from benchmarks.reading import sample, tell, timed
from salesforce_sync.app import SystemClock
from salesforce_sync.collection import Collection
from salesforce_sync.models.contact import Contact
from salesforce_sync.storage.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]), SystemClock())
contacts = Collection(store, "Contact", Contact)
assert len(contacts.schema.columns) == len(describe()["fields"])
ids = sample([str(contact.id) for contact in contacts.all()])


def get_each() -> int:
    for record_id in ids:
        contacts.get(record_id)
    return len(ids)


def read_all() -> int:
    count = 0
    for _ in contacts.all():
        count += 1
    return count


tell(get=timed(get_each), all=timed(read_all))
store.close()
