"""An installation of its own for each test, with a clock that stands still."""

import pytest

from salesforce_sync.access import Access
from salesforce_sync.config import Config
from salesforce_sync.testing import FrozenClock


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def config(tmp_path):
    return Config.load(
        environ={}, storage_path=tmp_path / "data" / "salesforce.db", instance_url="https://acme.my.salesforce.com"
    )


@pytest.fixture
def access(config, clock):
    with Access(config, clock) as opened:
        yield opened
