"""What a push changes in other records than those that it writes, through the org's own automation.

A trigger, a flow or a roll-up helper that counts a record's children edits that record in the name of whoever wrote the
children. Such an edit of our own push is nobody's change that a deletion by the same push would have to ask about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.push import PushedChange
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.ports import Order, Org, Store
from salesforce_sync.sync.beneath import Key
from salesforce_sync.sync.course import Course, pieces
from salesforce_sync.sync.rows import named_rows
from salesforce_sync.sync.waves import Wave

EDITOR = "LastModifiedById"
CREATED = "CreatedDate"


class OwnDoing:
    """Tells of rows as the org shows them now whether this push has caused their last change."""

    def __init__(self, org: Org, store: Store, course: Course) -> None:
        self._org = org
        self._store = store
        self._course = course

    def among(self, schema: ObjectSchema, rows: Sequence[tuple[object, ...]]) -> frozenset[str]:
        """The ids of those whose last change is of this push's time and user, and which the push has written beneath.

        Only of such as were read again before that: what somebody had changed by then is known. A stamp has whole
        seconds. It may ask the org who is connected, once.
        """
        began, names = self._course.began, [each.name for each in schema.columns]
        if began is None or schema.stamp is None or EDITOR not in names:
            return frozenset()
        stamp, editor = names.index(schema.stamp), names.index(EDITOR)
        since = began.replace(microsecond=0)
        late = [row for row in rows if row[0] in self._course.above and _is_since(row[stamp], since)]
        beneath = self._written_beneath(schema.name, {str(row[0]) for row in late}) if late else frozenset()
        user = self._org.user_id() if beneath else None
        return frozenset(str(row[0]) for row in late if row[0] in beneath and user is not None and row[editor] == user)

    def _written_beneath(self, name: str, ids: Collection[str]) -> frozenset[str]:
        """Those of these ids that records refer to, or did, which this push has changed."""
        found: set[str] = set()
        for changes in _applied(self._store, self._course.push_id):
            found |= _above(self._store, changes, name).intersection(ids)
            if len(found) == len(ids):
                break
        return frozenset(found)


def above_deleted(waves: Sequence[Wave]) -> list[Order]:
    """What is to be deleted after other deletions, the first of which go now."""
    if not any(map(_deletes, waves[0].orders)):
        return []
    return [order for wave in waves[1:] for order in wave.orders if _deletes(order)]


def made_above(store: Store, push_id: str) -> Iterator[Key]:
    """What the push has made, and has then put others beneath that it has made."""
    referred = newest_beneath(store, push_id)
    for changes in _applied(store, push_id) if referred else ():
        for change in changes:
            record_id = store.real_id(change.record_id)
            if change.operation is Operation.CREATE and record_id in referred:
                yield change.object_name, record_id


def newest_beneath(store: Store, push_id: str) -> dict[str, str]:
    """When the org made the last of what the push has made beneath a record, by that one's id (stored form)."""
    found: dict[str, str] = {}
    for changes in _applied(store, push_id):
        made = [each for each in changes if each.operation is Operation.CREATE]
        for name in sorted({each.object_name for each in made}):
            for some in pieces([each for each in made if each.object_name == name]):
                for above, at in _made_beneath(store, name, some):
                    found[above] = max(at, found.get(above, at))
    return found


def _made_beneath(store: Store, name: str, made: Sequence[PushedChange]) -> Iterator[tuple[str, str]]:
    schema = store.schema(name)
    fields = () if schema is None or not schema.has(CREATED) else tuple(schema.references)
    above = {
        store.real_id(each.record_id): [store.real_id(str(edit.value)) for edit in each.edits if edit.field in fields]
        for each in made
    }
    above = {key: ids for key, ids in above.items() if ids}
    if above:
        _, rows = named_rows(store, name, list(above))
        yield from ((each, str(row[CREATED])) for key, row in rows.items() for each in above[key] if row.get(CREATED))


def _applied(store: Store, push_id: str) -> Iterator[list[PushedChange]]:
    before = None
    while True:
        part = store.pushed(push_id, before)
        yield [each for each in part.changes if each.outcome == "applied"]
        if part.before is None:
            return
        before = part.before


def _above(store: Store, changes: Sequence[PushedChange], name: str) -> set[str]:
    """The records of this object that what was changed refers to, or did."""
    found: set[str] = set()
    for child in sorted({each.object_name for each in changes}):
        schema = store.schema(child)
        fields = [] if schema is None else [each for each in schema.references.values() if name in each.reference_to]
        if not fields:
            continue
        names = {each.name for each in fields}
        mine = [each for each in changes if each.object_name == child]
        for some in pieces([store.real_id(each.record_id) for each in mine]):
            _, rows = named_rows(store, child, some)
            found.update(str(row[each]) for row in rows.values() for each in names if row.get(each))
        edits = (edit for each in mine for edit in each.edits if edit.field in names)
        found.update(
            store.real_id(value) for edit in edits for value in (edit.base, edit.value) if isinstance(value, str)
        )
    return found


def _deletes(order: Order) -> bool:
    return order.change.operation is Operation.DELETE


def _is_since(stamp: object, since: datetime) -> bool:
    try:
        return parse_datetime(str(stamp)) >= since
    except ValueError:
        return False
