"""Edits and pushes as text for a person and as JSON for a program; how a person knows records and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import asdict

from salesforce_sync.collection import Objects
from salesforce_sync.errors import FieldNotFound, NotSynced
from salesforce_sync.models.outbox import Change, ChangeState, Edit, Operation, is_asked_about
from salesforce_sync.models.push import Diff, Push, PushedChange
from salesforce_sync.models.run import Problem, Run
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import MOST_LISTED
from salesforce_sync.process.terminal import ago, clean, counted, say, say_table, stamp, warn

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


def say_edited(change: Change | None, record: str, values: Values, along: Mapping[str, int]) -> None:
    """Say what of a record waits to be sent; `along`: what the org deletes with it."""
    if change is None:
        say(f"{record}: nothing to send, this is what the org has.")
        return
    _say_change(change, values, along)
    if is_asked_about(change):
        say("It waits in the inbox: see `salesforce-sync inbox`.")
    else:
        say("It waits for the next `salesforce-sync push` or `sync`.")


def say_forgotten(record: str) -> None:
    """Say that a record that was made here is no more."""
    say(f"{record}: nothing to send, what was made here is given up.")


def say_let_go(referring: Sequence[tuple[str, str, str]], values: Values) -> None:
    """Say what had referred to a record that is no more."""
    if referring:
        say(f"{counted(len(referring), 'reference')} to it went back to what the org has:")
        for object_name, record_id, field in referring[:MOST_SHOWN]:
            say(f"  {values.record(object_name, record_id)}: {field}")
        _say_how_many_more(len(referring))


def let_go_document(referring: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """The same as JSON."""
    return {"let_go": [{"object": each[0], "id": each[1], "field": each[2]} for each in referring]}


def _say_change(change: Change, values: Values, along: Mapping[str, int]) -> None:
    with_it = " and ".join(f"{count:,} {name}" for name, count in along.items())
    told = f", and {with_it} with it" if with_it else ""
    say(f"{change.operation.value} {values.record(change.object_name, change.record_id)}{told}")
    say_edits(change.object_name, change.edits, values, new=change.operation is Operation.CREATE)


def say_edits(object_name: str, edits: Sequence[Edit], values: Values, *, new: bool) -> None:
    """Say each edited field, old → new; of a new record only what it has."""
    width = max((len(each.field) for each in edits), default=0)
    for each in edits:
        base, value = (values.show(object_name, each.field, side) for side in (each.base, each.value))
        say(f"  {each.field:{width}}  {value if new else f'{base} → {value}'}")


def edited_document(
    change: Change | None, object_name: str, record_id: str, along: Mapping[str, int]
) -> dict[str, Any]:
    """What of a record waits to be sent, as JSON."""
    if change is None:
        return {"object": object_name, "id": record_id, "operation": None, "fields": {}}
    return change_document(change, along)


def change_document(change: Change, along: Mapping[str, int] | None = None) -> dict[str, Any]:
    """A change as JSON; values in the stored form. Of a deletion, `along`: what the org deletes with it."""
    with_it = {"with_it": dict(along or {})} if change.operation is Operation.DELETE else {}
    return with_it | {
        "object": change.object_name,
        "id": change.record_id,
        "operation": change.operation.value,
        "fields": edits_document(change.edits),
    }


def edits_document(edits: Iterable[Edit]) -> dict[str, Any]:
    """Edited fields as JSON, in the stored form."""
    return {each.field: {"org": each.base, "here": each.value} for each in edits}


# ── What a push would do ─────────────────────────────────────────────────────────────────────────────────────────


def say_diff(diff: Diff, values: Values) -> None:
    """Say what a push would send, in its order, then what it would not and why."""
    for change in diff.orders[:MOST_SHOWN]:
        _say_change(change, values, diff.along.get(change.record_id, {}))
    _say_how_many_more(diff.total)
    if diff.orders:
        say()
    say(_diff_line(diff))
    waiting = list(_waiting(diff))
    if waiting:
        say()
        say("Not sent now:")
        for change, why in waiting[:MOST_SHOWN]:
            say(f"{change.operation.value} {values.record(change.object_name, change.record_id)}: {why}")
        _say_how_many_more(len(waiting) + sum(count for name, count in diff.beyond.items() if name != "orders"))


def _say_how_many_more(number: int) -> None:
    if number > MOST_SHOWN:
        most = f"all, up to {MOST_LISTED:,} of a kind" if number > MOST_LISTED else "all"
        say(f"… and {number - MOST_SHOWN:,} more; --json lists {most}.")


def _diff_line(diff: Diff) -> str:
    if not diff.orders:
        return "Nothing to send."
    return f"{counted(diff.total, 'change')} to send: {counted(diff.calls, 'API call')}."


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
        "changes": [change_document(each, diff.along.get(each.record_id)) for each in diff.orders],
        "blocked": [change_document(each.change) | {"by": each.by} for each in diff.blocked],
        "rejected": [
            change_document(each.change) | {"code": each.code, "message": each.message} for each in diff.rejected
        ],
        "unknown": [change_document(each) for each in diff.unknown],
        "held": [change_document(each) | {"why": _why_held(each)} for each in diff.held],
        "not_listed": {"changes" if name == "orders" else name: count for name, count in diff.beyond.items()},
    }


# ── Pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_push(push: Push, values: Values) -> None:
    """Say what became of each change of a small push, of a large one what was not taken; problems to standard error."""
    shown = push.changes if push.total <= MOST_SHOWN else [each for each in push.changes if not _is_well(each)]
    if shown:
        say_table(
            ("change", "object", "record", "name", "outcome"),
            [(each.operation.value, *_named(each, values), _outcome(each)) for each in shown[:MOST_SHOWN]],
        )
    say_push_briefly(push)


def _named(change: PushedChange, values: Values) -> tuple[str, str, str]:
    return change.object_name, change.record_id, values.title(change.object_name, change.record_id)


def _is_well(change: PushedChange) -> bool:
    return change.outcome == "applied" and change.problem is None


def _outcome(change: PushedChange) -> str:
    if change.problem is None or change.outcome == "blocked":
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
    if push.count("rejected") or push.count("conflicted") or push.overwrote or push.hidden:
        warn("  What needs a decision waits in the inbox: `salesforce-sync inbox`.")


def _say_problem(problem: Problem, about: str = "") -> None:
    warn(f"{problem.code}: {about}{problem.message}")
    if problem.hint:
        warn(f"  {problem.hint}")


def push_line(push: Push) -> str:
    """A push in one line."""
    if not push.total and push.problem is None:
        return f"{push.state}: nothing to send"
    if not push.attempted:
        return f"{push.state}: {counted(push.total, 'change')} not sent, tried again after {stamp(push.again_at)}"
    count = counted(push.total, "change")
    taken = (
        f"{count} in the org"
        if push.count("applied") == push.total
        else f"{push.count('applied'):,} of {count} in the org"
    )
    return f"{push.state}: {taken}, {push.seconds:.1f} s, {counted(push.calls, 'API call')} (push {push.push_id})"


def push_document(push: Push) -> dict[str, Any]:
    """A push as JSON. One that has just had nothing to send has no id; each that is kept has one."""
    return {
        "push_id": push.push_id if push.attempted or push.at is not None else None,
        "state": push.state.value,
        "at": stamp(push.at),
        "seconds": round(push.seconds, 3),
        "api_calls": push.calls,
        "applied": push.count("applied"),
        "overwrote": push.overwrote,
        "hidden": push.hidden,
        "problem": None if push.problem is None else asdict(push.problem),
        "again_at": stamp(push.again_at),
        "not_reached": push.count("left"),
        "changes": [_pushed_document(each) for each in push.changes],
        "not_listed": dict(push.beyond),
    }


def _pushed_document(change: PushedChange) -> dict[str, Any]:
    return {
        "object": change.object_name,
        "id": change.record_id,
        "operation": change.operation.value,
        "fields": edits_document(change.edits),
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
            (each.push_id, ago(each.at, now), each.state.value, each.total, each.count("applied"), each.calls)
            for each in pushes
        ],
    )
