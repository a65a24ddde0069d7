"""A request that dies after some of its rows: what it has saved stays saved, the rest is never looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class BrokenOff(Exception):
    """The request died between two rows; its answer will never come."""


@dataclass(slots=True)
class _Left:
    rows: int


_LEFT: ContextVar[_Left | None] = ContextVar("rows that are still dealt with", default=None)


@contextmanager
def after_rows(count: int) -> Iterator[None]:
    """Let the writes of the block die once so many rows, of all its parts together, have been dealt with."""
    token = _LEFT.set(_Left(count))
    try:
        yield
    finally:
        _LEFT.reset(token)


def may_go_on() -> bool:
    """Return whether one more row may be dealt with, and count it."""
    left = _LEFT.get()
    if left is None:
        return True
    left.rows -= 1
    return left.rows >= 0
