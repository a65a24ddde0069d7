"""What became of changes that were on their way when their answer was lost.

Nothing is sent again before this has been asked: an update or deletion is held against the org's row as it is now; a
create is looked for among the records that the connected user has made since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from salesforce_sync.errors import ForeignAnswer, ObjectTrouble
from salesforce_sync.models.outbox import Change, ChangeState, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Lost, Match, Outcome, Rejected
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, from_rest, parse_datetime
from salesforce_sync.ports import Order, Org
from salesforce_sync.resolve import arrived

MARGIN = timedelta(minutes=5)
"""An org has several servers, and their clocks differ a little."""

STILL_AT_WORK = timedelta(seconds=10)
"""How long after it left a call is given to end in the org, whoever waits for its answer: a process that was killed and
is started again at once would else look for creates while they are being made, and make them twice."""

BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
CREATE_UNCERTAIN = "CREATE_UNCERTAIN"

MOST_PAIRS = 500_000
"""Creates times records that are looked at one by one, for what agrees in part only."""

MOST_LIKE_IT = 50
"""Records with one and the same text that are looked at, where there are that many."""

Row = Mapping[str, Stored]

Known = Callable[[Sequence[str]], AbstractSet[str]]
"""Gives those of these ids that records have which were made here."""

Wait = Callable[[float], None]
"""Lets so many seconds pass."""


def recover(
    org: Org, changes: Sequence[Change], schemas: Mapping[str, ObjectSchema], known: Known, wait: Wait | None
) -> Iterator[tuple[Outcome, ...]]:
    """The outcomes of all changes that are `sending`, a part at a time.

    Conflicted, of a create, says that the org has no such record: it is sent again. Waits, if that is not sure yet;
    with no `wait` it is: the org has said itself that it is not at work on it any more.
    """
    sending = [each for each in changes if each.state is ChangeState.SENDING]
    jobs: defaultdict[str, list[Order]] = defaultdict(list)
    for change in sending:
        if change.job is not None:
            jobs[change.job].append(Order(schemas[change.object_name], change))
    single = [each for each in sending if each.job is None]
    for job, orders in jobs.items():
        told = org.recover(orders, job)
        taken = known([each.record_id for each in told if _has_made(each)])
        untold = {each.change.number for each in told if _is_untold(each, taken)}
        single += [each.change for each in told if each.change.number in untold]
        yield tuple(each for each in told if each.change.number not in untold)
    others = tuple(Conflicted(each) for each in single if each.operation is not Operation.CREATE)
    if others:
        yield others
    creates: defaultdict[str, list[Change]] = defaultdict(list)
    for change in single:
        if change.operation is Operation.CREATE:
            creates[change.object_name].append(change)
    for name, some in creates.items():
        yield _look_for(org, schemas[name], some, known, wait)


def _has_made(outcome: Outcome) -> TypeGuard[Applied]:
    return isinstance(outcome, Applied) and outcome.change.operation is Operation.CREATE


def _is_untold(outcome: Outcome, taken: AbstractSet[str]) -> bool:
    """Whether the job knows nothing of it (any more): it is looked for as if there had been no job.

    So is one of several equal creates, if the job tells of the record that another one was settled with before.
    """
    if _has_made(outcome):
        return outcome.record_id in taken
    return isinstance(outcome, Lost) and outcome.job is None


def _look_for(
    org: Org, schema: ObjectSchema, creates: Sequence[Change], known: Known, wait: Wait | None
) -> tuple[Outcome, ...]:
    try:
        outcomes = find(schema, creates, _created(org, schema, creates, known))
        pause = 0.0 if wait is None else _pause(org.time(), outcomes)
        if wait is not None and pause > 0:
            wait(pause)
            outcomes = find(schema, creates, _created(org, schema, creates, known))
    except ForeignAnswer as foreign:
        return tuple(Lost(each, foreign.message) for each in creates)
    except ObjectTrouble as trouble:
        message = f"The answer to this create was lost, and it cannot be looked for: {trouble.message}"
        return tuple(Rejected(each, CREATE_UNCERTAIN, message, kind=Kind.UNCERTAIN) for each in creates)
    return outcomes


def _pause(now: datetime | None, outcomes: Sequence[Outcome]) -> float:
    """Seconds until what is not there has had its time to come."""
    missing = [each.change.sent_at for each in outcomes if isinstance(each, Conflicted)]
    last = max((each for each in missing if each is not None), default=None)
    if now is None or last is None:
        return 0.0
    return min(last + STILL_AT_WORK - now, STILL_AT_WORK).total_seconds()


def _created(org: Org, schema: ObjectSchema, creates: Sequence[Change], known: Known) -> list[Row]:
    """The records that the connected user has made since, deleted or not, and that no create here is known to be."""
    names = sorted({edit.field for change in creates for edit in change.edits})
    asked = schema.only("CreatedDate", "IsDeleted", *names)
    since = min(BEFORE_ALL if each.sent_at is None else each.sent_at - MARGIN for each in creates)
    rows = [stored_row(asked, row) for row in org.created(asked, since)]
    ours = known([str(row["Id"]) for row in rows])
    return [row for row in rows if row["Id"] not in ours]


def stored_row(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    """A row in REST's form as API name → stored value."""
    return {field.name: from_rest(field.type, value) for field, value in zip(schema.columns, row, strict=True)}


# ── which record is which create: pure ───────────────────────────────────────────────────────────────────────────


def find(schema: ObjectSchema, creates: Sequence[Change], rows: Sequence[Row]) -> tuple[Outcome, ...]:
    """One outcome a create: `Applied` (this record is it), `Rejected` (one may be), or `Conflicted` (none is).

    A unique value decides, unless its record was there before; then all values that were sent. Of several equal
    creates, as many are there as there are such records. A record that agrees only in part, or in the unique value
    alone, may be the create after the org's triggers changed it, or somebody else's: a person decides.

    What no living record is may be one that was deleted since: it has arrived, and is not made again.
    """
    left = {str(row["Id"]): row for row in rows if not row.get("IsDeleted")}
    found = _matched(schema, creates, left)
    gone = {str(row["Id"]): row for row in rows if row.get("IsDeleted")}
    found |= _matched(schema, [each for each in creates if each.number not in found], gone)
    # A value that only one record can have, and none has: the record is not there.
    open_ = [each for each in creates if each.number not in found and not _keys(schema, each)]
    for change, key in _likely(schema, open_, left):
        found[change.number] = _uncertain(change, key)
    return tuple(found.get(each.number, Conflicted(each)) for each in creates)


def _matched(schema: ObjectSchema, creates: Sequence[Change], left: dict[str, Row]) -> dict[int, Outcome]:
    """By the creates' numbers, what a unique value or all values tell; takes each record that is one out of `left`."""
    found: dict[int, Outcome] = {}
    for names_of in (_keys, _all):
        shelves = _Shelves(schema, left)
        for change in creates:
            names = names_of(schema, change)
            if change.number in found or not names:
                continue
            near = shelves.near(names, change)
            match = next((key for key in near if key in left and _is_it(schema, change, names, left[key])), None)
            if match is not None:
                alone = _agrees_alone(schema, change, names, left.pop(match))
                found[change.number] = _uncertain(change, match) if alone else Applied(change, match)
    return found


def _keys(schema: ObjectSchema, change: Change) -> list[str]:
    """The fields that were sent of which no two records have the same value."""
    unique = {each.name for each in schema.columns if each.unique}
    return [edit.field for edit in change.edits if edit.field in unique and edit.value not in (None, "")]


def _all(schema: ObjectSchema, change: Change) -> list[str]:
    return [edit.field for edit in change.edits]


class _Shelves:
    """The records by one value: thousands of creates are not held against thousands of records each."""

    def __init__(self, schema: ObjectSchema, rows: Mapping[str, Row]) -> None:
        self._texts = {each.name for each in schema.columns if each.type is FieldType.TEXT}
        self._rows = rows
        self._by_value: dict[str, dict[str, list[str]]] = {}

    def near(self, names: Sequence[str], change: Change) -> Sequence[str]:
        """The ids of the records that may agree in these fields."""
        name = next((each for each in names if each in self._texts), None)
        if name is None:
            return list(self._rows)
        if name not in self._by_value:
            shelf = self._by_value[name] = {}
            for key, row in self._rows.items():
                shelf.setdefault(_folded(row.get(name)), []).append(key)
        return self._by_value[name].get(_folded(change.values[name]), [])


def _folded(value: Stored) -> str:
    return str(value or "").strip().casefold()


def _is_it(schema: ObjectSchema, change: Change, names: Sequence[str], row: Row) -> bool:
    """Whether the row agrees in these fields, and is no record that was there before: sent again, it is refused."""
    if not _agrees(schema, change, names, row):
        return False
    if not _is_older(change, row):
        return True
    # One that was made, and deleted, before is not it: taken for it, this create would never be sent.
    return not row.get("IsDeleted") and _agrees(schema, change, _all(schema, change), row)


def _agrees_alone(schema: ObjectSchema, change: Change, names: Sequence[str], row: Row) -> bool:
    """Whether more was sent than these fields, and none of it is in the row."""
    others = [edit.field for edit in change.edits if edit.field not in names and edit.value not in (None, "")]
    return bool(others) and not any(_agrees(schema, change, [name], row) for name in others)


def _is_older(change: Change, row: Row) -> bool:
    """Whether the org had made the record before the create left; both are the org's times, this one's in seconds."""
    made = row.get("CreatedDate")
    if change.sent_at is None or not isinstance(made, str):
        return False
    return parse_datetime(made) < change.sent_at.replace(microsecond=0)


def _agrees(schema: ObjectSchema, change: Change, names: Sequence[str], row: Row) -> bool:
    values = change.values
    return all(arrived(schema, name, values[name], row.get(name)) for name in names)


def _likely(schema: ObjectSchema, creates: Sequence[Change], left: Mapping[str, Row]) -> Iterator[tuple[Change, str]]:
    """Pairs of a create and a record that agree in much, the best first; each of both at most once."""
    scored = [
        (-share, change.number, key, change)
        for change, key in _pairs(schema, creates, left)
        if (share := _share(schema, change, left[key])) > 0
    ]
    used: set[object] = set()
    for _, number, key, change in sorted(scored, key=lambda each: each[:3]):
        if not used & {number, key}:
            used |= {number, key}
            yield change, key


def _pairs(schema: ObjectSchema, creates: Sequence[Change], left: Mapping[str, Row]) -> Iterator[tuple[Change, str]]:
    """Who is held against whom: all, unless they are too many; then those with a telling value in common."""
    if len(creates) * len(left) <= MOST_PAIRS:
        yield from ((change, key) for change in creates for key in left)
        return
    shelves: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    telling = [each.name for each in schema.columns if _tells(schema, each.name)]
    for key, row in left.items():
        for name in telling:
            shelves[name, _bare(row.get(name))].append(key)
    for change in creates:
        names = [edit.field for edit in change.edits if _tells(schema, edit.field) and _bare(edit.value)]
        near = {key for name in names for key in shelves[name, _bare(change.values[name])][:MOST_LIKE_IT]}
        yield from ((change, key) for key in sorted(near))


def _bare(value: Stored) -> str:
    """A text without its case and signs."""
    return "".join(filter(str.isalnum, str(value or ""))).casefold()


def _share(schema: ObjectSchema, change: Change, row: Row) -> float:
    """How much of what was sent the record has; 0 where that is too little to take it for the create."""
    sent = {name: value for name, value in change.values.items() if value not in (None, "")}
    alike = [name for name, value in sent.items() if _loosely(schema, name, value, row.get(name))]
    telling = any(_tells(schema, name) for name in alike)
    share = len(alike) / len(sent) if sent else 0.0
    return share if telling or share >= 0.5 else 0.0


def _tells(schema: ObjectSchema, name: str) -> bool:
    """Whether few records have the same value: texts that people write."""
    field = schema.field(name)
    return field.type is FieldType.TEXT and field.salesforce_type not in ("picklist", "multipicklist", "combobox")


def _loosely(schema: ObjectSchema, name: str, sent: Stored, shown: Stored) -> bool:
    """Alike but for case and signs: what a trigger makes of a name or a telephone number."""
    if arrived(schema, name, sent, shown):
        return True
    if schema.field(name).type is not FieldType.TEXT:
        return False
    return _bare(sent) == _bare(shown) != ""


def _uncertain(change: Change, record_id: str) -> Rejected:
    message = (
        f"The answer to this create was lost. The org has {record_id}, made by the same user since, "
        "which agrees with it in part: it may be this record. Link it, or send the create again."
    )
    matches = (Match(change.object_name, record_id),)
    return Rejected(change, CREATE_UNCERTAIN, message, matches=matches, kind=Kind.UNCERTAIN)
