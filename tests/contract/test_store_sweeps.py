"""What every store keeps of columns that are read by themselves: they outlive their process, as far as is durable."""

from datetime import UTC, datetime

import pytest

from salesforce_sync.errors import Incomplete
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import Priority, PullRequest
from salesforce_sync.models.proof import Cause
from salesforce_sync.testing import make_schema
from tests.contract.stores import NOON, WIDGET, id_of, page, pull, widget

PRICES, NAMES = WIDGET.only("Price__c"), WIDGET.only("Name")
PRICE_SWEEP = PullRequest(PRICES)
LATER = "2024-01-15T13:00:00.000+0000"
BEGUN = datetime(2024, 1, 15, 12, 30, tzinfo=UTC)


def begin(store, resume=None, *, schema=PRICES, priority=Priority.PULL):
    store.begin(PullRequest(schema, resume=resume, priority=priority))


def stage(store, *rows, resume="end", at=None, schema=PRICES):
    store.stage(page(*rows, schema=schema, resume=resume, server_time=at, last=resume == "end"))


def prices(store):
    names = [field.name for field in WIDGET.columns]
    rows = [dict(zip(names, row, strict=True)) for row in store.scan("Widget__c")]
    return {row["Id"]: row["Price__c"] for row in rows}


@pytest.fixture
def half(world):
    """Three widgets; a reading of their prices broke off after two, one of them not durable."""
    store = world.store
    store.adopt(WIDGET)
    pull(store, *(widget(number) for number in range(1, 4)))
    begin(store)
    stage(store, (id_of(1), 1), resume="second page", at=BEGUN)
    stage(store, (id_of(2), 9), resume=None)
    return world


def test_columns_go_on_after_their_last_durable_page(half):
    store = half.restart()

    assert store.kept(PRICE_SWEEP) == Staged("Widget__c", None, "second page", 1, BEGUN)
    begin(store, "second page")
    stage(store, (id_of(2), 2), (id_of(3), 3))

    assert store.merge_columns(PRICE_SWEEP) == 3
    assert prices(store) == {id_of(1): 1, id_of(2): 2, id_of(3): 3}
    assert store.kept(PRICE_SWEEP) is None
    with pytest.raises(Incomplete):
        store.merge_columns(PRICE_SWEEP)


def test_columns_go_on_after_other_pulls_and_a_listing(half):
    store = half.restart()
    assert store.staged("Widget__c") is None
    pull(store, widget(4))
    store.begin(PullRequest(WIDGET.listed))
    stage(store, *((id_of(each), False, NOON) for each in range(1, 5)), schema=WIDGET.listed)
    assert store.compare("Widget__c", None, 10).differences == 0

    begin(store, store.kept(PRICE_SWEEP).resume)
    stage(store, (id_of(2), 2), (id_of(3), 3), (id_of(4), 4))

    assert store.merge_columns(PRICE_SWEEP) == 4
    assert prices(store) == {id_of(each): each for each in range(1, 5)}
    assert store.compare("Widget__c", None, 10).differences == 0


def test_rows_that_are_read_once_more_take_the_place_of_those_before(half):
    store = half.restart()
    begin(store, store.kept(PRICE_SWEEP).resume)
    stage(store, (id_of(2), 2), (id_of(3), 3))
    changed = WIDGET.only("Price__c", "SystemModstamp")
    store.begin(PullRequest(changed, BEGUN))
    values = {"Id": id_of(1), "Price__c": 8, "SystemModstamp": LATER}
    stage(store, tuple(values[each.name] for each in changed.columns), schema=changed)
    store.amend(PRICE_SWEEP)

    store.merge_columns(PRICE_SWEEP)

    assert prices(store) == {id_of(1): 8, id_of(2): 2, id_of(3): 3}


def test_all_columns_have_come_and_the_process_ended_before_they_entered(half):
    store = half.restart()
    begin(store, store.kept(PRICE_SWEEP).resume)
    stage(store, (id_of(2), 2), (id_of(3), 3))
    store = half.restart()

    kept = store.kept(PRICE_SWEEP)
    begin(store, kept.resume)

    assert (kept.resume, kept.rows) == ("end", 3)
    assert store.merge_columns(PRICE_SWEEP) == 3


def test_other_columns_are_another_sweep(half):
    store = half.restart()

    assert store.kept(PullRequest(NAMES)) is None
    begin(store, schema=NAMES)
    stage(store, *((id_of(each), "New") for each in range(1, 4)), schema=NAMES)
    store.merge_columns(PullRequest(NAMES))

    assert store.kept(PRICE_SWEEP) is None
    assert set(prices(store).values()) == {widget(1)[WIDGET.columns.index(WIDGET.field("Price__c"))]}


def test_what_is_refreshed_and_what_is_filled_do_not_take_each_others_place(half):
    store = half.restart()
    begin(store, schema=NAMES, priority=Priority.REFRESH)
    stage(store, (id_of(1), "A"), resume="more names", at=BEGUN, schema=NAMES)

    assert store.kept(PRICE_SWEEP).resume == "second page"
    assert store.kept(PullRequest(NAMES, priority=Priority.REFRESH)).resume == "more names"
    assert store.kept(PullRequest(NAMES)) is None


def test_a_column_of_another_type_does_not_go_on(half):
    store = half.restart()
    store.adopt(make_schema("Widget__c", Name="string", Price__c="string"))

    assert store.kept(PullRequest(store.schema("Widget__c").only("Price__c"))) is None


@pytest.mark.parametrize("laid_aside", [True, False])
@pytest.mark.parametrize("other", [{}, {"Price__c": "string"}])
def test_a_column_that_was_away_or_another_one_meanwhile_does_not_go_on(half, other, laid_aside):
    store = half.restart()
    if laid_aside:
        assert store.kept(PRICE_SWEEP) is not None
    store.adopt(make_schema("Widget__c", Name="string", **other))
    store.adopt(WIDGET)

    assert store.kept(PRICE_SWEEP) is None


def test_a_pull_and_records_by_their_ids_are_no_sweep(store):
    store.adopt(WIDGET)
    for request in (PullRequest(WIDGET), PullRequest(PRICES, ids=(id_of(1),)), PullRequest(PRICES, BEGUN)):
        store.begin(request)
        assert store.kept(request) is None


# ── columns that are to be filled ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def narrow(world):
    """A world with a widget whose table has no price yet."""
    unpriced = make_schema("Widget__c", Name="string")
    world.store.adopt(unpriced)
    values = dict(zip((field.name for field in WIDGET.columns), widget(1), strict=True))
    pull(world.store, tuple(values[field.name] for field in unpriced.columns), schema=unpriced)
    return world


def test_a_gained_column_is_unfilled_until_it_was_filled(narrow):
    assert narrow.store.unfilled("Widget__c") == ()
    narrow.store.adopt(WIDGET)

    store = narrow.restart()
    assert store.unfilled("Widget__c") == ("Price__c",)
    assert store.checkpoint("Widget__c").until is None
    store.filled("Widget__c")

    assert store.unfilled("Widget__c") == ()
    assert store.checkpoint("Widget__c").until is not None


def test_further_columns_join_those_that_are_unfilled(narrow):
    narrow.store.adopt(WIDGET)
    narrow.store.adopt(make_schema("Widget__c", Name="string", Price__c="currency", Colour__c="string"))

    assert sorted(narrow.store.unfilled("Widget__c")) == ["Colour__c", "Price__c"]


def test_a_column_that_is_gone_again_needs_no_filling(narrow):
    narrow.store.adopt(WIDGET)
    narrow.store.adopt(WIDGET.without("Price__c"))

    assert narrow.store.unfilled("Widget__c") == ()
    assert narrow.store.checkpoint("Widget__c").until is not None


def test_where_all_is_to_be_read_no_column_is_filled_by_itself(narrow):
    narrow.store.read_all_again("Widget__c")
    narrow.store.adopt(WIDGET)
    assert narrow.store.unfilled("Widget__c") == ()
    assert narrow.store.checkpoint("Widget__c").until is None

    pull(narrow.store, widget(1))

    assert narrow.store.unfilled("Widget__c") == ()
    assert narrow.store.checkpoint("Widget__c").until is not None


TEXTS = make_schema("Widget__c", Name="string", Old__c="string", Note__c="string", Flag__c="boolean", Gone__c="boolean")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("a", "a"), ("b", "b"), ("c", "c")], ("Note__c",)),
        ([("a", "a"), ("b", "b"), ("c", "changed since")], ("Note__c",)),
        ([("a", "a"), ("b", "x"), ("c", None)], ()),
        ([("a", "a"), (None, "only here"), (None, "and here")], ()),
        ([(None, None)] * 3, ()),
    ],
    ids=["all", "most", "one of three", "few under the new name", "none"],
)
def test_a_column_whose_values_come_under_a_new_name_may_be_another_field_by_now(world, rows, found):
    texts = (widget_of(number, old, note) for number, (old, note) in enumerate(rows, 1))
    world.store.adopt(TEXTS)
    pull(world.store, *texts, schema=TEXTS)

    assert world.store.renamed_from("Widget__c", ["Old__c"]) == found
    assert world.store.renamed_from("Widget__c", ["Old__c", "Note__c"]) == ()
    assert world.store.renamed_from("Widget__c", ["Name"]) == ()
    assert world.store.renamed_from("Widget__c", ["Gone__c"]) == ()  # false is what every such field is full of


def widget_of(number, old, note):
    known = {"Id": id_of(number), "Name": f"Widget {number}", "Old__c": old, "Note__c": note, "Flag__c": False}
    known |= {"Gone__c": False, "IsDeleted": False, "SystemModstamp": NOON}
    return tuple(known.get(field.name) for field in TEXTS.columns)


# ── rows that were not shown while a column was filled ───────────────────────────────────────────────────────────


@pytest.fixture
def missing_two(world):
    """Three widgets, of which a filling of the prices has brought the first."""
    store = world.store
    store.adopt(WIDGET)
    pull(store, *(widget(number) for number in range(1, 4)))
    begin(store)
    stage(store, (id_of(1), 1))
    store.merge_columns(PRICE_SWEEP)
    return store


def missed(store):
    return set(store.missed("Widget__c", 10))


def test_rows_that_a_filling_did_not_bring_are_missed(missing_two):
    assert missed(missing_two) == {id_of(2), id_of(3)}
    assert len(missing_two.missed("widget__C", 1)) == 1


def test_rows_that_come_whole_are_missed_no_more(missing_two):
    missing_two.begin(PullRequest(WIDGET, ids=(id_of(2),)))
    missing_two.stage(page(widget(2), resume=None, last=True))
    missing_two.merge("Widget__c", None)

    assert missed(missing_two) == {id_of(3)}


def test_rows_that_are_taken_out_are_missed_no_more(missing_two):
    missing_two.set_aside("Widget__c", [id_of(2), id_of(3)], Cause.HIDDEN)

    assert missed(missing_two) == set()


def test_rows_that_are_missed_and_listed_are_stale_whether_the_org_was_asked_or_not(missing_two):
    missing_two.note_asked("Widget__c")
    assert missed(missing_two) == set()
    assert [missing_two.is_missed("widget__C", id_of(each)) for each in (1, 2, 3)] == [False, True, True]
    missing_two.begin(PullRequest(WIDGET.listed))
    stage(missing_two, (id_of(1), False, NOON), (id_of(2), False, NOON), schema=WIDGET.listed)

    found = missing_two.compare("Widget__c", None, 10)

    assert [each.id for each in found.stale] == [id_of(2)]
    assert found.extra == (id_of(3),)


def test_a_refresh_misses_no_rows(missing_two):
    pull(missing_two, *(widget(number) for number in range(1, 4)))
    begin(missing_two, priority=Priority.REFRESH)
    stage(missing_two, (id_of(1), 1))
    missing_two.merge_columns(PullRequest(PRICES, priority=Priority.REFRESH))

    assert missed(missing_two) == set()
