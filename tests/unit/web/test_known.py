"""What was looked up is good as long as nothing in the database has changed, by whatever process."""

import subprocess
import sys

import apsw
import pytest

from salesforce_sync.web.known import Counted


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "replica.db"
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    db.execute("CREATE TABLE t (n)")
    yield path
    db.close()


@pytest.fixture
def counted(database):
    counted = Counted(database)
    yield counted
    counted.close()


def test_a_count_is_known_until_another_process_commits(counted, database):
    mark, before = counted.total("Contact")
    counted.note("Contact", mark, 7, quick=True)
    known = counted.total("Contact")[1]

    commit = "import apsw, sys; apsw.Connection(sys.argv[1]).execute('INSERT INTO t VALUES (1)')"
    subprocess.run([sys.executable, "-c", commit, str(database)], check=True)

    assert (before, known, counted.total("Contact")[1]) == (None, 7, None)


def test_a_count_of_before_a_commit_is_not_kept_after_it(counted, database):
    mark, _ = counted.total("Contact")
    apsw.Connection(str(database)).execute("INSERT INTO t VALUES (1)")
    counted.total("Lead")

    counted.note("Contact", mark, 7, quick=True)

    assert counted.total("Contact")[1] is None


def test_an_object_whose_page_came_slowly_is_not_known(counted):
    mark, _ = counted.total("Contact")
    counted.note("Contact", mark, 7, quick=True)
    counted.note("Contact", mark, 7, quick=False)

    assert counted.total("Contact")[1] is None
