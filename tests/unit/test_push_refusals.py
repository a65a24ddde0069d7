"""Rows that a push does not bring over: what becomes of them, and of those beside them."""

import re
from datetime import timedelta

import pytest

from salesforce_sync.errors import LimitExceeded, SessionInvalid
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import PushComplete, SyncFailed
from salesforce_sync.sync.telling import InboxNews
from tests.unit.push_rig import (
    Rig,
    outcomes,
)


@pytest.fixture
def rig(world):
    return Rig(world)


def test_one_bad_row_parks_itself_and_nothing_else(rig):
    rig.org.reject(rig.acme, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "No.", "Phone")
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.bolt, "applied"), (rig.acme, "rejected")]
    assert push.changes[1].problem.code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert rig.kinds() == [(rig.acme, Kind.REJECTED)]
    assert [each.name for each in rig.signals].count("rejected") == 1
    assert rig.push().changes == ()


def test_children_of_a_rejected_parent_wait_and_follow_when_it_is_mended(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})

    first = rig.push()
    rig.org.accept("Account")
    rig.edit(local, Name="Nut & Co")
    second = rig.push()

    assert outcomes(first) == [(local, "rejected"), (child, "blocked")]
    assert [each.outcome for each in second.changes] == ["applied", "applied"]
    assert rig.equal()


def test_a_push_of_nothing_but_waiting_children_has_not_failed(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    rig.push()

    push = rig.push()

    assert (outcomes(push), push.calls) == ([(child, "blocked")], 0)
    assert push.state is RunState.PARTIAL


def test_a_push_is_listed_as_it_ended_also_of_what_it_did_not_send(rig):
    rig.org.reject("Account", "SOME_RULE")
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    first, second = rig.push(), rig.push()

    listed = rig.store.pushes()

    assert [(each.push_id, each.state, each.total) for each in listed] == [
        (second.push_id, RunState.PARTIAL, 1),
        (first.push_id, RunState.PARTIAL, 2),
    ]
    assert listed[0].count("blocked") == 1


def test_a_push_that_left_a_part_of_a_change_in_dispute_is_listed_as_partial(rig):
    rig.edit(rig.acme, Phone="2", Name="Acme & Sons")
    rig.org.tick(60)
    rig.org.put("Account", rig.acme, Phone="9")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.acme, "conflicted")]
    (listed,) = rig.store.pushes()
    assert (listed.state, listed.count("applied"), listed.count("conflicted")) == (RunState.PARTIAL, 1, 1)


def test_a_lock_that_is_soon_over_is_tried_again_within_the_push(rig):
    rig.org.lock_row(rig.acme)
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")

    push = rig.push()

    assert sorted(outcomes(push)) == [(rig.acme, "applied"), (rig.bolt, "applied")]
    assert push.complete


def test_a_lock_is_tried_again_later(rig):
    rig.org.lock_row(rig.acme, times=4)
    rig.edit(rig.acme, Phone="2")

    first, at_once = rig.push(), rig.push()
    rig.world.clock.advance(timedelta(minutes=5))
    later = rig.push()

    assert (outcomes(first), outcomes(at_once), outcomes(later)) == (
        [(rig.acme, "deferred")],
        [(rig.acme, "held")],
        [(rig.acme, "applied")],
    )
    assert "UNABLE_TO_LOCK_ROW" in at_once.changes[0].problem.message
    assert re.search(r"The first push after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", first.changes[0].problem.hint)


@pytest.mark.parametrize("way", ["sync", "push"])
def test_a_run_is_partial_while_an_edit_waits_for_its_next_attempt(rig, way):
    rig.org.lock_row(rig.acme, times=4)
    rig.edit(rig.acme, Phone="2")
    first = rig.push()
    rig.signals.clear()
    calls = rig.org.usage.spent

    run = rig.sync() if way == "sync" else None
    push = rig.push() if run is None else run.pushed

    (waiting,) = rig.store.changes()
    assert (push.state, push.complete, outcomes(push)) == (RunState.PARTIAL, False, [(rig.acme, "held")])
    assert (push.changes[0].problem.code, push.again_at) == ("PUT_OFF", waiting.not_before)
    assert first.again_at == waiting.not_before
    assert f"{waiting.not_before:%H:%M:%S} UTC" in push.changes[0].problem.hint
    assert [each.push_id for each in rig.store.pushes()] == [first.push_id]
    if run is None:
        assert rig.org.usage.spent == calls
        assert list(rig.signals) == [PushComplete(0, 1)]
    else:
        assert run.state is RunState.PARTIAL
        assert [(each.error, each.objects) for each in rig.signals if isinstance(each, SyncFailed)] == [
            ("PUT_OFF", ("Account",))
        ]


def test_a_child_of_what_waits_for_its_next_attempt_is_blocked_and_told_beside_it(rig):
    made = rig.store.create("Account", {"Name": "New"})
    rig.org.lock_row("Account", times=4)
    rig.push()
    rig.store.create("Contact", {"LastName": "Roe", "AccountId": made})

    push = rig.push()

    assert (push.state, [each.outcome for each in push.changes]) == (RunState.PARTIAL, ["held", "blocked"])


def test_a_run_with_rejected_rows_is_partial(rig):
    rig.org.reject(rig.acme, "SOME_RULE")
    rig.edit(rig.acme, Phone="2")

    run = rig.sync()

    assert run.state is RunState.PARTIAL
    assert [each.name for each in rig.signals][-1] == "sync_failed"


@pytest.mark.parametrize("kind", ["sync", "pull", "verify"])
def test_a_run_whose_pull_meets_a_conflict_is_partial_as_a_push_would_be(rig, kind):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")

    run = rig.bring(kind)

    assert (run.state, run.undecided) == (RunState.PARTIAL, {"Account": 1})
    assert [each.state for each in run.objects] == [RunState.COMPLETE, RunState.COMPLETE]
    assert rig.signals[-1] == SyncFailed("conflicted", ("Account",))
    assert "conflict" in [each.name for each in rig.signals]
    assert rig.bring(kind).state is RunState.COMPLETE  # it waits, and nobody is told of it twice


def test_what_a_push_beside_a_run_has_refused_is_no_part_of_the_run(rig):
    news = InboxNews(rig.store, rig.bus)
    rig.org.reject(rig.acme, "SOME_RULE")
    rig.edit(rig.acme, Phone="2")
    rig.push()

    assert (rig.kinds(), news.tell()) == ([(rig.acme, Kind.REJECTED)], {})


def test_the_day_s_calls_end_a_push_and_nothing_is_lost(rig):
    rig.org.fail(LimitExceeded("TotalRequests Limit exceeded.", hint="Try again at 20:53 UTC."), call="write")
    rig.edit(rig.acme, Phone="2")

    push, at_once = rig.push(), rig.push()
    rig.world.clock.advance(timedelta(hours=1))

    assert push.problem.code == "REQUEST_LIMIT_EXCEEDED"
    assert not push.complete
    assert "API calls left" in push.changes[0].problem.hint
    (held,) = at_once.changes
    assert (held.outcome, held.problem.code) == ("held", "PUT_OFF")
    assert "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded." in held.problem.message
    assert held.problem.hint == push.problem.hint
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_a_session_that_ended_ends_a_push(rig):
    rig.org.fail(SessionInvalid("Session expired."), call="write")
    rig.edit(rig.acme, Phone="2")

    assert rig.push().problem.code == "INVALID_SESSION_ID"
    assert len(rig.store.changes()) == 1
