"""The row as it was exported: found among what is known of it, and proved."""

import time

from salesforce_sync.testing import make_field
from salesforce_sync.workbook.bases import find_base
from salesforce_sync.workbook.cells import canonical, row_hash

FIELDS = [
    make_field("Id", "id"),
    make_field("Name"),
    make_field("Phone", "phone"),
    make_field("Price__c", "currency"),
    make_field("LastModifiedDate", "datetime"),
]
OLD = {"Id": "1", "Name": "Bolt", "Phone": "1", "Price__c": 5.0, "LastModifiedDate": "2026-01-01T00:00:00.000Z"}
KNOWN = {name: (value,) for name, value in OLD.items()}
SERIAL = 46023.0


def digest(**values):
    row = OLD | values
    return row_hash([canonical(each.type, row[each.name]) for each in FIELDS])


def cells(**typed):
    return {"Id": "1", "Name": "Bolt", "Phone": "1", "Price__c": 5.0, "LastModifiedDate": SERIAL} | typed


def test_an_older_value_is_taken_where_the_hash_wants_it():
    known = KNOWN | {"Phone": ("3", "2", "1"), "Name": ("Nut", "Bolt")}

    assert find_base(FIELDS, known, cells(), digest()) == OLD
    assert find_base(FIELDS, known, cells(Phone="9"), digest(Phone="2")) == OLD | {"Phone": "2"}


def test_a_value_typed_that_was_there_once_is_not_taken_for_the_exported_one():
    known = KNOWN | {"Phone": ("2", "1")}

    assert find_base(FIELDS, known, cells(Phone="1"), digest(Phone="2")) == OLD | {"Phone": "2"}


def test_what_nobody_keeps_is_read_from_the_locked_cells():
    known = KNOWN | {"LastModifiedDate": ("2026-02-02T00:00:00.000Z",)}

    assert find_base(FIELDS, known, cells(Phone="9"), digest()) == OLD


def test_columns_that_are_gone_are_taken_from_what_is_known():
    kept = {name: cell for name, cell in cells().items() if name not in ("Phone", "LastModifiedDate")}

    assert find_base(FIELDS, KNOWN | {"Phone": ("2", "1")}, kept, digest()) == OLD


def test_a_value_that_is_not_known_is_the_one_that_its_cell_still_shows():
    known = KNOWN | {"Price__c": (6.0,), "Phone": ("3", "2")}

    assert find_base(FIELDS, known, cells(), digest()) == OLD
    assert find_base(FIELDS, known, cells(Phone="9"), digest(Phone="2")) == OLD | {"Phone": "2"}


def test_a_value_that_is_not_known_any_more_is_never_guessed():
    assert find_base(FIELDS, KNOWN | {"Phone": ("3", "2")}, cells(Phone="9"), digest()) is None
    assert find_base(FIELDS, {}, cells(Phone="9"), digest()) is None


def test_looking_has_an_end():
    fields = [make_field(f"F{at}__c") for at in range(60)]
    known = {each.name: tuple("abcdefghij") for each in fields}

    began = time.process_time()
    assert find_base(fields, known, {each.name: "typed" for each in fields}, "0" * 16) is None
    assert time.process_time() - began < 10
