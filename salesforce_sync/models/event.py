"""Change events as data, and what they make of a row: pure, so that every store does the same with them.

An event tells neither the stamp of the row (SystemModstamp) nor what is derived. LastModifiedDate, which it tells, is
never later than the stamp, so a row that an event has changed never keeps the org's own row out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, StrEnum

from msgspec import Struct

from salesforce_sync.models.schema import NAME_PARTS, ObjectSchema
from salesforce_sync.models.values import Stored

MODIFIED = "LastModifiedDate"

PLACES = 16
"""Changes of a record that are remembered, to know them again."""

Row = Mapping[str, Stored]
Position = tuple[int, int]
"""Where a change stands among all: its transaction's commit number, and its place in the transaction."""


class Action(StrEnum):
    """What happened to a record; GAP: something, and the event does not tell what."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNDELETE = "undelete"
    GAP = "gap"


class Lack(StrEnum):
    """What an event does not tell, so that its record is read again."""

    NOTHING = ""
    DERIVED = "derived"
    """Values that the org derives from others: formulas."""
    VALUES = "values"
    """Values that somebody has written."""


class RecordEvent(Struct, frozen=True):
    """One record's change. `values` are the new ones of the fields that changed, in the stored form (all: a create).

    `committed` is the org's time of the commit, in the stored form. `own`: this program has written it.
    """

    record_id: str
    action: Action
    values: Row
    committed: str
    position: Position
    lacks: Lack = Lack.NOTHING
    own: bool = False

    @property
    def since(self) -> str:
        """No row that shows this change has a stamp before this, in whole seconds as stamps are."""
        told = self.values.get(MODIFIED) if self.action in (Action.CREATE, Action.UPDATE) else None
        return str(told or f"{self.committed[:19]}.000Z")


class EventPage(Struct, frozen=True):
    """Events of one object in the org's order; none, where the org only says that it is still there.

    `replay` is where a later subscription goes on; empty, if the org has not said. `unsure`: more of the object has
    changed than is told.
    """

    object_name: str
    events: tuple[RecordEvent, ...]
    replay: bytes
    unsure: bool = False


class Told(Struct, frozen=True):
    """What an event has changed here."""

    record_id: str
    action: Action
    own: bool


class EventsMerged(Struct, frozen=True):
    """What a page of events did to an object's table.

    `stale` events were known already; so many records are to be read `again`.
    """

    object_name: str
    told: tuple[Told, ...] = ()
    stale: int = 0
    again: int = 0


class Standing(Enum):
    """What an event is to what is here: news, known already, or told after a later change of its record."""

    NEWS = "news"
    KNOWN = "known"
    LATE = "late"


def standing(
    event: RecordEvent, row: Row | None, schema: ObjectSchema, seen: Sequence[Position], read_at: str
) -> Standing:
    """What this event is to the row here. `seen` are the last changes of the record that were merged from events.

    `read_at` is the org's time of the last reading, '' if there was none: what was committed before is in a row of the
    same second. Where that is not sure it is news: merging a change twice does no harm. A late one may tell of fields
    that the later one does not tell of, and which of them still hold, only the org can say. So it does of each row
    without a stamp: it may have been read after this change and the next one.
    """
    if event.position in seen:
        return Standing.KNOWN
    if any(event.position < each for each in seen):
        return Standing.LATE
    if schema.stamp is None:
        return _standing_without_stamp(event, row, read_at)
    here = None if row is None else row.get(schema.stamp)
    if here is None or event.since > str(here):
        return Standing.NEWS
    return Standing.NEWS if event.since == here and event.committed >= read_at else Standing.KNOWN


def _standing_without_stamp(event: RecordEvent, row: Row | None, read_at: str) -> Standing:
    """Such an object is read whole each time."""
    if event.committed < read_at:
        return Standing.KNOWN
    return Standing.NEWS if row is None or event.action is Action.DELETE else Standing.LATE


def changed(event: RecordEvent, row: Row | None, schema: ObjectSchema) -> dict[str, Stored] | None:
    """The row as the org has it after the event; None where that is not known without reading it.

    A value that the event keeps back makes it so, as the others beside the old one would be a row that never was; of
    our own writes what was written is here.
    """
    if event.lacks is Lack.VALUES and not event.own:
        return None
    if event.action is Action.GAP or (row is None and event.action not in (Action.CREATE, Action.UNDELETE)):
        return None
    deletable = schema.has("IsDeleted")
    if event.action is Action.DELETE:
        return {**(row or {}), "IsDeleted": 1} if deletable else None
    made: dict[str, Stored] = {**schema.blank, **(row or {})}
    made |= {name: value for name, value in event.values.items() if name in made}
    made["Id"] = event.record_id
    if deletable:
        made["IsDeleted"] = 0
    stamp = schema.stamp
    if stamp is not None and (row is None or event.since > str(made[stamp] or "")):
        made[stamp] = event.values.get(MODIFIED) or made[stamp] or event.since
    _compose_name(made, event, schema)
    return made


def _compose_name(made: dict[str, Stored], event: RecordEvent, schema: ObjectSchema) -> None:
    """Events tell the parts of a person's name, and not the Name."""
    named = schema.composed_name
    if named is None or named in event.values or event.values.keys().isdisjoint(NAME_PARTS):
        return
    text = " ".join(str(made[part]) for part in NAME_PARTS if made.get(part))
    made[named] = text[: schema.field(named).length or None] or None


class Folded(Struct):
    """What a page of events makes of an object: rows that enter, ids whose record went for good, and what is left.

    `again`: records to read. `seen`: the last changes of each record that came. `own`: nobody else has changed it.
    """

    rows: dict[str, dict[str, Stored]]
    gone: list[str]
    again: dict[str, Lack]
    seen: dict[str, tuple[Position, ...]]
    own: dict[str, bool]
    stale: int = 0


def fold(
    events: Sequence[RecordEvent],
    schema: ObjectSchema,
    here: Mapping[str, Row],
    seen: Mapping[str, Sequence[Position]],
    read_at: str,
    unread: Collection[str] = (),
) -> Folded:
    """Apply events, in their order, to the rows `here`: as the org last showed them, tombstones too.

    Records that are `unread` have changes that no event has told; until they are read, only a deletion is applied.
    """
    folded = Folded({}, [], {}, {}, {})
    for event in events:
        key = event.record_id
        row = folded.rows.get(key, here.get(key))
        before = folded.seen.get(key, seen.get(key, ()))
        stands = standing(event, row, schema, before, read_at)
        if stands is Standing.KNOWN:
            folded.stale += 1
            continue
        folded.seen[key] = (*before, event.position)[-PLACES:]
        half_known = key in unread or folded.again.get(key) is Lack.VALUES
        if stands is Standing.LATE or (half_known and event.action is not Action.DELETE):
            folded.again[key] = Lack.VALUES
            continue
        folded.own[key] = event.own and folded.own.get(key, True)
        made = changed(event, row, schema)
        if made is not None:
            folded.rows[key] = made
        elif event.action is Action.DELETE and not schema.has("IsDeleted"):
            folded.rows.pop(key, None)
            folded.gone.append(key)
            continue
        lacks = Lack.VALUES if made is None else event.lacks
        if lacks and folded.again.get(key) is not Lack.VALUES:
            folded.again[key] = lacks
    return folded


def what_happened(before: Row | None, after: Row) -> Action | None:
    """What became of a record, by the org's row before and after; None if it is as it was."""
    was, is_ = before is not None and not before.get("IsDeleted"), not after.get("IsDeleted")
    if before is not None and after.items() <= before.items():
        return None
    if not is_ and (was or before is None):  # the latter: it came and went between two looks
        return Action.DELETE
    if is_ and not was:
        return Action.CREATE if before is None else Action.UNDELETE
    return Action.UPDATE
