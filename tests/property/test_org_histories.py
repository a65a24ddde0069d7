"""Random histories on a simulated org, over a real socket and with real replicas: at rest they equal the org.

`python -m tests.torture` (or `make torture SEEDS=1-1000`) plays more and longer ones; a failure here shows how to play
it again.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.torture.history import OBJECTS, History, Setup, Step
from tests.torture.machine import play
from tests.torture.runner import Order, played
from tests.torture.steps import weights

LENGTH = 15
UNSEEN = ("hidden_objects", "hidden_records", "purges", "retyped_fields", "reused_names")
"""What polling cannot see, or not alone: in these histories a verify comes before the end."""
KINDS = weights(UNSEEN, without=["killed_sync"])


@pytest.mark.parametrize("first", range(1, 121, 5))
def test_at_rest_one_run_makes_the_replica_equal_to_the_org(first):
    failed = [played(Order(seed, LENGTH)) for seed in range(first, first + 5)]

    assert [each.told() for each in failed if each] == []


@pytest.mark.parametrize("first", range(1001, 1061, 5))
def test_after_a_verify_the_replica_equals_the_org_whatever_polling_could_not_see(first):
    failed = [played(Order(seed, LENGTH, UNSEEN)) for seed in range(first, first + 5)]

    assert [each.told() for each in failed if each] == []


SETUPS = st.builds(
    Setup,
    objects=st.lists(st.sampled_from(OBJECTS), min_size=1, max_size=3, unique=True).map(sorted).map(tuple),
    replicas=st.integers(1, 2),
    rows=st.sampled_from([0, 3, 12]),
    page_rows=st.sampled_from([2000, 1, 7]),
    result_rows=st.sampled_from([250_000, 2, 11]),
    segment_bytes=st.sampled_from([32 << 20, 500]),
    route=st.sampled_from(["cheapest", "rest", "bulk"]),
    workers=st.sampled_from([1, 4]),
    skew_seconds=st.sampled_from([0, 3600, -3600]),
)
STEPS = st.lists(st.builds(Step, st.sampled_from(sorted(KINDS)), st.integers(0, 999_999)), max_size=LENGTH)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(SETUPS, STEPS)
def test_no_history_that_hypothesis_thinks_of_breaks_a_rule(setup, steps):
    failed = play(History(0, setup, tuple(steps)))

    assert failed is None, failed.told()
