"""Which of the org's records is which create whose answer was lost. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from salesforce_sync.models.outbox import Change, Kind
from salesforce_sync.models.outcome import Applied, Conflicted, Match, Outcome, Rejected
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, parse_datetime
from salesforce_sync.resolve import arrived

CREATE_UNCERTAIN = "CREATE_UNCERTAIN"

MOST_PAIRS = 500_000
"""Creates times records that are looked at one by one, for what agrees in part only."""

MOST_LIKE_IT = 50
"""Records with one and the same text that are looked at, where there are that many."""

Row = Mapping[str, Stored]


def find(schema: ObjectSchema, creates: Sequence[Change], rows: Sequence[Row]) -> tuple[Outcome, ...]:
    """One outcome a create: `Applied` (this record is it), `Rejected` (one may be), or `Conflicted` (none is).

    A unique value decides, unless its record was there before; then all values that were sent. Of several equal
    creates, as many are there as there are such records. A record that agrees only in part, or in the unique value
    alone, or that was made with other values, may be the create after the org's triggers changed it, or somebody
    else's: a person decides.

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


def has_key(schema: ObjectSchema, change: Change) -> bool:
    """Whether the create has a value that only one record can have."""
    return bool(_keys(schema, change))


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
                row = left.pop(match)
                doubtful = _agrees_alone(schema, change, names, row) or _was_made_so(schema, change, row)
                found[change.number] = _uncertain(change, match) if doubtful else Applied(change, match)
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


def _was_made_so(schema: ObjectSchema, change: Change, row: Row) -> bool:
    """Whether the row has other values than were sent though nobody has changed it since it was made.

    What a trigger makes of a text (another case, other signs) is no other value, nor is what it fills in.
    """
    made = row.get("CreatedDate")
    if made is None or made != row.get("LastModifiedDate"):
        return False
    sent = ((name, value) for name, value in change.values.items() if value not in (None, ""))
    return any(not _loosely(schema, name, value, row.get(name)) for name, value in sent)


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
