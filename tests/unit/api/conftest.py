from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.api.wire import Wire
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.storage.vault import Vault
from tests.unit.api.clocks import QuickClock
from tests.unit.api.scripted import Asked, Reply, ScriptedServer

Script = Callable[[Asked], Reply]


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def keys(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "replica.db")


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ScriptedServer]]:
    """Start a scripted server; it ends with the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script))


@pytest.fixture
def open_org(tmp_path: Path, clock: QuickClock, keys: Vault) -> Iterator[Callable[[ScriptedServer], SalesforceOrg]]:
    """Connect to a server with a pasted session; closed with the test."""
    opened: list[SalesforceOrg] = []

    def connect(server: ScriptedServer, connection: Connection | None = None) -> SalesforceOrg:
        pasted = Connection(LoginMethod.PASTED_SESSION, server.url, access_token="00D!pasted-token")
        org = SalesforceOrg(
            connection or pasted, api_version="58.0", work_dir=tmp_path / "pages", keys=keys, clock=clock
        )
        opened.append(org)
        return org

    yield connect
    for org in opened:
        org.close()
