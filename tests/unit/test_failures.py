"""Calls over which the org has failed: what is sent again, in how many calls, and when a change is given up."""

from collections import Counter

from salesforce_sync.models.outcome import Deferred, Lost, Rejected
from salesforce_sync.sync.failures import CAUTIOUS_CALLS, MOST_FAILURES, Failures
from tests.unit.api.write_orders import create


def lost(orders):
    return [Lost(each.change, "failed", code="UNKNOWN_EXCEPTION") for each in orders]


def failed_over(orders, taken=(0, 0), times=1):
    failures = Failures()
    for _ in range(times):
        failures.note(lost(orders), taken, Counter(), 4)
    return failures


def test_what_failed_goes_apart_in_some_calls_and_the_rest_as_before():
    orders = [create() for _ in range(205)]
    failures = failed_over(orders[5:])

    good, apart = failures.split(orders, 0)

    assert good == orders[:5]
    assert (len(apart), {len(each) for each in apart}) == (CAUTIOUS_CALLS, {10})
    assert failures.split(orders, 3)[1] == apart[3:] + apart[:3]


def test_an_org_that_takes_nothing_any_more_fails_over_everything():
    orders = [create(), create()]

    assert not failed_over(orders, times=MOST_FAILURES - 1).everywhere
    assert failed_over(orders, times=MOST_FAILURES).given_up.keys() == {each.change.number for each in orders}
    assert not failed_over(orders, taken=(1, 2), times=MOST_FAILURES).everywhere


def test_only_what_fails_alone_while_others_are_taken_waits_for_a_person():
    bad, other = create(), create()
    failures = failed_over([bad, other], times=MOST_FAILURES)
    failures.alone(lost([bad]))

    known = [bad.change, other.change]
    assert [type(each) for each in failures.outcomes(known, 0)] == [Deferred, Deferred]
    assert [type(each) for each in failures.outcomes(known, 1)] == [Rejected, Deferred]
