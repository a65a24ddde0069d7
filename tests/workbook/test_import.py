"""What a person does in a workbook, and what an import makes of it."""

from datetime import date, datetime

import openpyxl
import pytest
from msgspec.structs import replace
from msoffcrypto.format.ooxml import OOXMLFile

from salesforce_sync.errors import ForeignWorkbook, Misuse, WorkbookEncrypted, WorkbookRefused
from salesforce_sync.models.inbox import Kind as Waiting
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.schema import FieldType
from salesforce_sync.storage.private_files import new_private
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from salesforce_sync.workbook.changes import CellChange, Kind
from salesforce_sync.workbook.importing import apply
from salesforce_sync.workbook.typed import read_typed
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    CONTACT,
    JANE,
    NEW,
    ONE,
    TWO,
    acme,
    arrive,
    fill,
    item,
    push,
    row,
    shown,
)
from tests.workbook.books import column, edit, export_to, preview_of, put, row_of, work_out
from tests.workbook.deeds import added, apply_to, change, changes, outbox, told, typed

# ── edited rows ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edited_cell_is_told_old_and_new(store, book):
    typed(book, Phone="555", Employees__c=12)

    found = change(store, book)

    assert (found.kind, found.record_id, found.title) == (Kind.EDITED, ACME, "Acme")
    assert set(found.cells) == {CellChange("Phone", "1", "555", "1"), CellChange("Employees__c", None, 12, None)}
    assert store.changes() == ()


@pytest.mark.parametrize(
    ("field", "cell", "stored"),
    [
        ("Phone", "0123", "0123"),
        ("Phone", 123, "123"),
        ("Phone", "=1+1", None),
        ("Name", " x ", " x "),
        ("Rating", "hot", "Hot"),
        ("Rating", " hot ", "Hot"),
        ("Tags__c", "red; blue", "red;blue"),
        ("Tags__c", "red;Red", "red"),
        ("Active__c", False, 0),
        ("Active__c", "false", 0),
        ("Active__c", " FALSCH ", 0),
        ("Active__c", "Nein", 0),
        ("Active__c", "FAUX", 0),
        ("Active__c", "no", 0),
        ("Employees__c", "12", 12),
        ("Revenue__c", 0.1, 0.1),
        ("Revenue__c", "1.234,50", 1234.5),
        ("Revenue__c", "1,234.50", 1234.5),
        ("Employees__c", "1,234,567", 1234567),
        ("Revenue__c", "1234567890123456.78", "1234567890123456.78"),
        ("Founded__c", date(2026, 4, 3), "2026-04-03"),
        ("Founded__c", "2026-04-03", "2026-04-03"),
        ("Founded__c", "13.04.2026", "2026-04-13"),
        ("Founded__c", "4/13/2026", "2026-04-13"),
        ("Seen__c", "4/13/2026 14:30", "2026-04-13T14:30:00.000Z"),
        ("Seen__c", datetime(2026, 4, 3, 14, 30, 1), "2026-04-03T14:30:01.000Z"),
        ("Seen__c", "2026-04-03", "2026-04-03T00:00:00.000Z"),
        ("Seen__c", "2026-04-03 14:30", "2026-04-03T14:30:00.000Z"),
        ("Seen__c", "2026-04-03T14:30:00+02:00", "2026-04-03T12:30:00.000Z"),
        ("Opens__c", "08:15", "08:15:00.000Z"),
        ("ParentId", BOLT[:15], BOLT),
    ],
)
def test_what_a_person_types_is_stored_as_it_is_meant(store, book, field, cell, stored):
    typed(book, **{field: cell})
    found = change(store, book)

    if stored is None:  # a formula that nobody has worked out
        assert "formula" in found.message
        return
    assert [(each.field, each.new) for each in found.cells] == [(field, stored)]
    with preview_of(store, book) as preview:
        assert apply(store, preview, new_private).refused == 0
    assert shown(store, ACME)[field] == stored


@pytest.mark.parametrize(
    ("field", "cell", "why"),
    [
        ("Employees__c", "many", "whole number"),
        ("Employees__c", 1.5, "whole number"),
        ("Employees__c", "1_000", "whole number"),
        ("Employees__c", "\uff11\uff12", "whole number"),
        ("Employees__c", 2**31, "larger"),
        ("Revenue__c", "1e999", "larger"),
        ("Revenue__c", "1,234", "comma"),
        ("Revenue__c", "1,5,0", "comma"),
        ("Employees__c", "1,5", "whole number"),
        ("Revenue__c", date(2026, 1, 1), "is a date"),
        ("Rating", "Lukewarm", "Choose one of: Hot, Warm"),
        ("Rating", "Cold", "inactive"),
        ("Tags__c", "red;pink", "'pink'"),
        ("Phone", "x" * 11, "10 are the most"),
        ("Phone", True, "TRUE or FALSE"),
        ("Phone", date(2026, 1, 1), "is a date"),
        ("Phone", 1234567890123456, "more than 15 digits"),
        ("Founded__c", "03/04/2026", "two ways"),
        ("Founded__c", "31.02.2026", "no day"),
        ("Founded__c", "13.04.2026 14:30", "date"),
        ("Founded__c", 2026, "not a date"),
        ("Founded__c", "1699-12-31", "1700-01-01"),
        ("Founded__c", date(4001, 1, 1), "4000-12-31"),
        ("Founded__c", "=TODAY()", "formula"),
        ("Founded__c", datetime(2026, 1, 1, 12), "time of day"),
        ("Active__c", "perhaps", "Write TRUE or FALSE"),
        ("Active__c", "x", "Write TRUE or FALSE"),
        ("Active__c", 2, "Write TRUE or FALSE"),
        ("Active__c", None, "empty"),
        ("Opens__c", "14.30", "such as 14:30:00"),
        ("Opens__c", "14", "such as 14:30:00"),
        ("Seen__c", "2026-04-03 14.30", "such as"),
        ("Name", None, "empty"),
        ("ParentId", "Acme", "Name=Acme"),
        ("ParentId", "001000000000777aaa", "letter case"),
        ("ParentId", "001-00000000077", "not a Salesforce id"),
        ("ParentId", "new:9", "not in the workbook"),
        ("ParentId", "Name=Nobody", "No record has"),
        ("ParentId", "Nothing__c=1", "no field"),
        ("ParentId", "Account Name=Bolt", "API name"),
        ("Founded__c", " ", "nothing but blanks"),
        ("Revenue__c", " ", "nothing but blanks"),
        ("Score__c", 5, "read-only (calculated)"),
        ("Code__c", "X", "only be set when the record is made"),
        ("LastModifiedDate", datetime(2026, 1, 1), "read-only"),
    ],
)
def test_a_cell_that_cannot_be_taken_says_why(store, book, field, cell, why):
    typed(book, **{field: cell})

    found = change(store, book)

    assert found.kind is Kind.PROBLEM
    assert [each.field for each in found.problems] == [field]
    assert why in found.message
    assert store.changes() == ()


def test_everything_that_is_wrong_with_a_row_is_told_at_once(store, book):
    typed(book, ParentId="001000000000777aaa", Founded__c="03/04/2026", Employees__c="many")

    assert {each.field for each in change(store, book).problems} == {"ParentId", "Founded__c", "Employees__c"}


@pytest.mark.parametrize("word", ["WAHR", "Ja", "VRAI", "oui", "yes", "Sí", "VERO", "1", "ИСТИНА"])
def test_a_checkbox_is_ticked_in_any_language_of_a_spreadsheet(word):
    assert read_typed(ACCOUNT.field("Active__c"), word) == 1


ODD = "001ab0e5029286zzzz"
"""Its last three letters do not tell the case of the others."""


@pytest.mark.parametrize("written", [ODD, ODD[:15], f" {ODD} "])
def test_an_id_that_is_known_is_taken_as_the_org_names_it(store, book, written):
    arrive(store, ACCOUNT, row(ACCOUNT, ODD, Name="Odd"))
    typed(book, ParentId=written)
    added(book, "Contact", LastName="Roe", AccountId=written)

    assert [each.new for found in changes(store, book) for each in found.cells] == [ODD, "Roe", ODD]
    assert apply_to(store, book).taken == 2
    assert shown(store, ACME)["ParentId"] == ODD


def test_an_id_that_is_not_known_is_not_doubted_where_the_org_guards_none(tmp_path):
    made, elsewhere = SqliteStore(tmp_path / "replica.db", FrozenClock()), "001ab0e5029287zzzz"
    made.adopt(ACCOUNT)
    arrive(made, ACCOUNT, row(ACCOUNT, ODD, Name="Odd"))
    export_to(made, tmp_path / "book.xlsx")
    typed(tmp_path / "book.xlsx", record_id=ODD, ParentId=elsewhere)

    assert apply_to(made, tmp_path / "book.xlsx").updated == 1
    assert shown(made, ODD)["ParentId"] == elsewhere
    made.close()


def test_an_id_of_another_object_is_told(store, book):
    store.adopt(replace(ACCOUNT, key_prefix="001"))
    typed(book, ParentId=JANE)
    typed(book, record_id=BOLT, ParentId=ACME)

    found = changes(store, book)

    assert [(each.record_id, each.kind) for each in found] == [(ACME, Kind.PROBLEM), (BOLT, Kind.EDITED)]
    assert found[0].message == f"ParentId: {JANE} is no id of Account: those begin with 001."


def test_an_error_of_a_formula_is_no_value(store, book):
    def write(page):
        cell = page.cell(row_of(page, ACME), column(page, "Phone"))
        cell.value, cell.data_type = "#REF!", "e"

    edit(book, write, "Account")

    assert "#REF!" in told(store, book)


def test_a_formula_counts_by_its_value_and_is_told(store, book):
    typed(book, Phone='="1"&"2"', Rating="Hot")
    work_out(book, "12")

    found = change(store, book)

    assert {(each.field, each.new, each.formula) for each in found.cells} == {
        ("Phone", "12", True),
        ("Rating", "Hot", False),
    }


@pytest.mark.parametrize(("text", "number"), [("01067", 1067), ("+4930", 4930), ("1e5", 100_000), ("1.50", 1.5)])
def test_a_text_of_digits_that_became_a_number_is_told(store, book, text, number):
    arrive(store, ACCOUNT, acme(ONE, Phone=text))
    export_to(store, book)
    typed(book, Phone=number)

    assert f"was the text {text}" in told(store, book)
    typed(book, Phone=7)
    assert change(store, book).cells == (CellChange("Phone", text, "7", text),)


def test_a_cell_that_is_merged_away_is_not_emptied(store, book):
    arrive(store, ACCOUNT, row(ACCOUNT, BOLT, ONE, Name="Bolt", Phone="9"))
    export_to(store, book)
    edit(book, lambda page: page.merge_cells(range_string=_phones(page)), "Account")

    assert "merged" in told(store, book)
    assert change(store, book).record_id == BOLT


def _phones(page):
    letters = page.cell(1, column(page, "Phone")).column_letter
    return f"{letters}{row_of(page, ACME)}:{letters}{row_of(page, BOLT)}"


def test_an_emptied_cell_empties_the_field(store, book):
    typed(book, Phone=None)

    assert change(store, book).cells == (CellChange("Phone", "1", None, "1"),)
    apply_to(store, book)
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": None})}


def test_one_bad_cell_keeps_the_row_out_and_no_other(store, book):
    typed(book, Phone="2", Employees__c="many")
    typed(book, record_id=BOLT, Phone="3")

    imported = apply_to(store, book)

    assert (imported.updated, imported.refused) == (1, 1)
    assert outbox(store) == {BOLT: (Operation.UPDATE, {"Phone": "3"})}


def test_a_broken_id_is_told(store, book):
    edit(book, lambda page: put(page, row_of(page, ACME), Id="001oops"), "Account")

    assert [each.kind for each in changes(store, book)] == [Kind.PROBLEM, Kind.REMOVED]


# ── what went on meanwhile ───────────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_changed_in_the_org_since_is_merged_by_field(store, book):
    typed(book, Phone="2")
    arrive(store, ACCOUNT, acme(ONE, Rating="Hot"))

    imported = apply_to(store, book)

    assert (imported.updated, imported.conflicts) == (1, 0)
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": "2"})}
    assert shown(store, ACME)["Rating"] == "Hot"


def test_a_field_that_changed_on_both_sides_waits_for_a_person(store, book):
    typed(book, Phone="2")
    arrive(store, ACCOUNT, acme(ONE, Phone="8"))
    arrive(store, ACCOUNT, acme(TWO, Phone="9", Rating="Hot"))

    found = change(store, book)
    imported = apply_to(store, book)

    assert found.cells == (CellChange("Phone", "1", "2", "9", moved=True),)
    assert (imported.updated, imported.conflicts) == (1, 1)
    assert item(store).kind is Waiting.CONFLICT
    assert item(store).conflicts[0].base == "1"


def test_local_edits_before_and_after_the_export_are_understood(store, tmp_path):
    store.update("Account", ACME, {"Phone": "2"})
    path = tmp_path / "book.xlsx"
    export_to(store, path)
    store.update("Account", ACME, {"Rating": "Hot"})
    typed(path, Phone="3")

    assert change(store, path).cells == (CellChange("Phone", "2", "3", "2"),)
    apply_to(store, path)
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": "3", "Rating": "Hot"})}


def test_a_push_and_the_orgs_answer_since_the_export_are_understood(store, tmp_path):
    store.update("Account", ACME, {"Phone": "2"})
    path = tmp_path / "book.xlsx"
    export_to(store, path)
    push(store)
    arrive(store, ACCOUNT, acme(ONE, Phone="2"))
    typed(path, Rating="Hot")

    assert change(store, path).cells == (CellChange("Rating", None, "Hot"),)


def test_what_changed_elsewhere_in_the_record_without_a_trace_is_no_obstacle(store, book):
    arrive(store, ACCOUNT, acme(ONE, Rating="Hot", Name="Other"))
    with store._connections.writing() as db:
        db.execute("DELETE FROM _sync_history")
    typed(book, Phone="2")

    found = change(store, book)

    assert (found.kind, found.cells) == (Kind.EDITED, (CellChange("Phone", "1", "2", "1"),))


def test_a_row_whose_past_is_not_known_is_told_and_left_alone(store, book, tmp_path):
    forgetful = SqliteStore(tmp_path / "other.db", FrozenClock())
    fill(forgetful)
    arrive(forgetful, ACCOUNT, acme(ONE, Rating="Hot", Name="Other"))
    forgetful.query("SELECT 1", 1)
    typed(book, Name="Third", Phone="2")

    with forgetful._connections.writing() as db:
        db.execute("DELETE FROM _sync_history")

    assert "not known here any more" in told(forgetful, book)
    forgetful.close()


def test_a_record_that_is_gone_since_is_told(store, book):
    typed(book, Phone="2")
    arrive(store, ACCOUNT, acme(ONE, deleted=True))

    assert "deleted since the export" in told(store, book)


def test_what_was_typed_and_is_so_by_now_is_no_change(store, book):
    typed(book, Phone="2")
    arrive(store, ACCOUNT, acme(ONE, Phone="2"))

    assert changes(store, book) == []


def test_a_field_edited_here_since_is_not_replaced(store, book):
    typed(book, Phone="2")
    store.update("Account", ACME, {"Phone": "7"})

    imported = apply_to(store, book)

    assert imported.refused == 1
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": "7"})}


def test_applying_twice_changes_nothing_more(store, book):
    typed(book, Phone="2")
    added(book, Name="Nova")
    apply_to(store, book)
    before = store.changes()

    assert apply_to(store, book).known == 1
    assert [(each.number, each.values) for each in store.changes()] == [(each.number, each.values) for each in before]
    assert store.count("Account") == 3


def test_a_new_row_whose_record_was_changed_after_it_was_taken_in_is_known(store, book):
    added(book, Name="Nova", Id="new:n", Phone="1")
    apply_to(store, book)
    push(store, Account=NEW)
    arrive(store, ACCOUNT, row(ACCOUNT, NEW, TWO, Name="Nova 2", Phone="3"))

    assert change(store, book).kind is Kind.KNOWN


@pytest.fixture
def drifted(store, book):
    """The replica once the org has lost a field and given another type to a second one, both of which have values."""
    arrive(store, ACCOUNT, acme(Opens__c="08:15:00.000Z", Employees__c=12))
    export_to(store, book)
    kept = [each for each in ACCOUNT.fields if each.name not in ("Opens__c", "Employees__c")]
    store.adopt(replace(ACCOUNT, fields=(*kept, replace(ACCOUNT.field("Opens__c"), type=FieldType.TEXT))))
    return store


def test_a_workbook_from_before_a_field_was_lost_or_changed_its_type_says_nothing_new(drifted, book):
    with preview_of(drifted, book) as preview:
        assert preview.empty
        assert [note.split(":")[1].strip() for note in preview.notes] == ["Employees__c, Opens__c"]


def test_other_edits_of_a_workbook_from_before_such_a_change_are_taken_in(drifted, book):
    typed(book, Phone="2")

    assert apply_to(drifted, book).refused == 0
    assert outbox(drifted)[ACME][1] == {"Phone": "2"}


def test_an_edit_of_a_field_that_is_not_there_any_more_is_told(drifted, book):
    typed(book, Employees__c=13)

    assert "Employees__c, Opens__c: not in the org any more" in told(drifted, book)


def test_a_record_is_deleted_by_a_workbook_from_before_such_a_change(drifted, book):
    typed(book, Change="delete")

    assert apply_to(drifted, book).deleted == 1


# ── rows in and out ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_row_is_a_new_record(store, book):
    added(book, Name="Nova", Phone="5", Rating="Warm")

    imported = apply_to(store, book)

    assert imported.created == 1
    ((operation, values),) = outbox(store).values()
    assert operation is Operation.CREATE
    assert values == {"Name": "Nova", "Phone": "5", "Rating": "Warm"}


def test_new_rows_refer_to_one_another_by_names_of_their_own(store, book):
    added(book, Id="new:nova", Name="Nova")
    added(book, Id="new:child", Name="Child", ParentId="NEW:Nova")
    added(book, "Contact", LastName="Roe", AccountId="new:child")
    typed(book, ParentId="new:child")

    imported = apply_to(store, book)

    assert (imported.created, imported.updated, imported.refused) == (3, 1, 0)
    child = imported.ids["new:child"]
    assert shown(store, child)["ParentId"] == imported.ids["new:nova"]
    assert shown(store, ACME)["ParentId"] == child
    assert {each["AccountId"] for each in _all(store, CONTACT)} == {ACME, child}


def _all(store, schema):
    return [dict(zip([each.name for each in schema.columns], row, strict=True)) for row in store.scan(schema.name)]


def test_rows_that_refer_to_one_another_in_a_ring_are_made_too(store, book):
    added(book, Id="new:a", Name="A", ParentId="new:b")
    added(book, Id="new:b", Name="B", ParentId="new:a")

    imported = apply_to(store, book)

    assert imported.created == 2
    one, other = imported.ids["new:a"], imported.ids["new:b"]
    assert (shown(store, one)["ParentId"], shown(store, other)["ParentId"]) == (other, one)


def test_a_lookup_may_name_its_record_by_a_field_of_that(store, book):
    typed(book, ParentId="Name=Bolt")

    apply_to(store, book)

    assert outbox(store) == {ACME: (Operation.UPDATE, {"ParentId": BOLT})}


@pytest.mark.parametrize("written", ["new:n", "Name=Nova", "name = nova", "Code__c=N-1"])
def test_a_lookup_may_name_a_new_row_by_a_field_of_that_and_again_after_its_import(store, book, written):
    added(book, "Account", Name="Nova", Code__c="N-1", Id="new:n")
    typed(book, ParentId=written)

    assert apply_to(store, book).refused == 0
    assert outbox(store)[ACME][1]["ParentId"].startswith("local-")
    assert {each.kind for each in changes(store, book)} == {Kind.KNOWN}


def test_a_row_that_refers_to_a_bad_one_is_left_out_with_it(store, book):
    added(book, Id="new:a", Name="A", Employees__c="many")
    added(book, Id="new:b", Name="B", ParentId="new:a")
    added(book, "Contact", LastName="Roe", AccountId="new:b")

    found = changes(store, book)

    assert [each.kind for each in found] == [Kind.PROBLEM] * 3
    assert "new:a" in found[1].message
    assert "new:b" in found[2].message


def test_a_row_that_refers_to_none_says_whether_there_is_one_with_problems(store, book):
    added(book, Name="Nova", Id="new:n", Employees__c="many")
    added(book, "Contact", LastName="Roe", AccountId="new:n")
    added(book, "Contact", LastName="Moe", AccountId="new:m")

    messages = [each.message for each in changes(store, book)]

    assert "new:n, whose row has problems itself" in messages[1]
    assert "new:m, which is not in the workbook: no row has that in its Id" in messages[2]


def test_two_new_rows_of_one_name_are_told(store, book):
    added(book, Id="new:a", Name="A")
    added(book, Id="new:A", Name="B")

    assert [each.kind for each in changes(store, book)] == [Kind.NEW, Kind.PROBLEM]


def test_a_lookup_of_the_wrong_object_is_told(store, book):
    added(book, "Contact", Id="new:c", LastName="Roe")
    typed(book, ParentId="new:c")

    found = [each for each in changes(store, book) if each.kind is Kind.PROBLEM]

    assert "takes Account" in found[0].message


def test_a_new_row_without_what_is_required_says_so(store, book):
    added(book, Phone="5")

    found = change(store, book)

    assert [(each.field, each.message) for each in found.problems] == [("Name", "is required.")]


def test_equal_new_rows_are_as_many_records_and_stay_so(store, book):
    added(book, Name="Twin")
    added(book, Name="Twin")

    assert apply_to(store, book).created == 2
    assert apply_to(store, book).known == 2
    assert store.count("Account") == 4


def test_a_copied_row_with_an_empty_id_is_a_new_record(store, book):
    def copy(page):
        source, target = row_of(page, ACME), page.max_row + 1
        for cell in page[source]:
            page.cell(target, cell.column).value = cell.value
            page.cell(target, cell.column).number_format = cell.number_format
        put(page, target, Id=None, Name="Acme again")

    edit(book, copy, "Account")

    found = change(store, book)
    assert found.kind is Kind.NEW
    assert {each.field: each.new for each in found.cells} == {"Name": "Acme again", "Phone": "1", "Active__c": 1}


def test_a_copied_row_with_the_word_new_is_a_new_record(store, book):
    def copy(page):
        source, target = row_of(page, ACME), page.max_row + 1
        for cell in page[source]:
            page.cell(target, cell.column).value = cell.value
            page.cell(target, cell.column).number_format = cell.number_format
        put(page, target, Change="New", Name="Acme again")

    edit(book, copy, "Account")

    assert change(store, book).kind is Kind.NEW


def test_a_record_in_two_rows_is_told_if_one_was_edited(store, book):
    def copy(page):
        source, target = row_of(page, ACME), page.max_row + 1
        for cell in page[source]:
            page.cell(target, cell.column).value = cell.value
            page.cell(target, cell.column).number_format = cell.number_format
        put(page, target, Phone="2")

    edit(book, copy, "Account")

    assert "empty its Id" in told(store, book)


def test_a_row_that_was_not_exported_is_told(store, book):
    added(book, Id=NEW, Name="Nova")

    assert "was not exported" in told(store, book)


def test_a_row_that_is_gone_deletes_nothing(store, book):
    edit(book, lambda page: page.delete_rows(row_of(page, BOLT)), "Account")

    found = change(store, book)
    apply_to(store, book)

    assert (found.kind, found.record_id, found.title) == (Kind.REMOVED, BOLT, "Bolt")
    assert store.changes() == ()


def test_a_row_that_is_gone_deletes_its_record_if_that_was_asked_for(store, book):
    edit(book, lambda page: page.delete_rows(row_of(page, BOLT)), "Account")

    imported = apply_to(store, book, delete_missing=True)

    assert imported.deleted == 1
    assert outbox(store) == {BOLT: (Operation.DELETE, {})}


def test_a_missing_row_deletes_no_record_that_has_changed_or_come_since(store, book):
    edit(book, lambda page: page.delete_rows(row_of(page, BOLT)), "Account")
    arrive(store, ACCOUNT, row(ACCOUNT, BOLT, ONE, Name="Bolt 2"), row(ACCOUNT, NEW, ONE, Name="N", CreatedDate=ONE))

    found = changes(store, book, delete_missing=True)

    assert [(each.kind, each.record_id) for each in found] == [(Kind.PROBLEM, BOLT)]
    assert "changed since the export" in found[0].message


def test_a_missing_row_deletes_nothing_once_old_records_have_come_into_sight(store, book):
    edit(book, lambda page: page.delete_rows(row_of(page, BOLT)), "Account")
    arrive(store, ACCOUNT, row(ACCOUNT, NEW, Name="Shared with us since, and as old as the others"))

    found = changes(store, book, delete_missing=True)

    assert {(each.kind, each.record_id) for each in found} == {(Kind.PROBLEM, BOLT), (Kind.PROBLEM, NEW)}
    assert "which were exported is not known" in found[0].message


@pytest.mark.parametrize(("written", "problem"), [(str.lower, "letter case"), (lambda _: 12, "is no id")])
def test_a_row_whose_id_cannot_be_read_deletes_no_record(store, book, written, problem):
    typed(book, record_id=BOLT, Id=written(BOLT))

    found = changes(store, book, delete_missing=True)

    assert {each.kind for each in found} == {Kind.PROBLEM}
    assert problem in found[0].message
    assert found[1].record_id == BOLT
    assert "The Id in row 3 cannot be read" in found[1].message


@pytest.mark.parametrize("word", ["skip", "remove"])
def test_a_row_that_is_left_alone_deletes_no_record_however_its_id_is_written(store, book, word):
    typed(book, record_id=BOLT, Id=f" {BOLT[:15]}", Change=word)

    found = changes(store, book, delete_missing=True)

    assert [each for each in found if each.kind is not Kind.PROBLEM] == []


def test_blanks_around_an_id_do_not_matter(store, book):
    typed(book, Id=f"\u00a0{ACME} ", Phone="2")

    assert (change(store, book).record_id, change(store, book).cells[0].new) == (ACME, "2")


def test_the_word_delete_in_a_row_without_an_id_makes_no_record(store, book):
    added(book, Name="Nova", Change="delete")

    assert "the row has no Id" in told(store, book)


def test_the_word_delete_deletes_the_record(store, book):
    typed(book, Change="DELETE")

    imported = apply_to(store, book)

    assert imported.deleted == 1
    assert outbox(store) == {ACME: (Operation.DELETE, {})}


def test_the_word_delete_does_not_delete_what_has_changed_since(store, book):
    typed(book, Change="delete")
    arrive(store, ACCOUNT, acme(ONE, Phone="9"))

    imported = apply_to(store, book)

    assert (imported.deleted, imported.refused) == (0, 1)


def test_the_word_skip_leaves_the_row_alone_and_another_word_is_told(store, book):
    typed(book, Change="skip", Phone="2")
    assert changes(store, book) == []

    typed(book, Change="remove it")
    assert "Write delete, new or skip" in told(store, book)


def test_an_own_column_and_an_own_sheet_are_nobodys_business(store, book):
    def write(page):
        page.insert_cols(3)
        page.cell(1, 3).value = "My remarks"
        page.cell(2, 3).value = "call them"

    edit(book, write, "Account")
    with_sheet = openpyxl.load_workbook(book)
    with_sheet.create_sheet("Scratch", 0).append([1, 2])
    with_sheet.save(book)

    assert changes(store, book) == []


# ── workbooks that are refused ───────────────────────────────────────────────────────────────────────────────────


def refusal(store, path, **more):
    with pytest.raises(WorkbookRefused) as caught:
        preview_of(store, path, **more)
    return caught.value


@pytest.mark.parametrize(("title", "told"), [("My copy", True), ("account (2)", True), ("History", False)])
def test_a_sheet_that_seems_to_be_one_of_the_export_is_told_if_it_is_not_read(store, book, title, told):
    made = openpyxl.load_workbook(book)
    page = made.copy_worksheet(made["Account"]) if title == "My copy" else made.create_sheet()
    page.title = title
    page["D2"] = "An edit that nobody would hear of"
    made.save(book)

    with preview_of(store, book) as preview:
        assert preview.empty
        assert [note for note in preview.notes if repr(title) in note and "nothing of it is read" in note] == list(
            preview.notes
        )
        assert bool(preview.notes) is told


def test_a_header_that_was_renamed_is_told(store, book):
    def rename(page):
        put(page, row_of(page, ACME), Phone="2")
        page.cell(1, column(page, "Phone")).value = "Telephone"

    edit(book, rename, "Account")

    with preview_of(store, book) as preview:
        assert preview.notes == ("Account has no column 'Phone': nothing of it is read.",)
        assert preview.empty


def test_a_workbook_of_another_org_is_refused(store, book):
    error = refusal(store, book, org_id="00D000000000002EAA")

    assert error.code == "WRONG_ORG"


def test_a_workbook_without_its_metadata_is_refused(store, book):
    made = openpyxl.load_workbook(book)
    del made["_Metadata"]
    made.save(book)

    assert "_Metadata" in refusal(store, book).message


@pytest.mark.parametrize(
    ("edited", "why"),
    [
        (lambda page: setattr(page["A3"], "value", page["A2"].value), "account twice"),
        (lambda page: setattr(page["E3"], "value", page["E2"].value), "account twice"),
        (lambda page: setattr(_fact(page, "Export Id"), "value", None), "which export"),
    ],
)
def test_a_workbook_whose_metadata_were_edited_is_refused(store, book, edited, why):
    edit(book, edited, "_Metadata")

    assert why in refusal(store, book).message


def _fact(page, name):
    return next(page.cell(row, 2) for row in range(1, page.max_row + 1) if page.cell(row, 1).value == name)


def test_a_renamed_sheet_is_refused_by_its_name(store, book):
    edit(book, lambda page: setattr(page, "title", "Customers"), "Account")

    error = refusal(store, book)

    assert "'Account'" in error.message
    assert "Customers" in error.hint


@pytest.mark.parametrize(("header", "why"), [("Id", "no column Id"), ("_Row", "hidden last column")])
def test_a_sheet_without_what_tells_its_rows_is_refused(store, book, header, why):
    edit(book, lambda page: page.delete_cols(column(page, header)), "Account")

    assert why in refusal(store, book).message


def test_two_columns_of_one_field_are_refused(store, book):
    edit(book, lambda page: setattr(page.cell(1, column(page, "Phone")), "value", "Rating"), "Account")

    assert "Two columns" in refusal(store, book).message


def test_a_sheet_without_its_header_is_refused(store, book):
    edit(book, lambda page: page.delete_rows(1), "Account")

    assert "Account" in refusal(store, book).message


def test_an_object_that_is_not_here_any_more_is_refused(book, tmp_path):
    other = SqliteStore(tmp_path / "empty.db", FrozenClock())

    assert isinstance(refusal(other, book), ForeignWorkbook)
    other.close()


# ── previews ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_workbook_that_changed_since_its_preview_is_not_applied(store, book):
    typed(book, Phone="2")
    with preview_of(store, book) as preview:
        typed(book, Phone="3")
        with pytest.raises(WorkbookRefused, match="since the preview"):
            apply(store, preview, new_private)

    assert store.changes() == ()


def test_a_preview_is_applied_once(store, book):
    typed(book, Phone="2")
    with preview_of(store, book) as preview:
        apply(store, preview, new_private)
        with pytest.raises(Misuse, match="before"):
            apply(store, preview, new_private)


def test_overflow_sheets_are_read_as_one_object(store, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(store, path, rows_a_sheet=1)
    typed(path, "Account (2)", BOLT, Phone="2")

    assert [(each.record_id, each.sheet) for each in changes(store, path)] == [(BOLT, "Account (2)")]


# ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────────


def test_bad_rows_come_back_in_a_copy_with_the_reason_beside_them(store, book):
    typed(book, Phone="2", Employees__c="many & more")
    typed(book, record_id=BOLT, Phone="3")
    typed(book, "Contact", JANE, LastName=None)
    before = book.read_bytes()

    imported = apply_to(store, book)

    assert imported.result == book.with_name("book.result.xlsx")
    assert imported.result.stat().st_mode & 0o777 == 0o600
    assert book.read_bytes() == before
    back = openpyxl.load_workbook(imported.result)
    page = back["Account"]
    status = {page.cell(at, column(page, "Id")).value: page.cell(at, column(page, "Status")).value for at in (2, 3)}
    assert status == {ACME: "Employees__c: 'many & more' is not a whole number, such as 1200.", BOLT: "taken in"}
    assert page.cell(row_of(page, ACME), column(page, "Phone")).value == "2"
    assert back["Contact"].cell(2, column(back["Contact"], "Status")).value == "LastName: cannot be empty."
    assert back.sheetnames == openpyxl.load_workbook(book).sheetnames


def test_a_copy_in_which_rows_are_being_mended_is_kept(store, book):
    typed(book, Employees__c="many")
    first = apply_to(store, book).result
    typed(first, Employees__c=12)
    mended = first.read_bytes()

    second = apply_to(store, book).result

    assert second.name == "book.result-2.xlsx"
    assert first.read_bytes() == mended


def test_the_copy_can_be_mended_and_imported(store, book):
    typed(book, Employees__c="many")
    result = apply_to(store, book).result
    typed(result, Employees__c=5)

    imported = apply_to(store, result)

    assert (imported.updated, imported.refused) == (1, 0)
    assert shown(store, ACME)["Employees__c"] == 5


def test_without_bad_rows_there_is_no_copy(store, book):
    typed(book, Phone="2")

    assert apply_to(store, book).result is None
    assert not book.with_name("book.result.xlsx").exists()


def test_a_row_that_the_store_refuses_comes_back_too(store, book):
    typed(book, Phone="2")
    store.update("Account", ACME, {"Phone": "7"})

    result = apply_to(store, book).result

    page = openpyxl.load_workbook(result)["Account"]
    assert "edited here since" in page.cell(row_of(page, ACME), column(page, "Status")).value


# ── with a password ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def locked(store, book, tmp_path):
    typed(book, Employees__c="many")
    path = tmp_path / "locked.xlsx"
    with book.open("rb") as plain, path.open("wb") as out:
        OOXMLFile(plain).encrypt("secret", out)
    return path


def test_a_workbook_with_a_password_is_read_with_it(store, locked):
    assert "whole number" in told(store, locked, password="secret")


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_workbook_with_a_password_is_not_read_without_it(store, locked, password):
    with pytest.raises(WorkbookEncrypted):
        preview_of(store, locked, password=password)
    assert {each.name for each in locked.parent.iterdir() if each.is_dir()} <= {"replica.db-pages"}


def test_the_copy_of_a_workbook_with_a_password_has_it_too(store, locked):
    result = apply_to(store, locked, password="secret").result

    with pytest.raises(WorkbookEncrypted):
        preview_of(store, result)
    assert "whole number" in told(store, result, password="secret")


def test_a_workbook_of_a_replica_that_does_not_know_its_org_comes_back(store, tmp_path):
    path = tmp_path / "book.xlsx"
    export_to(store, path, org_id="")
    typed(path, Phone="2")

    assert change(store, path).kind is Kind.EDITED
