"""Store: get, scan and count, with every comparison on every type of field; runs and status."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, Misuse, StoreBusy
from salesforce_sync.models.change import Loss
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import ObjectStatus, Problem, RunCounts, RunRecord, RunState
from salesforce_sync.ports import Filter, Place, Selection
from salesforce_sync.testing import make_field, make_schema
from tests.contract.stores import NOON, WIDGET, id_of, page, pull, widget

ALL = make_schema(
    "All__c",
    make_field("Exact__c", "string", caseSensitive=True),
    Text__c="string",
    Ref__c="reference",
    Yes__c="boolean",
    Count__c="int",
    Price__c="currency",
    Day__c="date",
    At__c="datetime",
    Time__c="time",
    Home__c="address",
)

ORDER = ("Text__c", "Ref__c", "Yes__c", "Count__c", "Price__c", "Day__c", "At__c", "Time__c")
ONE, TWO, LOWER = "001000000000001AAA", "001000000000002AAA", "00100000000000aAAA"
DAY = "2024-01-15T"
VALUES = {
    1: ("Acme", ONE, True, 1, Decimal("0.1"), "1700-01-01", f"{DAY}10:00:00.000+0000", "08:00:00.000Z"),
    2: ("acme", TWO, False, 2, Decimal("10.5"), "2024-02-29", f"{DAY}11:00:00.000+0000", "09:30:00.000Z"),
    3: ("Acme Corp", ONE, False, 10, Decimal(-3), "2024-03-01", f"{DAY}12:30:00.000+0000", None),
    4: (
        "100%_a\\b",
        None,
        None,
        None,
        Decimal("123456789012345678"),
        None,
        "1700-01-01T00:00:00.000Z",
        "23:59:59.999Z",
    ),
    5: (None, LOWER, True, -5, None, "4000-12-31", None, "00:00:00.000Z"),
}
EXACT = {1: "Key", 2: "key", 3: "KEY%", 4: None, 5: "keys"}

CASES = [
    ("Text__c", "eq", "ACME", {1, 2}),
    ("Text__c", "eq", None, {5}),
    ("Text__c", "ne", "acme", {3, 4, 5}),
    ("Text__c", "ne", None, {1, 2, 3, 4}),
    ("Text__c", "contains", "CM", {1, 2, 3}),
    ("Text__c", "contains", "%", {4}),
    ("Text__c", "contains", "_", {4}),
    ("Text__c", "contains", "\\", {4}),
    ("Text__c", "contains", "", {1, 2, 3, 4}),
    ("Text__c", "contains", "\0", set()),
    ("Text__c", "contains", "cm\0", set()),
    ("Text__c", "startswith", "acme\0", set()),
    ("Text__c", "endswith", "\0", set()),
    ("Exact__c", "contains", "\0", set()),
    ("Exact__c", "startswith", "key\0", set()),
    ("Exact__c", "endswith", "\0", set()),
    ("Text__c", "startswith", "acme ", {3}),
    ("Text__c", "startswith", "100%_", {4}),
    ("Text__c", "endswith", "CORP", {3}),
    ("Text__c", "endswith", "\\B", {4}),
    ("Text__c", "in", ("ACME", "nobody"), {1, 2}),
    ("Text__c", "in", ("acme corp", None), {3, 5}),
    ("Text__c", "in", (), set()),
    ("Text__c", "in", (*(f"nobody {each}" for each in range(2000)), "aCmE"), {1, 2}),
    ("Text__c", "gt", "ACME", {3}),
    ("Text__c", "gte", "acme", {1, 2, 3}),
    ("Text__c", "lt", "acme", {4}),
    ("Text__c", "lte", "ACME", {1, 2, 4}),
    ("Text__c", "isnull", True, {5}),
    ("Text__c", "isnull", False, {1, 2, 3, 4}),
    ("Exact__c", "eq", "key", {2}),
    ("Exact__c", "ne", "key", {1, 3, 4, 5}),
    ("Exact__c", "in", ("Key", "KEYS"), {1}),
    ("Exact__c", "contains", "ey", {1, 2, 5}),
    ("Exact__c", "startswith", "key", {2, 5}),
    ("Exact__c", "endswith", "%", {3}),
    ("Exact__c", "endswith", "", {1, 2, 3, 5}),
    ("Exact__c", "gt", "Key", {2, 5}),
    ("Ref__c", "eq", "001000000000001AAA", {1, 3}),
    ("Ref__c", "eq", "00100000000000AAAA", set()),
    ("Ref__c", "in", ("001000000000002AAA", "00100000000000aAAA"), {2, 5}),
    ("Ref__c", "ne", "001000000000001AAA", {2, 4, 5}),
    ("Ref__c", "startswith", "001", {1, 2, 3, 5}),
    ("Ref__c", "isnull", True, {4}),
    ("Id", "eq", id_of(3), {3}),
    ("Id", "in", (id_of(3), id_of(4)), {3, 4}),
    ("Id", "gt", id_of(3), {4, 5}),
    ("Yes__c", "eq", 1, {1, 5}),
    ("Yes__c", "ne", 1, {2, 3, 4}),
    ("Yes__c", "in", (0, None), {2, 3, 4}),
    ("Yes__c", "isnull", True, {4}),
    ("Count__c", "eq", 10, {3}),
    ("Count__c", "ne", 10, {1, 2, 4, 5}),
    ("Count__c", "gt", 1, {2, 3}),
    ("Count__c", "gte", 1, {1, 2, 3}),
    ("Count__c", "lt", 1, {5}),
    ("Count__c", "lte", 2, {1, 2, 5}),
    ("Count__c", "in", (-5, 2), {2, 5}),
    ("Price__c", "eq", 0.1, {1}),
    ("Price__c", "eq", "123456789012345678", {4}),
    ("Price__c", "eq", "123456789012345679", set()),
    ("Price__c", "ne", 0.1, {2, 3, 4, 5}),
    ("Price__c", "gt", 0.1, {2, 4}),
    ("Price__c", "gte", 10.5, {2, 4}),
    ("Price__c", "lt", 10.5, {1, 3}),
    ("Price__c", "lte", "999999999999999999", {1, 2, 3, 4}),
    ("Price__c", "gt", "12345678901234567", {4}),
    ("Price__c", "in", (0.1, "123456789012345678"), {1, 4}),
    ("Price__c", "isnull", True, {5}),
    ("Day__c", "eq", "2024-02-29", {2}),
    ("Day__c", "gt", "2024-02-29", {3, 5}),
    ("Day__c", "lte", "2024-02-29", {1, 2}),
    ("Day__c", "in", ("1700-01-01", "4000-12-31"), {1, 5}),
    ("Day__c", "startswith", "2024-", {2, 3}),
    ("At__c", "eq", "2024-01-15T10:00:00.000Z", {1}),
    ("At__c", "gte", "2024-01-15T11:00:00.000Z", {2, 3}),
    ("At__c", "lt", "2024-01-15T10:00:00.000Z", {4}),
    ("At__c", "isnull", False, {1, 2, 3, 4}),
    ("Time__c", "gt", "09:00:00.000Z", {2, 4}),
    ("Time__c", "eq", "00:00:00.000Z", {5}),
]


@pytest.fixture
def full(world):
    world.store.adopt(ALL)
    rows = []
    for number, values in VALUES.items():
        known = dict(zip(ORDER, values, strict=True), Id=id_of(number), IsDeleted=False, Exact__c=EXACT[number])
        rows.append(tuple(known.get(each.name, NOON) for each in ALL.columns))
    pull(world.store, *rows, schema=ALL)
    return world.store


@pytest.mark.parametrize(("field", "operator", "value", "expected"), CASES)
def test_a_filter_finds(full, field, operator, value, expected):
    filters = (Filter(field, operator, value),)

    found = {row[0] for row in full.scan("All__c", filters)}

    assert found == {id_of(number) for number in expected}
    assert full.count("All__c", filters) == len(expected)


ORDERS = [
    ("Id", [1, 2, 3, 4, 5]),
    ("Text__c", [5, 4, 1, 2, 3]),
    ("Exact__c", [4, 3, 1, 2, 5]),
    ("Yes__c", [4, 2, 3, 1, 5]),
    ("Count__c", [4, 5, 1, 2, 3]),
    ("Price__c", [5, 3, 1, 2, 4]),
    ("Day__c", [4, 1, 2, 3, 5]),
    ("At__c", [5, 4, 1, 2, 3]),
]


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("field", "order"), ORDERS)
def test_pages_behind_one_another_bring_every_row_in_order(full, field, order, descending, most):
    at = [each.name for each in ALL.columns].index(field)
    selection, found = Selection(sort=field, descending=descending, most=most), []

    while page := full.select("All__c", selection):
        assert len(page) <= most
        found += [row[0] for row in page]
        selection = replace(selection, after=Place(page[-1][0], page[-1][at]))

    assert found == [id_of(number) for number in (reversed(order) if descending else order)]


@pytest.mark.parametrize(
    ("operator", "value"), [("contains", "B\0A"), ("contains", "\0"), ("startswith", "AB\0"), ("endswith", "\0ar")]
)
@pytest.mark.parametrize("field", ["Text__c", "Exact__c"])
def test_a_nul_in_a_text_is_a_character_like_others(full, field, operator, value):
    held = "ab\0ar" if field == "Text__c" else "AB\0Ar"
    asked = value if field == "Text__c" else {"B\0A": "B\0A", "\0ar": "\0Ar"}.get(value, value)
    row = [None] * len(ALL.columns)
    for name, is_now in {"Id": id_of(7), "IsDeleted": False, "SystemModstamp": NOON, field: held}.items():
        row[[each.name for each in ALL.columns].index(name)] = is_now
    pull(full, tuple(row), schema=ALL)

    found = full.select("All__c", Selection((Filter(field, operator, asked),)))

    assert [each[0] for each in found] == [id_of(7)]


@pytest.mark.parametrize("operator", ["contains", "startswith", "endswith"])
@pytest.mark.parametrize("field", ["Text__c", "Exact__c"])
def test_a_text_may_be_looked_for_that_is_as_long_as_salesforces_longest(full, field, operator):
    longest = "名%_" * 43_690 + "x"
    row = [None] * len(ALL.columns)
    for name, is_now in {"Id": id_of(7), "IsDeleted": False, "SystemModstamp": NOON, field: longest}.items():
        row[[each.name for each in ALL.columns].index(name)] = is_now
    pull(full, tuple(row), schema=ALL)

    found = [full.select("All__c", Selection((Filter(field, operator, each),))) for each in (longest, f"{longest}y")]

    assert [[each[0] for each in rows] for rows in found] == [[id_of(7)], []]


def test_a_page_has_only_live_rows_that_pass(full):
    full.delete("All__c", id_of(3))

    found = full.select("All__c", Selection((Filter("Text__c", "contains", "acme"),), sort="Count__c", descending=True))

    assert [row[0] for row in found] == [id_of(2), id_of(1)]


def test_a_page_may_have_some_columns_alone(full):
    wanted = Selection(sort="Count__c", fields=("price__c", "Text__c"))

    whole, narrow = full.select("All__c", replace(wanted, fields=())), full.select("All__c", wanted)

    names = [each.name for each in ALL.columns]
    assert [each.name for each in ALL.chosen(wanted.fields)] == sorted(("Id", "Text__c", "Price__c"), key=names.index)
    places = [names.index(each.name) for each in ALL.chosen(wanted.fields)]
    assert narrow == [tuple(row[at] for at in places) for row in whole]


def test_sorting_by_what_has_no_column_is_refused(full):
    with pytest.raises(Misuse, match="Home__c"):
        full.select("All__c", Selection(sort="Home__c"))


def test_a_count_is_never_older_than_the_last_change(full):
    counted = [full.count("All__c"), full.count("All__c")]

    full.delete("All__c", id_of(1))
    counted.append(full.count("All__c"))
    full.undelete("All__c", id_of(1))
    counted += [full.count("All__c"), full.count("All__c", [Filter("Count__c", "eq", 1)])]

    assert counted == [5, 5, 4, 5, 1]


def test_every_filter_has_to_pass(full):
    filters = (Filter("Text__c", "contains", "acme"), Filter("Count__c", "gt", 1), Filter("Yes__c", "eq", 0))

    assert {row[0] for row in full.scan("All__c", filters)} == {id_of(2), id_of(3)}


def test_a_filter_takes_any_spelling_of_a_field(full):
    assert full.count("all__C", [Filter("text__c", "eq", "acme")]) == 2
    assert full.count("All__c", [Filter("TEXT__C", "eq", "acme")]) == 2


def test_an_unknown_field_is_refused(full):
    with pytest.raises(FieldNotFound, match="Did you mean"):
        full.count("All__c", [Filter("Txt__c", "eq", "x")])


def test_an_unknown_comparison_is_refused(full):
    with pytest.raises(Misuse, match="no comparison 'like'"):
        full.count("All__c", [Filter("Text__c", "like", "x")])


def test_a_field_that_has_no_column_is_refused_and_not_silently_empty(full):
    with pytest.raises(Misuse, match="Home__c"):
        full.count("All__c", [Filter("Home__c", "eq", "x")])


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte", "contains", "startswith", "endswith"])
def test_null_has_no_order_and_no_letters(full, operator):
    with pytest.raises(Misuse, match="None"):
        full.count("All__c", [Filter("Text__c", operator, None)])


@pytest.mark.parametrize("field", ["Count__c", "Price__c", "Yes__c"])
@pytest.mark.parametrize("operator", ["contains", "startswith", "endswith"])
def test_numbers_have_no_letters(full, field, operator):
    with pytest.raises(Misuse, match=field):
        full.count("All__c", [Filter(field, operator, "1")])


def test_a_refused_filter_is_refused_before_the_first_row(full):
    with pytest.raises(Misuse):
        full.scan("All__c", [Filter("Text__c", "like", "x")])


def test_get_gives_a_value_for_each_column(full):
    row = full.get("all__c", id_of(3))

    assert dict(zip([each.name for each in ALL.columns], row, strict=True))["Text__c"] == "Acme Corp"


def test_get_knows_ids_by_their_case(full):
    assert full.get("All__c", id_of(3).lower()) is None


def test_rows_that_are_scanned_may_change_meanwhile(store):
    pull(store, *(widget(number) for number in range(50)))
    rows = store.scan("Widget__c")
    first = next(rows)

    pull(store, *(widget(number, "new", at="2024-01-15T13:00:00.000+0000") for number in range(60)))

    assert len([first, *rows]) == 50
    assert store.count("Widget__c") == 60


def test_a_record_is_shown_as_it_is_now_while_a_scan_is_open(store):
    pull(store, *(widget(number) for number in range(50)))
    store.get("Widget__c", id_of(7))
    rows = store.scan("Widget__c")
    next(rows)

    pull(store, widget(7, "new", at="2024-01-15T13:00:00.000+0000"))

    assert "new" in store.get("Widget__c", id_of(7))
    assert len(list(rows)) == 49


def test_what_is_asked_while_a_scan_is_open_is_answered_as_it_is_now(store):
    """Who makes a record for each row that has none yet must find the one that he has just made."""
    pull(store, *(widget(number) for number in range(50)))
    rows = store.scan("Widget__c")
    next(rows)

    pull(store, *(widget(number, "new", at="2024-01-15T13:00:00.000+0000") for number in range(40, 60)))

    new = Filter("Name", "eq", "new")
    page_of_new = Selection(sort="Id", filters=(new,), most=100)
    assert len(list(store.scan("Widget__c", [new]))) == 20
    assert (store.count("Widget__c"), store.count("Widget__c", [new])) == (60, 20)
    assert len(store.select("Widget__c", page_of_new)) == 20
    assert len(list(rows)) == 49


def test_any_number_of_scans_may_be_open(store):
    pull(store, *(widget(number) for number in range(20)))

    scans = [store.scan("Widget__c") for _ in range(20)]

    assert {len([next(each), *each]) for each in reversed(scans)} == {20}


def test_a_count_of_one_scan_is_not_given_for_another(store):
    pull(store, *(widget(number) for number in range(5)))
    store.count("Widget__c")
    rows = store.scan("Widget__c")
    next(rows)
    between = store.count("Widget__c")
    pull(store, widget(7))
    now = store.count("Widget__c")
    list(rows)

    assert (between, now, store.count("Widget__c")) == (5, 6, 6)


def test_what_is_read_in_a_snapshot_is_of_one_moment(store):
    pull(store, *(widget(number) for number in range(5)))
    more = threading.Thread(target=pull, args=(store, *(widget(number) for number in range(9))))

    with store.snapshot():
        before = store.count("Widget__c")
        more.start()
        more.join(0.3)
        seen = (
            store.count("Widget__c"),
            len(list(store.scan("Widget__c"))),
            len(list(store.scan_named("Widget__c", []))),
        )
    more.join()

    assert (before, *seen) == (5, 5, 5, 5)
    assert store.count("Widget__c") == 9


def test_fields_that_come_or_go_while_a_snapshot_is_read_are_not_seen_in_it(store):
    pull(store, *(widget(number) for number in range(5)))
    other = make_schema("Widget__c", New__c="string")  # without what the first one has

    def adopt():
        store.adopt(other)
        store.schemas()

    adopting = threading.Thread(target=adopt)
    with store.snapshot():
        before = store.schema("Widget__c")
        adopting.start()
        adopting.join(0.3)
        seen = store.schema("widget__C"), store.schemas()
        rows = list(store.scan_named("Widget__c", []))
    adopting.join()

    assert seen == (before, (before,))
    assert {len(row) for row in rows} == {len(before.columns)}
    assert store.schema("Widget__c") == other


def test_a_lookup_shows_the_name_of_the_record_that_it_points_to(store):
    gadget = make_schema("Gadget__c", Title__c="string")
    part = make_schema(
        "Part__c",
        make_field("Of__c", "reference", referenceTo=["Gadget__c", "Widget__c"]),
        make_field("Free__c", "reference", referenceTo=["Gadget__c", "Missing__c"]),
        make_field("Part__c", "reference", referenceTo=["Part__c"]),
        Name="string",
    )
    store.adopt(gadget)
    store.adopt(part)
    pull(store, widget(1, "Bolt"), widget(2, None))
    pull(store, (id_of(3), False, NOON, NOON, NOON, "no name field"), schema=gadget)
    pointing = [(id_of(1), id_of(3), id_of(11)), (id_of(2), None, None), (id_of(9), id_of(8), id_of(7)), (None,) * 3]
    rows = [(id_of(number), False, NOON, NOON, NOON, "Nut", *ids) for number, ids in enumerate(pointing, 10)]
    pull(store, *rows, schema=part)

    named = {row[0]: row[-3:] for row in store.scan_named("Part__c", ["Of__c", "Free__c", "Part__c"])}

    assert named == {
        id_of(10): ("Bolt", None, "Nut"),
        id_of(11): (None,) * 3,
        id_of(12): (None,) * 3,
        id_of(13): (None,) * 3,
    }
    assert {row[:-1] for row in store.scan_named("Part__c", ["Of__c"])} == set(store.scan("Part__c"))


# ── claims ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_object_is_held_once_whatever_the_case_of_its_name(store):
    with store.claim("Widget__c"), pytest.raises(StoreBusy), store.claim("widget__C"):
        raise AssertionError("held twice")


def test_a_claim_ends_with_its_block(store):
    with pytest.raises(KeyError), store.claim("Widget__c"):
        raise KeyError

    with store.claim("Widget__c"), store.claim("Gadget__c"):
        assert store.count("Widget__c") == 0


def test_who_only_reads_learns_what_another_process_has_adopted(world, store, monkeypatch):
    monkeypatch.setattr("salesforce_sync.storage.cache.LOOK_EVERY", 0.0)
    pull(store, widget(1))
    store.get("Widget__c", id_of(1))
    wider = replace(WIDGET, fields=(*WIDGET.fields, make_field("Colour__c", "string")))
    with closing(world.another()) as other:
        other.adopt(wider)

    assert store.schema("Widget__c") == wider
    assert store.get("Widget__c", id_of(1)) == tuple(*store.scan("Widget__c"))
    assert len(store.get("Widget__c", id_of(1))) == len(wider.columns)


def test_who_holds_an_object_knows_it_as_another_process_has_left_it(world, store):
    store.schema("Widget__c")
    narrower = make_schema("Widget__c", Name="string")
    with closing(world.another()) as other:
        other.adopt(narrower)

    with store.claim("widget__c"):
        assert store.schema("Widget__c") == narrower
        store.begin(PullRequest(store.schema("Widget__c")))
        store.stage(page(widget(1)[:-1], schema=narrower, resume="end", last=True))
        assert store.merge("Widget__c", None).inserted == 1


# ── runs and status ──────────────────────────────────────────────────────────────────────────────────────────────

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
FAILED = Problem("INSUFFICIENT_ACCESS", 'No right to "read"', "Ask the admin.")


def run(number, state=RunState.COMPLETE, name="Widget__c", problem=None):
    started = START + timedelta(minutes=number)
    counts = RunCounts(number, 1, 2, 3)
    return RunRecord(f"run-{number}", name, state, started, started + timedelta(seconds=2.5), counts, problem)


def test_status_of_a_store_with_nothing_is_empty(world):
    assert world.store.status() == ()


def test_status_tells_what_is_here(world, store):
    pull(store, widget(1), widget(2))
    pull(store, widget(2, at="2024-01-15T13:00:00.000+0000", deleted=True))
    store.record_run(run(1))
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))

    checkpoint = datetime(2024, 1, 15, 13, tzinfo=UTC)
    expected = ObjectStatus(
        *("Widget__c", 1, 1, checkpoint, run(1), run(1).finished),
        staged_rows=1,
        refreshed_at=run(1).finished,
        method="SystemModstamp",
    )
    assert world.restart().status() == (expected,)


def test_status_has_the_last_run_and_when_the_last_complete_one_ended(store):
    for each in (run(1), run(2), run(3, RunState.FAILED, problem=FAILED)):
        store.record_run(each)

    assert store.status()[0].last_run == run(3, RunState.FAILED, problem=FAILED)
    assert store.status()[0].last_complete == run(2).finished


def test_the_last_complete_run_is_the_latest_one_though_the_clock_was_ahead_before(store):
    ahead = replace(run(1), started=run(1).started + timedelta(days=60), finished=run(1).finished + timedelta(days=60))
    store.record_run(ahead)
    store.record_run(run(2))

    assert store.status()[0].last_complete == run(2).finished


def test_the_time_to_the_first_proof_counts_from_the_first_complete_run_however_many_came_since(store):
    """A run a minute: 600 of them are ten hours, and less than that is kept of them."""
    store.record_run(run(0, RunState.FAILED, problem=FAILED))
    for number in range(1, 601):
        store.record_run(run(number))

    assert store.ages("Widget__c").first_merged_at == run(1).finished
    assert store.status()[0].last_complete == run(600).finished


@pytest.mark.parametrize("before", [timedelta(0), timedelta(hours=1)])
def test_a_loss_that_was_refused_is_open_until_the_object_is_proved_anew(world, store, before):
    lost = Loss(world.clock.now(), "9 of 10 rows of Widget__c are gone in the org.", "If that is right, say so.")
    store.record_proof(Proof("Widget__c", world.clock.now() - timedelta(hours=1), 7, 7))
    store.note_loss("widget__C", lost)
    store.record_run(run(3))
    store = world.restart()

    assert store.ages("Widget__c").loss == lost
    assert store.status()[0].loss_refused == lost.message
    store.record_proof(Proof("Widget__c", lost.found_at - before, 7, 7))  # by a listing that may have begun before
    assert store.ages("Widget__c").loss is None
    assert store.status()[0].loss_refused is None


def test_what_is_kept_of_a_run_takes_the_place_of_what_was_kept_of_it_before(store):
    store.record_run(run(1))
    store.record_run(run(2))
    store.record_run(replace(run(2), state=RunState.FAILED, problem=FAILED))

    assert store.status()[0].last_run == run(2, RunState.FAILED, problem=FAILED)
    assert store.status()[0].last_complete == run(1).finished


def test_status_shows_an_object_that_never_came(world):
    world.store.record_run(run(1, RunState.FAILED, "Contakt", FAILED))

    assert world.store.status() == (
        ObjectStatus("Contakt", 0, 0, None, run(1, RunState.FAILED, "Contakt", FAILED), None),
    )


def test_status_comes_by_name_and_once_whatever_the_case(store):
    store.adopt(make_schema("Account"))
    store.record_run(run(1, name="widget__c"))

    assert [each.object_name for each in store.status()] == ["Account", "Widget__c"]
    assert store.status()[1].last_run.run_id == "run-1"


def test_what_the_org_said_of_its_calls_is_kept_over_a_restart(world):
    assert world.store.usage() is None

    world.store.note_usage(7, 15_000)
    world.store.note_usage(8, 5_000)
    told = world.store.usage()

    assert (told.used, told.limit) == (8, 5_000)
    assert world.restart().usage() == told


def test_many_runs_are_kept_in_bounds(store):
    for number in range(520):
        store.record_run(run(number))

    assert store.status()[0].last_run == run(519)
