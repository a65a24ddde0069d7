"""The workbook without its rows: whole, and made of one sheet at a time."""

import gc
import re
import tracemalloc
from datetime import UTC, datetime

from salesforce_sync.testing import make_field, make_schema
from salesforce_sync.workbook.layout import columns_of
from salesforce_sync.workbook.palette import style_numbers
from salesforce_sync.workbook.skeleton import Sheet, Skeleton

NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
KINDS = ("string", "double", "date", "boolean", "picklist")


def sheets(number, fields):
    made = []
    for at in range(number):
        schema = make_schema(f"Wide{at}__c", *(make_field(f"F{n}__c", KINDS[n % len(KINDS)]) for n in range(fields)))
        columns = columns_of(schema, ())
        made.append(Sheet(schema.name, schema, columns, 1, [10] * len(columns)))
    return made


def test_no_two_comments_boxes_have_one_number():
    skeleton = Skeleton(sheets(3, 5), [["Object Name"]], NOW)

    boxes = [vml for frame in skeleton.frames() for name, vml in frame.beside if name.endswith(".vml")]

    numbers = [each for vml in boxes for each in re.findall(rb'id="_x0000_s(\d+)"', vml)]
    assert len(numbers) == len(set(numbers)) > 3 * 5
    assert [re.findall(rb'data="([\d,]+)"', vml) for vml in boxes] == [[b"1"], [b"2"], [b"3"]]


def test_a_format_has_one_number_in_the_cover_and_in_every_sheet():
    skeleton = Skeleton(sheets(2, 5), [["Object Name"]], NOW)

    cover = style_numbers(skeleton._cover.read("xl/worksheets/sheet1.xml"))

    styles = dict(skeleton.parts())["xl/styles.xml"].decode()
    cells = re.search(r'<cellXfs count="(\d+)"', styles)
    assert int(cells[1]) == len(set(cover.values())) + 1
    for frame in skeleton.frames():
        used = {each for look in frame.looks for each in (look.style, look.texts, look.cut)}
        used |= set(re.findall(r'style="(\d+)"', frame.before.decode()))
        assert used <= set(cover.values())
    assert len({frame.looks for frame in skeleton.frames()}) == 1


def test_the_parts_that_the_cover_tells_of_are_all_there():
    skeleton = Skeleton(sheets(2, 5), [["Object Name"]], NOW)

    there = dict(skeleton.parts())
    for frame in skeleton.frames():
        there |= {frame.part: b"", **dict(frame.beside)}

    told = re.findall(r'PartName="/([^"]+)"', there["[Content_Types].xml"].decode())
    assert set(told) <= set(there)
    assert len([each for each in told if "comments" in each]) == 2


def test_memory_does_not_grow_with_the_columns_of_all_sheets():
    few, many = sheets(1, 60), sheets(12, 60)
    list(Skeleton(few, [["Object Name"]], NOW).frames())

    def peak(wanted):
        gc.disable()  # what nobody needs any more is gone at once, and not when Python looks for circles
        tracemalloc.start()
        for _ in Skeleton(wanted, [["Object Name"]], NOW).frames():
            pass
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.enable()
        return held

    assert peak(many) < 3 * peak(few)
