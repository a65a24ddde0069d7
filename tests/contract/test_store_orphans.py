"""What every store says of live rows that refer to deleted ones: an org may empty such references without a stamp."""

import pytest
from msgspec.structs import replace

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.testing import make_field, make_schema
from tests.contract.stores import NOON, page, pull

PLANT = make_schema("Plant__c", Name="string")
WIDGET = make_schema(
    "Widget__c",
    make_field("Plant__c", "reference", referenceTo=["Plant__c"]),
    make_field("Origin__c", "reference", referenceTo=["Nowhere__c", "Plant__c", "Widget__c"]),
)


def plant_id(number):
    return to_18(f"a01{number:012d}")


def widget_id(number):
    return to_18(f"a02{number:012d}")


def plant(number, *, deleted=False):
    return plant_id(number), deleted, NOON, NOON, NOON, "North"


def widget(number, at=None, origin=None, *, deleted=False):
    return widget_id(number), deleted, NOON, NOON, NOON, at, origin


@pytest.fixture(autouse=True)
def here(store):
    for schema in (PLANT, WIDGET):
        store.adopt(schema)
    pull(store, *map(plant, range(4)), schema=PLANT)
    rows = (
        widget(0, plant_id(0)),
        widget(1, plant_id(1)),
        widget(2, plant_id(0), plant_id(1)),
        widget(3, None, widget_id(1)),
    )
    pull(store, *rows, schema=WIDGET)


def found(store, most=9, **how):
    orphans = store.orphans("Widget__c", most, **how)
    numbers = {widget_id(number): number for number in range(9)}
    return None if orphans is None else sorted(numbers[each] for each in orphans.ids)


def looked_at(store):
    store.note_orphans("Widget__c", store.orphans("Widget__c", 9))


def read_again(store, *rows):
    request = PullRequest(WIDGET, ids=tuple(row[0] for row in rows))
    store.begin(request)
    store.stage(page(*rows, schema=WIDGET, resume="end", last=True))
    store.merge("Widget__c", None)


def test_without_a_deletion_there_are_none(store):
    assert found(store) == []  # the objects that it refers to are all here now: that is looked at once
    looked_at(store)

    assert found(store) is None
    assert found(store, again=True) == []


def test_they_are_found_by_any_of_their_references_and_never_deleted_themselves(store):
    pull(store, plant(1, deleted=True), schema=PLANT)

    assert found(store) == [1, 2]
    assert len(found(store, most=1)) == 1

    pull(store, widget(1, plant_id(1), deleted=True), schema=WIDGET)
    assert found(store) == [2, 3]


@pytest.mark.parametrize("cause", [Cause.UNKNOWN, Cause.PURGED])
def test_what_refers_to_a_record_that_may_have_been_deleted_is_found_too(store, cause):
    store.set_aside("Plant__c", [plant_id(1)], cause)

    assert found(store) == [1, 2]
    read_again(store, widget(1), widget(2, plant_id(0), plant_id(1)))
    looked_at(store)
    assert found(store) is None
    assert found(store, again=True) == []

    store.set_aside("Plant__c", [plant_id(0)], cause)
    assert found(store) == [0, 2]


def test_what_refers_to_a_record_that_is_only_hidden_is_left_alone(store):
    store.set_aside("Plant__c", [plant_id(1)], Cause.HIDDEN)

    assert found(store) == []


def test_what_came_empty_by_itself_is_read_again_once_its_record_is_back(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    pull(store, widget(1), widget(2, None, plant_id(1)), schema=WIDGET)  # the third refers to it by another field still
    assert found(store) == [2]
    looked_at(store)
    assert found(store) is None

    pull(store, plant(1), schema=PLANT)
    assert found(store) == [1]
    read_again(store, widget(1, plant_id(1)))
    looked_at(store)
    assert found(store) is None
    assert found(store, again=True) == []


def test_what_was_emptied_while_its_record_lived_is_left_alone(store):
    pull(store, widget(1), schema=WIDGET)
    looked_at(store)
    pull(store, plant(0, deleted=True), schema=PLANT)
    looked_at(store)
    pull(store, plant(0), schema=PLANT)

    assert 1 not in found(store)


def test_a_record_that_is_shown_again_was_not_deleted(store):
    store.set_aside("Plant__c", [plant_id(1)], Cause.UNKNOWN)
    pull(store, plant(1), schema=PLANT)

    assert found(store) == []


# ── records that were gone before their object was read for the first time ───────────────────────────────────────

MILL = replace(make_schema("Mill__c", Name="string"), key_prefix="a04")
SHOP = make_schema(
    "Shop__c",
    make_field("Mill__c", "reference", referenceTo=["Mill__c"]),
    make_field("Any__c", "reference", referenceTo=["Plant__c", "Mill__c", "Elsewhere__c"]),
)


def mill_id(number):
    return to_18(f"a04{number:012d}")


def shop_id(number):
    return to_18(f"a05{number:012d}")


def mill(number, *, deleted=False):
    return mill_id(number), deleted, NOON, NOON, NOON, "Mill"


def shop(number, at=None, anything=None):
    return shop_id(number), False, NOON, NOON, NOON, at, anything


@pytest.fixture
def shops(store):
    """Shops that were read before the mills, of which 1 and 2 were not there any more."""
    store.adopt(SHOP)
    rows = [
        shop(0, mill_id(0)),
        *(shop(number, mill_id(1)) for number in (1, 2, 3)),
        *(shop(number, None, mill_id(2)) for number in (4, 5)),
        shop(6, None, to_18("a07000000000000")),  # of an object that is not here
        shop(7, None, to_18("a01000000000099")),  # Plant__c, by its ids; but their beginning is not known
    ]
    pull(store, *rows, schema=SHOP)
    store.note_orphans("Shop__c", store.orphans("Shop__c", 9))
    store.adopt(MILL)
    pull(store, mill(0), schema=MILL)
    return store


def of_shops(store, most=9, **how):
    orphans = store.orphans("Shop__c", most, **how)
    numbers = {shop_id(number): number for number in range(9)}
    return None if orphans is None else sorted(numbers[each] for each in orphans.ids)


def shops_read_again(store, *rows):
    orphans = store.orphans("Shop__c", 9)
    request = PullRequest(SHOP, ids=tuple(row[0] for row in rows))
    store.begin(request)
    store.stage(page(*rows, schema=SHOP, resume="end", last=True))
    store.merge("Shop__c", None)
    store.note_orphans("Shop__c", orphans)


@pytest.fixture
def known(shops):
    """What became of the mills is known: 1 was deleted, 2 is only hidden."""
    shops_read_again(shops, shop(1), shop(4, None, mill_id(2)))
    shops_read_again(shops, shop(2), shop(3))
    return shops


def test_one_row_tells_of_each_record_that_is_missing_whether_it_was_deleted(shops):
    assert of_shops(shops) == [1, 4]
    assert of_shops(shops, most=1) == [1]
    assert of_shops(shops, most=0) == []

    shops_read_again(shops, shop(1), shop(4, None, mill_id(2)))

    assert of_shops(shops) == [2, 3]
    shops_read_again(shops, shop(2), shop(3))
    assert of_shops(shops) is None
    assert of_shops(shops, again=True) == []


def test_what_is_found_some_at_a_time_is_not_asked_twice(shops):
    some = shops.orphans("Shop__c", 1)
    shops.note_orphans("Shop__c", replace(some, seen=""))  # it refers to the mill still

    assert of_shops(shops, again=True) == [4]


def test_a_record_that_was_missing_and_comes_back_may_be_referred_to_again(known):
    pull(known, mill(1), schema=MILL)

    assert of_shops(known) == [1, 2, 3]


def test_a_record_that_was_missing_and_is_shown_leaves_what_refers_to_it_alone(known):
    pull(known, mill(2), schema=MILL)

    assert of_shops(known, again=True) == []


def test_what_was_made_here_is_not_missing(known):
    local = known.create("Mill__c", {"Name": "New"})
    known.update("Shop__c", shop_id(0), {"Mill__c": local})

    assert of_shops(known, again=True) == []


def test_an_object_that_is_not_read_whole_yet_says_nothing_of_what_is_missing(store):
    store.adopt(SHOP)
    store.adopt(MILL)
    pull(store, shop(1, mill_id(1)), schema=SHOP)

    assert of_shops(store, again=True) == []


@pytest.mark.parametrize("cause", [Cause.UNKNOWN, Cause.DELETED, Cause.PURGED])
def test_what_refers_to_a_record_without_a_bin_is_found(store, cause):
    nowhere = make_schema("Nowhere__c", Name="string").without("IsDeleted")
    some, other = (to_18(f"a03{number:012d}") for number in range(2))
    store.adopt(nowhere)
    pull(store, *((key, NOON, NOON, NOON, "Here") for key in (some, other)), schema=nowhere)
    read_again(store, widget(0, plant_id(0), some), widget(1, plant_id(1), other))

    store.set_aside("Nowhere__c", [some], cause)

    assert found(store) == [0]


def test_an_object_without_references_has_none(store):
    pull(store, plant(1, deleted=True), schema=PLANT)

    assert store.orphans("Plant__c", 9, again=True).ids == ()


def test_what_was_looked_at_is_not_named_again_until_more_is_deleted(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    read_again(store, widget(1), widget(2, plant_id(0), plant_id(1)))  # the org leaves the one in 2 as it is
    looked_at(store)

    assert found(store) is None
    assert found(store, again=True) == []

    pull(store, plant(0, deleted=True), schema=PLANT)
    assert found(store) == [0, 2]


def emptied(store):
    """One plant is deleted, and what referred to it is read again: the org has emptied it."""
    pull(store, plant(1, deleted=True), schema=PLANT)
    orphans = store.orphans("Widget__c", 9)
    read_again(store, widget(1), widget(2, plant_id(0)))
    store.note_orphans("Widget__c", orphans)


def test_what_was_emptied_is_looked_at_once_more_when_its_record_comes_back(store):
    emptied(store)
    assert found(store, again=True) == []

    pull(store, plant(1), schema=PLANT)

    assert found(store) == [1, 2]
    assert len(found(store, most=1)) == 1
    looked_at(store)
    assert found(store) is None
    assert found(store, again=True) == []


def test_what_was_emptied_is_looked_at_some_at_a_time(store):
    emptied(store)
    pull(store, plant(1), schema=PLANT)

    first = found(store, most=1)
    store.note_orphans("Widget__c", store.orphans("Widget__c", 1))

    assert sorted(first + found(store, again=True)) == [1, 2]


def test_what_was_emptied_and_deleted_itself_is_left_alone(store):
    emptied(store)
    pull(store, plant(1), schema=PLANT)
    pull(store, widget(1, deleted=True), schema=WIDGET)

    assert found(store) == [2, 3]  # which refers to the other one


def test_another_deletion_is_seen_where_as_many_are_deleted_as_before(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    looked_at(store)
    pull(store, plant(1), plant(0, deleted=True), schema=PLANT)

    assert found(store) == [0, 2]


def test_asked_for_none_it_tells_whether_others_are_deleted(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    assert found(store, most=0) == []

    looked_at(store)
    assert found(store, most=0) is None


def test_it_is_kept(world):
    pull(world.store, plant(1, deleted=True), schema=PLANT)
    looked_at(world.store)

    assert found(world.restart(), again=True) == []


def test_a_deletion_that_came_while_they_were_read_again_is_looked_at_next(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    seen = store.orphans("Widget__c", 9)
    pull(store, plant(0, deleted=True), schema=PLANT)
    read_again(store, widget(1), widget(2, plant_id(0)))
    store.note_orphans("Widget__c", seen)

    assert found(store) == [0, 2]


def test_a_record_that_was_brought_back_and_deleted_again_is_looked_at_again(store):
    pull(store, plant(1, deleted=True), schema=PLANT)
    looked_at(store)
    pull(store, plant(1), schema=PLANT)
    looked_at(store)
    pull(store, plant(1, deleted=True), schema=PLANT)

    assert found(store) == [1, 2]


def test_what_is_only_deleted_here_has_left_no_orphans_yet(store):
    looked_at(store)
    store.delete("Plant__c", plant_id(1))
    assert found(store) is None
    assert found(store, again=True) == []

    assert [each.operation for each in store.changes()] == [Operation.DELETE]
    pull(store, plant(1, deleted=True), schema=PLANT)
    assert found(store) == [1, 2]


def test_a_row_that_was_made_here_is_none(store):
    store.create("Widget__c", {"Plant__c": plant_id(1)})
    pull(store, plant(1, deleted=True), schema=PLANT)

    assert found(store) == [1, 2]
