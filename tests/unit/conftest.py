import pytest

from tests.contract.stores import WORLDS


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    made = WORLDS[request.param](tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def store(world):
    return world.store
