"""A database on a read-only disk, or in a folder of somebody else, can be read; what cannot be done is said."""

import os
import pickle
import shutil
import stat
import tempfile
from pathlib import Path

import apsw
import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.doctor import examine
from salesforce_sync.errors import StoreTrouble
from salesforce_sync.ports import Selection
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET

NOBODY = 65534


@pytest.fixture
def folder():
    """A folder that every user may read; to come to it, a user must be let through those above it."""
    made = Path(tempfile.mkdtemp(prefix="read-only-"))
    for each in made.parents:
        found = each.stat()
        if found.st_uid == os.geteuid() and not found.st_mode & 0o001:
            each.chmod(stat.S_IMODE(found.st_mode) | 0o001)
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@pytest.fixture
def database(folder):
    path = folder / "replica.db"
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    store.create("Widget__c", {"Name": "Bolt"})
    yield path, store
    store.close()


def locked(path, folder_mode=0o555):
    """The files and their folder, as somebody else's."""
    for each in path.parent.iterdir():
        if each.is_file():
            each.chmod(0o444)
    path.parent.chmod(folder_mode)


def as_somebody_else(act):
    """What `act` gives, or the message and hint of what it raises, in a process that has no right of ours."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            told = act()
        except StoreTrouble as trouble:
            told = trouble.message, trouble.hint
        except BaseException as error:  # told to the test, whose process this is not
            told = repr(error)
        os.write(writing, pickle.dumps(told))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    return told


def read(path):
    """What a reader of this database gets: rows, a count, an answer to SQL, and how many objects its status has."""

    def act():
        store = SqliteStore(path, FrozenClock())
        rows = store.select("Widget__c", Selection(most=10))
        asked = store.query('SELECT "Name" FROM "Widget__c"', 10)[1]
        told = len(rows), store.count("Widget__c"), asked, [each.rows for each in store.status()]
        store.close()
        return told

    return act


@pytest.mark.parametrize("folder_mode", [0o555, 0o755])
def test_what_was_closed_is_read(database, folder_mode):
    path, store = database
    store.close()
    locked(path, folder_mode)

    assert as_somebody_else(read(path)) == (1, 1, [("Bolt",)], [1])
    assert sorted(each.name for each in path.parent.iterdir() if each.is_file()) == ["replica.db"]


def test_what_somebody_else_has_open_is_read_as_it_is_now(database):
    path, _ = database
    locked(path)

    assert as_somebody_else(read(path)) == (1, 1, [("Bolt",)], [1])


def test_writing_says_that_it_cannot_be(database):
    path, store = database
    store.close()
    locked(path)

    told = as_somebody_else(lambda: SqliteStore(path, FrozenClock()).read_all_again("Widget__c"))

    assert "readonly" in told[0]


def test_doctor_names_it(database):
    path, store = database
    store.close()
    locked(path)
    config = Config.load(storage_path=path, environ={})

    def medium():
        with SFSync(config) as sync:
            return next(((each.level.value, each.found) for each in examine(sync) if each.check == "medium"), None)

    assert as_somebody_else(medium) == ("fail", f"{path} can only be read here")


def test_changes_that_are_only_in_the_log_are_not_passed_over(database, folder):
    path, store = database
    other = folder / "copy" / "replica.db"
    other.parent.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{other}{end}")
    store.close()
    locked(other)

    told = as_somebody_else(read(other))
    other.parent.chmod(0o755)

    assert "its last changes are in replica.db-wal" in told[0]
    assert "Copy both files" in told[1]


def test_one_of_another_version_says_that_it_cannot_be_brought_to_this(database):
    path, store = database
    store.close()
    with apsw.Connection(str(path)) as db:
        db.pragma("user_version", 3)
    db.close()
    locked(path)

    assert "is not of this version" in as_somebody_else(read(path))[0]
