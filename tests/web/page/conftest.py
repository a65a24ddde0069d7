"""What the tests of the page share: one browser, and one server with a synced replica, for all of them.

A test that edits takes a contact that no other has had, and leaves nothing behind that waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from salesforce_sync.access import Role
from simorg.org import SimOrg
from tests.web.browsing import Person, chromium, visiting
from tests.web.conftest import Site, settle, start
from tests.web.page.edits import put_back

expect.set_options(timeout=20_000)  # the machine may be busy


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a viewer, an editor and an admin; its replica is synced."""
    with SimOrg(records=200, seed=7) as org, org.serve():
        for site in start(settle(tmp_path_factory.mktemp("shared"), org.url), org):
            for name, role in (("vera", Role.VIEWER), ("ed", Role.EDITOR), ("ann", Role.ADMIN)):
                site.client(name, role)
            site.sync.sync("Contact", "Account")
            yield site


@pytest.fixture
def looker(browser: Browser, shared: Site) -> Iterator[Person]:
    """An editor at the shared server, who changes nothing there."""
    yield from visiting(browser, shared, "ed")


@pytest.fixture
def visitor(browser: Browser, shared: Site) -> Iterator[Person]:
    """Somebody at the shared server who has not signed in."""
    yield from visiting(browser, shared)


@pytest.fixture
def admin(browser: Browser, shared: Site) -> Iterator[Person]:
    """An admin at the shared server."""
    yield from visiting(browser, shared, "ann")


@pytest.fixture
def replica(shared: Site) -> Iterator[Any]:
    """The replica behind the page; what a test leaves waiting is sent or given up after it."""
    yield shared.sync
    put_back(shared.sync)


@pytest.fixture
def editor(browser: Browser, shared: Site, replica: Any) -> Iterator[Person]:
    """An editor at the shared server, who may leave edits behind."""
    yield from visiting(browser, shared, "ed")


@pytest.fixture(scope="session")
def contacts(shared: Site) -> Iterator[Any]:
    """Contacts with an address and a telephone, each once."""
    return iter([each for each in shared.sync.contacts.search(email__contains="@") if each.phone])


@pytest.fixture
def contact(contacts: Iterator[Any]) -> Any:
    """A contact that is this test's own."""
    return next(contacts)
