"""A replica in this process, whose clock a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.models.run import RunState
from salesforce_sync.testing import FrozenClock
from tests.conftest import CommandLine


@pytest.fixture
def clock() -> FrozenClock:
    """The replica's clock."""
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def synced(user: CommandLine, clock: FrozenClock) -> Iterator[SFSync]:
    """The replica of the four default objects, just loaded."""
    with SFSync(Config.load(user.folder / "config.yaml"), clock=clock) as sync:
        assert sync.sync().state is RunState.COMPLETE
        yield sync
