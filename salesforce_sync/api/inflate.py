"""Undoes gzip on the fly, in bounded memory, and tells a whole stream from a cut one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from salesforce_sync.errors import Unreachable

try:  # a third of zlib's CPU; there are no wheels for every machine
    from isal import isal_zlib
except ImportError:  # pragma: no cover
    _new: Any = zlib.decompressobj
    _failures: Any = zlib.error
else:
    _new = isal_zlib.decompressobj
    _failures = (isal_zlib.error, zlib.error)

BLOCK = 1 << 20
_GZIP = 31
_MAGIC = b"\x1f\x8b"


def inflate(raw: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes behind a gzip stream, in blocks of at most 1 MB; `Unreachable` if it is damaged or stops early."""
    machine = _new(_GZIP)
    empty = True
    for chunk in raw:
        empty = empty and not chunk
        while chunk:
            block, chunk = _step(machine, chunk)
            if block:
                yield block
            if machine.eof:
                chunk = machine.unused_data
                # A gzip stream may have several members; anything else after the end is padding.
                if not chunk.startswith(_MAGIC):
                    break
                machine = _new(_GZIP)
    if not (empty or machine.eof):
        yield from _rest(machine)


def _step(machine: Any, chunk: bytes) -> tuple[bytes, bytes]:
    try:
        return machine.decompress(chunk, BLOCK), machine.unconsumed_tail
    except _failures as broken:
        raise Unreachable(f"The answer's compression is damaged: {broken}.") from broken


def _rest(machine: Any) -> Iterator[bytes]:
    """What the machine still holds back; it must come to the end of the stream with it."""
    try:
        block = machine.flush()
    except _failures as broken:
        raise Unreachable(f"The answer's compression is damaged: {broken}.") from broken
    if block:
        yield block
    if not machine.eof:
        raise Unreachable("The answer was cut off before its end.", hint="Check the network; it is asked for again.")
