"""What to send, in which order: the outbox as waves of changes. Pure.

A wave holds changes that need no answer to each other. The dry run lists all waves; the real run sends the first one,
settles it and plans again, with the same function: what was sent is then no longer in the outbox, and the rest comes
out as before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from salesforce_sync.models.outbox import Change, is_local, is_sendable
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.push import Blocked
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.sync.needs import Outbox, References
from salesforce_sync.sync.waves import Wave, cut_circles, levels, nodes_of, wave_of

LOCAL_REFERENCE_GONE = "LOCAL_REFERENCE_GONE"
CIRCULAR_REFERENCE = "CIRCULAR_REFERENCE"


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
    outbox = Outbox(changes, schemas, references or {}, standard_books)
    sendable = {each.number for each in changes if is_sendable(each, now) and each.number not in without}
    lost = _lost_references(outbox, sendable, arrived)
    while True:
        rejected = {number: each for number, each in lost.items() if number in sendable}
        blocked = _blocked(outbox, sendable - rejected.keys())
        nodes = nodes_of(outbox, sendable - rejected.keys() - blocked.keys())
        stuck = cut_circles(nodes, outbox)
        if stuck is None:
            break
        lost[stuck] = _circular(outbox.by_number[stuck])
    waves = tuple(wave_of(each, outbox) for each in levels(nodes, outbox))
    return Plan(
        waves,
        tuple(blocked[number] for number in sorted(blocked)),
        tuple(rejected[number] for number in sorted(rejected)),
    )


def _lost_references(outbox: Outbox, numbers: Collection[int], arrived: Collection[str]) -> dict[int, Rejected]:
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


def _blocked(outbox: Outbox, numbers: Collection[int]) -> dict[int, Blocked]:
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
