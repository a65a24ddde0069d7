"""Random histories with local edits: Python and SQL, two replicas, kills, lost answers, rules, locks, decisions.

Invariants 2, 3 and 4 of design.md, section 5, on a simulated org over a real socket. `test_push_histories` plays more
of them in memory; `python -m tests.torture --two-way` (or `make torture`) plays any number of these.
"""

import pytest

from tests.torture.runner import Order, played

LENGTH = 15


@pytest.mark.parametrize("first", range(1, 41, 5))
def test_nothing_is_lost_doubled_or_overwritten(first):
    failed = [played(Order(seed, LENGTH, two_way=True)) for seed in range(first, first + 5)]

    assert [each.told() for each in failed if each] == []
