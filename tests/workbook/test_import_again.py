"""A workbook that is imported more than once: it goes on from what it wrote itself."""

import shutil
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from salesforce_sync.models.outbox import Operation
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_field, make_schema
from salesforce_sync.workbook.changes import CellChange, Kind
from tests.contract.edits import ACCOUNT, ACME, BOLT, NEW, ONE, TWO, acme, arrive, item, push, row, shown
from tests.workbook.books import column, edit, export_to, preview_of, put, row_of
from tests.workbook.deeds import added, apply_to, change, changes, outbox, told, typed


def sent(store):
    """What waits is pushed, and the org shows it."""
    push(store)
    arrive(store, ACCOUNT, acme(ONE, **{**shown(store, ACME), "SystemModstamp": ONE, "LastModifiedDate": ONE}))


@pytest.fixture(params=["waits", "was sent"])
def meanwhile(request):
    """What happens between two imports of a workbook: nothing, or a push."""
    return sent if request.param == "was sent" else lambda store: None


def test_a_cell_that_is_edited_again_goes_on_from_what_the_workbook_wrote(store, book, meanwhile):
    typed(book, Phone="2")
    apply_to(store, book)
    meanwhile(store)
    typed(book, Phone="3")

    assert change(store, book).cells == (CellChange("Phone", "2", "3", "2"),)
    imported = apply_to(store, book)
    assert (imported.updated, imported.conflicts, imported.refused) == (1, 0, 0)
    assert shown(store, ACME)["Phone"] == "3"


def test_an_old_value_that_is_put_back_is_an_edit_of_what_the_workbook_wrote(store, book, meanwhile):
    typed(book, Phone="2", Rating="Hot")
    apply_to(store, book)
    meanwhile(store)
    typed(book, Phone="1", Rating=None)

    assert set(change(store, book).cells) == {
        CellChange("Phone", "2", "1", "2"),
        CellChange("Rating", "Hot", None, "Hot"),
    }
    assert apply_to(store, book).updated == 1
    assert (shown(store, ACME)["Phone"], shown(store, ACME)["Rating"]) == ("1", None)
    assert changes(store, book) == []


def test_what_the_workbook_wrote_and_somebody_has_changed_since_is_left_alone_and_told(store, book):
    typed(book, Phone="2")
    apply_to(store, book)
    sent(store)
    arrive(store, ACCOUNT, acme(TWO, Phone="1"))

    with preview_of(store, book) as preview:
        assert list(preview.changes()) == []
        assert [note.partition(":")[0] for note in preview.notes] == ["Account"]
        assert "Phone in row 2" in preview.notes[0]


def test_what_the_org_has_made_something_else_of_is_left_alone(store, book):
    typed(book, Phone="555")
    apply_to(store, book)
    push(store)
    arrive(store, ACCOUNT, acme(TWO, Phone="(555)"))

    assert changes(store, book) == []


@pytest.mark.parametrize(
    ("field", "first", "became", "second"),
    [
        ("Phone", "555-1234", "(555) 1234", "555-9999"),
        ("Phone", "030 123456", "+4930123456", "030 999999"),
        ("Name", "  Acme AG ", "Acme AG", "Acme SE"),
        ("Revenue__c", 12.3456, 12.35, 99.5),
        ("Site__c", "acme.example/", "https://acme.example", "acme.example/en"),
    ],
)
def test_what_the_org_made_of_it_is_no_change_of_anybodys(tmp_path, field, first, became, second):
    schema = make_schema(
        "Account",
        make_field("Name", length=20, nillable=False),
        make_field("Phone", "phone", length=20),
        make_field("Revenue__c", "currency", precision=18, scale=2),
        make_field("Site__c", "url", length=80),
    )
    store = SqliteStore(tmp_path / "replica.db", FrozenClock())
    store.adopt(schema)
    arrive(store, schema, row(schema, ACME, Name="Acme"))
    book = tmp_path / "book.xlsx"
    export_to(store, book)
    typed(book, **{field: first})
    apply_to(store, book)
    push(store)
    arrive(store, schema, row(schema, ACME, ONE, **{"Name": "Acme", field: became}))
    typed(book, **{field: second})

    assert [(each.old, each.moved) for each in change(store, book).cells] == [(became, False)]
    imported = apply_to(store, book)
    assert (imported.updated, imported.conflicts, imported.refused) == (1, 0, 0)
    store.close()


def test_a_cell_that_is_edited_again_and_was_changed_in_the_org_since_waits_for_a_person(store, book):
    typed(book, Phone="2")
    apply_to(store, book)
    sent(store)
    arrive(store, ACCOUNT, acme(TWO, Phone="9"))
    typed(book, Phone="3")

    imported = apply_to(store, book)

    assert (imported.updated, imported.conflicts) == (1, 1)
    assert [(each.base, each.local, each.org) for each in item(store).conflicts] == [("2", "3", "9")]


def test_an_edit_that_was_discarded_here_is_made_again(store, book):
    typed(book, Phone="2")
    apply_to(store, book)
    store.update("Account", ACME, {"Phone": "1"})

    assert change(store, book).cells == (CellChange("Phone", "1", "2", "1"),)


def test_another_copy_of_the_workbook_does_not_replace_what_the_first_one_wrote(store, book, tmp_path):
    other = Path(shutil.copy(book, tmp_path / "hers.xlsx"))
    typed(book, Phone="2", Rating="Hot")
    apply_to(store, book)
    typed(other, Phone="3")

    assert "book.xlsx" in told(store, other)
    assert apply_to(store, other).refused == 1
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": "2", "Rating": "Hot"})}


def test_another_copy_as_it_was_exported_puts_nothing_back(store, book, tmp_path):
    other = Path(shutil.copy(book, tmp_path / "hers.xlsx"))
    typed(book, Phone="2")
    apply_to(store, book)

    with preview_of(store, other) as preview:
        assert list(preview.changes()) == []
        assert "Phone in row 2" in preview.notes[0]


def test_the_copy_with_the_reasons_goes_on_from_its_workbook(store, book):
    typed(book, Phone="2")
    typed(book, record_id=BOLT, Employees__c="many")
    result = apply_to(store, book).result
    typed(result, Phone="3")

    assert [(each.record_id, each.kind) for each in changes(store, result)] == [
        (ACME, Kind.EDITED),
        (BOLT, Kind.PROBLEM),
    ]
    assert changes(store, result)[0].cells == (CellChange("Phone", "2", "3", "2"),)


def test_a_new_row_without_a_name_is_not_made_again_by_the_copy(store, book):
    added(book, Name="Nova", Phone="1")
    typed(book, record_id=BOLT, Employees__c="many")
    imported = apply_to(store, book)
    waiting = outbox(store)

    again = apply_to(store, imported.result)
    assert (imported.created, again.created, again.updated) == (1, 0, 0)
    assert outbox(store) == waiting


def test_a_new_row_without_a_name_has_one_in_the_copy_so_that_it_can_be_edited_there(store, book, meanwhile):
    added(book, Name="Nova", Phone="1")
    typed(book, record_id=BOLT, Employees__c="many")
    copy = apply_to(store, book).result
    if meanwhile is sent:
        push(store, Account=NEW)
    edit(copy, lambda page: put(page, page.max_row, Phone="2"), "Account")

    edited, problem = sorted(changes(store, copy), key=lambda each: each.kind)
    assert (edited.kind, problem.record_id) == (Kind.EDITED, BOLT)
    assert edited.cells == (CellChange("Phone", "1", "2", "1"),)
    again = apply_to(store, copy)
    assert (again.created, again.updated, store.count("Account")) == (0, 1, 3)
    assert {each.kind for each in changes(store, again.result)} == {Kind.KNOWN, Kind.PROBLEM}


def test_the_copy_names_rows_that_an_earlier_import_has_made_too(store, book):
    added(book, Name="Nova", Phone="1")
    apply_to(store, book)
    typed(book, record_id=BOLT, Employees__c="many")
    copy = apply_to(store, book).result
    edit(copy, lambda page: put(page, page.max_row, Phone="2"), "Account")

    assert {each.kind for each in changes(store, copy)} == {Kind.PROBLEM, Kind.EDITED}


def test_the_copys_name_of_a_row_can_be_referred_to(store, book):
    added(book, Name="Nova")
    typed(book, record_id=BOLT, Employees__c="many")
    copy = apply_to(store, book).result
    (made,) = (each for each, (kind, _) in outbox(store).items() if kind is Operation.CREATE)
    named = value_in(copy, "Id")
    added(copy, "Contact", LastName="Roe", AccountId=named)

    assert named.startswith("new:")
    assert apply_to(store, copy).created == 1
    assert [values["AccountId"] for _, values in outbox(store).values() if "AccountId" in values] == [made]


def test_rows_that_say_the_same_as_one_of_the_copy_are_records_of_their_own(store, book):
    added(book, Name="Nova")
    typed(book, record_id=BOLT, Employees__c="many")
    copy = apply_to(store, book).result
    added(copy, Name="Nova")

    assert sorted(each.kind for each in changes(store, copy)) == [Kind.KNOWN, Kind.NEW, Kind.PROBLEM]
    assert apply_to(store, copy).created == 1
    assert store.count("Account") == 4


def test_a_copied_row_that_was_made_a_new_record_goes_on_as_that_in_the_copy(store, book):
    typed(book, Change="new", Name="Nova")
    typed(book, record_id=BOLT, Employees__c="many")
    copy = apply_to(store, book).result
    edit(copy, lambda page: put(page, row_of(page, value_in(copy, "Id", 2)), Phone="2"), "Account")

    found = [each for each in changes(store, copy) if each.kind is Kind.EDITED]
    assert [(each.title, each.record_id.startswith("local-")) for each in found] == [("Nova", True)]


def test_rows_that_were_refused_get_no_name(store, book):
    added(book, Name="Nova", Employees__c="many")

    assert value_in(apply_to(store, book).result, "Id") is None


def value_in(path, header, row=None):
    """What stands in a row of the workbook's accounts; the last one, if it is not told which."""
    page = openpyxl.load_workbook(path)["Account"]
    return page.cell(row or page.max_row, column(page, header)).value


def test_what_was_written_is_forgotten_with_the_history_and_no_record_is_made_twice(store, book, tmp_path):
    typed(book, Phone="2")
    added(book, Name="Nova", Id="new:n")
    apply_to(store, book)
    push(store, Account=NEW)
    edit(book, lambda page: put(page, row_of(page, "new:n"), Rating="Hot"), "Account")
    apply_to(store, book)
    store.close()
    later = SqliteStore(tmp_path / "replica.db", FrozenClock(FrozenClock().now() + timedelta(days=91)))
    typed(book, record_id=BOLT, Rating="Hot")

    apply_to(later, book)

    names = [name.rpartition("/")[2] for name in later.draft_names("")]
    assert sorted(names) == [BOLT, "new:n"]
    later.close()


def test_a_lookup_by_name_is_no_edit_once_its_record_is_there(store, book, meanwhile):
    added(book, Name="Nova", Id="new:n")
    typed(book, ParentId="new:n")
    apply_to(store, book)
    push(store, Account=NEW)

    assert [each.kind for each in changes(store, book)] == [Kind.KNOWN]


def test_a_record_may_be_deleted_by_the_workbook_that_edited_it(store, book):
    typed(book, Phone="2")
    apply_to(store, book)
    typed(book, Change="delete")

    assert apply_to(store, book).deleted == 1


def test_a_new_row_that_is_edited_again_edits_its_record(store, book, meanwhile):
    added(book, Name="Nova", Id="new:n", Phone="1")
    added(book, "Contact", LastName="Roe", AccountId="new:n")
    apply_to(store, book)
    edit(book, lambda page: put(page, row_of(page, "new:n"), Phone="2", Rating="Hot"), "Account")

    found = changes(store, book)

    assert [(each.kind, each.object_name) for each in found] == [(Kind.EDITED, "Account"), (Kind.KNOWN, "Contact")]
    assert set(found[0].cells) == {CellChange("Phone", "1", "2", "1"), CellChange("Rating", None, "Hot")}
    assert apply_to(store, book).updated == 1
    assert store.count("Account") == 3
    assert [each.kind for each in changes(store, book)] == [Kind.KNOWN, Kind.KNOWN]


def test_a_new_row_may_not_change_what_only_a_new_record_can_have(store, book):
    added(book, Name="Nova", Id="new:n", Code__c="A")
    apply_to(store, book)
    edit(book, lambda page: put(page, row_of(page, "new:n"), Code__c="B"), "Account")

    assert "only be set when the record is made" in told(store, book)


@pytest.mark.parametrize("place", [None, ""])
def test_a_new_row_of_another_copy_that_has_the_same_name_by_chance_changes_nothing(store, book, tmp_path, place):
    other = Path(shutil.copy(book, tmp_path / "hers.xlsx"))
    added(book, Name="Nova", Id="new:1")
    apply_to(store, book)
    added(other, Name="Zeta", Id="new:1")

    assert "another copy" in told(store, other, source=place)


def test_a_workbook_that_nobody_knows_the_place_of_goes_on_from_what_it_wrote(store, book):
    typed(book, Phone="2")
    added(book, Name="Nova", Id="new:n")
    apply_to(store, book, source="")
    typed(book, Phone="3")
    edit(book, lambda page: put(page, row_of(page, "new:n"), Rating="Hot"), "Account")

    assert [each.kind for each in changes(store, book, source="")] == [Kind.EDITED, Kind.EDITED]
    assert apply_to(store, book, source="").updated == 2


def test_a_new_row_without_a_name_that_was_edited_again_makes_no_second_record(store, book):
    added(book, Name="Nova", Phone="1")
    added(book, Name="Kept")
    apply_to(store, book)
    edit(book, lambda page: put(page, page.max_row - 1, Phone="2"), "Account")
    added(book, "Contact", LastName="Roe")

    found = changes(store, book)

    assert [(each.kind, each.title) for each in found] == [
        (Kind.PROBLEM, "Nova"),
        (Kind.KNOWN, "Kept"),
        (Kind.NEW, ""),
    ]
    assert "new:" in found[0].message
    edit(book, lambda page: put(page, page.max_row - 1, Id="new:another"), "Account")
    assert changes(store, book)[0].kind is Kind.NEW


@pytest.mark.parametrize("others", [(), ("Zeta", "Zeta")], ids=["alone", "among others"])
def test_a_new_row_without_a_name_that_was_edited_again_is_told_its_name_and_edits_its_record_then(store, book, others):
    for name in ("Nova", *others):
        added(book, Name=name, Phone="1")
    made = apply_to(store, book).ids
    key, record_id = next(each for each in made.items() if shown(store, each[1])["Name"] == "Nova")

    def rows(page):
        return range(page.max_row - len(made) + 1, page.max_row + 1)

    edit(book, lambda page: [put(page, number, Phone="2") for number in rows(page)], "Account")

    message = changes(store, book)[0].message
    assert f"made {record_id} of a row that is gone, or edited. If this is that row, write new:{key} into" in message
    edit(book, lambda page: put(page, rows(page)[0], Id=f"new:{key}"), "Account")

    found = changes(store, book)[0]
    assert (found.kind, found.record_id, found.cells[0].new) == (Kind.EDITED, record_id, "2")
    assert apply_to(store, book).created == 0


def test_a_row_that_may_be_one_of_several_is_not_told_a_name(store, book):
    added(book, Name="Nova", Phone="1")
    added(book, Name="Zeta", Phone="1")
    apply_to(store, book)
    edit(book, lambda page: [put(page, page.max_row - at, Name="Another") for at in (0, 1)], "Account")

    assert "of a row that is gone, or edited. If this is that row, export again" in changes(store, book)[0].message


def test_rows_without_a_name_of_another_copy_are_rows_of_their_own(store, book, tmp_path):
    other = Path(shutil.copy(book, tmp_path / "hers.xlsx"))
    added(book, Name="Nova")
    apply_to(store, book)
    added(other, Name="Zeta")

    assert change(store, other).kind is Kind.NEW


def test_a_new_record_that_was_discarded_before_the_org_had_it_is_made_again(store, book):
    added(book, Name="Nova", Id="new:n")
    (made,) = apply_to(store, book).ids.values()
    store.delete("Account", made)

    assert change(store, book).kind is Kind.NEW
    assert apply_to(store, book).created == 1
    assert store.count("Account") == 3
