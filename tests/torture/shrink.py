"""Leaves out steps of a failing history as long as it still breaks the same rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.torture.history import Step

Fails = Callable[[Sequence[Step]], bool]


def shrink(steps: Sequence[Step], fails: Fails) -> tuple[Step, ...]:
    """The fewest steps found that still fail: large pieces are left out first, then single steps, until none can."""
    kept = list(steps)
    size = max(1, len(kept) // 2)
    while True:
        kept, less = _without_pieces(kept, size, fails)
        if size == 1 and not less:
            return tuple(kept)
        size = max(1, size // 2)


def _without_pieces(steps: list[Step], size: int, fails: Fails) -> tuple[list[Step], bool]:
    kept, at, less = list(steps), len(steps) - size, False
    while kept and at > -size:
        shorter = kept[: max(0, at)] + kept[max(0, at) + size :]
        if len(shorter) < len(kept) and fails(shorter):
            kept, less = shorter, True
        at -= size
    return kept, less
