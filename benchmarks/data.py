"""Seeded contact-like rows, and the files that an org would send of them.

Nasty on purpose: line breaks, doubled quotes, emoji, right-to-left text, leading zeros, texts that look like nulls,
decimals of 18 digits. About 450 bytes a row as CSV.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from benchmarks.columns import COLUMNS, NAMES

SEGMENT_BYTES = 32 << 20
"""The size in which a download cuts a Bulk result into files."""

REST_PAGE_ROWS = 2_000

Row = tuple[str | None, ...]
T = TypeVar("T")

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_IDS = 62**6
_STEP = 36_174_002_711
"""Has no factor in common with `_IDS`: steps of this size meet every id once, in no order."""


def record_id(prefix: str, number: int) -> str:
    """An 18-character id with a right checksum; ids sort as their numbers do."""
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    short = f"{prefix}5e0000{digits}"
    fives = (short[start : start + 5] for start in (0, 5, 10))
    checks = (sum(1 << bit for bit, char in enumerate(five) if "A" <= char <= "Z") for five in fives)
    return short + "".join(_CHECKS[check] for check in checks)


def rows(count: int, seed: int, *, scattered: bool) -> Iterator[Row]:
    """The rows in Bulk's form; None is null. `scattered`: the ids come in no order, as from a chunked job."""
    chooser = Chooser(seed)
    for number in range(count):
        yield chooser.row(scattered_number(number) if scattered else number)


def scattered_number(number: int) -> int:
    """Where the row of this number stands when the ids come in no order."""
    return number * _STEP % _IDS


def write_segments(folder: Path, count: int, seed: int, *, scattered: bool) -> None:
    """Write the rows as Bulk CSV files of about 32 MB: a header row in each, every value quoted.

    `rows.json` beside them says how many rows each has.
    """
    source = rows(count, seed, scattered=scattered)
    counts: dict[str, int] = {}
    for first in source:
        path = folder / f"{len(counts):03}.csv"
        counts[path.name] = _write_segment(path, first, source)
    (folder / "rows.json").write_text(json.dumps(counts), "utf-8")


def _write_segment(path: Path, first: Row, source: Iterator[Row]) -> int:
    written = 1
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([NAMES, first])
        while file.tell() < SEGMENT_BYTES and (some := list(islice(source, 500))):
            writer.writerows(some)
            written += len(some)
    return written


def write_rest_pages(folder: Path, pages: int, seed: int) -> None:
    """Write answers to a REST query, 2,000 rows each."""
    source = rows(pages * REST_PAGE_ROWS, seed, scattered=False)
    for number in range(pages):
        records = ",".join(_record(row) for row in islice(source, REST_PAGE_ROWS))
        head = f'{{"totalSize":{pages * REST_PAGE_ROWS},"done":{"false" if number + 1 < pages else "true"}'
        link = f',"nextRecordsUrl":"/services/data/v58.0/query/01g-{number + 1}"' if number + 1 < pages else ""
        (folder / f"{number:04}.json").write_text(f'{head}{link},"records":[{records}]}}', "utf-8")


def _record(row: Row) -> str:
    attributes = f'{{"type":"Contact","url":"/services/data/v58.0/sobjects/Contact/{row[0]}"}}'
    cells = (f'"{column.name}":{_json(column.type, value)}' for column, value in zip(COLUMNS, row, strict=True))
    return f'{{"attributes":{attributes},{",".join(cells)}}}'


def _json(kind: str, value: str | None) -> str:
    if value is None:
        return "null"
    if kind in ("boolean", "currency", "double"):
        return value
    if kind == "datetime":
        value = value.removesuffix("Z") + "+0000"
    return json.dumps(value, ensure_ascii=False)


class Chooser:
    """Draws values from pools that the seed fills."""

    def __init__(self, seed: int) -> None:
        self._random = draw = random.Random(seed)
        self._first = ["Jane", "Ömer", "Łucja", "Nguyễn", "محمد", "Ann-Marie", "O'Neil", "José", "Li", "Null", None]
        self._last = ["Doe", "Müller", "de la Cruz", 'Smith "Smithy" Jr.', "Ó Briain", "王", "לוי", "NULL", "Berg, Dr."]
        self._streets = [self._street() for _ in range(600)]
        self._cities = ["Springfield", "São Paulo", "Zürich", "New York", "東京", "Kraków", None]
        self._titles = ["VP Sales", "CEO", 'Head of "Growth"', "Engineer, Platform", "Ärztin", None, None]
        self._notes = [self._note() for _ in range(997)]
        self._owners = [record_id("005", draw.randrange(10**6)) for _ in range(200)]
        self._accounts = [record_id("001", draw.randrange(10**6)) for _ in range(5000)]
        self._days = [self._day(1930, 2008) for _ in range(900)]
        self._moments = [self._moment() for _ in range(20_000)]

    def _street(self) -> str:
        name = self._random.choice(("Main Street", "Rue de l'Église", "Bahnhofstraße", "5th Avenue"))
        tail = self._random.choice(("", "\nApt 4", '\nSuite 1200\nBuilding "C"', ", 2nd floor"))
        return f"{self._random.randrange(1, 999)} {name}{tail}"

    def _note(self) -> str | None:
        words = (
            "met at the fair",
            "wants a call 📞",
            'said "maybe"',
            "=1+1",
            "#N/A",
            "renewal due",
            "tab\there",
            "שלום",
        )
        kind = self._random.randrange(10)
        if kind < 4:
            return None
        return "\n".join(
            " ".join(self._random.choices(words, k=self._random.randrange(2, 4))) for _ in range(kind // 2)
        )

    def _day(self, first: int, end: int) -> str:
        draw = self._random.randrange
        return f"{draw(first, end)}-{draw(1, 13):02}-{draw(1, 29):02}"

    def _moment(self) -> str:
        draw = self._random.randrange
        return f"{self._day(2010, 2025)}T{draw(24):02}:{draw(60):02}:{draw(60):02}.000Z"

    def row(self, number: int) -> Row:
        """The record of this number."""
        chance, pick = self._random.random, self._pick
        first, last = pick(self._first), pick(self._last)
        owner, stamp = pick(self._owners), pick(self._moments)
        return (
            record_id("003", number),
            "false",
            pick(self._accounts) if chance() < 0.9 else None,
            last,
            first,
            "Ms." if chance() < 0.5 else None,
            f"{first} {last}" if first else last,
            pick(self._streets),
            pick(self._cities),
            "CA" if chance() < 0.3 else None,
            f"{number % 100_000:05}",
            "USA",
            f"({200 + number % 700}) 555-{number % 10_000:04}",
            f"+49 151 {number % 10**7:07}" if chance() < 0.4 else None,
            f"user{number}@example.com",
            pick(self._titles),
            "Sales" if chance() < 0.5 else None,
            "Web" if chance() < 0.6 else "Partner Referral",
            pick(self._days) if chance() < 0.7 else None,
            pick(self._notes),
            owner,
            "true" if chance() < 0.1 else "false",
            pick(self._moments),
            owner,
            stamp,
            pick(self._owners),
            stamp,
            pick(self._days) if chance() < 0.5 else None,
            self._amount(number) if chance() < 0.8 else None,
            f"{chance() * 100:.1f}" if chance() < 0.6 else None,
        )

    def _amount(self, number: int) -> str:
        if number % 5_000 == 0:
            return f"1234567890{number % 10**6:06}.78"
        return f"{self._random.random() * 10**6:.2f}"

    def _pick(self, pool: Sequence[T]) -> T:
        return pool[int(self._random.random() * len(pool))]
