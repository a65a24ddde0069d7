"""What every store keeps of rows that may have changed unseen, and how it compares stamps."""

from datetime import UTC, datetime

from salesforce_sync.models.change import Doubt
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Listed
from tests.contract.stores import WIDGET, id_of, page, pull, widget

ONE, TWO, THREE = (f"2024-01-15T1{hour}:00:00.000+0000" for hour in (3, 4, 5))
STORED_ONE = "2024-01-15T13:00:00.000Z"


def hour(number):
    return datetime(2024, 1, 15, number, tzinfo=UTC)


def test_a_doubt_is_kept_until_another_takes_its_place(world):
    world.store.adopt(WIDGET)
    world.store.note_doubt("Widget__c", Doubt(hour(13), hour(14)))

    store = world.restart()

    assert store.doubt("Widget__c") == Doubt(hour(13), hour(14))
    store.note_doubt("Widget__c", None)
    assert store.doubt("Widget__c") is None


def test_an_object_that_was_never_doubted_has_no_doubt(store):
    assert store.doubt("Widget__c") is None


def test_ids_are_found_by_their_stamps_with_both_ends_and_tombstones(store):
    pull(store, widget(1), widget(2, at=ONE), widget(3, at=TWO, deleted=True), widget(4, at=THREE))

    assert set(store.ids_between("Widget__c", hour(13), hour(14), 9)) == {id_of(2), id_of(3)}
    assert len(store.ids_between("Widget__c", hour(13), hour(14), 1)) == 1


def test_what_is_gone_is_counted_whole_though_not_all_of_it_is_named(store):
    pull(store, *(widget(number, at=ONE if number < 4 else TWO) for number in range(1, 8)))
    listed = WIDGET.only("IsDeleted", "SystemModstamp")
    store.begin(PullRequest(listed))
    store.stage(page((id_of(7), False, TWO), schema=listed, resume="end", last=True))
    found = store.compare("Widget__c", None, 2)
    store.begin(PullRequest(listed, hour(14)))
    store.stage(page((id_of(7), False, TWO), schema=listed, resume="end", last=True))
    young = store.compare("Widget__c", hour(14), 2)

    assert (len(found.extra), found.gone, found.live, found.cut) == (2, 6, 7, False)
    assert (len(young.extra), young.gone, young.live) == (2, 3, 4)


def test_a_row_here_whose_stamp_is_later_than_the_orgs_differs_too(store):
    pull(store, widget(1, at=TWO), widget(2, at=ONE))
    listed = WIDGET.only("IsDeleted", "SystemModstamp")
    store.begin(PullRequest(listed))
    store.stage(page((id_of(1), False, ONE), (id_of(2), False, ONE), schema=listed, resume="end", last=True))

    assert store.compare("Widget__c", None, 10).stale == (Listed(id_of(1), STORED_ONE),)


def test_a_comparison_goes_by_the_stamp_of_the_day_though_the_last_one_went_by_another(world):
    store, older = world.store, WIDGET.only("Name", "IsDeleted", "LastModifiedDate")
    listing = older.only("IsDeleted", "LastModifiedDate")
    store.adopt(older)
    pull(store, *widget_rows(older), schema=older)
    assert listed(store, listing, (id_of(1), False, ONE)).differences == 0

    store.adopt(WIDGET)
    pull(store, *widget_rows(WIDGET))

    narrow = WIDGET.only("IsDeleted", "SystemModstamp")
    assert listed(store, narrow, (id_of(1), False, TWO)).stale == (Listed(id_of(1), TWO.replace("+0000", "Z")),)


def widget_rows(schema):
    values = {"Id": id_of(1), "IsDeleted": False, "SystemModstamp": ONE, "LastModifiedDate": ONE}
    return [tuple(values.get(field.name) for field in schema.columns)]


def listed(store, schema, *rows):
    store.begin(PullRequest(schema))
    store.stage(page(*rows, schema=schema, resume="end", last=True))
    found = store.compare("Widget__c", None, 10)
    store.end_comparison("Widget__c", None)
    return found
