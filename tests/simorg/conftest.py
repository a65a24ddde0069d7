"""A simulated org for the tests of simorg itself: over real sockets, with one server per test module."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from simorg.org import SimOrg
from simorg.server import Server
from tests.plain import PLAIN

VERSION = "58.0"
DATA = f"/services/data/v{VERSION}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with an org that holds users and price books only."""
    with SimOrg(0, 1) as org, org.serve() as running:
        yield running


@pytest.fixture
def org(server: Server) -> Iterator[SimOrg]:
    """The module's org, with every switch back in its first position afterwards."""
    it = server.org
    yield it
    it.faults.clear()
    it.rules.clear()
    it.permissions.reset()
    it.usage.reset()
    it.usage.limit = 15_000
    it.sessions.idle_seconds = 7200
    it.clock.thaw()


@pytest.fixture
def client(org: SimOrg) -> Iterator[httpx2.Client]:
    """An HTTP client with a session; paths begin after `/services/data/v58.0`."""
    session = org.sessions.open(org.user_id)
    headers = {"Authorization": f"Bearer {session.token}"}
    with httpx2.Client(base_url=org.url + DATA, headers=headers, verify=PLAIN) as made:
        yield made


@pytest.fixture
def outside(org: SimOrg) -> Iterator[httpx2.Client]:
    """An HTTP client without a session; paths are whole."""
    with httpx2.Client(base_url=org.url, verify=PLAIN) as made:
        yield made


@pytest.fixture(scope="module")
def seeded() -> Iterator[Server]:
    """A server with a seeded org of 1,000 contacts."""
    with SimOrg(1000, 7) as org, org.serve() as running:
        yield running


class PlainHttp(HTTPAdapter):
    """Carries `https://` requests over plain HTTP, since simple-salesforce builds only https addresses."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send the request to the same host and path without TLS."""
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def real(org: SimOrg) -> Salesforce:
    """simple-salesforce with a session of the module's org."""
    return real_client(org)


@pytest.fixture
def real_seeded(seeded: Server) -> Salesforce:
    """simple-salesforce with a session of the seeded org."""
    return real_client(seeded.org)


def real_client(org: SimOrg) -> Salesforce:
    """Return simple-salesforce, which is not ours, logged in to the org with a session."""
    carrier = Session()
    carrier.mount("https://", PlainHttp())
    session = org.sessions.open(org.user_id)
    address = org.url.removeprefix("http://")
    return Salesforce(instance=address, session_id=session.token, version=VERSION, session=carrier)
