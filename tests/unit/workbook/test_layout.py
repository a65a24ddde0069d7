"""The form of the workbook: names, headers, `_Metadata`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.errors import Misuse
from salesforce_sync.testing.schemas import make_field, make_schema
from salesforce_sync.workbook.layout import (
    Access,
    Metadata,
    ObjectEntry,
    Role,
    access,
    columns_of,
    find_columns,
    metadata_rows,
    read_metadata,
    sheet_name,
)

WIDGET = make_schema(
    "Widget__c",
    make_field("Name", label="Widget Name", nillable=False),
    make_field("Status", label="Status"),
    make_field("OwnerId", "reference", label="Owner ID", referenceTo=["User"]),
    make_field("One__c", label="Size"),
    make_field("Two__c", label="size"),
    make_field("Line__c", label=" A \n label "),
)


@given(st.lists(st.text("aAbB_", min_size=1, max_size=40), max_size=20), st.integers(1, 120))
def test_sheets_have_names_that_excel_takes_and_no_two_have_one(names, part):
    taken = []
    for name in names:
        taken.append(sheet_name(name, part, taken))

    assert all(0 < len(each) <= 31 for each in taken)
    assert len({each.casefold() for each in taken}) == len(names)


def test_a_sheet_is_named_as_its_object_wherever_excel_allows_it():
    assert sheet_name("Product2", 1, []) == "Product2"
    assert sheet_name("Product2", 2, ["Product2"]) == "Product2 (2)"
    assert sheet_name("A" * 40, 1, []) == "A" * 31
    assert sheet_name("A" * 40, 1, ["A" * 31]) == f"{'A' * 29}~2"
    assert sheet_name("History", 1, []) == "History~2"
    assert sheet_name("widget__c", 1, ["Widget__c"]) == "widget__c~2"


def test_a_header_is_the_label_and_where_two_are_the_same_the_name_stands_behind_it():
    columns = columns_of(WIDGET, {"OwnerId"})

    assert [each.header for each in columns] == [
        *("Change", "Status", "Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp"),
        *("Widget Name *", "Status (Status)", "Owner ID", "Owner: Name", "Size (One__c)", "size (Two__c)", "A label"),
        "_Row",
    ]
    assert [each.role for each in columns if each.header in ("Owner ID", "Owner: Name")] == [Role.FIELD, Role.NAME]


def headers_of(schema):
    columns = [each for each in columns_of(schema, {"OwnerId"}) if each.role is Role.FIELD]
    return {each.field.name: each.header for each in columns}


def test_a_label_that_is_as_another_column_is_headed_gives_its_name_alone():
    labels = ["Size", "size", "Size (F0__c)", "Owner: Name (Owner__c)"]
    fields = [make_field(f"F{at}__c", label=label, nillable=at != 2) for at, label in enumerate(labels)]
    owners = [
        make_field("Owner__c", "reference", label="Owner", referenceTo=["User"]),
        make_field("Other__c", "reference", label="Owner ID", referenceTo=["User"]),
    ]

    columns = columns_of(make_schema("Widget__c", *owners, *fields), {"Owner__c", "Other__c"})

    headers = [each.header for each in columns]
    assert len({each.casefold() for each in headers}) == len(headers)
    of_fields = {each.field.name: each.header for each in columns if each.role is Role.FIELD}
    assert (of_fields["F1__c"], of_fields["F2__c"]) == ("size (F1__c)", "F2__c *")
    places = find_columns(headers, of_fields)
    assert all(headers[place] == of_fields[name] for name, place in places.fields.items())
    assert len(places.fields) == len(of_fields)


def test_a_name_that_is_how_another_column_is_headed_makes_that_one_give_its_own():
    fields = [
        make_field(f"F{at}__c", label=label) for at, label in enumerate(["F0__c", "F0__c *", "F1__c", "Id (F0__c)"])
    ]

    assert list(headers_of(make_schema("Widget__c", *fields)).values())[-4:] == [
        "F0__c",
        "F1__c",
        "F2__c",
        "Id (F0__c)",
    ]


def test_columns_are_found_wherever_they_have_gone():
    headers = headers_of(WIDGET)
    row = ["Mine", None, "_Row", "size (two__c)", "WIDGET  name", "Id", "Status", "Status (Status)", "Line__c"]

    places = find_columns(row, headers)

    assert places.fields == {"Two__c": 3, "Name": 4, "Id": 5, "Status": 7, "Line__c": 8}
    assert (places.change, places.status, places.row) == (None, 6, 2)


def test_two_columns_of_one_field_are_refused():
    with pytest.raises(Misuse, match="headed"):
        find_columns(["Id", "Widget Name *", "Widget Name"], headers_of(WIDGET))


@given(st.lists(st.text("ab ()*Ii:", max_size=8), min_size=1, max_size=8))
def test_every_header_leads_back_to_its_column(labels):
    fields = [make_field(f"F{at}__c", label=label, nillable=at % 2 == 0) for at, label in enumerate(labels)]
    schema = make_schema("Any__c", *fields)
    columns = columns_of(schema, set())

    places = find_columns([each.header for each in columns], headers_of(schema))

    assert places.fields == {each.field.name: at for at, each in enumerate(columns) if each.role is Role.FIELD}


def test_a_field_can_be_filled_in_when_the_org_would_take_it():
    create_only, read_only = (
        make_field("A__c", updateable=False),
        make_field("B__c", updateable=False, createable=False),
    )

    assert access(WIDGET, WIDGET.field("Name")) is Access.ALWAYS
    assert access(WIDGET, create_only) is Access.CREATE
    assert access(WIDGET, read_only) is Access.NEVER
    assert access(WIDGET, make_field("C__c", createable=False)) is Access.UPDATE
    assert access(WIDGET, WIDGET.field("Id")) is Access.CREATE


names = st.text("ABz09_", min_size=1, max_size=30)
labels = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=30)
pairs = st.lists(st.tuples(names, labels), max_size=5)


@st.composite
def entries(draw):
    fields = draw(pairs) * draw(st.sampled_from([1, 1, 1, 400]))
    return ObjectEntry(
        draw(names),
        draw(st.none() | st.integers(0, 10**7)),
        draw(st.sampled_from(["", "2024-01-15T10:30:00Z"])),
        tuple(name for name, _ in fields),
        tuple(label for _, label in fields),
        tuple(draw(st.lists(names, max_size=2))),
        draw(st.sampled_from(["", "2024-01-15T10:30:00.000Z"])),
        draw(labels),
    )


@given(st.builds(Metadata, st.lists(entries(), max_size=4).map(tuple), names, names, names, names))
def test_metadata_is_read_back_and_no_cell_is_too_long(metadata):
    rows = metadata_rows(metadata)

    assert read_metadata(rows) == metadata
    assert rows[0][:4] == ["Object Name", "Record Count", "Last Synced", "Fields List"]
    assert all(len(str(cell).encode("utf-16-le")) <= 2 * 32_767 for row in rows for cell in row)


def test_metadata_are_read_back_also_without_the_empty_rows_between_their_parts():
    entry = ObjectEntry("Widget__c", 3, "", ("Id", "Name"), ("Id", "Name"), ("Widget__c",))
    metadata = Metadata((entry,), "e", "00D", "58.0", "2026-01-15T12:00:00.000Z")

    assert read_metadata([row for row in metadata_rows(metadata) if any(row)]) == metadata


def test_another_sheet_is_no_metadata():
    for rows in ([], [["Object Name"]], metadata_rows(Metadata(()))[:1]):
        with pytest.raises(Misuse):
            read_metadata(rows)


def test_a_later_form_is_refused():
    with pytest.raises(Misuse, match="form 2"):
        read_metadata(metadata_rows(Metadata((), form=2)))
