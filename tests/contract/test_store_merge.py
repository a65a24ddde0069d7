"""Store: how staged rows enter, what is counted, and where the checkpoint stands."""

from datetime import UTC, datetime

import pytest

from salesforce_sync.models.change import Checkpoint, Merged
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.testing import make_field, make_schema
from tests.contract.stores import NOON, WIDGET, id_of, names, page, pull, widget

ONE, TWO, THREE = (f"2024-01-15T1{hour}:00:00.000+0000" for hour in (3, 4, 5))


def moment(hour: int) -> datetime:
    return datetime(2024, 1, 15, hour, tzinfo=UTC)


def test_a_first_pull_inserts(store):
    assert pull(store, widget(1), widget(2)) == Merged("Widget__c", inserted=2)
    assert store.count("Widget__c") == 2


def test_an_empty_first_pull_leaves_an_empty_object(store):
    assert pull(store) == Merged("Widget__c")
    assert store.count("Widget__c") == 0
    assert list(store.scan("Widget__c")) == []


def test_each_row_is_counted_as_what_it_was(store):
    pull(store, widget(1), widget(2), widget(3), widget(4, at=ONE), widget(5))

    merged = pull(
        store,
        widget(1),  # nothing new
        widget(2, "Nut", at=ONE),
        widget(3, at=ONE, deleted=True),
        widget(4, "too late", at=NOON),
        widget(6),
        widget(7, deleted=True),  # died before it was ever seen
    )

    assert merged == Merged("Widget__c", inserted=1, updated=1, deleted=1, unchanged=3)
    assert merged.changed == 3


def test_a_field_may_be_called_as_a_merge_calls_something(store):
    schema = make_schema("Widget__c", Place="string", Came="string")
    store.adopt(schema)
    pull(store, (*widget(1)[:5], "here", "early"), schema=schema)

    assert pull(
        store, (*widget(1, at=ONE)[:5], "there", "late"), (*widget(2)[:5], "here", None), schema=schema
    ) == Merged("Widget__c", inserted=1, updated=1)
    assert {row[5] for row in store.scan("Widget__c")} == {"here", "there"}


def test_the_same_pull_again_changes_nothing(store):
    rows = [widget(number) for number in range(5)]
    pull(store, *rows)

    assert pull(store, *rows) == Merged("Widget__c", unchanged=5)


def test_a_row_with_an_equal_stamp_replaces_what_is_here(store):
    # Two saves in one second share a stamp; formula values change without moving it.
    pull(store, widget(1, "old"))

    assert pull(store, widget(1, "new")).updated == 1
    assert names(store) == {"new"}


def test_an_older_row_never_replaces_a_newer_one(store):
    pull(store, widget(1, "new", at=TWO))

    assert pull(store, widget(1, "old", at=ONE)) == Merged("Widget__c", unchanged=1)
    assert names(store) == {"new"}


def test_an_older_row_replaces_one_that_was_stamped_ahead_of_the_orgs_time_when_it_was_read(store):
    pull(store, widget(1, "ahead", at=THREE), at=TWO)

    assert pull(store, widget(1, "edited", at=TWO), at=THREE).updated == 1
    assert names(store) == {"edited"}
    # By then the stamp is no longer ahead.
    assert pull(store, widget(1, "old", at=ONE), at=THREE).updated == 0
    assert names(store) == {"edited"}


def test_a_tombstone_replaces_a_row_that_was_stamped_ahead(store):
    pull(store, widget(9), widget(1, at=THREE), at=TWO)

    assert pull(store, widget(1, at=TWO, deleted=True), at=THREE).deleted == 1
    assert store.count("Widget__c") == 1


def test_a_row_that_was_asked_for_by_its_id_is_what_the_org_has_whatever_its_stamp(store):
    pull(store, widget(1, "here", at=TWO), at=THREE)

    store.begin(PullRequest(WIDGET, ids=(id_of(1),)))
    store.stage(page(widget(1, "there", at=ONE), resume="end", last=True))

    assert store.merge("Widget__c", None).updated == 1
    assert names(store) == {"there"}


@pytest.mark.parametrize("dead", [True, False])
def test_an_older_row_neither_deletes_nor_revives(store, dead):
    pull(store, widget(9), widget(1, at=TWO, deleted=not dead))

    assert pull(store, widget(1, at=ONE, deleted=dead)) == Merged("Widget__c", unchanged=1)
    assert store.count("Widget__c") == (2 if dead else 1)


def test_a_deleted_row_becomes_a_tombstone(store):
    pull(store, widget(1), widget(2))

    assert pull(store, widget(1, at=ONE, deleted=True)).deleted == 1
    assert store.get("Widget__c", id_of(1)) is None
    assert store.count("Widget__c") == 1
    assert [row[0] for row in store.scan("Widget__c")] == [id_of(2)]
    assert store.status()[0].tombstones == 1


def test_a_row_that_is_deleted_twice_is_counted_once(store):
    pull(store, widget(1))
    pull(store, widget(1, at=ONE, deleted=True))

    assert pull(store, widget(1, at=ONE, deleted=True)) == Merged("Widget__c", unchanged=1)


def test_an_undeleted_row_lives_again(store):
    pull(store, widget(1), widget(2))
    pull(store, widget(1, at=ONE, deleted=True))

    assert pull(store, widget(1, "back", at=TWO)) == Merged("Widget__c", inserted=1)
    assert names(store) == {"back", "Bolt"}
    assert store.status()[0].tombstones == 0


def test_a_pull_of_only_tombstones_into_an_empty_object_inserts_nothing(store):
    assert pull(store, widget(1, deleted=True)) == Merged("Widget__c", unchanged=1)
    assert store.count("Widget__c") == 0
    assert pull(store, widget(1, at=ONE)).inserted == 1


@pytest.mark.parametrize("first", [True, False])
def test_of_a_row_that_came_twice_the_newer_one_stays(store, first):
    if not first:
        pull(store, widget(1, "before"))

    merged = pull(store, widget(1, "newer", at=TWO), widget(2), widget(1, "older", at=ONE))

    assert names(store) == {"newer", "Bolt"}
    assert merged == Merged("Widget__c", inserted=2 if first else 1, updated=0 if first else 1)


@pytest.mark.parametrize("first", [True, False])
def test_of_a_row_that_came_twice_with_one_stamp_the_last_stays(store, first):
    if not first:
        pull(store, widget(1, "before"))

    pull(store, widget(1, "first"), widget(1, "last"))

    assert names(store) == {"last"}


def test_a_row_may_come_twice_in_two_pages_and_after_a_restart(world, store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1, "first"), widget(2), resume="after-2"))
    again = world.restart()
    again.staged("Widget__c")
    again.stage(page(widget(1, "second", at=ONE), resume="end", last=True))

    assert again.merge("Widget__c", None).inserted == 2
    assert names(again) == {"second", "Bolt"}


def test_ids_that_differ_only_by_case_are_two_records(store):
    lower, upper = "a0000000000000aAAA", "a0000000000000AAAQ"
    pull(store, (lower, *widget(1, "lower")[1:]), (upper, *widget(1, "upper")[1:]))

    pull(store, (lower, *widget(1, "lower again", at=ONE)[1:]))

    assert store.get("Widget__c", lower)[5] == "lower again"
    assert store.get("Widget__c", upper)[5] == "upper"


def test_merged_rows_survive_a_restart(world, store):
    pull(store, widget(1))

    again = world.restart()

    assert again.get("Widget__c", id_of(1))[5] == "Bolt"
    assert again.checkpoint("Widget__c") == Checkpoint("Widget__c", moment(12))


def test_a_merge_may_be_the_first_thing_after_a_restart(world, store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="end", last=True))

    again = world.restart()
    assert again.staged("Widget__c").resume == "end"
    assert again.merge("Widget__c", None).inserted == 1


# ── the checkpoint ───────────────────────────────────────────────────────────────────────────────────────────────


def test_before_the_first_complete_pull_there_is_none(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))

    assert store.checkpoint("Widget__c") is None


def test_it_is_the_newest_stamp_that_was_staged(store):
    pull(store, widget(1, at=TWO), widget(2, at=THREE), widget(3, at=ONE))

    assert store.checkpoint("widget__c") == Checkpoint("Widget__c", moment(15))


def test_it_is_not_later_than_the_limit(store):
    pull(store, widget(1, at=THREE), limit=moment(14))

    assert store.checkpoint("Widget__c").until == moment(14)


def test_a_limit_beyond_the_newest_stamp_does_not_move_it(store):
    pull(store, widget(1, at=ONE), limit=moment(20))

    assert store.checkpoint("Widget__c").until == moment(13)


def test_it_never_goes_back(store):
    pull(store, widget(1, at=THREE))
    pull(store, widget(1, at=ONE))
    pull(store, widget(2, at=THREE), limit=moment(13))

    assert store.checkpoint("Widget__c").until == moment(15)


def test_an_empty_pull_leaves_it(store):
    pull(store, widget(1, at=TWO))
    pull(store)

    assert store.checkpoint("Widget__c").until == moment(14)


def test_an_empty_first_pull_gives_one_without_a_time(store):
    pull(store)

    assert store.checkpoint("Widget__c") == Checkpoint("Widget__c", None)


def test_a_first_pull_of_an_empty_object_stands_at_the_time_of_the_query(store):
    # Otherwise all would be read again each time, and a pull of everything never tells of deletions.
    pull(store, limit=moment(14))

    assert store.checkpoint("Widget__c").until == moment(14)


def test_a_later_empty_pull_does_not_move_it_to_the_time_of_the_query(store):
    pull(store, widget(1, at=ONE))
    pull(store, limit=moment(20))

    assert store.checkpoint("Widget__c").until == moment(13)


def test_it_compares_times_and_not_texts(store):
    pull(store, widget(1, at="2024-01-15T13:30:00.000+0000"), widget(2, at="2024-01-15T15:00:00.000+0200"))

    assert store.checkpoint("Widget__c").until == datetime(2024, 1, 15, 13, 30, tzinfo=UTC)


def test_deleted_rows_move_it(store):
    pull(store, widget(1))
    pull(store, widget(1, at=THREE, deleted=True))

    assert store.checkpoint("Widget__c").until == moment(15)


def test_an_older_row_does_not_hold_the_checkpoint_nor_move_it(store):
    pull(store, widget(1, at=TWO))
    pull(store, widget(2, at=ONE))

    assert store.checkpoint("Widget__c").until == moment(14)


def test_an_object_without_a_stamp_is_merged_without_one(world):
    schema = ObjectSchema("Log__c", "Log", (make_field("Id", "id"), make_field("Name")))
    world.store.adopt(schema)
    pull(world.store, (id_of(1), "a"), schema=schema)

    merged = pull(world.store, (id_of(1), "b"), (id_of(2), "c"), schema=schema)

    assert merged == Merged("Log__c", inserted=1, updated=1)
    assert world.store.checkpoint("Log__c").until is None
    pull(world.store, schema=schema, limit=moment(14))
    assert world.store.checkpoint("Log__c").until is None
    assert world.store.status()[0].tombstones == 0


def test_an_object_without_is_deleted_has_no_tombstones(world):
    schema = make_schema("User", Name="string")
    fields = tuple(each for each in schema.fields if each.name != "IsDeleted")
    user = ObjectSchema("User", "User", fields)
    world.store.adopt(user)

    pull(world.store, (id_of(1), NOON, NOON, NOON, "a"), schema=user)

    assert pull(world.store, (id_of(1), NOON, ONE, ONE, "b"), schema=user).updated == 1
    assert world.store.count("User") == 1
