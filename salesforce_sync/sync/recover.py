"""What became of changes that were on their way when their answer was lost.

Nothing is sent again before this has been asked: an update or deletion is held against the org's row as it is now; a
create is looked for among the records that its sender has made since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from msgspec.structs import replace

from salesforce_sync.errors import ForeignAnswer, InsufficientAccess, ObjectNotFound, ObjectTrouble, SchemaChanged
from salesforce_sync.models.outbox import Change, ChangeState, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Lost, Outcome, Rejected
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, from_rest
from salesforce_sync.ports import Order, Org
from salesforce_sync.sync.lost_creates import CREATE_UNCERTAIN, Row, find, has_key

MARGIN = timedelta(minutes=5)
"""An org has several servers, and their clocks differ a little."""

STILL_AT_WORK = timedelta(seconds=10)
"""How long after it left a call is given to end in the org, whoever waits for its answer: a process that was killed and
is started again at once would else look for creates while they are being made, and make them twice."""

BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)

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
    lost = [each for each in single if each.operation is Operation.CREATE]
    strangers = _strangers(org, lost)
    creates: defaultdict[tuple[str, str | None], list[Change]] = defaultdict(list)
    for change in lost:
        creates[change.object_name, change.sent_by if change.sent_by in strangers else None].append(change)
    for (name, sender), some in creates.items():
        found = _look_for(org, schemas[name], some, known, wait, sender)
        yield found if sender is None else tuple(_unless_missing(schemas[name], each) for each in found)


def _strangers(org: Org, creates: Sequence[Change]) -> AbstractSet[str | None]:
    """Who has sent them, and is not the connected user. A sender who is not known is taken for that one."""
    senders = {each.sent_by for each in creates} - {None, org.told_user()} if creates else set()
    return senders - {org.user_id()} if senders else senders


def _unless_missing(schema: ObjectSchema, outcome: Outcome) -> Outcome:
    """What this user does not find may still be there: not everybody sees the records of another one.

    The org itself keeps out a second record with a unique value.
    """
    if not isinstance(outcome, Conflicted) or has_key(schema, outcome.change):
        return outcome
    message = (
        f"The answer to this create was lost. The user {outcome.change.sent_by}, as whom it was sent, has made no such "
        "record since, as far as the user sees who is connected now. Look for it in the org, then link it or send the "
        "create again."
    )
    return Rejected(outcome.change, CREATE_UNCERTAIN, message, kind=Kind.UNCERTAIN)


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
    org: Org,
    schema: ObjectSchema,
    creates: Sequence[Change],
    known: Known,
    wait: Wait | None,
    sender: str | None = None,
) -> tuple[Outcome, ...]:
    """What became of them, as far as the records of the sender, or of the connected user, tell."""
    try:
        outcomes = find(schema, creates, _created(org, schema, creates, known, sender))
        pause = 0.0 if wait is None else _pause(org.time(), outcomes)
        if wait is not None and pause > 0:
            wait(pause)
            outcomes = find(schema, creates, _created(org, schema, creates, known, sender))
    except SchemaChanged as changed:
        return _look_without(org, schema, creates, known, wait, sender, changed)
    except (ForeignAnswer, ObjectNotFound, InsufficientAccess) as passing:
        # It may be shown again. To ask a person meanwhile would let him make what is there a second time.
        return tuple(Lost(each, passing.message) for each in creates)
    except ObjectTrouble as trouble:
        return _not_looked_for(creates, trouble)
    return outcomes


def _look_without(
    org: Org,
    schema: ObjectSchema,
    creates: Sequence[Change],
    known: Known,
    wait: Wait | None,
    sender: str | None,
    changed: SchemaChanged,
) -> tuple[Outcome, ...]:
    """Look by the other fields: one that was sent is not in the org any more, or not shown."""
    gone = changed.column.casefold()
    seen = [
        replace(each, edits=tuple(edit for edit in each.edits if edit.field.casefold() != gone)) for each in creates
    ]
    if not schema.has(changed.column) or seen == list(creates) or not all(each.edits for each in seen):
        return _not_looked_for(creates, changed)
    whole = {each.number: each for each in creates}
    found = _look_for(org, schema, seen, known, wait, sender)
    return tuple(replace(each, change=whole[each.change.number]) for each in found)


def _not_looked_for(creates: Sequence[Change], trouble: ObjectTrouble) -> tuple[Outcome, ...]:
    message = f"The answer to this create was lost, and it cannot be looked for: {trouble.message}"
    return tuple(Rejected(each, CREATE_UNCERTAIN, message, kind=Kind.UNCERTAIN) for each in creates)


def _pause(now: datetime | None, outcomes: Sequence[Outcome]) -> float:
    """Seconds until what is not there has had its time to come."""
    missing = [each.change.sent_at for each in outcomes if isinstance(each, Conflicted)]
    last = max((each for each in missing if each is not None), default=None)
    if now is None or last is None:
        return 0.0
    return min(last + STILL_AT_WORK - now, STILL_AT_WORK).total_seconds()


def _created(org: Org, schema: ObjectSchema, creates: Sequence[Change], known: Known, sender: str | None) -> list[Row]:
    """The records that their sender has made since, deleted or not, and that no create here is known to be."""
    names = sorted({edit.field for change in creates for edit in change.edits})
    asked = schema.only("CreatedById", "CreatedDate", "LastModifiedDate", "IsDeleted", *names)
    since = min(BEFORE_ALL if each.sent_at is None else each.sent_at - MARGIN for each in creates)
    rows = [stored_row(asked, row) for row in org.created(asked, since, sender)]
    ours = known([str(row["Id"]) for row in rows])
    return [row for row in rows if row["Id"] not in ours]


def stored_row(schema: ObjectSchema, row: Sequence[object]) -> dict[str, Stored]:
    """A row in REST's form as API name → stored value."""
    return {field.name: from_rest(field.type, value) for field, value in zip(schema.columns, row, strict=True)}
