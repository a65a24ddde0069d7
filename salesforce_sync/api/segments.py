"""Cuts a stream of CSV bytes into segments at record boundaries, without looking at rows. Pure.

A newline ends a record only outside quotes, and it is outside when the quotes before it are even in number (a quote
inside a value is doubled). So a block costs one count of its quotes, and only a cut searches for a newline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from salesforce_sync.errors import Unreachable

_LONGEST_HEADER = 1 << 20


def split_header(blocks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """Read the stream up to the end of its first line: that line with its newline, and what was read beyond it.

    Column names hold no newline, so the first one ends the header. Without any, all of the stream is the header.
    """
    held = b""
    for block in blocks:
        held += block
        end = held.find(b"\n") + 1
        if end:
            return held[:end], held[end:]
        if len(held) > _LONGEST_HEADER:
            raise Unreachable("The result has no header row.")
    return held, b""


def cut(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """The stream's bytes in order, and after each piece whether a segment ends there.

    A segment ends after a whole record, as soon as it has about `size` bytes. `Unreachable` if the stream ends inside a
    quoted value.
    """
    inside = False
    held = 0
    for block in blocks:
        opens = inside ^ _odd_quotes(block)
        end = last_boundary(block, opens) if held + len(block) >= size else 0
        if end:
            yield block[:end], True
            block = block[end:]
            held = 0
        if block:
            yield block, False
            held += len(block)
        inside = opens
    if inside:
        raise Unreachable("The result was cut off inside a value.", hint="Check the network and try again.")


def last_boundary(block: bytes, inside_at_end: bool) -> int:
    """How many bytes of the block come up to and with the last newline that ends a record; 0 where none does."""
    inside = inside_at_end
    end = len(block)
    while (newline := block.rfind(b"\n", 0, end)) >= 0:
        inside ^= _odd_quotes(block, newline, end)
        if not inside:
            return newline + 1
        end = newline
    return 0


def _odd_quotes(block: bytes, start: int = 0, end: int | None = None) -> bool:
    return bool(block.count(b'"', start, len(block) if end is None else end) & 1)
