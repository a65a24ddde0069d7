"""A sheet with messages in one column: nothing else of it changes, whoever wrote it."""

import pytest

from salesforce_sync.workbook.reader import WorkbookReader
from salesforce_sync.workbook.result import patched
from tests.unit.workbook.packages import HEAD, parts_of, sheet, write


def put(tmp_path, body, column, *messages):
    """The sheet with these messages: its part, and its cells read back."""
    path = write(tmp_path / "book.xlsx", parts_of(body))
    with WorkbookReader(path) as reader:
        part = reader.sheets[0].part
        texts = ((row, [(column, message)]) for row, message in messages)
        text = b"".join(patched(reader.package, part, column, texts)).decode()
    write(path, parts_of(text))
    with WorkbookReader(path) as reader:
        return text, dict(reader.rows(reader.sheets[0]))


ROWS = [
    pytest.param('<c r="A1"><v>1</v></c><c r="B1" s="7" t="s"><v>0</v></c><c r="C1"/>', id="there"),
    pytest.param('<c r="A1"><v>1</v></c><c r="B1" s="7"/><c r="C1"/>', id="empty"),
    pytest.param('<c r="A1"><v>1</v></c><c r="B1" s="7"></c>', id="empty, with an end tag, and last"),
    pytest.param('<c r="A1"><v>1</v></c><c r="B1" s="7"/>', id="empty and last"),
]


@pytest.mark.parametrize("cells", ROWS)
def test_the_cell_is_replaced_and_keeps_its_style(tmp_path, cells):
    text, rows = put(tmp_path, sheet(f'<row r="1">{cells}</row><row r="2"><c r="B2"><v>2</v></c></row>'), 1, (1, "no"))

    assert rows == {1: {0: 1.0, 1: "no"}, 2: {1: 2.0}}
    assert 's="7" t="inlineStr"' in text


@pytest.mark.parametrize(
    "cells",
    ['<c r="A1"><v>1</v></c><c r="C1"><v>3</v></c>', "<c><v>1</v></c>", '<c r="A1"><v>1</v></c><c r="D1"/>'],
)
def test_a_cell_that_is_not_there_is_put_in_its_place(tmp_path, cells):
    text, rows = put(tmp_path, sheet(f'<row r="1">{cells}</row>'), 1, (1, "no"))

    assert rows[1][0] == 1.0
    assert rows[1][1] == "no"
    assert text.count("<c ") + text.count("<c>") == cells.count("<c") + 1


def test_all_else_is_as_it_was(tmp_path):
    rows = "".join(f'<row r="{at}" ht="1"><c r="A{at}"><v>{at}</v></c><c r="B{at}"/></row>' for at in range(1, 5_000))
    before = sheet(rows)

    untouched, _ = put(tmp_path, before, 1)
    text, found = put(tmp_path, before, 1, (7, "a"), (8, "b"), (4_999, "<c> & _x000D_\n"))

    assert untouched == before
    assert {number for number, cells in found.items() if 1 in cells} == {7, 8, 4_999}
    assert found[4_999][1] == "<c> & _x000D_\n"
    assert len(text) > len(before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<col min="2" max="2" width="10" style="7"/>', '<col min="2" max="2" width="60" style="7" customWidth="1"/>'),
        (
            '<col min="1" max="4" width="10" hidden="0"/>',
            '<col min="1" max="1" width="10" hidden="0"/><col min="2" max="2" width="60" hidden="0" customWidth="1"/>'
            '<col min="3" max="4" width="10" hidden="0"/>',
        ),
        ('<col min="1" max="1" width="10"></col>', '<col min="1" max="1" width="10"></col>'),
        ('<col min="2" max="2" width="75"/>', '<col min="2" max="2" width="75"/>'),
        ('<col min="b" max="2" width="x"/>', '<col min="b" max="2" width="x"/>'),
        ('<col width="10"/>', '<col width="10"/>'),
    ],
)
def test_the_column_becomes_wide_enough_to_read_the_messages(tmp_path, before, after):
    body = sheet('<row r="1"><c r="B1"/></row>').replace("<sheetData>", f"<cols>{before}</cols><sheetData>")

    text, rows = put(tmp_path, body, 1, (1, "no"))

    assert f"<cols>{after}</cols>" in text
    assert rows == {1: {1: "no"}}
    assert put(tmp_path, body, 1)[0] == body


def test_a_prefix_of_the_namespace_is_kept(tmp_path):
    row = '<x:row r="3"><x:c r="A3"><x:v>1</x:v></x:c></x:row>'
    body = f'<x:worksheet xmlns:x="u"><x:sheetData>{row}</x:sheetData></x:worksheet>'

    text, rows = put(tmp_path, body, 1, (3, "no"))

    assert rows == {3: {0: 1.0, 1: "no"}}
    assert "</x:is></x:c></x:row>" in text


@pytest.mark.parametrize("head", [HEAD.replace("UTF-8", "UTF-16"), ""], ids=["declared", "told by its first bytes"])
def test_a_sheet_that_is_not_utf_8_is_left_alone(tmp_path, head):
    path = tmp_path / "book.xlsx"
    raw = sheet('<row r="1"><c r="A1"><v>1</v></c></row>').replace(HEAD, head).encode("utf-16")
    write(path, parts_of("") | {"xl/worksheets/sheet1.xml": raw})

    with WorkbookReader(path) as reader:
        assert b"".join(patched(reader.package, reader.sheets[0].part, 1, iter([(1, [(0, "no")])]))) == raw


@pytest.mark.parametrize(
    "cells",
    [
        '<c r="A1"/><c r="B1" s="7"><v>1</v></c><c r="C1"><v>3</v></c><c r="D1"><v>4</v></c>',
        '<c r="C1"><v>3</v></c>',
        '<c r="B1"/><c r="C1"><v>3</v></c><c r="E1"/>',
        '<c r="C1"><v>3</v></c><c r="D1" t="s"><v>0</v></c>',
    ],
)
def test_a_row_may_get_several_texts(tmp_path, cells):
    path = write(tmp_path / "book.xlsx", parts_of(sheet(f'<row r="1">{cells}</row>')))
    with WorkbookReader(path) as reader:
        texts = iter([(1, [(1, "no"), (3, "new:1")])])
        text = b"".join(patched(reader.package, reader.sheets[0].part, None, texts)).decode()
    write(path, parts_of(text))

    with WorkbookReader(path) as reader:
        assert dict(reader.rows(reader.sheets[0])) == {1: {1: "no", 2: 3.0, 3: "new:1"}}
    assert text.count('r="B1"') == text.count('r="D1"') == 1
