"""A workbook of ours as Excel writes it when it saves one: ECMA-376, and Excel's own habits."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

Parts = dict[str, str]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHARED = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACROS = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
_HEAD = (
    '<worksheet xmlns="{main}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" mc:Ignorable="x14ac xr xr2 xr3"'
    ' xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac"'
    ' xmlns:xr="http://schemas.microsoft.com/office/spreadsheetml/2014/revision"'
    ' xmlns:xr2="http://schemas.microsoft.com/office/spreadsheetml/2015/revision2"'
    ' xmlns:xr3="http://schemas.microsoft.com/office/spreadsheetml/2016/revision3"'
    ' xr:uid="{{00000000-0001-0000-0000-000000000000}}">'
)
_EXTENSION = (
    '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"'
    ' xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main">'
    '<x14:dataValidations xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main" count="1">'
    '<x14:dataValidation type="list" allowBlank="1"><x14:formula1><xm:f>_Metadata!$A$1:$A$2</xm:f></x14:formula1>'
    "<xm:sqref>A2:A3</xm:sqref></x14:dataValidation></x14:dataValidations></ext></extLst>"
)
_ALTERNATE = (
    '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice'
    ' Requires="x15"><x15ac:absPath url="C:\\Users\\me\\Documents\\"'
    ' xmlns:x15ac="http://schemas.microsoft.com/office/spreadsheetml/2010/11/ac"/></mc:Choice></mc:AlternateContent>'
)
_TEXT = re.compile(r'<c r="([A-Z]+)(\d+)" s="(\d+)" t="inlineStr"><is><t[^>]*>([^<]*)</t></is></c>')
_NUMBER = re.compile(r'(<c r="[A-Z]+\d+" s="\d+">)<v>([^<]*)</v>')
_ROW = re.compile(r'<row r="(\d+)"([^>]*)>')
_SHEET = re.compile(r"xl/worksheets/sheet\d+\.xml")


def rewritten(path: Path, *habits: Callable[[Parts], None]) -> None:
    """Put the workbook's parts as these habits have them."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name).decode("utf-8") for name in package.namelist()}
    for habit in habits:
        habit(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, body in parts.items():
            package.writestr(name, body.encode("utf-8"))


def _sheets(parts: Parts) -> list[str]:
    return [name for name in parts if _SHEET.fullmatch(name)]


def shared_strings(parts: Parts) -> None:
    """Every text once, in a part of its own; some of them rich, some with a hint on how to pronounce them."""
    table = _strings_there(parts)
    numbers = {text: number for number, text in enumerate(table)}

    def shared(found: re.Match[str]) -> str:
        letters, row, style, text = found.groups()
        number = numbers.setdefault(text, len(numbers))
        return f'<c r="{letters}{row}" s="{style}" t="s"><v>{number}</v></c>'

    for name in _sheets(parts):
        parts[name] = _TEXT.sub(shared, parts[name])
    items = "".join(_item(text, number) for text, number in numbers.items())
    count = f'count="{len(numbers)}" uniqueCount="{len(numbers)}"'
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
    parts["xl/sharedStrings.xml"] = f'{head}<sst xmlns="{MAIN}" {count}>{items}</sst>'


def _strings_there(parts: Parts) -> list[str]:
    return re.findall(r"<si><t[^>]*>([^<]*)</t></si>", parts["xl/sharedStrings.xml"])


def _item(text: str, number: int) -> str:
    space = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    plain = "&" not in text and "_x" not in text and len(text) > 2
    if plain and number % 3 == 1:
        runs = f'<r><t xml:space="preserve">{text[:1]}</t></r><r><rPr><b/><sz val="11"/></rPr>'
        return f'<si>{runs}<t xml:space="preserve">{text[1:]}</t></r></si>'
    if plain and number % 3 == 2:
        return f'<si><t{space}>{text}</t><rPh sb="0" eb="1"><t>ヨミ</t></rPh><phoneticPr fontId="1"/></si>'
    return f"<si><t{space}>{text}</t></si>"


def long_numbers(parts: Parts) -> None:
    """0.1 is 0.10000000000000001."""
    for name in _sheets(parts):
        parts[name] = _NUMBER.sub(lambda found: f"{found[1]}<v>{float(found[2]):.17G}</v>", parts[name])


def own_styles(parts: Parts) -> None:
    """Cell formats under other numbers, with formats of Excel's own choice."""
    styles = parts["xl/styles.xml"]
    before, cells, after = re.split(r"(?s)(?<=<cellXfs )(.*?)(?=</cellXfs>)", styles, maxsplit=1)
    formats = re.findall(r"<xf .*?(?:/>|</xf>)(?=<xf|$)", cells.partition(">")[2])
    last = len(formats) - 1
    turned = "".join(reversed(formats))
    parts["xl/styles.xml"] = f'{before}count="{len(formats)}">{turned}{after}'
    for name in _sheets(parts):
        body = re.sub(r'(?<= s=")\d+(?=")', lambda found: str(last - int(found[0])), parts[name])
        body = re.sub(r'(?<= style=")\d+(?=")', lambda found: str(last - int(found[0])), body)
        parts[name] = re.sub(r'<c (r="[A-Z]+\d+")(?= t=|>)', rf'<c \1 s="{last}"', body)


def rows_with_spans(parts: Parts) -> None:
    """What Excel tells of every row, some of them hidden by a filter; empty rows left out; a size that is not so."""
    for name in _sheets(parts):
        body = _ROW.sub(_row, parts[name])
        body = re.sub(r'<dimension ref="[^"]*"/>', '<dimension ref="A1"/>', body)
        parts[name] = re.sub(r'<c r="[A-Z]+\d+" s="\d+"/>', "", body) if name.endswith("1.xml") else body


def _row(found: re.Match[str]) -> str:
    hidden = ' hidden="1"' if int(found[1]) % 4 == 3 else ""
    rest = re.sub(r' spans="[^"]*"', "", found[2])
    return f'<row r="{found[1]}" spans="1:40"{rest}{hidden} x14ac:dyDescent="0.25">'


def extensions(parts: Parts) -> None:
    """Namespaces and elements of later versions."""
    for name in _sheets(parts):
        body = re.sub(r"<worksheet [^>]*>", _HEAD.format(main=MAIN), parts[name])
        parts[name] = body.replace("</worksheet>", f"{_EXTENSION}</worksheet>")
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace("<bookViews>", f"{_ALTERNATE}<bookViews>")


def further_parts(parts: Parts) -> None:
    """The chain of calculations, threaded comments and who wrote them."""
    parts["xl/calcChain.xml"] = f'<calcChain xmlns="{MAIN}"><c r="A1" i="1"/></calcChain>'
    threads = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
    parts["xl/threadedComments/threadedComment1.xml"] = f'<ThreadedComments xmlns="{threads}"/>'
    parts["xl/persons/person.xml"] = f'<personList xmlns="{threads}"/>'
    kinds = "http://schemas.microsoft.com/office/2017/10/relationships"
    for name, kind, target in (
        ("xl/_rels/workbook.xml.rels", "person", "persons/person.xml"),
        ("xl/worksheets/_rels/sheet1.xml.rels", "threadedComment", "../threadedComments/threadedComment1.xml"),
    ):
        more = f'<Relationship Id="rId900" Type="{kinds}/{kind}" Target="{target}"/></Relationships>'
        parts[name] = parts[name].replace("</Relationships>", more)


def with_macros(parts: Parts) -> None:
    """The main part as an .xlsm has it."""
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(_WORKBOOK, _MACROS)


def strict(parts: Parts) -> None:
    """Strict Open XML: other namespaces and relationships, dates and times as texts of ISO's form."""
    dates = _date_styles(parts["xl/styles.xml"])
    for name in _sheets(parts):
        parts[name] = _DATED.sub(lambda found: _iso(found) if found[2] in dates else found[0], parts[name])
    for name, body in parts.items():
        body = body.replace(MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main")
        body = body.replace(
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships",
        )
        parts[name] = body.replace("<workbook ", '<workbook conformance="strict" ')


_DATED = re.compile(r'<c r="([A-Z]+\d+)" s="(\d+)"><v>([^<]*)</v></c>')


def _date_styles(styles: str) -> set[str]:
    own = dict(re.findall(r'<numFmt numFmtId="(\d+)" formatCode="([^"]*)"/>', styles))
    dates = {number for number, code in own.items() if "yyyy" in code or "ss" in code}
    cells = styles.partition("<cellXfs ")[2].partition("</cellXfs>")[0]
    used = enumerate(re.findall(r'<xf numFmtId="(\d+)"', cells))
    return {str(place) for place, number in used if number in dates or number == "21"}


def _iso(found: re.Match[str]) -> str:
    moment = datetime(1899, 12, 30) + timedelta(milliseconds=round(float(found[3]) * 86_400_000))
    text = moment.isoformat(timespec="milliseconds")
    return f'<c r="{found[1]}" s="{found[2]}" t="d"><v>{text.partition("1899-12-30")[2] or text}</v></c>'


EXCEL = (shared_strings, long_numbers, own_styles, rows_with_spans, extensions, further_parts)
