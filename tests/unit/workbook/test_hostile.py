"""Files that are no workbook, or want to do harm: a clear error, quickly, in little memory."""

import io
import os
import struct
import time
import tracemalloc
import zipfile

import openpyxl
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from salesforce_sync.errors import NotAWorkbook, WorkbookEncrypted, WorkbookTooLarge
from salesforce_sync.workbook.package import MEGABYTE, Bounds, Package
from salesforce_sync.workbook.reader import WorkbookReader
from salesforce_sync.workbook.sheets import _pieces
from tests.unit.workbook.packages import HEAD, MAIN, cells, parts_of, relations, sheet, write

FINE = cells('<c r="A1"><v>1</v></c>')


def read(path, bounds=None):
    with WorkbookReader(path, *([] if bounds is None else [bounds])) as reader:
        return [row for each in reader.sheets for row in reader.rows(each)]


@pytest.fixture
def refusal(tmp_path):
    """The error that reading a package of these parts ends with."""

    def refused(parts, kind=NotAWorkbook, bounds=None):
        path = parts if hasattr(parts, "exists") else write(tmp_path / "book.xlsx", parts)
        with pytest.raises(kind) as caught:
            read(path, bounds)
        assert caught.value.message
        return caught.value

    return refused


# ── no workbook ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [b"", b"PK", b"Id,Name\n1,a\n", b"PK\x03\x04" + b"\0" * 100, os.urandom(5_000)])
def test_what_is_no_zip_file_is_said_so(tmp_path, refusal, content):
    (tmp_path / "book.xlsx").write_bytes(content)

    assert refusal(tmp_path / "book.xlsx").code == "NOT_A_WORKBOOK"


def test_a_file_that_is_not_there_and_a_folder(tmp_path, refusal):
    assert "No such file" in refusal(tmp_path / "none.xlsx").message
    assert "not a file" in refusal(tmp_path).message


def test_a_zip_file_that_is_no_workbook(refusal):
    assert "no workbook" in refusal({"hello.txt": "hello"}).message


def test_an_opendocument_file_is_named(refusal):
    parts = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}

    assert "OpenDocument" in refusal(parts).message


def test_a_binary_workbook_is_named(refusal):
    parts = {"_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.bin")), "xl/workbook.bin": b"\x83\x01"}

    error = refusal(parts)

    assert ".xlsb" in error.message
    assert ".xlsx" in error.hint


def test_an_old_xls_file_is_named(tmp_path, refusal):
    path = tmp_path / "old.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "Workbook".encode("utf-16-le"))

    assert ".xls" in refusal(path).message


def test_a_workbook_with_a_password_says_how_to_give_it(tmp_path, refusal):
    plain, locked = tmp_path / "plain.xlsx", tmp_path / "locked.xlsx"
    openpyxl.Workbook().save(plain)
    with plain.open("rb") as source, locked.open("wb") as target:
        OOXMLFile(source).encrypt("secret", target)

    error = refusal(locked, WorkbookEncrypted)

    assert "--password" in error.hint


@pytest.mark.parametrize("missing", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_part_that_is_missing_is_named(refusal, missing):
    parts = parts_of(FINE, strings="<si><t>a</t></si>")
    del parts[missing]

    assert missing in refusal(parts).message


def test_a_workbook_cut_anywhere_is_refused(tmp_path):
    whole = write(tmp_path / "book.xlsx", parts_of(FINE)).read_bytes()
    cut = tmp_path / "cut.xlsx"
    for at in range(0, len(whole), 37):
        cut.write_bytes(whole[:at])
        with pytest.raises(NotAWorkbook):
            read(cut)


def test_a_workbook_with_any_byte_changed_is_read_or_refused(tmp_path):
    whole = bytearray(write(tmp_path / "book.xlsx", parts_of(FINE)).read_bytes())
    hurt = tmp_path / "hurt.xlsx"
    outcomes = set()
    for at in range(0, len(whole), 11):
        raw = bytearray(whole)
        raw[at] ^= 0x55
        hurt.write_bytes(raw)
        try:
            outcomes.add(bool(read(hurt)))
        except (NotAWorkbook, WorkbookTooLarge, WorkbookEncrypted):
            outcomes.add("refused")

    assert "refused" in outcomes


# ── hostile ones ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "where", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml", "_rels/.rels"]
)
def test_xml_entities_are_refused_wherever_they_are(refusal, where):
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    parts = parts_of(FINE, strings="<si><t>a</t></si>")
    parts[where] = parts[where].replace(HEAD, HEAD + bomb)

    assert "entities" in refusal(parts).message


def test_a_zip_bomb_is_refused_by_its_ratio_in_little_memory(tmp_path, refusal):
    bomb = sheet('<row r="1"><c r="A1"><v>1</v></c></row>' + " " * (100 * MEGABYTE))
    path = write(tmp_path / "bomb.xlsx", parts_of(bomb))
    del bomb
    tracemalloc.start()
    error = refusal(path, WorkbookTooLarge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "max_ratio" in error.hint
    assert peak < 16 * MEGABYTE


def test_what_unpacks_to_too_much_is_refused(refusal):
    rows = "".join(f'<row r="{at}"><c r="A{at}"><v>{at * 7919}</v></c></row>' for at in range(1, 50_000))

    error = refusal(parts_of(sheet(rows)), WorkbookTooLarge, Bounds(expanded_bytes=MEGABYTE))

    assert "max_expanded_mb" in error.hint


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/media/never-read.xml"])
def test_what_its_directory_says_is_too_much_is_refused_before_any_part_is_read(tmp_path, part):
    path = write(tmp_path / "bomb.xlsx", parts_of(FINE) | {part: " " * (20 * MEGABYTE)})

    with pytest.raises(WorkbookTooLarge, match="as zip bombs do"):
        Package(path)
    with pytest.raises(WorkbookTooLarge, match="more than 19 MB"):
        Package(path, Bounds(expanded_bytes=19 * MEGABYTE, ratio=10_000))
    Package(path, Bounds(ratio=10_000)).close()


@pytest.mark.parametrize("after", ["</row>", "</worksheet>"])
def test_megabytes_of_white_space_are_refused_whatever_their_ratio(refusal, after):
    padded = sheet('<row r="1"><c r="A1"><v>1</v></c></row>').replace(after, after + " " * (20 * MEGABYTE))

    error = refusal(parts_of(padded), WorkbookTooLarge, Bounds(ratio=10_000))

    assert "white space" in error.message


def test_the_time_for_what_has_no_rows_grows_with_its_size_alone():
    blocks = [b"<x:c/>" * 10_922] * 1_600  # 100 MB
    began = time.process_time()

    total = sum(map(len, _pieces(iter(blocks))))

    assert total == sum(map(len, blocks))
    assert time.process_time() - began < 1.5  # 4 s, where each block was looked through once more with the next


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_rows_end_where_they_end_wherever_blocks_do(size):
    raw = b"<sheetData><row>1</row><row>22</row>\n<row></ro</row></row></sheetData>"

    pieces = list(_pieces(iter([raw[at : at + size] for at in range(0, len(raw), size)])))

    assert pieces == [*(each + b"</row>" for each in raw.split(b"</row>")[:-1]), b"</sheetData>"]


def test_a_file_that_is_too_large_is_refused_unread(tmp_path, refusal):
    path = tmp_path / "large.xlsx"
    with path.open("wb") as file:
        file.truncate(201 * MEGABYTE)

    assert "max_mb" in refusal(path, WorkbookTooLarge).hint


def test_a_size_that_the_directory_lies_about_does_not_help(tmp_path, refusal):
    path = write(tmp_path / "liar.xlsx", parts_of(sheet(" " * 1_000_000)))
    raw = path.read_bytes()
    size = struct.pack("<I", len(sheet(" " * 1_000_000)))
    path.write_bytes(raw.replace(size, struct.pack("<I", 500)))

    assert "cut or changed" in refusal(path).message


@pytest.mark.parametrize("name", ["../evil.xml", "/etc/passwd", "xl\\evil.xml", "C:/evil.xml", "xl/../../evil.xml"])
def test_parts_that_lead_out_of_the_package_are_refused(refusal, name):
    assert "leads out" in refusal(parts_of(FINE) | {name: "x"}).message


def test_a_target_outside_of_the_package_is_a_part_that_is_missing(refusal):
    parts = parts_of(FINE)
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace("worksheets/sheet1.xml", "../../../../etc/passwd")

    assert "'etc/passwd' is missing" in refusal(parts).message


def test_two_parts_of_one_name_are_refused(tmp_path, refusal):
    path = write(tmp_path / "book.xlsx", parts_of(FINE))
    with zipfile.ZipFile(path, "a") as package, pytest.warns(UserWarning, match="Duplicate"):
        package.writestr("xl/workbook.xml", "<other/>")

    assert "one name" in refusal(path).message


@pytest.mark.parametrize(
    "body",
    [
        '<row r="1"><c r="XFE1"><v>1</v></c></row>',
        '<row r="1"><c r="ZZZZZZZZ1"><v>1</v></c></row>',
        '<row r="1"><c r="1"><v>1</v></c></row>',
        '<row r="1">' + "<c/>" * 16_385 + "</row>",
        '<row r="1048577"><c><v>1</v></c></row>',
    ],
)
def test_more_columns_or_rows_than_there_are_is_too_large(refusal, body):
    assert refusal(parts_of(sheet(body)), WorkbookTooLarge).code == "WORKBOOK_TOO_LARGE"


@pytest.mark.parametrize(
    "body",
    [
        '<row r="1"><c r="A1" t="s"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>',
        '<row r="1"><c r="A1"><v>many</v></c></row>',
        '<row r="1"><c r="A1"><v>NaN</v></c></row>',
        '<row r="1"><c r="A1"><v>-inf</v></c></row>',
        '<row r="1"><c r="A1"><v>1e400</v></c></row>',
        '<row r="1"><c><v>1e400</v></c></row>',
        '<row r="many"><c><v>1</v></c></row>',
        '<row r="1"><row r="2"/></row>',
        '<row r="1"><c r="A1"><c r="B1"/></c></row>',
        '<c r="A1"><v>1</v></c>',
        "<a>" * 200 + "</a>" * 200,
        '<row r="1"><c r="A1"><v>1</v></c>',
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&nothing;</t></is></c></row>',
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&#0;</t></is></c></row>',
    ],
)
def test_a_sheet_that_no_program_would_write_is_refused(refusal, body):
    error = refusal(parts_of(sheet(body), strings="<si><t>only one</t></si>"))

    assert "save it as .xlsx once more" in error.hint


def test_a_text_without_end_and_a_tag_without_end_are_refused(refusal):
    endless = "x" * (6 * MEGABYTE)

    assert "characters" in refusal(parts_of(cells(f'<c r="A1" t="inlineStr"><is><t>{endless}</t></is></c>'))).message
    assert "characters" in refusal(parts_of(FINE, strings=f"<si><t>{endless}</t></si>")).message
    assert "tag" in refusal(parts_of(cells(f'<c r="A1" x="{endless}"/>'))).message


def test_a_sheet_that_is_no_sheet_is_refused(refusal):
    assert "begins with" in refusal(parts_of(f'<html xmlns="{MAIN}"/>')).message


def test_an_encrypted_zip_is_told_as_such(tmp_path, refusal):
    buffer = io.BytesIO(write(tmp_path / "book.xlsx", parts_of(FINE)).read_bytes())
    raw = bytearray(buffer.getvalue())
    for magic, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        raw[raw.index(magic) + at] |= 1
    (tmp_path / "book.xlsx").write_bytes(raw)

    assert refusal(tmp_path / "book.xlsx", WorkbookEncrypted).code == "WORKBOOK_ENCRYPTED"
