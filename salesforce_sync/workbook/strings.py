"""A workbook's shared strings: in memory while they are few, on disk beyond that, whatever their number."""

from __future__ import annotations

import re
import struct
import tempfile
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

from salesforce_sync.errors import NotAWorkbook
from salesforce_sync.workbook.package import Package

IN_MEMORY = 8 << 20
"""Bytes of strings that are held; what each takes besides its text is counted too."""

TEXT_AT_MOST = 1 << 20
"""Characters of one cell. Excel allows 32,767; a hostile file may have one of gigabytes."""

_OBJECT = 60
_BLOCK_STRINGS = 128
_BLOCK_BYTES = 1 << 16
_BLOCKS_HELD = 32
_LENGTH = struct.Struct("<I")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def without_entities(text: str) -> str | None:
    """The text that this XML stands for; None if it is for the parser to say what is wrong with it."""
    if text.count("&") != len(_ENTITY.findall(text)):
        return None
    try:
        return _ENTITY.sub(_character, text)
    except (ValueError, OverflowError):
        return None


def _character(found: re.Match[str]) -> str:
    named, decimal, hexadecimal = found.groups()
    if named:
        return _NAMED[named]
    return chr(int(decimal) if decimal else int(hexadecimal, 16))


def unescaped(text: str) -> str:
    """A text without OOXML's `_xHHHH_`; `_x005F_` guards one that is meant literally."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    # Two halves of a character beyond the first plane may have been escaped one by one.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _has_surrogates(plain) else plain


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)


class Strings:
    """The shared strings, by their number. Close them, or their file stays open."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._size = 0
        self._count = 0
        self._file: IO[bytes] | None = None
        self._firsts = array("Q")
        self._places = array("Q")
        self._block: list[bytes] = []
        self._block_size = 0
        self._end = 0
        self._read: OrderedDict[int, list[str]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        """The next one."""
        self._count += 1
        if self._file is None:
            self._held.append(text)
            self._size += len(text) * 2 + _OBJECT
            if self._size > IN_MEMORY:
                self._spill()
            return
        self._put(text)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < self._count:
            raise IndexError(number)
        if self._file is None:
            return self._held[number]
        block = bisect_right(self._firsts, number) - 1
        texts = self._read.get(block)
        if texts is None:
            texts = self._load(block)
        return texts[number - self._firsts[block]]

    def fastest(self) -> Strings | list[str]:
        """The same by number, without a detour while they are in memory; `IndexError` for those that are not there."""
        return self._held if self._file is None else self

    def seal(self) -> None:
        """All are there."""
        if self._block:
            self._flush()

    def close(self) -> None:
        """Forget them."""
        if self._file is not None:
            self._file.close()

    # ── on disk: blocks of strings, each with its length before it ───────────────────────────────────────────────

    def _spill(self) -> None:
        held, self._held = self._held, []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the workbook is read
        self._firsts.append(0)
        self._places.append(0)
        for text in held:
            self._put(text)

    def _put(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        self._block.append(_LENGTH.pack(len(raw)))
        self._block.append(raw)
        self._block_size += len(raw) + _LENGTH.size
        if len(self._block) >= 2 * _BLOCK_STRINGS or self._block_size >= _BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        assert self._file is not None
        self._file.write(b"".join(self._block))
        self._end += self._block_size
        self._firsts.append(self._firsts[-1] + len(self._block) // 2)
        self._places.append(self._end)
        self._block, self._block_size = [], 0

    def _load(self, block: int) -> list[str]:
        assert self._file is not None
        self._file.seek(self._places[block])
        raw = self._file.read(self._places[block + 1] - self._places[block])
        texts, place = [], 0
        while place < len(raw):
            (length,) = _LENGTH.unpack_from(raw, place)
            place += _LENGTH.size
            texts.append(raw[place : place + length].decode("utf-8", "surrogatepass"))
            place += length
        self._read[block] = texts
        if len(self._read) > _BLOCKS_HELD:
            self._read.popitem(last=False)
        return texts


def read_strings(package: Package, part: str) -> Strings:
    """The shared strings of a workbook: plain and rich ones, without the hints on how to pronounce them."""
    strings = Strings()
    for text in _texts(package, part):
        strings.add(text)
    strings.seal()
    return strings


_PLAIN = re.compile(r'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_ENDS = b"</si>"


def _pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The part, cut behind strings as far as they have an end that can be seen; the first piece by itself."""
    rest = b""
    for block in blocks:
        rest += block
        end = rest.rfind(_ENDS)
        if end >= 0 or len(rest) > TEXT_AT_MOST * 4:
            end = end + len(_ENDS) if end >= 0 else len(rest) - len(_ENDS)
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _usual(raw: bytes) -> list[str] | None:
    """The strings of this piece, if it is nothing but strings as programs usually write them."""
    try:
        body = raw.decode()
    except UnicodeDecodeError:
        return None
    found = _PLAIN.findall(body)
    if "\r" in body or body.count("<") != 4 * len(found):
        return None
    if "&" in body:
        plain = [without_entities(text) for text in found]
        if None in plain:
            return None
        found = plain
    return [unescaped(text) for text in found] if "_x" in body else found


def _texts(package: Package, part: str) -> Iterator[str]:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    done: list[str] = []
    runs: list[str] = []
    heard: list[str] = []
    inside = {"t": False, "rPh": False}
    size = 0

    def start(tag: str, _: object) -> None:
        nonlocal size
        name = tag.rpartition(" ")[2]
        if name == "si":
            runs.clear()
            size = 0
        elif name in inside:
            inside[name] = True
            heard.clear()

    def chars(text: str) -> None:
        nonlocal size
        if inside["t"]:
            size += len(text)
            if size > TEXT_AT_MOST:
                raise too_long(package)
            heard.append(text)

    def end(tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "t":
            inside["t"] = False
            if not inside["rPh"]:
                runs.extend(heard)
        elif name == "rPh":
            inside["rPh"] = False
        elif name == "si":
            done.append(unescaped("".join(runs)))

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, chars
    feed = package.feed(part, parser)
    begun = usual = False
    for piece in _pieces(package.read(part)):
        texts = _usual(piece) if usual else None
        if texts is not None:
            yield from texts
            continue
        feed(piece)
        yield from done
        done.clear()
        # What looks like a string may be within a comment from here on; the first piece begins with a declaration.
        usual = (usual or not begun) and b"<!" not in piece and (b"<?" not in piece or not begun)
        begun = True
    feed.end()


def too_long(package: Package) -> NotAWorkbook:
    """A cell's text that no spreadsheet program would have written."""
    return NotAWorkbook(
        f"{package.path.name} cannot be read: a cell has more than {TEXT_AT_MOST:,} characters.",
        hint="Excel allows 32,767. Open it in Excel or LibreOffice and save it as .xlsx once more.",
    )
