"""Workbooks of objects with very many fields."""

import tracemalloc

import pytest

from salesforce_sync.models.schema import FieldType
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_field, make_schema
from tests.contract.stores import id_of, pull
from tests.workbook.books import column, edit, export_to, preview_of

ROWS, FIELDS = 240, 200
MOST_HELD = 4_000_000
"""Bytes. All rows at once took 9 MB, and 25 of them take 2 MB."""


@pytest.fixture
def wide(tmp_path):
    """The replica of an object with many fields."""
    texts = [make_field(f"Text{at}__c", length=80) for at in range(FIELDS)]
    schema = make_schema("Wide__c", make_field("Name", length=80, nillable=False), *texts)
    store = SqliteStore(tmp_path / "replica.db", FrozenClock())
    store.adopt(schema)
    pull(store, *(_row(schema, at) for at in range(ROWS)), schema=schema)
    yield store
    store.close()


def _row(schema, at):
    texts = {each.name: f"{each.name} of {at}" for each in schema.columns if each.type is FieldType.TEXT}
    known = texts | {"Id": id_of(at), "IsDeleted": False}
    return tuple(known.get(each.name) for each in schema.columns)


def test_many_edited_rows_of_a_wide_object_are_not_held_at_once(wide, tmp_path):
    book = tmp_path / "book.xlsx"
    export_to(wide, book)
    edit(book, _edit_each_row, "Wide__c")

    tracemalloc.start()
    with preview_of(wide, book) as preview:
        _, held = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        edited = preview.good

    assert edited == ROWS
    assert held < MOST_HELD


def _edit_each_row(page):
    at = column(page, "Text7__c")
    for row in range(2, page.max_row + 1):
        page.cell(row, at).value = "edited"
