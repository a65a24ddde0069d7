"""The inbox and the history as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from salesforce_sync.app import Status
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.inbox import (
    MERGED,
    InboxItem,
    Side,
    beyond_reach,
    can_be_linked,
    can_be_sent_again,
    has_refused_fields,
)
from salesforce_sync.models.outbox import Kind, Operation
from salesforce_sync.process.terminal import ago, counted, say, say_table, stamp
from salesforce_sync.reports.edits import Values, edits_document, say_edits

# ── The inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


def say_waiting(status: Status) -> None:
    """Say how much waits to be sent, and how much for a person."""
    if not status.objects:
        return
    say()
    if status.outbox:
        say(f"{counted(status.outbox, 'record')} with edits that the org does not have: see `salesforce-sync diff`.")
    else:
        say("The org has every edit.")
    say_waiting_for_a_person(status.inbox)


def say_waiting_for_a_person(number: int) -> None:
    """Say how many items are in the inbox, if any are."""
    if number:
        say(f"{counted(number, 'item')} in the inbox: see `salesforce-sync inbox`.")


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
                each.what,
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
        say(f"{counted(count, 'change')} will be sent again with the next `salesforce-sync push` or `sync`.")
    else:
        say(f"No change in the inbox was refused with {code}.")


def say_decided(count: int, object_name: str, side: Side) -> None:
    """Say how many conflicts of an object are decided, and what comes of it."""
    if not count:
        say(f"No conflict of {object_name} is in the inbox.")
    elif side is Side.ORG:
        say(f"{counted(count, 'conflict')} decided: the org's values hold.")
    else:
        say(f"{counted(count, 'conflict')} decided: yours hold. See `salesforce-sync diff` for what a push would send.")


def _about(item: InboxItem) -> str:
    fields = ", ".join(each.field for each in item.conflicts) or ", ".join(item.fields)
    return f"{item.code} {fields}".rstrip() if can_be_sent_again(item) else fields


def say_item(item: InboxItem, values: Values) -> None:
    """Say what an item is about, field by field, and how it can be decided."""
    name = item.object_name
    say(f"Item {item.number}: {item.what}, {ago(item.at, datetime.now(UTC))}")
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
    disputed = {each.field for each in item.conflicts}
    further = [each for each in item.edits if each.field not in disputed]
    if further:
        say()
        say("Edits:" if not item.conflicts else "Further edits, which are not in dispute:")
        say_edits(name, further, values, new=item.operation is Operation.CREATE)
    for match in item.matches:
        how = "It went into" if item.code == MERGED else "Like it"
        say(f"{how}: {values.record(match.object_name, match.record_id)}")
    say()
    say(item.hint)
    for line in _ways(item):
        say(f"  salesforce-sync inbox {line}")
    say(f"With --seen {item.version} behind it, nothing is done if the item has changed by then.")


def _ways(item: InboxItem) -> list[str]:
    """The commands that decide an item."""
    number = item.number
    sides = [f"take {number} org", f"take {number} local"]
    match item.kind:
        case Kind.DELETED_THERE if item.code == MERGED:
            return [*(f"link {number} {each.record_id} --local" for each in item.matches), sides[0]]
        case Kind.DELETED_THERE if beyond_reach(item.kind, item.code):
            return [f"drop {number}"]
        case Kind.REPLACED if not item.conflicts:
            return [f"drop {number}"]
        case Kind.CONFLICT | Kind.REPLACED:
            once_more = [f"retry {number}"] if has_refused_fields(item) else []
            return [*once_more, *sides, *(f"take {number} {each.field}=VALUE" for each in item.conflicts[:1])]
        case Kind.DUPLICATE | Kind.UNCERTAIN:
            links = [f"link {number} {each.record_id}" for each in item.matches if can_be_linked(item)]
            links = links or [f"link {number} ID"] * (can_be_linked(item) and not item.matches)
            links = links or [f"take {number} FIELD=VALUE"] * (item.operation is Operation.UPDATE)
            again = f"retry {number}" + (" --allow-duplicates" if item.kind is Kind.DUPLICATE else "")
            return [*links, again, f"drop {number}"]
        case Kind.REJECTED if item.operation in (Operation.DELETE, Operation.UNDELETE):
            return [f"retry {number}", f"drop {number}"]
        case Kind.REJECTED:
            return [f"take {number} FIELD=VALUE", f"retry {number}", f"drop {number}"]
        case Kind.NOT_SHOWN:
            return [f"drop {number}"]
        case _:
            return sides


def item_document(item: InboxItem) -> dict[str, Any]:
    """An inbox item as JSON; values in the stored form."""
    return {
        "item": item.number,
        "version": item.version,
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
        "edits": edits_document(item.edits),
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
        case Origin.SAVE:
            return f"the org, on push {replaced.push_id}"
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
