"""A replica that was exported, and its workbook."""

import shutil
from pathlib import Path

import pytest

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.edits import fill
from tests.workbook.books import export_to


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of a replica that was exported."""
    folder = tmp_path_factory.mktemp("original")
    made = SqliteStore(folder / "replica.db", FrozenClock())
    fill(made)
    export_to(made, folder / "book.xlsx")
    made.close()
    return folder


@pytest.fixture
def store(original, tmp_path):
    shutil.copy(original / "replica.db", tmp_path)
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    yield made
    made.close()


@pytest.fixture
def book(original, tmp_path):
    """The workbook of the replica, as it was exported."""
    return Path(shutil.copy(original / "book.xlsx", tmp_path))
