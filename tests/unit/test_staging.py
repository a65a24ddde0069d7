"""A pull's pages on their way into the store: in order, one beside the next, and nothing is left behind."""

import threading

import pytest

from salesforce_sync.errors import Incomplete, Unreachable
from salesforce_sync.models.page import CsvFile, PullRequest, Rows, TypedFile
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync import staging
from salesforce_sync.sync.staging import stage_all
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, csv_page, names, page, widget


class Slow(SqliteStore):
    """A store that stages a page when the next one is there, and remembers how each came."""

    def __init__(self, path):
        super().__init__(path, FrozenClock())
        self.came, self.go_on = [], threading.Semaphore(0)

    def stage(self, page):
        self.came.append(type(page.body))
        self.go_on.acquire(timeout=20)
        return super().stage(page)

    def prepare(self, page):
        made = super().prepare(page)
        self.go_on.release()
        return made


@pytest.fixture
def store(tmp_path):
    made = Slow(tmp_path / "replica.db")
    made.adopt(WIDGET)
    made.begin(PullRequest(WIDGET))
    yield made
    made.go_on.release(100)
    made.close()


def files(folder, count, **last):
    """Pages of two rows each, of which the last one is made with `last` too."""
    for at in range(1, count + 1):
        more = last if at == count else {}
        yield csv_page(folder / f"{at}.csv", [widget(2 * at, f"{at}"), widget(2 * at + 1, f"{at}")], WIDGET, **more)


def test_files_come_one_beside_the_next_and_are_told_in_order(store, tmp_path):
    told = []
    for brought, rows in stage_all(store, files(tmp_path, 4, resume="end", last=True)):
        told.append((brought.last, rows))
        if len(told) == 3:
            store.go_on.release()  # no other comes behind the last one

    assert told == [(False, 2), (False, 2), (False, 2), (True, 2)]
    assert TypedFile in store.came
    store.merge("Widget__c", None)
    assert names(store) == {"1", "2", "3", "4"}
    assert not list(tmp_path.glob("*.csv*"))


def test_a_page_without_a_file_waits_for_the_one_before_it(store, tmp_path):
    store.go_on.release(100)
    mixed = [*files(tmp_path, 2), page(widget(90, "rows"), resume="end", last=True)]

    assert [rows for _, rows in stage_all(store, mixed)] == [2, 2, 1]

    assert store.staged("Widget__c").rows == 5


def test_a_page_that_only_ends_a_result_holds_nobody_up(store, tmp_path):
    """A result page that ends with a file is followed by a page without rows: the next file comes beside the first."""
    first, second = files(tmp_path, 2, resume="end", last=True)
    pages = [first, page(resume="middle", expected=2), second]
    told = []
    for brought, rows in stage_all(store, pages):
        told.append((brought.resume, rows))
        store.go_on.release()  # for those behind the first, which waits until the second file is prepared

    assert told == [(None, 2), ("middle", 0), ("end", 2)]
    assert store.came == [CsvFile, Rows, TypedFile]


def brought_while_the_first_is_staged(store, pages):
    """How many pages are taken from the org until it is waited for the first one."""
    brought = 0

    def from_the_org():
        nonlocal brought
        for each in pages:
            brought += 1
            yield each

    told = stage_all(store, from_the_org())
    waiter = threading.Thread(target=next, args=(told,))
    store.prepare = lambda page: page  # or it would let the first one go on
    waiter.start()
    waiter.join(0.5)
    found = brought
    store.go_on.release(100)
    waiter.join()
    assert sum(1 for _ in told) == len(pages) - 1
    return found


def test_small_files_keep_no_large_one_waiting(store, tmp_path):
    """A result page of 33 MB is a file of 32 and one of 1: two such pages are there before the first file is staged."""
    pages = list(files(tmp_path, 5, resume="end", last=True))

    assert brought_while_the_first_is_staged(store, pages) == 5


def test_files_that_wait_are_bounded_by_their_size(store, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "MOST_BYTES", 2 * next(files(tmp_path, 1)).body.path.stat().st_size)
    pages = list(files(tmp_path, 6, resume="end", last=True))

    assert brought_while_the_first_is_staged(store, pages) == 3


def test_a_page_without_rows_is_told_at_once_where_nothing_is_ahead_of_it(store):
    store.go_on.release()
    told = []

    def slow():
        yield page(resume="begun")
        assert told == ["begun"], "the org may let the next page wait for minutes"

    for brought, _ in stage_all(store, slow()):
        told.append(brought.resume)

    assert store.staged("Widget__c").resume == "begun"


def test_what_one_file_meets_ends_the_pull_and_removes_the_next(store, tmp_path):
    def bad():
        yield csv_page(tmp_path / "bad.csv", [widget(1)], WIDGET, resume="x", expected=9)
        yield from files(tmp_path, 2)

    with pytest.raises(Incomplete, match="announced 9 rows"):
        list(stage_all(store, bad()))

    assert not list(tmp_path.glob("*.csv*"))
    assert store.staged("Widget__c") is None


def test_where_the_org_breaks_off_what_is_under_way_is_kept(store, tmp_path):
    def broken():
        yield from files(tmp_path, 1, resume="after-1", expected=2)
        store.go_on.release()
        raise Unreachable("The line is gone.")

    with pytest.raises(Unreachable):
        list(stage_all(store, broken()))

    assert store.staged("Widget__c").resume == "after-1"


def test_closed_in_between_it_leaves_no_file(store, tmp_path):
    store.go_on.release(100)
    pages = files(tmp_path, 3)
    steps = stage_all(store, pages)
    next(steps)

    steps.close()

    assert not list(tmp_path.glob("*.csv*"))
