"""What was looked up is good as long as nothing in the database has changed, by whatever process."""

import subprocess
import sys

import apsw
import pytest

from salesforce_sync.web.known import MOST_BYTES, Counted, Sent


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


def test_a_page_is_sent_again_until_something_has_changed():
    sent = Sent()
    before = sent.body(1, "first page")
    sent.note(1, "first page", b"[1]")

    assert (before, sent.body(1, "first page"), sent.body(1, "next page")) == (None, b"[1]", None)
    assert sent.body(2, "first page") is None


def test_a_page_of_before_a_change_is_not_kept_after_it():
    sent = Sent()
    sent.body(1, "first page")
    sent.body(2, "next page")

    sent.note(1, "first page", b"[1]")

    assert sent.body(2, "first page") is None


def test_pages_that_are_kept_have_a_bound():
    sent = Sent()
    for number in range(100):
        sent.body(1, number)
        sent.note(1, number, bytes(MOST_BYTES // 10))
    sent.note(1, "large", bytes(MOST_BYTES))

    kept = [number for number in range(100) if sent.body(1, number)]
    assert 0 < len(kept) <= 10
    assert sent.body(1, "large") is None
