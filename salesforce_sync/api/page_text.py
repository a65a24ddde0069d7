"""The text of a page of REST: what it says of itself, and where each of its records begins.

Salesforce writes every record with its attributes first. What stands between two of them can stand in no text, where
a quote has a backslash before it: so the records are found without being read, and counted by their attributes,
wherever these stand. A page that begins in another way is read for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise, starmap
from typing import TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")

_FIRST = b'"records":[{"attributes":{'
_BETWEEN = b'},{"attributes":{'
_OF_EACH = b'"attributes":{'

TOGETHER, AT_ONCE = 32 << 10, 100
"""So many bytes of records, or so many records, are read together."""


class Head(Struct, kw_only=True):
    """What a page says of itself."""

    totalSize: int
    done: bool
    nextRecordsUrl: str | None = None


class _Page(Head, kw_only=True):
    records: list[msgspec.Raw]


_PAGE = msgspec.json.Decoder(_Page)


class Records:
    """The texts of records, one behind the other with a comma between them.

    `cuts` has places where one begins, the first among them, and the one where another would: what lies between two
    cuts is read together.
    """

    def __init__(self, text: bytes, cuts: Sequence[int], count: int) -> None:
        self._text = memoryview(text)
        self._cuts = cuts
        self._count = count

    def __len__(self) -> int:
        return self._count

    def arrays(self) -> Iterator[bytes]:
        """All of them, as JSON arrays of some."""
        return starmap(self._array, pairwise(self._cuts))

    def _array(self, begin: int, end: int) -> bytes:
        return as_array([self._text[begin : end - 1]])


def as_array(records: Iterable[msgspec.Raw | memoryview]) -> bytes:
    """The texts of records as a JSON array."""
    return b"[%b]" % b",".join(records)


def read_page(body: bytes) -> tuple[Head, Records]:
    """The head of a page, and its records; msgspec's error if it is none."""
    return _found(body) or _read(body)


def _found(body: bytes) -> tuple[Head, Records] | None:
    begin, end = body.find(_FIRST), body.rfind(b"}]")
    if begin < 0 or end < begin:
        return None
    begin = body.index(b"[", begin) + 1
    try:
        head = _PAGE.decode(body[:begin] + body[end + 1 :])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    cuts, at = [begin], body.find(_BETWEEN, begin + TOGETHER, end)
    while at >= 0:
        cuts.append(at + 2)
        at = body.find(_BETWEEN, at + TOGETHER, end)
    return head, Records(body, [*cuts, end + 2], body.count(_OF_EACH, begin, end))


def _read(body: bytes) -> tuple[Head, Records]:
    page = decode_mended(_PAGE, body)
    starts = list(accumulate((len(bytes(each)) + 1 for each in page.records), initial=0))
    cuts = [*starts[:-1:AT_ONCE], starts[-1]]
    return page, Records(b",".join(page.records), cuts, len(page.records))


_ESCAPE = re.compile(
    rb"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2}))|.)",
    re.DOTALL,
)
"""An escape in JSON: two halves of one character, a half alone, or any other (so that `\\ud800` is a backslash)."""


def without_halves(body: bytes) -> bytes:
    """The body with U+FFFD for each half of a character that stands alone, as Bulk's UTF-8 has it.

    Texts that were cut at a number of UTF-16 units end so, and JSON can carry what UTF-8 cannot.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)


def decode_mended(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """What the decoder makes of the body; if it makes nothing of it, of the one without halves of characters."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        mended = without_halves(body)
        if mended == body:
            raise
        return decoder.decode(mended)
