"""The histories of `test_org_histories` and `test_two_way_histories` with change events followed beside the syncs.

As in a daemon whose events are switched on: threads of their own merge what streams bring, while syncs, pushes and
people go on; streams break, repeat themselves and lie. `python -m tests.torture --events` (or `make torture`) plays
more and longer ones.
"""

import pytest

from tests.torture.history import History, Setup, Step
from tests.torture.machine import play
from tests.torture.runner import Order, played

LENGTH = 12
SEEDS = {False: (2, 4), True: (1, 2)}
"""Few, as each takes a second or two."""
SLOW = {False: ("killed_sync", "killed_follower", "full_disk"), True: ("killed_push", "killed_follower")}
"""Each of these takes a process of its own: `make torture` plays them."""


@pytest.mark.parametrize("two_way", [False, True])
def test_what_must_hold_holds_with_events_too(two_way):
    orders = [Order(seed, LENGTH, without=SLOW[two_way], two_way=two_way, events=True) for seed in SEEDS[two_way]]
    failed = [played(each) for each in orders]

    assert [each.told() for each in failed if each] == []


def history(steps, *objects, rows=3, page_rows=2000, route="cheapest", way="", skew_seconds=0):
    setup = Setup(
        objects=objects,
        replicas=1,
        rows=rows,
        page_rows=page_rows,
        result_rows=2,
        segment_bytes=3000,
        route=route,
        workers=1,
        skew_seconds=skew_seconds,
        two_way=bool(way),
        way=way or "cheapest",
        events=True,
    )
    return History(0, setup, tuple(map(Step.parse, steps.split())))


FOUND = {
    "records_were_asked_for_with_a_field_that_was_gone_until_the_next_sync": history(
        "update:196575 add_field:372285 events_arrive:803148 time_passes:303036 sync:122573 update:203574 "
        "remove_field:331609",
        "Contact",
        rows=12,
        page_rows=7,
        route="rest",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_no_longer(name):
    failed = play(FOUND[name])

    assert failed is None, failed.told()
