"""Store: begin, stage, and going on after a kill."""

from datetime import UTC, datetime

import pytest

from salesforce_sync.errors import Incomplete, SchemaChanged, SyncError
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.values import from_rest
from salesforce_sync.testing import make_schema
from salesforce_sync.testing.forms import write_csv
from tests.contract.stores import NOON, WIDGET, csv_page, id_of, names, page, pull, widget

SINCE = datetime(2024, 1, 15, 9, tzinfo=UTC)
SERVER = datetime(2024, 1, 15, 13, 0, 0, 250_000, tzinfo=UTC)


def test_without_a_pull_nothing_is_staged(store):
    assert store.staged("Widget__c") is None


def test_a_pull_without_a_durable_page_is_not_taken_up(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1)))

    assert store.staged("Widget__c") is None


def test_stage_gives_the_number_of_rows(store, tmp_path):
    store.begin(PullRequest(WIDGET))

    assert store.stage(page(widget(1), widget(2))) == 2
    assert store.stage(page()) == 0
    assert store.stage(csv_page(tmp_path / "p.csv", [widget(3), widget(4), widget(5)], WIDGET)) == 3


def test_a_restart_goes_on_after_the_last_durable_page(world, store):
    store.begin(PullRequest(WIDGET, since=SINCE))
    store.stage(page(widget(1), resume="after-1", server_time=SERVER))
    store.stage(page(widget(2), widget(3), resume="after-3"))

    assert world.restart().staged("widget__c") == Staged("Widget__c", SINCE, "after-3", 3, SERVER)


def test_rows_behind_the_last_durable_page_are_cut_off(world, store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))
    store.stage(page(widget(2, "half of a page")))

    again = world.restart()
    assert again.staged("Widget__c").rows == 1
    again.stage(page(widget(2, "whole"), resume="after-2", last=True))
    again.merge("Widget__c", None)
    assert names(again) == {"Bolt", "whole"}


def test_segments_become_durable_with_the_last_of_their_page(world, store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1)))
    store.stage(page(widget(2)))
    store.stage(page(widget(3), resume="after-3", expected=3))

    assert world.restart().staged("Widget__c").rows == 3


def test_an_empty_page_may_carry_the_durable_point(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1)))
    store.stage(page(resume="after-1", expected=1))

    assert store.staged("Widget__c").rows == 1


def test_expected_counts_only_from_the_last_durable_point(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), widget(2), resume="after-2", expected=2))
    store.stage(page(widget(3), resume="after-3", expected=1))

    assert store.staged("Widget__c").rows == 3


def test_expected_counts_from_the_durable_point_after_a_restart_too(world, store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), widget(2), resume="after-2", expected=2))
    store.stage(page(widget(3)))
    again = world.restart()
    again.staged("Widget__c")

    again.stage(page(widget(3), widget(4), resume="after-4", expected=2))

    assert again.staged("Widget__c").rows == 4


@pytest.mark.parametrize("expected", [1, 3])
@pytest.mark.parametrize("form", ["rows", "csv", "prepared"])
def test_nothing_is_kept_of_a_page_with_another_number_of_rows_than_announced(store, tmp_path, expected, form):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1", expected=1))
    rows = [widget(2), widget(3)]
    more = {"resume": "after-3", "expected": expected, "server_time": SERVER}
    bad = page(*rows, **more) if form == "rows" else csv_page(tmp_path / "p.csv", rows, WIDGET, **more)

    with pytest.raises(Incomplete, match=f"announced {expected} rows of Widget__c, and 2 arrived"):
        store.stage(store.prepare(bad) if form == "prepared" else bad)

    assert store.staged("Widget__c") == Staged("Widget__c", None, "after-1", 1, None)
    store.merge("Widget__c", None)
    assert store.count("Widget__c") == 1


@pytest.fixture(params=["as it came", "prepared"])
def stage(request, store):
    """Stages a page's file: at once, or after it was prepared."""
    return lambda page: store.stage(page if request.param == "as it came" else store.prepare(page))


def test_a_pages_file_is_removed(store, stage, tmp_path):
    store.begin(PullRequest(WIDGET))
    stage(csv_page(tmp_path / "p.csv", [widget(1)], WIDGET))

    assert list(tmp_path.glob("*.csv*")) == []


def test_a_refused_pages_file_is_removed(store, stage, tmp_path):
    store.begin(PullRequest(WIDGET))
    bad = csv_page(tmp_path / "p.csv", [widget(1)], WIDGET, resume="x", expected=9)

    with pytest.raises(Incomplete):
        stage(bad)

    assert list(tmp_path.glob("*.csv*")) == []


def test_a_file_with_only_a_header_has_no_rows(store, stage, tmp_path):
    store.begin(PullRequest(WIDGET))

    assert stage(csv_page(tmp_path / "p.csv", [], WIDGET, resume="end", expected=0, last=True)) == 0


def test_a_file_may_lie_in_a_folder_with_any_name(store, stage, tmp_path):
    folder = tmp_path / 'it\'s, "quoted"; ü (1)'
    folder.mkdir()
    store.begin(PullRequest(WIDGET))

    assert stage(csv_page(folder / "p, 'q'.csv", [widget(1)], WIDGET)) == 1


def test_a_file_without_a_newline_at_its_end_is_whole(store, stage, tmp_path):
    path = tmp_path / "p.csv"
    full = csv_page(path, [widget(1), widget(2)], WIDGET, resume="end", expected=2)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    store.begin(PullRequest(WIDGET))

    assert stage(full) == 2


def test_a_file_that_ends_inside_a_value_is_an_error_of_ours_and_leaves_nothing(store, stage, tmp_path):
    path = tmp_path / "p.csv"
    whole = csv_page(path, [widget(1), widget(2, "a long name that is cut")], WIDGET, resume="end")
    path.write_bytes(path.read_bytes()[:-12])
    store.begin(PullRequest(WIDGET))

    with pytest.raises(Incomplete):
        stage(whole)

    assert store.staged("Widget__c") is None


def test_the_columns_of_a_file_may_stand_in_another_order(store, stage, tmp_path):
    path = tmp_path / "p.csv"
    places = tuple(reversed(range(len(WIDGET.columns))))
    write_csv(path, WIDGET.columns[::-1], [widget(1)[::-1], widget(2, None)[::-1]])
    store.begin(PullRequest(WIDGET))

    assert stage(Page(WIDGET, CsvFile(path, places), resume="end", expected=2, last=True)) == 2

    store.merge("Widget__c", None)
    found = [(row[0], row[1], row[5]) for row in store.scan("Widget__c")]
    assert found == [(id_of(1), 0, "Bolt"), (id_of(2), 0, None)]


def test_a_short_row_of_a_file_in_another_order_is_an_error_of_ours(store, stage, tmp_path):
    path = tmp_path / "p.csv"
    places = tuple(reversed(range(len(WIDGET.columns))))
    write_csv(path, WIDGET.columns[::-1], [widget(1)[::-1], widget(2)[:0:-1]])
    store.begin(PullRequest(WIDGET))

    with pytest.raises(Incomplete):
        stage(Page(WIDGET, CsvFile(path, places), resume="end"))


def test_a_file_that_is_gone_is_an_error_of_ours(store, stage, tmp_path):
    store.begin(PullRequest(WIDGET))

    with pytest.raises(SyncError):
        stage(Page(WIDGET, CsvFile(tmp_path / "gone.csv")))


def test_staging_works_after_a_page_was_refused(store, stage, tmp_path):
    store.begin(PullRequest(WIDGET))
    with pytest.raises(Incomplete):
        stage(csv_page(tmp_path / "1.csv", [widget(1)], WIDGET, resume="x", expected=9))

    assert stage(csv_page(tmp_path / "2.csv", [widget(1)], WIDGET, resume="x", expected=1)) == 1


def test_a_new_pull_drops_the_one_before(store):
    store.begin(PullRequest(WIDGET, since=SINCE))
    store.stage(page(widget(1), resume="after-1", server_time=SERVER))
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(2), resume="after-2"))

    assert store.staged("Widget__c") == Staged("Widget__c", None, "after-2", 1, None)


def test_the_first_server_time_of_a_pull_is_kept(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1", server_time=SERVER))
    store.stage(page(widget(2), resume="after-2", server_time=SERVER.replace(hour=23)))

    assert store.staged("Widget__c").server_time == SERVER


def test_staged_rows_are_not_in_the_object_before_the_merge(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))

    assert store.count("Widget__c") == 0
    assert store.get("Widget__c", id_of(1)) is None
    assert store.status()[0].staged_rows == 1


def test_pulls_of_two_objects_do_not_meet(store):
    gadget = make_schema("Gadget__c", Name="string", Price__c="currency")
    store.adopt(gadget)
    store.begin(PullRequest(WIDGET))
    store.begin(PullRequest(gadget))
    store.stage(page(widget(1, "w"), resume="w"))
    store.stage(page(widget(1, "g"), schema=gadget, resume="g"))

    store.merge("Widget__c", None)

    assert names(store) == {"w"}
    assert store.staged("Gadget__c").resume == "g"


def test_a_merge_without_staged_rows_is_refused(store):
    pull(store, widget(1))

    with pytest.raises(Incomplete):
        store.merge("Widget__c", None)

    assert store.count("Widget__c") == 1


def test_staging_is_gone_after_the_merge(store):
    pull(store, widget(1))

    assert store.staged("Widget__c") is None
    assert store.status()[0].staged_rows == 0


def test_rows_that_were_read_with_an_older_schema_do_not_enter(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="end", last=True))
    store.adopt(make_schema("Widget__c", Name="string", Price__c="currency", Colour__c="string"))

    with pytest.raises(SchemaChanged):
        store.merge("Widget__c", None)

    assert store.count("Widget__c") == 0


def test_records_that_were_asked_for_by_id_are_not_taken_up_as_a_pull(world, store):
    store.begin(PullRequest(WIDGET, ids=(id_of(1),)))
    store.stage(page(widget(1), resume="somewhere", last=True))

    restarted = world.restart()

    assert restarted.staged("Widget__c") is None


@pytest.mark.parametrize("known", [True, False])
def test_a_page_is_stored_alike_whether_its_stored_form_is_known_or_not(store, known):
    values = [widget(1, "Bolt"), widget(2, None), widget(3, " ")]
    kinds = [field.type for field in WIDGET.columns]
    rows = Rows(values, [tuple(map(from_rest, kinds, row)) for row in values] if known else None)
    store.begin(PullRequest(WIDGET))

    store.stage(Page(WIDGET, rows, last=True))
    store.merge("Widget__c", None)

    name = [field.name for field in WIDGET.columns].index("Name")
    assert [row[name] for row in store.scan("Widget__c")] == ["Bolt", None, " "]
    assert store.get("Widget__c", id_of(1)) == tuple(map(from_rest, kinds, values[0]))


def test_rows_are_not_prepared(store):
    some = page(widget(1))

    assert store.prepare(some) is some


def test_files_are_staged_in_order_whether_prepared_or_not(store, tmp_path):
    store.begin(PullRequest(WIDGET))
    pages = [csv_page(tmp_path / f"{at}.csv", [widget(1, f"{at}. time"), widget(at)], WIDGET) for at in range(2, 6)]
    prepared = [store.prepare(each) if at % 2 else each for at, each in enumerate(pages)]

    assert [store.stage(each) for each in prepared] == [2, 2, 2, 2]

    store.merge("Widget__c", None)
    assert names(store) == {"5. time", "Bolt"}  # of equally new ones the one that came last


def test_a_prepared_file_of_some_columns_fills_only_them(store, tmp_path):
    pull(store, widget(1, "Bolt"))
    some = WIDGET.only("Price__c")
    row = ["7.5" if each.name == "Price__c" else id_of(1) if each.name == "Id" else NOON for each in some.columns]
    store.begin(PullRequest(some))

    store.stage(store.prepare(csv_page(tmp_path / "p.csv", [row], some, resume="end", last=True)))

    assert store.merge_columns(PullRequest(some)) == 1
    (got,) = [dict(zip((each.name for each in WIDGET.columns), row, strict=True)) for row in store.scan("Widget__c")]
    assert (got["Name"], got["Price__c"]) == ("Bolt", 7.5)


@pytest.mark.parametrize("length", [15, 18])
@pytest.mark.parametrize("stamp", ["2024-01-15T12:00:00.000Z", NOON, "2024-01-15T14:00:00.000+0200"])
def test_what_the_org_sets_in_each_row_is_stored_in_one_form_whichever_a_file_has(
    store, stage, tmp_path, stamp, length
):
    seen = make_schema("Gadget__c", Seen__c="datetime", Name="string")
    store.adopt(seen)
    store.begin(PullRequest(seen))
    path = tmp_path / "p.csv"
    full = (id_of(1), "false", stamp, stamp, stamp, stamp, "Nut")
    empty = (id_of(2), "false", stamp, stamp, stamp, "", "")
    lines = [[each.name for each in seen.columns], *([key[:length], *rest] for key, *rest in (full, empty))]
    path.write_text("".join(",".join(f'"{text}"' for text in line) + "\n" for line in lines))

    stage(Page(seen, CsvFile(path), resume="end", expected=2, last=True))
    store.merge("Gadget__c", None)

    noon = "2024-01-15T12:00:00.000Z"
    assert list(store.scan("Gadget__c")) == [
        (id_of(1), 0, noon, noon, noon, noon, "Nut"),
        (id_of(2), 0, noon, noon, noon, None, None),
    ]


def test_the_stamp_is_stored_in_one_form_whatever_form_each_row_of_a_file_has(store, stage, tmp_path):
    """Which of two rows is the newer one rests on it."""
    stamped = make_schema("Gadget__c", Name="string")
    store.adopt(stamped)
    store.begin(PullRequest(stamped))
    path, noon = tmp_path / "p.csv", "2024-01-15T12:00:00.000Z"
    rows = [(id_of(1), "false", noon, noon, noon, "Nut"), (id_of(2), "false", noon, noon, NOON, "Bolt")]
    lines = [[each.name for each in stamped.columns], *rows]
    path.write_text("".join(",".join(f'"{text}"' for text in line) + "\n" for line in lines))

    stage(Page(stamped, CsvFile(path), resume="end", expected=2, last=True))
    store.merge("Gadget__c", None)

    assert [row[4] for row in store.scan("Gadget__c")] == [noon, noon]


# ── a pull makes way ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unfinished(store):
    """A pull with a durable page and a half; nobody reads on."""
    pull(store, widget(1, "before"))
    store.begin(PullRequest(WIDGET, since=SINCE))
    store.stage(page(widget(1), widget(2), resume="after-2", server_time=SERVER, total=3))
    store.stage(page(widget(3, "half of a page")))
    return Staged("Widget__c", SINCE, "after-2", 2, SERVER)


def ask_for(store, number, *, merge=True):
    """A record by its id, as a push reads it again."""
    store.begin(PullRequest(WIDGET, ids=(id_of(number),)))
    store.stage(page(widget(number, "asked for"), last=True))
    if merge:
        store.merge("Widget__c", None)


@pytest.mark.parametrize("merged", [(True,), (False,), (True, False, True)])
def test_a_pull_goes_on_after_records_were_asked_for_by_id(world, store, unfinished, merged):
    for number, merge in enumerate(merged, 7):
        ask_for(store, number, merge=merge)

    again = world.restart()
    assert (again.staged("Widget__c"), again.staged("Widget__c")) == (unfinished, unfinished)
    again.stage(page(widget(3, "whole"), resume="after-3", total=3, last=True))
    again.merge("Widget__c", None)

    came = {"asked for"} if any(merged) else set()
    assert names(again) == {"Bolt", "whole"} | came
    assert again.staged("Widget__c") is None
    assert [each.staged_rows for each in again.status()] == [0]


def test_rows_of_a_pull_that_made_way_are_still_told_as_staged(store, unfinished):
    ask_for(store, 7)

    assert [each.staged_rows for each in store.status()] == [2]


def test_a_new_pull_takes_the_place_of_one_that_made_way(world, store, unfinished):
    ask_for(store, 7)
    store.begin(PullRequest(WIDGET))

    assert world.restart().staged("Widget__c") is None


def test_a_pull_that_made_way_does_not_go_on_where_the_columns_are_others(world, store, unfinished):
    ask_for(store, 7)
    store.adopt(make_schema("Widget__c", Name="string", Price__c="currency", More__c="string"))

    assert world.restart().staged("Widget__c") is None
