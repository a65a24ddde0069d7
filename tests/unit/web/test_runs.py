"""The threads of what takes long, and whose work begins when."""

import threading

import pytest

from salesforce_sync.web.runs import Runs


@pytest.fixture
def runs():
    made = Runs(3, each=2)
    yield made
    made.stop()
    assert made.idle(20)


def test_nobody_has_more_than_his_share_and_what_came_first_begins_first(runs):
    gate, begun = threading.Event(), []
    mine = [runs.submit(lambda n=n: (begun.append(n), gate.wait()), "me") for n in range(4)]
    yours = runs.submit(lambda: "yours", "you")

    assert yours.result(20) == "yours"
    assert sorted(begun) == [0, 1]
    gate.set()
    assert [each.result(20) for each in mine] == [(None, True)] * 4
    assert sorted(begun[:2]) == [0, 1]


def test_what_a_work_raises_is_raised_to_whoever_waits(runs):
    with pytest.raises(ZeroDivisionError):
        runs.submit(lambda: 1 // 0).result(20)

    assert runs.submit(lambda: 7).result(20) == 7


def test_what_waits_for_a_thread_is_dropped_at_the_end():
    runs, gate = Runs(1), threading.Event()
    begun = threading.Event()
    first = runs.submit(lambda: (begun.set(), gate.wait()))
    assert begun.wait(20)
    second = runs.submit(lambda: None)

    runs.stop()

    assert second.cancelled()
    assert not runs.idle(0)
    gate.set()
    assert (first.result(20), runs.idle(20)) == ((None, True), True)
    with pytest.raises(RuntimeError):
        runs.submit(lambda: None)
