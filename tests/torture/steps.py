"""Every kind of step, how often it comes, and which kinds are only played when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.torture import amid, books, edits, following, mishaps, people, pushes, rarer, runs, typed
from tests.torture.history import Step
from tests.torture.runs import Act, during

WORK = (
    people.create,
    people.update,
    people.update_all,
    people.delete,
    people.undelete,
    people.delete_and_undelete,
    people.touch_back_and_forth,
    people.merge,
    people.convert,
    people.long_transaction,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of step. `switch` names what must be switched on for it; None: it is always played."""

    act: Act
    weight: int
    switch: str | None = None


KINDS: dict[str, Kind] = {
    "create": Kind(people.create, 10),
    "update": Kind(people.update, 10),
    "update_all": Kind(people.update_all, 4),
    "touch": Kind(people.touch_back_and_forth, 2),
    "delete": Kind(people.delete, 5),
    "undelete": Kind(people.undelete, 3),
    "delete_and_undelete": Kind(people.delete_and_undelete, 2),
    "merge": Kind(people.merge, 2),
    "convert": Kind(people.convert, 2),
    "long_transaction": Kind(people.long_transaction, 5),
    "unique_keys": Kind(people.unique_keys, 1),
    "add_field": Kind(people.add_field, 3),
    "remove_field": Kind(people.remove_field, 2),
    "rename_field": Kind(people.rename_field, 1),
    "hide_field": Kind(people.hide_field, 1),
    "hide_stamps": Kind(people.hide_stamps, 1),
    "give_rights_back": Kind(people.give_rights_back, 1),
    "meanwhile": Kind(during(*WORK), 8),
    "drift_meanwhile": Kind(during(people.add_field, people.remove_field, people.hide_field), 2),
    "server_error": Kind(mishaps.server_error, 3),
    "cut": Kind(mishaps.cut, 3),
    "drop": Kind(mishaps.drop, 2),
    "slow": Kind(mishaps.slow, 1),
    "refused": Kind(mishaps.refused, 2),
    "nonsense": Kind(mishaps.nonsense, 1),
    "session_ends": Kind(mishaps.session_ends, 2),
    "locators_expire": Kind(mishaps.locators_expire, 2),
    "job_fails": Kind(mishaps.job_fails, 2),
    "calls_used_up": Kind(mishaps.calls_used_up, 1),
    "calm": Kind(mishaps.calm, 3),
    "sync": Kind(runs.sync, 20),
    "sync_and_accept": Kind(runs.sync_and_accept, 3),
    "reopen": Kind(runs.reopen, 1),
    "time_passes": Kind(runs.time_passes, 12),
    "killed_sync": Kind(runs.killed_sync, 1),
    "full_disk": Kind(runs.full_disk, 1),
    "stopped_sync": Kind(amid.stopped_sync, 2),
    "verify": Kind(rarer.verify, 2),
    "killed_verify": Kind(amid.killed_verify, 1),
    "other_program": Kind(amid.other_program, 2),
    "weeks_pass": Kind(amid.weeks_pass, 2, "purges"),
    "late_same_second": Kind(people.long_transaction_in_the_second_of_another, 3),
    "purge": Kind(people.purge, 6, "purges"),
    "hide_record": Kind(people.hide_record, 6, "hidden_records"),
    "show_record": Kind(people.show_record, 6, "hidden_records"),
    "hide_object": Kind(people.hide_object, 6, "hidden_objects"),
    "stamp_in_the_future": Kind(people.stamp_in_the_future, 3),
    "retype_field": Kind(people.retype_field, 6, "retyped_fields"),
    "reuse_field_name": Kind(people.reuse_field_name, 6, "reused_names"),
}

TWO_WAY = {
    "local_create": Kind(edits.create, 14),
    "local_update": Kind(edits.update, 18),
    "local_delete": Kind(edits.delete, 4),
    "local_undelete": Kind(edits.undelete, 2),
    "local_typed": Kind(typed.update, 8),
    "local_many": Kind(typed.many, 3),
    "local_back_again": Kind(typed.back_again, 2),
    "local_keyed": Kind(typed.keyed, 8),
    "theirs_keyed": Kind(typed.theirs_keyed, 3),
    "edit_amid": Kind(amid.edit, 12),
    "decide": Kind(edits.decide, 6),
    "push": Kind(pushes.push, 8),
    "killed_push": Kind(pushes.killed_push, 4),
    "lost_answer": Kind(pushes.lost_answer, 10),
    "rule": Kind(pushes.rule, 4),
    "rules_end": Kind(pushes.rules_end, 2),
    "lock": Kind(pushes.lock, 2),
    "theirs": Kind(pushes.theirs, 8),
    "theirs_meanwhile": Kind(during(pushes.theirs), 5),
    "undo": Kind(rarer.undo, 3),
    "decide_by_field": Kind(rarer.decide_by_field, 3),
    "retry_all": Kind(rarer.retry_all, 1),
    "may_not_write": Kind(rarer.may_not_write, 2),
    "hide_text": Kind(rarer.hide_text, 1),
    "workbook_out": Kind(books.export, 2),
    "workbook_in": Kind(books.take_in, 3),
}
"""What histories with local edits have besides."""

EVENTS = {
    "events_arrive": Kind(following.arrive, 16),
    "streams_cut": Kind(following.cut, 4),
    "streams_mishap": Kind(following.mishap, 6),
    "streams_calm": Kind(following.streams_calm, 4),
    "untold": Kind(following.untold, 4),
    "killed_follower": Kind(following.killed_follower, 1),
}
"""What histories with change events have besides."""

BOTH = {
    "create": 2,
    "update": 3,
    "delete": 2,
    "undelete": 1,
    "merge": 1,
    "convert": 1,
    "long_transaction": 1,
    "meanwhile": 3,
    "stopped_sync": 2,
    "verify": 2,
    "killed_verify": 1,
    "other_program": 4,
    "weeks_pass": 1,
    "server_error": 1,
    "cut": 1,
    "drop": 1,
    "refused": 1,
    "session_ends": 1,
    "job_fails": 1,
    "calls_used_up": 1,
    "calm": 4,
    "sync": 14,
    "reopen": 1,
    "time_passes": 8,
    "update_all": 1,
    "touch": 1,
    "delete_and_undelete": 1,
    "unique_keys": 1,
    "add_field": 2,
    "remove_field": 2,
    "rename_field": 1,
    "hide_stamps": 1,
    "give_rights_back": 3,
    "drift_meanwhile": 1,
    "slow": 1,
    "nonsense": 1,
    "locators_expire": 1,
    "full_disk": 1,
    "stamp_in_the_future": 1,
    "sync_and_accept": 1,
    "purge": 2,
    "hide_record": 2,
    "show_record": 2,
    "hide_object": 2,
    "retype_field": 2,
    "reuse_field_name": 2,
}
"""Kinds of every history that come in these, too, with their weights there."""

BY_PEOPLE = frozenset(name for name in TWO_WAY if name.startswith("local_")) | {
    "decide",
    "decide_by_field",
    "workbook_in",
}
"""Kinds in which somebody looks at a replica and then writes what follows from it."""

AT_ONCE = BY_PEOPLE | {"time_passes", "weeks_pass"}
"""Kinds beside which events bring nothing, and have nothing polled: no request lasts as long as the time that passes."""

SWITCHES = tuple(sorted({kind.switch for kind in KINDS.values() if kind.switch}))
"""What needs more than polling: each is played only when it is asked for."""


def weights_two_way(switches: Iterable[str] = (), without: Iterable[str] = ()) -> dict[str, int]:
    """The kinds that are played in histories with local edits, with their weights."""
    usual = weights(switches)
    found = {name: kind.weight for name, kind in TWO_WAY.items()}
    found |= {name: weight for name, weight in BOTH.items() if name in usual}
    return {name: weight for name, weight in found.items() if name not in set(without)}


def weights_events(without: Iterable[str] = ()) -> dict[str, int]:
    """The kinds that come with change events, with their weights."""
    return {name: kind.weight for name, kind in EVENTS.items() if name not in set(without)}


def is_unseen(step: Step) -> bool:
    """Whether it is of a kind that polling cannot see."""
    return step.kind in KINDS and KINDS[step.kind].switch is not None


def act_of(kind: str) -> Act:
    """What a step of this kind does."""
    return (KINDS | TWO_WAY | EVENTS)[kind].act


def weights(switches: Iterable[str] = (), without: Iterable[str] = ()) -> dict[str, int]:
    """The kinds that are played with these switches on, and without some kinds, with their weights."""
    chosen, left_out = set(switches), set(without)
    unknown = (chosen - set(SWITCHES)) | (left_out - set(KINDS | EVENTS))
    if unknown:
        raise LookupError(f"there is no {', '.join(sorted(unknown))}; switches are {', '.join(SWITCHES)}")
    return {
        name: kind.weight
        for name, kind in KINDS.items()
        if name not in left_out and (kind.switch is None or kind.switch in chosen)
    }
