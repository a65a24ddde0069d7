"""What the daemon does next, and when: a table of situations."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.duty import Waiting
from salesforce_sync.sync.agenda import Budget, Item, Pushes, Step, due_at, next_step, push_at, timetable

NOW = datetime(2024, 3, 31, 0, 59, tzinfo=UTC)  # a minute before summer time begins in Europe
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
IDLE, FREE = Pushes(Waiting()), Budget()


def item(name="Contact", ago=timedelta(0), interval=QUARTER, **more):
    return Item(name, interval, NOW - ago, **more)


def step(*items, wanted=(), pushes=IDLE, budget=FREE, now=NOW):
    return next_step(items, wanted, pushes, budget, "seed", now)


def minutes(number):
    return timedelta(minutes=number)


# ── pulls ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_never_synced_is_due_at_once():
    assert step(Item("Contact", QUARTER, None), Item("Lead", QUARTER, None)) == Step(("Contact", "Lead"))


def test_what_was_synced_just_now_is_due_after_its_interval_give_or_take_a_twentieth():
    waits = [due_at(item(interval=QUARTER), FREE, f"replica {number}", NOW) - NOW for number in range(200)]

    assert minutes(14.25) <= min(waits) < minutes(14.4)
    assert minutes(15.6) < max(waits) <= minutes(15.75)
    assert abs(sum(waits, timedelta()) / len(waits) - QUARTER) < minutes(0.1)


@pytest.mark.parametrize("away", [minutes(16), timedelta(hours=9), timedelta(days=400)])
def test_however_long_nobody_looked_what_is_due_is_due_once(away):
    assert step(item(ago=away)) == Step(("Contact",))
    after = step(Item("Contact", QUARTER, NOW))
    assert after.objects == ()
    assert after.at - NOW > minutes(14)


@pytest.mark.parametrize("back", [timedelta(seconds=1), HOUR, timedelta(days=3650)])
def test_a_clock_that_was_set_back_makes_an_object_due_once(back):
    assert step(item(ago=-back)) == Step(("Contact",))


def test_summer_time_moves_nothing():
    at = step(item(ago=timedelta(0))).at

    assert minutes(14) < at - NOW < minutes(16)


def test_objects_that_are_due_at_about_the_same_time_go_together():
    assert step(item("Contact", minutes(15.8)), item("Account", minutes(58.5), HOUR)) == Step(("Contact", "Account"))


def test_objects_of_one_interval_that_were_synced_apart_go_together_from_then_on():
    assert step(item("Contact", minutes(15.8)), item("Lead", minutes(9))) == Step(("Contact", "Lead"))
    assert step(item("Contact", minutes(15.8)), item("Lead", minutes(2))) == Step(("Contact",))


def test_objects_that_were_synced_together_are_due_together_for_ever():
    apart = []
    for turn in range(500):
        now = NOW + turn * timedelta(minutes=13.7)
        lasts = (now - timedelta(seconds=1), now - timedelta(milliseconds=960))
        first, second = (due_at(Item("Contact", QUARTER, last), FREE, "seed", now) for last in lasts)
        apart.append(abs(second - first))

    assert max(apart) < timedelta(milliseconds=60)


def test_an_object_waits_a_little_for_others_that_are_about_to_be_due():
    times = timetable([item("Account", minutes(63.1), HOUR), item("Contact", minutes(13.5))], FREE, "seed", NOW)

    assert times["Account"] == times["Contact"] > NOW


def test_an_object_with_another_rhythm_does_not_come_along():
    assert step(item("Contact", minutes(15.8)), item("Account", minutes(30), HOUR)) == Step(("Contact",))


def test_what_somebody_asks_for_goes_at_once():
    assert step(item("Contact"), item("Lead"), wanted=("Lead", "Widget__c", "Lead")) == Step(("Lead", "Widget__c"))


def test_what_failed_is_tried_again_after_a_quarter_of_an_hour_though_its_interval_is_longer():
    assert step(item("Account", minutes(20), HOUR, failed=True)).objects == ("Account",)
    assert step(item("Account", minutes(20), HOUR)).objects == ()
    assert step(item("Contact", minutes(3), minutes(2), failed=True)).objects == ("Contact",)


def test_a_proof_that_is_due_does_not_wait_for_the_next_sync():
    assert step(item("Account", HOUR, DAY, also=(NOW - minutes(1), None))).objects == ("Account",)
    assert step(item("Account", HOUR, DAY, also=(NOW + minutes(1), None))).at == NOW + minutes(1)


def test_a_proof_that_could_not_be_made_waits_for_the_next_sync():
    assert step(item("Account", minutes(1), DAY, also=(NOW - HOUR,))).objects == ()


# ── the budget ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_the_wall_syncs_come_less_often():
    assert step(item(ago=minutes(20)), budget=Budget(0.85)).objects == ()
    assert step(item(ago=minutes(32)), budget=Budget(0.85)).objects == ("Contact",)


def test_at_the_wall_nothing_is_due_before_calls_may_be_free():
    later = NOW + HOUR

    assert step(item(ago=minutes(20)), budget=Budget(1.0, later)) == Step(at=later)
    assert step(Item("Contact", QUARTER, None), budget=Budget(1.0, later)) == Step(at=later)


def test_a_pause_that_lies_days_ahead_comes_from_a_clock_that_was_set_back():
    assert step(item(ago=minutes(20)), budget=Budget(None, NOW + 2 * DAY)).objects == ("Contact",)


# ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────

EDITED = Waiting("2", "2 fresh", True)


def test_an_edit_is_pushed_at_once():
    assert step(item(), pushes=Pushes(EDITED)) == Step(push=True)


def test_what_a_push_has_left_is_not_tried_again_before_something_about_it_changes():
    left = Pushes(EDITED, left=EDITED.mark, last=NOW - HOUR)

    assert push_at(left, FREE, NOW) is None
    assert push_at(Pushes(Waiting("3", "3 fresh", True), left.left, left.last), FREE, NOW) == NOW


@pytest.mark.parametrize(("share", "gap"), [(None, 2), (0.4, 2), (0.5, 15), (0.79, 15), (0.8, 60), (1.0, 60)])
def test_edits_that_come_one_by_one_cost_fewer_calls_the_fewer_there_are(share, gap):
    assert push_at(Pushes(EDITED, last=NOW), Budget(share), NOW) == NOW + timedelta(seconds=gap)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (4, 40), (7, 300), (50, 300)])
def test_a_push_that_fails_is_tried_again_at_growing_intervals(failures, seconds):
    failed = Pushes(EDITED, left=EDITED.mark, last=NOW, failures=failures)

    assert push_at(failed, FREE, NOW) == NOW + timedelta(seconds=seconds)


def test_what_the_org_has_put_off_goes_when_its_time_has_come():
    later = NOW + timedelta(seconds=40)

    assert step(item(), pushes=Pushes(Waiting("2", "2 later", False, later), "2 later")).at == later


def test_a_pull_that_is_due_takes_the_edits_along():
    assert step(item(ago=HOUR), pushes=Pushes(EDITED)) == Step(("Contact",))


def test_nothing_to_keep_up_to_date_is_nothing_to_wait_for():
    assert step() == Step()
