"""Edits, pushes, the inbox and the history as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from salesforce_sync.app import Diff, Status
from salesforce_sync.collection import Objects
from salesforce_sync.errors import FieldNotFound, NotSynced
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Change, ChangeState, Edit, Kind, Operation, Push, PushedChange
from salesforce_sync.models.run import Problem, Run
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.terminal import ago, clean, say, say_table, stamp, warn

MOST_SHOWN: Final = 50
"""Changes that are shown one by one; --json gives all of them."""


class Values:
    """How a person knows records and values: by the record's name, `true` for 1, `(empty)` for null."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def show(self, object_name: str, field: str, value: Stored) -> str:
        """A stored value as a person writes it."""
        if value is None:
            return "(empty)"
        if self._kind(object_name, field) is FieldType.BOOLEAN:
            return "true" if value else "false"
        return clean(str(value).removesuffix(".0") if isinstance(value, float) else str(value))

    def _kind(self, object_name: str, field: str) -> FieldType:
        try:
            return self._objects[object_name].schema.field(field).type
        except (NotSynced, FieldNotFound):
            return FieldType.TEXT

    def title(self, object_name: str, record_id: str) -> str:
        """The record's name; empty where it has none here."""
        try:
            return clean(self._objects[object_name].title(record_id))
        except NotSynced:
            return ""

    def record(self, object_name: str, record_id: str) -> str:
        """Object, id and name."""
        title = self.title(object_name, record_id)
        return f"{object_name} {record_id}" + (f" ({title})" if title else "")


# ── Edits ────────────────────────────────────────────────────────────────────────────────────────────────────────


def say_edited(change: Change | None, record: str, values: Values) -> None:
    """Say what of a record waits to be sent."""
    if change is None:
        say(f"{record}: nothing to send, this is what the org has.")
        return
    _say_change(change, values)
    say("It waits for the next `salesforce-sync push` or `sync`.")


def _say_change(change: Change, values: Values) -> None:
    say(f"{change.operation.value} {values.record(change.object_name, change.record_id)}")
    _say_edits(change.object_name, change.edits, values, new=change.operation is Operation.CREATE)


def _say_edits(object_name: str, edits: Sequence[Edit], values: Values, *, new: bool) -> None:
    width = max((len(each.field) for each in edits), default=0)
    for each in edits:
        base, value = (values.show(object_name, each.field, side) for side in (each.base, each.value))
        say(f"  {each.field:{width}}  {value if new else f'{base} → {value}'}")


def edited_document(change: Change | None, object_name: str, record_id: str) -> dict[str, Any]:
    """What of a record waits to be sent, as JSON."""
    if change is None:
        return {"object": object_name, "id": record_id, "operation": None, "fields": {}}
    return change_document(change)


def change_document(change: Change) -> dict[str, Any]:
    """A change as JSON; values in the stored form."""
    return {
        "object": change.object_name,
        "id": change.record_id,
        "operation": change.operation.value,
        "fields": _edits_document(change.edits),
    }


def _edits_document(edits: Iterable[Edit]) -> dict[str, Any]:
    return {each.field: {"org": each.base, "here": each.value} for each in edits}


# ── What a push would do ─────────────────────────────────────────────────────────────────────────────────────────


def say_diff(diff: Diff, values: Values) -> None:
    """Say what a push would send, in its order, then what it would not and why."""
    for change in diff.orders[:MOST_SHOWN]:
        _say_change(change, values)
    if len(diff.orders) > MOST_SHOWN:
        say(f"… and {len(diff.orders) - MOST_SHOWN:,} more; --json lists all.")
    waiting = list(_waiting(diff))
    if waiting:
        say()
        say("Not sent now:")
        for change, why in waiting[:MOST_SHOWN]:
            say(f"  {change.operation.value} {values.record(change.object_name, change.record_id)}: {why}")
        if len(waiting) > MOST_SHOWN:
            say(f"  … and {len(waiting) - MOST_SHOWN:,} more; --json lists all.")
    if diff.orders or waiting:
        say()
    say(_diff_line(diff))


def _diff_line(diff: Diff) -> str:
    if not diff.orders:
        return "Nothing to send."
    return f"{_counted(len(diff.orders), 'change')} to send: {_counted(diff.calls, 'API call')}."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _waiting(diff: Diff) -> Iterable[tuple[Change, str]]:
    """What would not be sent now, and why."""
    yield from ((each, "its last answer was lost; the org is asked first whether it has it") for each in diff.unknown)
    yield from ((each.change, f"blocked, it waits for {each.by}") for each in diff.blocked)
    yield from ((each.change, f"{each.code}: {each.message}") for each in diff.rejected)
    yield from ((each, _why_held(each)) for each in diff.held)


def _why_held(change: Change) -> str:
    if change.state is ChangeState.PARKED or change.not_before is None:
        return "it waits in the inbox"
    return f"the org did not take it; it is tried again after {stamp(change.not_before)}"


def diff_document(diff: Diff) -> dict[str, Any]:
    """What a push would do, as JSON."""
    return {
        "api_calls": diff.calls,
        "changes": [change_document(each) for each in diff.orders],
        "blocked": [change_document(each.change) | {"by": each.by} for each in diff.blocked],
        "rejected": [
            change_document(each.change) | {"code": each.code, "message": each.message} for each in diff.rejected
        ],
        "unknown": [change_document(each) for each in diff.unknown],
        "held": [change_document(each) | {"why": _why_held(each)} for each in diff.held],
    }


# ── Pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_push(push: Push, values: Values) -> None:
    """Say what became of each change of a small push, of a large one what was not taken; problems to standard error."""
    shown = push.changes if len(push.changes) <= MOST_SHOWN else [each for each in push.changes if not _is_in(each)]
    if shown:
        say_table(
            ("change", "object", "record", "name", "outcome"),
            [(each.operation.value, *_named(each, values), _outcome(each)) for each in shown[:MOST_SHOWN]],
        )
    say_push_briefly(push)


def _named(change: PushedChange, values: Values) -> tuple[str, str, str]:
    return change.object_name, change.record_id, values.title(change.object_name, change.record_id)


def _is_in(change: PushedChange) -> bool:
    return change.outcome == "applied"


def _outcome(change: PushedChange) -> str:
    if change.problem is None:
        return change.outcome
    return f"{change.outcome}: {change.problem.code}"


def say_push_briefly(push: Push) -> None:
    """Say the sum of a push in one line; problems go to standard error."""
    say(push_line(push))
    told: set[Problem] = set()
    for change in push.changes:
        if change.problem is not None and change.problem not in told and len(told) < MOST_SHOWN:
            told.add(change.problem)
            _say_problem(change.problem, f"{change.object_name} {change.record_id}: ")
    if push.problem is not None:
        _say_problem(push.problem)
    if push.count("rejected") or push.count("conflicted"):
        warn("  What needs a decision waits in the inbox: `salesforce-sync inbox`.")


def _say_problem(problem: Problem, about: str = "") -> None:
    warn(f"{problem.code}: {about}{problem.message}")
    if problem.hint:
        warn(f"  {problem.hint}")


def push_line(push: Push) -> str:
    """A push in one line."""
    if not push.changes and push.problem is None:
        return "complete: nothing to send"
    count = _counted(len(push.changes), "change")
    taken = f"{count} in the org" if push.complete else f"{push.count('applied'):,} of {count} in the org"
    return f"{push.state}: {taken}, {push.seconds:.1f} s, {_counted(push.calls, 'API call')} (push {push.push_id})"


def push_document(push: Push) -> dict[str, Any]:
    """A push as JSON."""
    return {
        "push_id": push.push_id,
        "state": push.state.value,
        "at": stamp(push.at),
        "seconds": round(push.seconds, 3),
        "api_calls": push.calls,
        "applied": push.count("applied"),
        "problem": None if push.problem is None else asdict(push.problem),
        "changes": [_pushed_document(each) for each in push.changes],
    }


def _pushed_document(change: PushedChange) -> dict[str, Any]:
    return {
        "object": change.object_name,
        "id": change.record_id,
        "operation": change.operation.value,
        "fields": _edits_document(change.edits),
        "outcome": change.outcome,
        "problem": None if change.problem is None else asdict(change.problem),
    }


def pushed_document(run: Run) -> dict[str, Any]:
    """What a run sent, as JSON: `pushed` is null if there was nothing to send."""
    return {"pushed": None if run.pushed is None else push_document(run.pushed)}


def say_pushes(pushes: Sequence[Push]) -> None:
    """List pushes."""
    if not pushes:
        say("Nothing has been pushed yet.")
        return
    now = datetime.now(UTC)
    say_table(
        ("push", "when", "state", "changes", "in the org", "API calls"),
        [
            (each.push_id, ago(each.at, now), each.state.value, len(each.changes), each.count("applied"), each.calls)
            for each in pushes
        ],
    )


# ── The inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


def say_waiting(status: Status) -> None:
    """Say how much waits to be sent, and how much for a person."""
    say()
    say(
        f"{_counted(status.outbox, 'record')} with edits to send: see `salesforce-sync diff`."
        if status.outbox
        else "Every edit is in the org."
    )
    say_waiting_for_a_person(status.inbox)


def say_waiting_for_a_person(number: int) -> None:
    """Say how many items are in the inbox, if any are."""
    if number:
        say(f"{_counted(number, 'item')} in the inbox: see `salesforce-sync inbox`.")


def say_inbox(items: Sequence[InboxItem], values: Values) -> None:
    """List what waits for a person."""
    if not items:
        say("The inbox is empty.")
        return
    now = datetime.now(UTC)
    say_table(
        ("item", "object", "record", "name", "what", "about", "since"),
        [
            (
                each.number,
                each.object_name,
                each.record_id,
                values.title(each.object_name, each.record_id),
                each.kind.value,
                _about(each),
                ago(each.at, now),
            )
            for each in items
        ],
    )
    say()
    say("`salesforce-sync inbox show ITEM` tells more, and how to decide.")


def say_released(count: int, code: str) -> None:
    """Say how many refused changes are sent again."""
    if count:
        say(f"{_counted(count, 'change')} will be sent again with the next `salesforce-sync push` or `sync`.")
    else:
        say(f"No change in the inbox was refused with {code}.")


def _about(item: InboxItem) -> str:
    fields = ", ".join(each.field for each in item.conflicts) or ", ".join(item.fields)
    return fields if item.kind in (Kind.CONFLICT, Kind.REPLACED) else item.code + (f" {fields}" if fields else "")


def say_item(item: InboxItem, values: Values) -> None:
    """Say what an item is about, field by field, and how it can be decided."""
    name = item.object_name
    say(f"Item {item.number}: {item.kind.value}, {ago(item.at, datetime.now(UTC))}")
    say(f"{item.operation.value} {values.record(name, item.record_id)}")
    if item.message:
        say(f"{item.code}: {item.message}" if item.kind is Kind.REJECTED else item.message)
    if item.conflicts:
        say()
        say_table(
            ("field", "before", "here", "in the org"),
            [
                (each.field, *(values.show(name, each.field, side) for side in (each.base, each.local, each.org)))
                for each in item.conflicts
            ],
        )
    if item.edits:
        say()
        say("Edits:" if not item.conflicts else "Further edits, which are not in dispute:")
        _say_edits(name, item.edits, values, new=item.operation is Operation.CREATE)
    for match in item.matches:
        say(f"Like it: {values.record(match.object_name, match.record_id)}")
    say()
    say(item.hint)
    for line in _ways(item):
        say(f"  salesforce-sync inbox {line}")


def _ways(item: InboxItem) -> list[str]:
    """The commands that decide an item."""
    number = item.number
    sides = [f"take {number} org", f"take {number} local"]
    match item.kind:
        case Kind.CONFLICT | Kind.REPLACED:
            return [*sides, *(f"take {number} {each.field}=VALUE" for each in item.conflicts[:1])]
        case Kind.DUPLICATE | Kind.UNCERTAIN:
            links = [f"link {number} {each.record_id}" for each in item.matches]
            again = f"retry {number}" + (" --allow-duplicates" if item.kind is Kind.DUPLICATE else "")
            return [*links, again, f"drop {number}"]
        case Kind.REJECTED:
            return [f"take {number} FIELD=VALUE", f"retry {number}", f"drop {number}"]
        case _:
            return sides


def item_document(item: InboxItem) -> dict[str, Any]:
    """An inbox item as JSON; values in the stored form."""
    return {
        "item": item.number,
        "object": item.object_name,
        "id": item.record_id,
        "kind": item.kind.value,
        "operation": item.operation.value,
        "at": stamp(item.at),
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
        "fields": list(item.fields),
        "conflicts": [asdict(each) for each in item.conflicts],
        "edits": _edits_document(item.edits),
        "matches": [{"object": each.object_name, "id": each.record_id} for each in item.matches],
    }


# ── The history ──────────────────────────────────────────────────────────────────────────────────────────────────


def say_history(replaced: Sequence[Replaced], record: str, values: Values) -> None:
    """List the values that were replaced, newest first."""
    if not replaced:
        say(f"No value of {record} has been replaced, as far as is kept.")
        return
    say_table(
        ("when", "field", "before", "after", "by"),
        [
            (
                stamp(each.at),
                each.field,
                *(values.show(each.object_name, each.field, side) for side in (each.old, each.new)),
                _author(each, values),
            )
            for each in replaced
        ],
    )


def _author(replaced: Replaced, values: Values) -> str:
    match replaced.origin:
        case Origin.PUSH:
            return f"push {replaced.push_id}"
        case Origin.DECISION:
            return "a decision here"
        case _:
            who = values.title("User", replaced.who) or replaced.who if replaced.who else ""
            return f"the org, {who}" if who else "the org"


def history_document(replaced: Sequence[Replaced]) -> dict[str, Any]:
    """Replaced values as JSON, in the stored form."""
    return {
        "history": [
            {
                "at": stamp(each.at),
                "object": each.object_name,
                "id": each.record_id,
                "field": each.field,
                "old": each.old,
                "new": each.new,
                "origin": each.origin.value,
                "who": each.who,
                "push_id": each.push_id,
            }
            for each in replaced
        ]
    }
