import pytest

from tests.contract.edits import fill
from tests.contract.stores import WIDGET, WORLDS


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    made = WORLDS[request.param](tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def store(world):
    """A store that has adopted WIDGET."""
    world.store.adopt(WIDGET)
    return world.store


@pytest.fixture
def replica(world):
    """A store with an account, a contact and a task of the org."""
    fill(world.store)
    return world.store
