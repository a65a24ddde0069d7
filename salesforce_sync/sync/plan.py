"""What to send, in which order: the outbox as waves of changes. Pure.

A wave holds changes that need no answer to each other. The dry run lists all waves; the real run sends the first one,
settles it and plans again, with the same function: what was sent is then no longer in the outbox, and the rest comes
out as before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Edit, Operation, is_local, is_sendable
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.push import Blocked
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order

LOCAL_REFERENCE_GONE = "LOCAL_REFERENCE_GONE"
CIRCULAR_REFERENCE = "CIRCULAR_REFERENCE"

PRICES = "PricebookEntry"
"""The object of products' prices."""

References = Mapping[str, tuple[str, ...]]
"""Of records that are deleted or undeleted here: the ids that their rows refer to."""


class Wave(Struct, frozen=True):
    """Changes that may be handed over together, siblings side by side."""

    orders: tuple[Order, ...]


class Plan(Struct, frozen=True):
    """Everything that can be sent now, and why the rest cannot.

    In later waves, references to records that an earlier one creates still hold their local ids.
    """

    waves: tuple[Wave, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def plan(
    changes: Sequence[Change],
    schemas: Mapping[str, ObjectSchema],
    now: datetime,
    references: References | None = None,
    without: Collection[int] = (),
    arrived: Collection[str] = (),
    standard_books: Collection[str] = (),
) -> Plan:
    """The waves of what is waiting and due, apart from the changes of the numbers in `without`.

    The records of `arrived` are as good as created. `standard_books`: the ids of the org's standard price books.

    Parents before children, children's deletions before their parents', a product's standard price before its others.
    What waits for something that cannot be sent is blocked; what refers to a record that is nowhere is rejected.
    """
    outbox = _Outbox(changes, schemas, references or {}, standard_books)
    sendable = {each.number for each in changes if is_sendable(each, now) and each.number not in without}
    lost = _lost_references(outbox, sendable, arrived)
    while True:
        rejected = {number: each for number, each in lost.items() if number in sendable}
        blocked = _blocked(outbox, sendable - rejected.keys())
        nodes = _nodes(outbox, sendable - rejected.keys() - blocked.keys())
        stuck = _cut_circles(nodes, outbox)
        if stuck is None:
            break
        lost[stuck] = _circular(outbox.by_number[stuck])
    waves = tuple(_wave(each, outbox) for each in _levels(nodes, outbox))
    return Plan(
        waves,
        tuple(blocked[number] for number in sorted(blocked)),
        tuple(rejected[number] for number in sorted(rejected)),
    )


def parents(schema: ObjectSchema, values: Mapping[str, Stored]) -> tuple[str, ...]:
    """The ids that a row's reference fields hold, of records that it may be a child of; a required one comes first."""
    found = (values.get(name) for name in schema.parents)
    return tuple(each for each in found if isinstance(each, str) and each)


# ── what waits for what ──────────────────────────────────────────────────────────────────────────────────────────


class _Need(Struct, frozen=True):
    """A change has to wait for the one of this number, because of its `field` (empty: because of its record)."""

    number: int
    field: str = ""


class _Outbox:
    """All changes, with the needs of each."""

    def __init__(
        self,
        changes: Sequence[Change],
        schemas: Mapping[str, ObjectSchema],
        references: References,
        standard_books: Collection[str],
    ) -> None:
        self.schemas = schemas
        self.references = references
        self.by_number = {each.number: each for each in sorted(changes, key=lambda each: each.number)}
        self.creates = _by_record(changes, Operation.CREATE)
        self._undeletes = _by_record(changes, Operation.UNDELETE)
        self._deletes = _by_record(changes, Operation.DELETE)
        self._leaving = self._who_leaves()
        self._standard_prices = {
            _priced(each): each.number
            for each in new_prices(changes)
            if each.values.get("Pricebook2Id") in standard_books
        }
        self.needs = {number: tuple(self._needs(each)) for number, each in self.by_number.items()}

    def schema(self, change: Change) -> ObjectSchema:
        return self.schemas[change.object_name]

    def pointers(self, change: Change) -> Iterator[Edit]:
        """The edits of reference fields."""
        references = self.schema(change).references
        return (each for each in change.edits if each.field in references)

    def _who_leaves(self) -> Mapping[str, list[int]]:
        """By deleted record: the changes that have to be sent before it goes.

        Its children's deletions, and what refers to it no longer: the org might take them along.
        """
        leaving: defaultdict[str, list[int]] = defaultdict(list)
        if not self._deletes:
            return leaving
        for change in self.by_number.values():
            if change.operation is Operation.DELETE:
                left: Iterable[Stored] = self.references.get(change.record_id, ())
            else:
                left = [edit.base for edit in self.pointers(change)]
            for each in left:
                if isinstance(each, str) and each in self._deletes and each != change.record_id:
                    leaving[each].append(change.number)
        return leaving

    def _needs(self, change: Change) -> Iterator[_Need]:
        if change.operation is Operation.DELETE:
            yield from (_Need(number) for number in self._leaving.get(change.record_id, ()))
        elif change.operation is Operation.UNDELETE:
            for each in self.references.get(change.record_id, ()):
                if each in self._undeletes and each != change.record_id:
                    yield _Need(self._undeletes[each])
        if change.operation is not Operation.CREATE and change.record_id in self.creates:
            yield _Need(self.creates[change.record_id])
        for edit in self.pointers(change):
            found = self.creates.get(str(edit.value), self._undeletes.get(str(edit.value)))
            if found is not None and (found != change.number or change.operation is Operation.CREATE):
                yield _Need(found, edit.field)
        for price in new_prices((change,)) if self._standard_prices else ():
            standard = self._standard_prices.get(_priced(price), price.number)
            if standard != price.number:
                yield _Need(standard)


def new_prices(changes: Iterable[Change]) -> Iterator[Change]:
    """The new prices of products: the org takes one only where the product has a standard price already."""
    return (each for each in changes if each.object_name == PRICES and each.operation is Operation.CREATE)


def _priced(price: Change) -> tuple[Stored, Stored]:
    """What has one standard price: a product, in a currency."""
    return price.values.get("Product2Id"), price.values.get("CurrencyIsoCode")


def _by_record(changes: Sequence[Change], operation: Operation) -> dict[str, int]:
    return {each.record_id: each.number for each in changes if each.operation is operation}


def _lost_references(outbox: _Outbox, numbers: Collection[int], arrived: Collection[str]) -> dict[int, Rejected]:
    """What refers to a record that was made here and is not waiting to be created any more."""
    lost: dict[int, Rejected] = {}
    for number in numbers:
        change = outbox.by_number[number]
        gone = [
            edit
            for edit in outbox.pointers(change)
            if isinstance(edit.value, str)
            and is_local(edit.value)
            and edit.value not in outbox.creates
            and edit.value not in arrived
        ]
        if gone:
            names = tuple(edit.field for edit in gone)
            message = (
                f"{', '.join(names)} refers to {gone[0].value}, a record that was made here and is gone. "
                "Choose another record, or clear the field."
            )
            lost[number] = Rejected(change, LOCAL_REFERENCE_GONE, message, names)
    return lost


def _circular(change: Change) -> Rejected:
    message = (
        "New records refer to each other in fields that must have a value when they are created. "
        "Create one of them with another reference first, and change it afterwards."
    )
    return Rejected(change, CIRCULAR_REFERENCE, message)


def _blocked(outbox: _Outbox, numbers: Collection[int]) -> dict[int, Blocked]:
    """What cannot be sent because something before it cannot, at any depth."""
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    for number in sorted(numbers):
        for need in outbox.needs[number]:
            waiting[need.number].append(number)
    blocked: dict[int, Blocked] = {}
    todo = [number for number in outbox.by_number if number not in numbers]
    for blocker in todo:
        for number in waiting[blocker]:
            if number not in blocked:
                blocked[number] = Blocked(outbox.by_number[number], outbox.by_number[blocker].record_id)
                todo.append(number)
    return blocked


# ── waves ────────────────────────────────────────────────────────────────────────────────────────────────────────

Key = tuple[int, int]
"""A change's number, and 0, or 1 for the part of a create that is sent afterwards."""


class _Node(Struct):
    """A change that will be sent, or a part of it, and the keys that it waits for (with the fields that make it)."""

    change: Change
    needs: dict[Key, set[str]] = field(default_factory=dict)


Nodes = dict[Key, _Node]


def _nodes(outbox: _Outbox, numbers: Collection[int]) -> Nodes:
    nodes: Nodes = {}
    for number in sorted(numbers):
        node = nodes[number, 0] = _Node(outbox.by_number[number])
        for need in outbox.needs[number]:
            if need.number in numbers:
                node.needs.setdefault((need.number, 0), set()).add(need.field)
    return nodes


def _cut_circles(nodes: Nodes, outbox: _Outbox) -> int | None:
    """Break every circle of needs; gives the number of a change that stands in one that cannot be broken."""
    for key in [key for key, node in nodes.items() if key in node.needs]:
        if not _cut(nodes, key, key, outbox):
            return key[0]
    while left := _unreachable(nodes):
        for circle in _circles(nodes, left):
            links = sorted(zip(circle, circle[1:] + circle[:1], strict=True))
            if not any(_cut(nodes, key, needed, outbox) for key, needed in links):
                return min(circle)[0]
    return None


def _unreachable(nodes: Nodes) -> set[Key]:
    """What stands in a circle, or waits for one."""
    counts = {key: len(node.needs) for key, node in nodes.items()}
    waiting = _waiting(nodes)
    todo = [key for key, count in counts.items() if not count]
    for key in todo:
        for each in waiting[key]:
            counts[each] -= 1
            if not counts[each]:
                todo.append(each)
    return counts.keys() - set(todo)


def _waiting(nodes: Nodes) -> Mapping[Key, list[Key]]:
    """Who waits for each node."""
    waiting: defaultdict[Key, list[Key]] = defaultdict(list)
    for key, node in nodes.items():
        for needed in node.needs:
            waiting[needed].append(key)
    return waiting


def _circles(nodes: Nodes, left: set[Key]) -> Iterator[list[Key]]:
    """Circles without a common node, at least one: follow one need of each node until a node comes again."""
    seen: set[Key] = set()
    for start in sorted(left):
        path: dict[Key, None] = {}
        key = start
        while key not in seen:
            seen.add(key)
            path[key] = None
            key = min(each for each in nodes[key].needs if each in left)
        if key in path:
            keys = list(path)
            yield keys[keys.index(key) :]


def _cut(nodes: Nodes, key: Key, needed: Key, outbox: _Outbox) -> bool:
    """Let a node go before what it needs, if it can: a create without the field, which is sent afterwards."""
    node = nodes[key]
    names = node.needs[needed]
    if names == {""} and needed[1] == 0:
        del node.needs[needed]  # deletions, or undeletions, of records that refer to each other
        return True
    if node.change.operation is not Operation.CREATE:
        return False
    schema = outbox.schema(node.change)
    if any(schema.field(name).required or not schema.field(name).updateable for name in names):
        return False
    del node.needs[needed]
    now = tuple(edit for edit in node.change.edits if edit.field not in names)
    later = tuple(edit for edit in outbox.by_number[key[0]].edits if edit not in now)
    node.change = replace(node.change, edits=now)
    patch = nodes.setdefault((key[0], 1), _Node(node.change))
    patch.change = replace(node.change, operation=Operation.UPDATE, edits=later)
    patch.needs[key] = {""}
    if needed != key:
        patch.needs[needed] = set(names)
    return True


def _levels(nodes: Nodes, outbox: _Outbox) -> Iterator[list[_Node]]:
    """The nodes by the length of the longest way to them: a node is in the first wave in which it can be."""
    counts = {key: len(node.needs) for key, node in nodes.items()}
    waiting = _waiting(nodes)
    ready = [key for key, count in counts.items() if not count]
    while ready:
        held = _held_back([nodes[key].change for key in ready], outbox)
        yield [nodes[key] for key in ready if key[0] not in held]
        following = [key for key in ready if key[0] in held]
        for key in ready:
            for each in waiting[key] if key[0] not in held else ():
                counts[each] -= 1
                if not counts[each]:
                    following.append(each)
        ready = following


def _held_back(changes: Sequence[Change], outbox: _Outbox) -> set[int]:
    """Creates that let older deletions of their object go first: they may have the same value in a unique field."""
    first: dict[str, int] = {}
    for change in changes:
        if change.operation is Operation.DELETE:
            first.setdefault(change.object_name, change.number)
            first[change.object_name] = min(first[change.object_name], change.number)
    return {
        change.number
        for change in changes
        if change.operation is Operation.CREATE
        and first.get(change.object_name, change.number) < change.number
        and change.values.keys() & {each.name for each in outbox.schema(change).columns if each.unique}
    }


def _wave(nodes: Sequence[_Node], outbox: _Outbox) -> Wave:
    """In the order of the outbox, but siblings follow their eldest."""
    numbered = sorted(nodes, key=lambda node: node.change.number)
    family = [_family(node.change, outbox) for node in numbered]
    eldest: dict[str, int] = {}
    for node, parent in zip(numbered, family, strict=True):
        eldest.setdefault(parent, node.change.number)
    pairs = sorted(zip(family, numbered, strict=True), key=lambda pair: (eldest[pair[0]], pair[1].change.number))
    return Wave(tuple(Order(outbox.schema(node.change), node.change) for _, node in pairs))


def _family(change: Change, outbox: _Outbox) -> str:
    """The id of the record that the org locks with this one; its own where none is known."""
    found = parents(outbox.schema(change), change.values) or outbox.references.get(change.record_id, ())
    return found[0] if found else change.record_id
