"""Store: adopting schemas, and widening them."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.errors import NotSynced
from salesforce_sync.models.page import PullRequest
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import push
from tests.contract.stores import WIDGET, id_of, page, pull, widget

WIDER = make_schema("Widget__c", Name="string", Price__c="currency", Colour__c="picklist")
NARROWER = make_schema("Widget__c", Name="string")


def test_nothing_is_known_of_an_object_that_was_not_adopted(world):
    assert world.store.schema("Widget__c") is None
    assert world.store.described_at("Widget__c") is None
    assert world.store.checkpoint("Widget__c") is None
    assert world.store.schemas() == ()


@pytest.mark.parametrize("call", ["staged", "count", "get", "scan", "merge"])
def test_an_object_that_was_not_adopted_is_refused_by_name(world, call):
    world.store.adopt(WIDGET)
    more = {"get": (id_of(1),), "merge": (None,)}.get(call, ())

    with pytest.raises(NotSynced, match="Widgets__c is not in this replica") as caught:
        getattr(world.store, call)("Widgets__c", *more)

    assert "Did you mean Widget__c?" in caught.value.hint


def test_an_adopted_schema_is_given_back_whole_whatever_the_case_of_its_name(store):
    assert store.schema("Widget__c") == WIDGET
    assert store.schema("widget__C") == WIDGET
    assert store.schemas() == (WIDGET,)


def test_schemas_come_by_name(store):
    store.adopt(make_schema("Account"))
    store.adopt(make_schema("Zebra__c"))

    assert [schema.name for schema in store.schemas()] == ["Account", "Widget__c", "Zebra__c"]


def test_a_schema_survives_a_restart_with_every_trait_of_its_fields(world):
    picky = make_field(
        "Key__c",
        "picklist",
        caseSensitive=True,
        externalId=True,
        unique=True,
        length=18,
        referenceTo=["A", "B"],
        picklistValues=[{"value": "x", "active": False}],
        label='Say "ø"',
    )
    schema = make_schema("Widget__c", picky, Name="string", Where__c="location")
    world.store.adopt(schema)

    assert world.restart().schema("Widget__c") == schema


def test_the_time_of_adopting_is_this_machines(world):
    world.store.adopt(WIDGET)
    first = world.store.described_at("widget__c")
    world.clock.advance(timedelta(hours=2))
    world.store.adopt(WIDGET)

    assert world.store.described_at("Widget__c") - first == timedelta(hours=2)


def test_a_first_adopting_gains_nothing(world):
    assert world.store.adopt(WIDGET) == ()


def test_new_fields_are_named_and_their_old_rows_read_null(store):
    pull(store, widget(1))

    assert store.adopt(WIDER) == ("Colour__c",)
    assert store.get("Widget__c", id_of(1))[7] is None


KEYED = make_schema("Widget__c", make_field("Note__c", length=80, precision=0), Name="string")


@pytest.mark.parametrize(
    "note",
    [
        make_field("Note__c", "email", length=80),
        make_field("Note__c", length=40),
        make_field("Note__c", length=80, calculated=True),
        make_field("Note__c", length=80, autoNumber=True),
    ],
    ids=["another-type-kept-alike", "shorter", "a-formula", "a-number-by-itself"],
)
def test_what_may_be_another_field_under_the_old_name_is_to_be_filled(world, note):
    world.store.adopt(KEYED)
    pull(world.store, widget(1), schema=KEYED)

    gained = world.store.adopt(make_schema("Widget__c", note, Name="string"))

    assert gained == ("Note__c",)
    assert world.store.unfilled("Widget__c") == ("Note__c",)
    # Until then what is here stands: it may be right.
    assert world.store.get("Widget__c", id_of(1))[-1] == widget(1)[-1]


def test_what_was_read_of_a_field_does_not_fill_another_one_of_its_name(world):
    store = world.store
    store.adopt(KEYED)
    pull(store, widget(1), widget(2), schema=KEYED)
    asked = PullRequest(KEYED.only("Note__c"))
    store.begin(asked)
    store.stage(page((id_of(1), "old"), schema=asked.schema, resume="after-1"))
    another = make_schema("Widget__c", make_field("Note__c", "email", length=80), Name="string")

    store.adopt(another)

    assert store.kept(PullRequest(another.only("Note__c"))) is None


def test_adopting_the_same_again_gains_nothing_and_keeps_the_checkpoint(store):
    pull(store, widget(1))
    before = store.checkpoint("Widget__c")

    assert store.adopt(WIDGET) == ()
    assert store.checkpoint("Widget__c") == before


def test_after_gaining_a_field_everything_is_read_again(store):
    pull(store, widget(1))
    store.adopt(WIDER)

    assert store.checkpoint("Widget__c").until is None


def test_reading_again_fills_the_new_field_of_rows_whose_stamp_did_not_move(store):
    pull(store, widget(1))
    store.adopt(WIDER)

    merged = pull(store, (*widget(1), "red"), schema=WIDER)

    assert merged.updated == 1
    assert store.get("Widget__c", id_of(1))[7] == "red"


def test_reading_again_does_not_move_the_checkpoint_past_deletes_that_it_could_not_see(store):
    # A pull of everything brings no deleted rows: what was deleted since the checkpoint is still to come.
    pull(store, widget(1), widget(2, at="2024-01-15T12:00:00.000+0000"), at="2024-01-15T12:30:00+00:00")
    before = store.checkpoint("Widget__c")
    assert before.read_at is not None
    store.adopt(WIDER)

    again = (*widget(1, at="2024-01-15T18:00:00.000+0000"), "red")
    pull(store, again, schema=WIDER, at="2024-01-15T18:30:00+00:00")

    assert store.checkpoint("Widget__c") == before


def test_the_checkpoint_moves_again_after_reading_again(store):
    pull(store, widget(1))
    before = store.checkpoint("Widget__c").until
    store.adopt(WIDER)
    pull(store, (*widget(1), "red"), schema=WIDER)

    pull(store, (*widget(1, at="2024-01-15T18:00:00.000+0000"), "red"), schema=WIDER)

    assert store.checkpoint("Widget__c").until - before == timedelta(hours=6)


def test_a_pull_of_changes_does_not_count_as_reading_everything_again(store):
    pull(store, widget(1))
    store.adopt(WIDER)
    store.begin(PullRequest(WIDER, since=datetime(2024, 1, 15, 11, tzinfo=UTC)))
    store.stage(page((*widget(1), "red"), schema=WIDER, resume="end", last=True))

    store.merge("Widget__c", None)

    assert store.checkpoint("Widget__c").until is None
    assert store.get("Widget__c", id_of(1))[7] == "red"


def test_a_pull_of_changes_is_not_taken_up_when_everything_has_to_be_read_again(store):
    pull(store, widget(1))
    store.begin(PullRequest(WIDGET, since=datetime(2024, 1, 15, 11, tzinfo=UTC)))
    store.stage(page(widget(1), resume="after-1"))
    store.adopt(NARROWER)
    store.adopt(WIDGET)

    assert store.staged("Widget__c") is None


def test_a_field_that_the_org_lost_is_no_longer_shown_and_comes_back_with_its_values(store):
    priced = (id_of(1), False, *widget(1)[2:5], "Bolt", 7)
    pull(store, priced)

    store.adopt(NARROWER)
    narrow = store.get("Widget__c", id_of(1))
    store.adopt(WIDGET)

    assert narrow[5:] == ("Bolt",)
    assert store.get("Widget__c", id_of(1))[5:] == ("Bolt", 7)


def test_a_field_that_was_away_and_is_back_is_read_again(store):
    # What changed while it was hidden came without it, with stamps that will not come again.
    pull(store, widget(1))
    store.adopt(NARROWER)
    pull(store, widget(1, "changed", at="2024-01-15T13:00:00.000+0000")[:6], schema=NARROWER)

    assert store.adopt(WIDGET) == ("Price__c",)
    assert store.checkpoint("Widget__c").until is None


def test_rows_enter_after_a_field_was_lost(store):
    pull(store, widget(1))
    store.adopt(NARROWER)

    merged = pull(store, widget(2, "Nut")[:6], schema=NARROWER)

    assert merged.inserted == 1
    assert store.count("Widget__c") == 2


def test_a_field_whose_letter_case_changed_is_the_same_field(store):
    pull(store, widget(1))

    assert store.adopt(make_schema("Widget__c", NAME="string", Price__c="currency")) == ()
    assert store.get("Widget__c", id_of(1))[5] == "Bolt"


def test_compound_and_binary_fields_have_no_column(world):
    schema = make_schema("Widget__c", Home__c="address", Spot__c="location", Body="base64", Name="string")
    world.store.adopt(schema)

    pull(world.store, widget(1)[:6], schema=schema)

    assert world.store.get("Widget__c", id_of(1))[5:] == ("Bolt",)


@pytest.mark.parametrize("name", ["Order", "Group", "Index__c", "select", "Case"])
def test_objects_and_fields_may_be_named_like_words_of_sql(world, name):
    schema = make_schema(name, From="string", Values="string")
    world.store.adopt(schema)

    pull(world.store, (*widget(1)[:5], "a", "b"), schema=schema)

    assert world.store.get(name, id_of(1))[5:] == ("a", "b")


def test_fields_may_be_named_like_the_row_numbers_of_sqlite(world):
    schema = make_schema("Widget__c", rowid="string", oid="string")
    world.store.adopt(schema)

    merged = [
        pull(world.store, *((*widget(number)[:5], "a", value) for number in (1, 2)), schema=schema)
        for value in ("b", "c")
    ]

    assert [each.inserted for each in merged] == [2, 0]
    assert world.store.get("Widget__c", id_of(2))[5:] == ("a", "c")
    assert world.store.count_since("Widget__c", datetime(2000, 1, 1, tzinfo=UTC)) == 2


def test_an_object_may_have_a_thousand_fields(world):
    schema = make_schema("Wide__c", **{f"F{number}__c": "string" for number in range(1000)})
    world.store.adopt(schema)
    row = (*widget(1)[:5], *(f"v{number}" for number in range(1000)))
    pull(world.store, row, schema=schema)

    merged = pull(world.store, (*row[:-1], "changed"), schema=schema)

    assert merged.updated == 1
    assert world.store.get("Wide__c", id_of(1))[-2:] == ("v998", "changed")

    world.store.update("Wide__c", id_of(1), {"F7__c": "ours"})
    pull(world.store, (*row[:-1], "changed again"), schema=schema)
    assert [each.edits[0].value for each in world.store.changes()] == ["ours"]

    world.store.delete("Wide__c", id_of(1))
    push(world.store)
    pull(world.store, (row[0], True, *row[2:-1], "theirs"), schema=schema)
    assert [each.fields for each in world.store.inbox()] == [("F999__c",)]


def test_what_another_process_adopted_is_seen(world):
    world.store.adopt(WIDGET)
    seen_before = world.store.schemas()
    other = world.restart()
    other.adopt(make_schema("Gadget__c"))

    assert [schema.name for schema in seen_before] == ["Widget__c"]
    assert other.schema("gadget__c").name == "Gadget__c"


def test_a_pull_that_was_begun_with_another_schema_is_not_taken_up(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))
    store.adopt(WIDER)

    assert store.staged("Widget__c") is None
