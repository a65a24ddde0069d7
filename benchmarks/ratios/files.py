"""The files that a load starts from: Bulk's CSV segments, answers to a REST query, a delta."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks import data
from benchmarks.columns import COLUMNS, NAMES

DELTA_STAMP = "2026-01-01T00:00:00.000Z"
"""Newer than every stamp of the first load."""


def segments(folder: Path, count: int, seed: int) -> list[Path]:
    """Bulk CSV files of about 32 MB, each with a header row and every value quoted."""
    folder.mkdir()
    return _write(folder, data.rows(count, seed, scattered=False))


def delta(folder: Path, count: int, seed: int) -> list[Path]:
    """The same form: newer versions of every tenth of `count` rows."""
    folder.mkdir()
    return _write(folder, map(_newer, enumerate(data.rows(count // 10, seed + 1, scattered=False))))


def _newer(numbered: tuple[int, data.Row]) -> data.Row:
    number, row = numbered
    stamp = NAMES.index("SystemModstamp")
    return (data.record_id("003", number * 10), *row[1:stamp], DELTA_STAMP, *row[stamp + 1 :])


def _write(folder: Path, rows: Iterable[data.Row]) -> list[Path]:
    source, paths = iter(rows), list[Path]()
    for first in source:
        paths.append(folder / f"{len(paths):03}.csv")
        _write_one(paths[-1], first, source)
    return paths


def _write_one(path: Path, first: data.Row, source: Iterator[data.Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([NAMES, first])
        while file.tell() < data.SEGMENT_BYTES and (some := list(islice(source, 500))):
            writer.writerows(some)


def rest_pages(folder: Path, count: int, seed: int) -> Path:
    """Answers to a REST query, 2,000 rows each."""
    folder.mkdir()
    source = data.rows(count, seed, scattered=False)
    number = 0
    while records := [_record(row) for row in islice(source, data.REST_PAGE_ROWS)]:
        page = {"totalSize": count, "done": False, "nextRecordsUrl": "/next", "records": records}
        (folder / f"{number:04}.json").write_bytes(msgspec.json.encode(page))
        number += 1
    return folder


def _record(row: data.Row) -> dict[str, object]:
    attributes = {"type": "Contact", "url": f"/services/data/v58.0/sobjects/Contact/{row[0]}"}
    pairs = zip(COLUMNS, row, strict=True)
    return {"attributes": attributes} | {column.name: _rest_value(column.type, value) for column, value in pairs}


def _rest_value(kind: str, value: str | None) -> object:
    if value is None:
        return None
    if kind in ("boolean", "currency", "double"):
        return msgspec.Raw(value.encode())  # with all its digits
    return value.replace("Z", "+0000") if kind == "datetime" else value
