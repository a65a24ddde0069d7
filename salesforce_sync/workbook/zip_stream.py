"""A ZIP file written part by part, each part streamed: memory does not grow with a part's size.

Python's own `zipfile` has to know before it writes a part whether it will be larger than 4 GB; a sheet's size is known
only at its end. Here every part reserves the room for the longer form, as Microsoft's own packages do ("growth hint"),
and its header is completed afterwards. Compressed by isal where it is there, which is several times as fast as zlib.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, Final

from msgspec import Struct

try:
    from isal import isal_zlib as deflate
except ImportError:  # isal has no wheel for every machine
    import zlib as deflate  # type: ignore[no-redef]

LONG_FROM = 0xFFFF_FFFF
"""Sizes and offsets from here on need the long form."""

_SEE_LONG: Final = 0xFFFF_FFFF
"""Stands in the short form where only the long one can say it."""

_LEVEL: Final = 2
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_LONG_END: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_LONG_SIZES: Final = struct.Struct("<2H2Q")
_RESERVED: Final = struct.pack("<4H12x", 0xA220, 16, 0xA028, 12)
_DEFLATED: Final = 8
_UTF8_NAME: Final = 1 << 11
_SHORT, _LONG = 20, 45
"""The version of the format that a reader must know."""


class _Part(Struct):
    name: bytes
    offset: int
    crc: int = 0
    packed: int = 0
    size: int = 0

    @property
    def long(self) -> bool:
        return max(self.packed, self.size) >= LONG_FROM


class PartWriter:
    """Takes a part's bytes."""

    def __init__(self, out: BinaryIO, part: _Part) -> None:
        self._out = out
        self._part = part
        self._packer: Any = deflate.compressobj(_LEVEL, zlib.DEFLATED, -15)

    def write(self, content: bytes) -> None:
        self._part.crc = zlib.crc32(content, self._part.crc)
        self._part.size += len(content)
        self._put(self._packer.compress(content))

    def finish(self) -> None:
        self._put(self._packer.flush())

    def _put(self, packed: bytes) -> None:
        self._part.packed += len(packed)
        self._out.write(packed)


class ZipStream:
    """A new ZIP file on a stream that can seek."""

    def __init__(self, out: BinaryIO, moment: datetime) -> None:
        self._out = out
        self._parts: list[_Part] = []
        day = (max(moment.year, 1980) - 1980) << 9 | moment.month << 5 | moment.day
        self._stamp = (moment.hour << 11 | moment.minute << 5 | moment.second // 2, day)

    def add(self, name: str, content: bytes) -> None:
        """Add a part that is here already."""
        with self.part(name) as writer:
            writer.write(content)

    @contextmanager
    def part(self, name: str) -> Iterator[PartWriter]:
        """Add a part that comes in pieces."""
        part = _Part(name.encode(), self._out.tell())
        self._out.write(self._local_header(part))
        writer = PartWriter(self._out, part)
        yield writer
        writer.finish()
        end = self._out.tell()
        self._out.seek(part.offset)
        self._out.write(self._local_header(part))
        self._out.seek(end)
        self._parts.append(part)

    def finish(self) -> None:
        """Write the directory; the file is whole then."""
        start = self._out.tell()
        for part in self._parts:
            self._out.write(self._central_entry(part))
        size, count = self._out.tell() - start, len(self._parts)
        if start >= LONG_FROM:
            self._out.write(_LONG_END.pack(b"PK\6\6", 44, _LONG, _LONG, 0, 0, count, count, size, start))
            self._out.write(_LOCATOR.pack(b"PK\6\7", 0, start + size, 1))
        self._out.write(_END.pack(b"PK\5\6", 0, 0, count, count, size, _SEE_LONG if start >= LONG_FROM else start, 0))

    def _local_header(self, part: _Part) -> bytes:
        sizes = (_SEE_LONG, _SEE_LONG) if part.long else (part.packed, part.size)
        version, extra = (_LONG, _LONG_SIZES.pack(1, 16, part.size, part.packed)) if part.long else (_SHORT, _RESERVED)
        head = (b"PK\3\4", version, _UTF8_NAME, _DEFLATED, *self._stamp, part.crc, *sizes, len(part.name), len(extra))
        return _LOCAL.pack(*head) + part.name + extra

    def _central_entry(self, part: _Part) -> bytes:
        long = [(part.size, part.long), (part.packed, part.long), (part.offset, part.offset >= LONG_FROM)]
        wide = [number for number, needed in long if needed]
        extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        size, packed, offset = (_SEE_LONG if needed else number for number, needed in long)
        version = _LONG if wide else _SHORT
        head = (b"PK\1\2", version, version, _UTF8_NAME, _DEFLATED, *self._stamp, part.crc, packed, size)
        tail = (len(part.name), len(extra), 0, 0, 0, 0, offset)
        return _CENTRAL.pack(*head, *tail) + part.name + extra
