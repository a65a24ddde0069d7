"""New rows with a value that only one record may have."""

import pytest

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_field, make_schema
from salesforce_sync.workbook.changes import Kind
from tests.contract.edits import ACME, BOLT, arrive, row
from tests.workbook.books import column, edit, export_to, put, row_of
from tests.workbook.deeds import added, apply_to, changes, told

KEYED = make_schema(
    "Account",
    make_field("Name", nillable=False, nameField=True),
    make_field("Key__c", externalId=True, unique=True, idLookup=True),
    make_field("Serial__c", unique=True, caseSensitive=True),
    make_field("ParentId", "reference", referenceTo=["Account"], relationshipName="Parent"),
)


@pytest.fixture
def keyed(tmp_path):
    """A replica whose accounts have keys, and its workbook."""
    store = SqliteStore(tmp_path / "keyed.db", FrozenClock())
    store.adopt(KEYED)
    acme = row(KEYED, ACME, Name="Acme", Key__c="A-1", Serial__c="s1")
    arrive(store, KEYED, acme, row(KEYED, BOLT, Name="Bolt", ParentId=ACME))
    export_to(store, tmp_path / "keyed.xlsx")
    yield store
    store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keyed.xlsx"


def copied(page):
    """A person copies a row, and empties its Id."""
    source, to = row_of(page, ACME), page.max_row + 1
    for number in range(1, page.max_column + 1):
        page.cell(to, number).value = page.cell(source, number).value
    page.cell(to, column(page, "Id")).value = None


def test_a_copied_row_says_that_its_key_is_taken(keyed, path):
    edit(path, copied, "Account")

    message = told(keyed, path)

    assert f"Key__c: is unique, and {ACME} has 'A-1' already. Write another value, or empty the cell." in message
    assert f"Serial__c: is unique, and {ACME} has 's1' already." in message


def test_a_copied_row_with_a_key_of_its_own_is_a_new_record(keyed, path):
    edit(path, copied, "Account")
    edit(path, lambda page: put(page, page.max_row, Key__c="A-2", Serial__c=None), "Account")

    assert [each.kind for each in changes(keyed, path)] == [Kind.NEW]


@pytest.mark.parametrize(("field", "taken"), [("Key__c", True), ("Serial__c", False)])
def test_keys_are_compared_as_the_org_does(keyed, path, field, taken):
    added(path, Name="Nova", **{field: "S1" if field == "Serial__c" else "a-1"})

    assert [each.kind for each in changes(keyed, path)] == [Kind.PROBLEM if taken else Kind.NEW]


def test_of_two_new_rows_with_one_key_the_second_one_is_told(keyed, path):
    added(path, Name="Nova", Key__c="B-1")
    added(path, Name="Zeta", Key__c="b-1")
    added(path, Name="Another", ParentId="Key__c=A-1")

    found = changes(keyed, path)

    assert [each.kind for each in found] == [Kind.NEW, Kind.PROBLEM, Kind.NEW]
    assert "another new row has 'b-1' too" in found[1].message


def test_a_row_that_was_taken_in_is_not_told_of_its_own_record(keyed, path):
    added(path, Name="Nova", Key__c="B-1")
    apply_to(keyed, path)

    assert [each.kind for each in changes(keyed, path)] == [Kind.KNOWN]


def test_many_rows_are_all_looked_at(keyed, path):
    def many(page):
        for number in range(250):
            put(page, page.max_row + 1, Name=f"Row {number}", Key__c="A-1" if number == 249 else f"C-{number}")

    edit(path, many, "Account")

    found = changes(keyed, path)

    assert [each.title for each in found if each.kind is Kind.PROBLEM] == ["Row 249"]
    assert sum(each.kind is Kind.NEW for each in found) == 249


def test_a_lookup_by_a_field_that_is_none_is_told_which_there_are(keyed, path):
    added(path, Name="Nova", ParentId="Key=A-1")

    assert "'Key' is no field of Account in this replica" in told(keyed, path)
    assert "of the record that is looked up, such as Name or Key__c." in told(keyed, path)
