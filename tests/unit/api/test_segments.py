from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.api.segments import cut, last_boundary, split_header
from salesforce_sync.errors import Unreachable

VALUES = st.text(st.sampled_from('ab"\n\r,é🎉 0'), max_size=12)
RECORDS = st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=40)
STYLES = st.sampled_from([(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_MINIMAL, "\n")])


def written(records: list[list[str]], style: tuple[int, str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=style[0], lineterminator=style[1]).writerows(records)  # type: ignore[arg-type]
    return out.getvalue().encode()


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def segments_of(pieces: Iterator[tuple[bytes, bool]]) -> list[bytes]:
    segments, current = [], b""
    for piece, ends in pieces:
        current += piece
        if ends:
            segments.append(current)
            current = b""
    return [*segments, current] if current else segments


@given(RECORDS, STYLES, st.integers(1, 60), st.integers(1, 90))
def test_segments_are_whole_records_and_together_the_input(
    records: list[list[str]], style: tuple[int, str], block: int, size: int
) -> None:
    data = written(records, style)

    segments = segments_of(cut(blocks_of(data, block), size))

    assert b"".join(segments) == data
    assert [record for segment in segments for record in read(segment)] == read(data)
    assert all(segments)


@given(RECORDS, st.integers(1, 60))
def test_a_segment_ends_soon_after_its_size(records: list[list[str]], size: int) -> None:
    data = written(records, (csv.QUOTE_ALL, "\n"))
    longest = max((len(written([record], (csv.QUOTE_ALL, "\n"))) for record in records), default=0)

    segments = segments_of(cut(blocks_of(data, 1), size))

    assert all(len(segment) < size + longest for segment in segments)


@given(RECORDS, st.integers(1, 60))
def test_the_header_and_the_rest_are_the_input(records: list[list[str]], block: int) -> None:
    data = b'"Id","Name","SystemModstamp"\r\n' + written(records, (csv.QUOTE_ALL, "\r\n"))

    blocks = blocks_of(data, block)
    header, begun = split_header(blocks)

    assert header == b'"Id","Name","SystemModstamp"\r\n'
    assert header + begun + b"".join(blocks) == data


def test_a_header_may_be_all_there_is() -> None:
    assert split_header(iter([b'"Id"', b',"Name"'])) == (b'"Id","Name"', b"")


def test_a_stream_without_lines_is_no_result() -> None:
    with pytest.raises(Unreachable):
        split_header(iter([b"x" * 70_000] * 40))


def test_a_stream_that_ends_inside_a_value_was_cut() -> None:
    with pytest.raises(Unreachable, match="inside a value"):
        list(cut([b'"003","a"\n"003","b'], 1000))


@pytest.mark.parametrize(
    ("block", "inside_at_end", "boundary"),
    [
        (b'"a","b"\n', False, 8),
        (b'"a","b"\n"c', True, 8),
        (b'"a","b\nc', True, 0),
        (b'x\ny"\n"a\n', True, 5),
        (b'""\n""\n""', True, 0),
        (b'""\n""\n""', False, 6),
        (b"no newline", False, 0),
        (b"", False, 0),
    ],
)
def test_a_newline_inside_quotes_is_no_boundary(block: bytes, inside_at_end: bool, boundary: int) -> None:
    assert last_boundary(block, inside_at_end) == boundary
