"""The streaming reader of .xlsx files: what stands in the cells, whoever wrote them."""

from datetime import datetime

import openpyxl
import pytest
import xlsxwriter

from salesforce_sync.workbook import strings
from salesforce_sync.workbook.incoming import CellError, Computed, Dated, Percent, Uncounted, column_letters
from salesforce_sync.workbook.reader import WorkbookReader
from salesforce_sync.workbook.styles import Shown, shown_as
from tests.contract.nasty import TEXTS
from tests.unit.workbook.packages import (
    STRICT_MAIN,
    STRICT_OFFICE,
    cells,
    parts_of,
    relations,
    sheet,
    workbook,
    write,
)


def read(path, name=None):
    """The rows of a sheet, or of the first one."""
    with WorkbookReader(path) as reader:
        found = reader.sheets[0] if name is None else reader.sheet(name)
        return list(reader.rows(found))


@pytest.fixture
def read_cells(tmp_path):
    """The cells of a sheet's only row, by the XML of its cells."""

    def reading(body, **more):
        rows = read(write(tmp_path / "book.xlsx", parts_of(cells(body), **more)))
        return rows[0][1] if rows else {}

    return reading


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_kind_of_cell_is_read(read_cells):
    body = (
        '<c r="A1"><v>1.5</v></c><c r="B1" t="n"><v>-2E3</v></c><c r="C1" t="b"><v>1</v></c>'
        '<c r="D1" t="b"><v>0</v></c>'
        '<c r="E1" t="s"><v>1</v></c><c r="F1" t="inlineStr"><is><t>in line</t></is></c>'
        '<c r="G1" t="str"><v>told</v></c>'
        '<c r="H1" t="e"><v>#REF!</v></c><c r="I1" s="1"/>'
    )

    found = read_cells(body, strings="<si><t>no</t></si><si><t>shared</t></si>")

    assert found == {0: 1.5, 1: -2000.0, 2: True, 3: False, 4: "shared", 5: "in line", 6: "told", 7: "#REF!"}
    assert isinstance(found[7], CellError)
    assert [type(found[at]) for at in (2, 3)] == [bool, bool]


def test_a_date_of_strict_open_xml_is_a_date(read_cells):
    found = read_cells(
        '<c r="A1" t="d"><v>2024-01-15</v></c><c r="B1" t="d"><v>2024-01-15T10:30:00.000Z</v></c>'
        '<c r="C1" t="d"><v>T10:30:00</v></c>'
    )

    assert found == {0: 45306.0, 1: 45306.4375, 2: 0.4375}
    assert {type(each) for each in found.values()} == {Dated}


def test_a_formula_counts_by_the_value_that_the_file_has(read_cells):
    found = read_cells('<c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>"a"&amp;"b"</f><v>ab</v></c>')

    assert found == {0: 2.0, 1: "ab"}


def test_a_formula_without_a_value_is_told_from_an_empty_cell(read_cells):
    found = read_cells('<c r="A1"><f>1+1</f></c><c r="B1"/>')

    assert isinstance(found[0], Uncounted)
    assert 1 not in found


def test_a_boolean_that_is_written_as_a_formula_needs_no_value_and_counts_as_none(read_cells):
    found = read_cells('<c r="A1"><f>TRUE()</f><v/></c><c r="B1"><f aca="false">FALSE()</f></c>')

    assert found == {0: True, 1: False}
    assert {type(each) for each in found.values()} == {bool}
    assert not isinstance(found, Computed)


def test_rich_text_is_its_runs_without_the_hints_to_pronounce_it(read_cells):
    rich = "<r><rPr><b/></rPr><t>bold </t></r><r><t>plain</t></r><rPh sb='0' eb='1'><t>HINT</t></rPh>"
    body = f'<c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is>{rich}</is></c>'

    assert read_cells(body, strings=f"<si>{rich}</si>") == {0: "bold plain", 1: "bold plain"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a_x000D_b", "a\rb"),
        ("_x005F_x000D_", "_x000D_"),
        ("_xD83D__xDC4D_", "👍"),
        ("_x00", "_x00"),
        ("R&amp;D &lt;&#10;&#x41;&quot;", 'R&D <\nA"'),
        ("  both  ", "  both  "),
    ],
)
def test_escapes_and_blanks_are_read_in_every_place_a_text_may_be(read_cells, written, meant):
    body = (
        f'<c r="A1" t="inlineStr"><is><t xml:space="preserve">{written}</t></is></c>'
        f'<c r="B1" t="str"><v>{written}</v></c>'
        '<c r="C1" t="s"><v>0</v></c>'
    )

    assert read_cells(body, strings=f'<si><t xml:space="preserve">{written}</t></si>') == dict.fromkeys(range(3), meant)


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="0&quot; days&quot;"/>'
    '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>'
)


def test_dates_are_told_by_their_styles(read_cells):
    body = "".join(f'<c r="{letter}1" s="{style}"><v>45306</v></c>' for style, letter in enumerate("ABCD"))

    found = read_cells(body, styles=STYLES)

    assert [isinstance(found[at], Dated) for at in range(4)] == [False, True, True, False]


@pytest.mark.parametrize("row", ['<c r="A1" s="1"><v>0.5</v></c>', '<c r="A1" s="1" ><v>0.5</v></c>'])
def test_percentages_are_told_by_their_styles(read_cells, row):
    found = read_cells(row, styles='<cellXfs><xf numFmtId="0"/><xf numFmtId="9"/></cellXfs>')

    assert found == {0: 0.5}
    assert isinstance(found[0], Percent)


def test_days_counted_from_1904_are_the_same_days(read_cells):
    main = workbook("Data", more='<workbookPr date1904="1"/>')

    assert read_cells('<c r="A1" s="1"><v>43844</v></c>', styles=STYLES, main=main) == {0: 45306.0}


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("yyyy-mm-dd", Shown.DATE),
        ("[$-407]d. mmmm yyyy;@", Shown.DATE),
        ("[h]:mm:ss", Shown.DATE),
        ("[Red]0.00", None),
        ("0.00E+00", None),
        ("General", None),
        ('0 "days"', None),
        ("#,##0.00\\ [$€-407]", None),
        ("_-* #,##0.00_-;[Red]-#,##0", None),
        ("@", None),
        ("0.00%", Shown.PERCENT),
        ('0 "% of it"', None),
    ],
)
def test_number_formats_that_show_dates_or_percentages(code, shown):
    assert shown_as(code) is shown


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cells_and_rows_without_a_reference_follow_the_ones_before(tmp_path):
    one, other = "<row><c><v>1</v></c><c><v>2</v></c></row>", "<row r='5'><c r='C5'><v>3</v></c><c><v>4</v></c></row>"
    rows = f"{one}{other}<row><c><v>5</v></c></row>"

    found = read(write(tmp_path / "book.xlsx", parts_of(sheet(rows))))

    assert found == [(1, {0: 1.0, 1: 2.0}), (5, {2: 3.0, 3: 4.0}), (6, {0: 5.0})]


def test_rows_of_both_ways_of_writing_come_in_their_order(tmp_path):
    usual = '<row r="{0}" spans="1:2"><c r="A{0}"><v>{0}</v></c></row>'
    odd = '<row r="{0}"><c r="A{0}" x="1"><v>{0}</v></c></row>'
    rows = "".join((odd if at % 3 else usual).format(at) for at in range(1, 100)) + "<row><c><v>100</v></c></row>"

    found = read(write(tmp_path / "book.xlsx", parts_of(sheet(rows))))

    assert found == [(at, {0: float(at)}) for at in range(1, 101)]


def test_what_stands_in_a_comment_is_no_row(tmp_path):
    row = '<row r="{0}"><c r="A{0}"><v>{0}</v></c></row>'
    hidden = row.format(2) + row.format(3) + row.format(4)

    found = read(write(tmp_path / "book.xlsx", parts_of(sheet(f"{row.format(1)}<!-- {hidden} -->{row.format(5)}"))))

    assert [number for number, _ in found] == [1, 5]


def test_strict_workbooks_with_prefixes_and_absolute_targets_are_read(tmp_path):
    parts = {
        "_rels/.rels": relations(("a", "officeDocument", "/xl/book.xml"), office=STRICT_OFFICE),
        "xl/book.xml": f'<x:workbook xmlns:x="{STRICT_MAIN}" xmlns:r="{STRICT_OFFICE}"><x:sheets>'
        '<x:sheet name="Two" sheetId="7" r:id="b"/><x:sheet name="One" sheetId="1" r:id="a"/></x:sheets></x:workbook>',
        "xl/_rels/book.xml.rels": relations(
            ("a", "worksheet", "/xl/one.xml"), ("b", "worksheet", "../xl/two.xml"), office=STRICT_OFFICE
        ),
        "xl/one.xml": f'<x:worksheet xmlns:x="{STRICT_MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="inlineStr"><x:is>'
        "<x:t>one</x:t></x:is></x:c></x:row></x:sheetData></x:worksheet>",
        "xl/two.xml": cells('<c r="A1"><v>2</v></c>'),
    }
    path = write(tmp_path / "book.xlsx", parts)

    with WorkbookReader(path) as reader:
        assert [each.name for each in reader.sheets] == ["Two", "One"]
    assert read(path, "one") == [(1, {0: "one"})]
    assert read(path, "Two") == [(1, {0: 2.0})]


def test_a_sheet_in_utf_16_is_read(tmp_path):
    body = cells('<c r="A1" t="inlineStr"><is><t>é</t></is></c>').replace("UTF-8", "UTF-16")

    assert read(write(tmp_path / "book.xlsx", parts_of("") | {"xl/worksheets/sheet1.xml": body.encode("utf-16")})) == [
        (1, {0: "é"})
    ]


def test_column_letters_count_as_a_spreadsheet_does():
    assert [column_letters(at) for at in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


# ── what other programs write ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("constant_memory", [True, False], ids=["inline", "shared"])
def test_nasty_texts_come_back_from_xlsxwriter(tmp_path, constant_memory):
    path = tmp_path / "book.xlsx"
    texts = [each for each in TEXTS if each]
    with xlsxwriter.Workbook(
        path, {"constant_memory": constant_memory, "strings_to_formulas": False, "strings_to_urls": False}
    ) as made:
        page = made.add_worksheet()
        for at, text in enumerate(texts):
            page.write_string(at, 0, text)

    found = [row[0] for _, row in read(path)]

    assert found == texts


def test_values_and_dates_come_back_from_openpyxl(tmp_path):
    made = openpyxl.Workbook()
    made.active.append(["text", 12.5, True, datetime(2024, 1, 15, 10, 30), None, "=1+1"])
    made.save(tmp_path / "book.xlsx")

    ((_, found),) = read(tmp_path / "book.xlsx")

    assert found == {0: "text", 1: 12.5, 2: True, 3: 45306.4375, 5: "="}
    assert isinstance(found[3], Dated)
    assert isinstance(found[5], Uncounted)


def test_many_shared_strings_wait_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(strings, "IN_MEMORY", 10_000)
    path = tmp_path / "book.xlsx"
    texts = [f"text number {at} {'é' * (at % 50)}" for at in range(5_000)]
    with xlsxwriter.Workbook(path) as made:
        page = made.add_worksheet()
        for at, text in enumerate(texts):
            page.write_string(at, 0, text)
            page.write_string(at, 1, texts[(at * 7919) % len(texts)] if at % 2 else texts[0])

    found = [row for _, row in read(path)]

    assert [row[0] for row in found] == texts
    assert all(row[1] == (texts[(at * 7919) % 5_000] if at % 2 else texts[0]) for at, row in enumerate(found))


def test_the_reader_leaves_no_file_behind(tmp_path):
    path = write(tmp_path / "book.xlsx", parts_of(cells('<c r="A1"><v>1</v></c>')))

    read(path)

    assert [each.name for each in tmp_path.iterdir()] == ["book.xlsx"]
