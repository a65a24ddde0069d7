"""What an error tells a person to do, where nobody who raises it knows better."""

import pytest

from salesforce_sync.errors import Incomplete, JobFailed, LocatorExpired, QueryTimeout, Transient, Unreachable


@pytest.mark.parametrize("kind", [Transient, Unreachable, QueryTimeout, LocatorExpired, Incomplete, JobFailed])
def test_what_may_pass_says_to_try_again(kind):
    assert str(kind("3 rows of 4 arrived.")) == "3 rows of 4 arrived. Try again in a few minutes."
    assert kind("3 rows of 4 arrived.", hint="Sync again.").hint == "Sync again."
