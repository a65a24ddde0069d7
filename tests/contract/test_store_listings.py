"""What every store keeps of a listing of all rows: as far as it is durable it outlives its process and other pulls."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Comparison, Listed
from tests.contract.stores import NOON, WIDGET, id_of, page, pull, widget

LISTED = WIDGET.listed
LISTING = PullRequest(LISTED)
EARLIER, LATER = "2024-01-15T11:00:00.000+0000", "2024-01-15T13:00:00.000+0000"
BEGUN = datetime(2024, 1, 15, 12, 30, tzinfo=UTC)


def begin(store, resume=None, since=None):
    store.begin(PullRequest(LISTED, since, resume))


def stage(store, *rows, resume, at=None, last=False):
    store.stage(page(*rows, schema=LISTED, resume=resume, server_time=at, last=last))


def row(number, at=NOON, *, deleted=False):
    return id_of(number), deleted, at


@pytest.fixture
def half(world):
    """A world with three rows here, in which a listing broke off after its first page and a half."""
    store = world.store
    store.adopt(WIDGET)
    pull(store, *(widget(number) for number in range(1, 4)))
    begin(store)
    stage(store, row(1), row(2), resume="second page", at=BEGUN)
    stage(store, row(3), resume=None)
    return world


def test_nothing_is_listed_before_a_listing_was_begun_and_after_its_comparison(store):
    pull(store, widget(1))
    assert store.kept(LISTING) is None
    begin(store)
    assert store.kept(LISTING) is None
    begin(store)
    stage(store, row(1), resume="end", last=True)
    store.compare("Widget__c", None, 10)
    assert store.kept(LISTING).rows == 1

    store.end_comparison("Widget__c", None)

    assert store.kept(LISTING) is None
    with pytest.raises(Incomplete):
        store.compare("Widget__c", None, 10)


def test_a_listing_that_broke_off_goes_on_after_its_last_durable_page(half):
    store = half.restart()

    assert store.kept(LISTING) == Staged("Widget__c", None, "second page", 2, BEGUN)
    begin(store, "second page")
    stage(store, row(3), resume="end", last=True)

    assert store.compare("Widget__c", None, 10) == Comparison(3, 3)


def test_a_listing_goes_on_after_other_pulls_and_comparisons(half):
    store = half.restart()
    assert store.staged("Widget__c") is None
    pull(store, widget(4))
    begin(store, since=BEGUN)
    stage(store, row(4), resume="end", last=True)
    store.compare("Widget__c", BEGUN, 10)
    store.end_comparison("Widget__c", BEGUN)
    store.begin(PullRequest(WIDGET, ids=(id_of(1),)))

    begin(store, store.kept(LISTING).resume)
    stage(store, row(3), row(4), resume="end", last=True)

    assert store.compare("Widget__c", None, 10) == Comparison(4, 4)


def test_a_new_listing_takes_the_place_of_one_that_broke_off(half):
    store = half.restart()
    begin(store)
    stage(store, row(3), resume="other", last=True)

    found = store.compare("Widget__c", None, 10)

    assert found.extra == (id_of(1), id_of(2))
    assert store.kept(LISTING).resume == "other"


def test_rows_that_are_listed_once_more_take_the_place_of_those_before(half):
    store = half.restart()
    pull(store, widget(2, at=LATER), widget(3, at=LATER, deleted=True), widget(5, at=LATER))
    begin(store, store.kept(LISTING).resume)
    stage(store, row(3), resume="end", last=True)
    begin(store, since=BEGUN)
    stage(store, row(2, LATER), row(3, LATER, deleted=True), row(5, LATER), row(6, LATER), resume="end", last=True)
    store.amend(LISTING)

    found = store.compare("Widget__c", None, 10)

    assert found == Comparison(4, 3, missing=(Listed(id_of(6), "2024-01-15T13:00:00.000Z"),))


@pytest.mark.parametrize("since", [None, BEGUN - timedelta(days=1)])
def test_what_differs_beyond_the_bound_is_counted_and_how_much_of_it_was_late(store, since):
    pull(store, widget(1), widget(2, at=LATER))
    begin(store, since=since)
    late, new = [row(each) for each in (3, 4, 5)], "2024-01-15T15:00:00.000+0000"
    stage(store, row(1, new), row(2, LATER), *late, row(6, new), resume="end", last=True)

    found = store.compare("Widget__c", since, 2)

    assert (found.cut, len(found.missing), found.differing, found.late) == (True, 2, 5, 3)


def test_a_listing_by_another_stamp_does_not_go_on(half):
    store = half.restart()
    store.kept(LISTING)
    store.adopt(WIDGET.without("IsDeleted"))

    assert store.kept(LISTING) is None


def test_the_rows_of_an_object_that_has_nothing_else_are_no_listing(store):
    store.adopt(LISTED)
    begin(store)
    stage(store, row(1), resume="second page", at=BEGUN)

    assert store.kept(LISTING) is None
    assert store.staged("Widget__c").rows == 1
