"""What the org deletes along with records, as far as it is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from salesforce_sync.models.outbox import Change, Operation, is_local
from salesforce_sync.models.schema import ObjectSchema, schemas_by_name
from salesforce_sync.ports import Filter, Store

_IDS_AT_ONCE = 500

_Along = tuple[str, str, str]
"""A record's object and id, and the id of the deleted one with which it goes."""


def along_with(store: Store, changes: Iterable[Change]) -> Mapping[str, Mapping[str, int]]:
    """Of deletions that take living records along: by the deleted record's id, how many of which object."""
    deleted = (each for each in changes if each.operation is Operation.DELETE)
    todo = [(each.object_name, each.record_id, each.record_id) for each in deleted]
    known = {(name, key) for name, key, _ in todo}
    found: dict[str, Counter[str]] = {}
    schemas = schemas_by_name(store.schemas() if todo else ())
    while todo:
        below = [child for name in schemas for child in _beneath(store, schemas, name, todo) if child[:2] not in known]
        known |= {(name, key) for name, key, _ in below}
        for name, _, root in below:
            found.setdefault(root, Counter())[name] += 1
        todo = below
    return found


def _beneath(
    store: Store, schemas: Mapping[str, ObjectSchema], child: str, masters: Sequence[_Along]
) -> Iterator[_Along]:
    """The object's living records that go with these, once each."""
    schema = schemas[child]
    columns = [each.name for each in schema.columns]
    gone: set[str] = set()
    for object_name in sorted({name for name, _, _ in masters}):
        roots = {key: root for name, key, root in masters if name == object_name}
        for field in schema.masters(schemas[object_name]):
            left = iter(roots)
            while ids := tuple(islice(left, _IDS_AT_ONCE)):
                for row in store.scan(schema.name, (Filter(field, "in", ids),)):
                    key, master = str(row[0]), str(row[columns.index(field)])
                    if key not in gone and not is_local(key):
                        gone.add(key)
                        yield schema.name, key, roots[master]
