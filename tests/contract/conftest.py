import pytest

from tests.contract.edits import fill
from tests.contract.stores import WIDGET, WORLDS
from tests.ready import empty


def with_widgets(store):
    store.adopt(WIDGET)


PREPARED = {"store": with_widgets, "replica": fill}
"""How the world begins for a test that asks for one of these."""


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    (prepare,) = {PREPARED[name] for name in PREPARED if name in request.fixturenames} or {empty}
    made = WORLDS[request.param](tmp_path, prepare)
    yield made
    made.store.close()


@pytest.fixture
def store(world):
    """A store that has adopted WIDGET."""
    return world.store


@pytest.fixture
def replica(world):
    """A store with an account, a contact and a task of the org."""
    return world.store
