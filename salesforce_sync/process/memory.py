"""How a process of ours asks the C library for memory."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's malloc.h


def keep_one_arena() -> None:
    """Let all threads take their memory from one place; to be called before there is a second one.

    glibc gives each thread an arena of its own, up to eight a core. What a thread of one run has given back is then of
    no use to those of the next: a process that syncs and proves a million rows peaks 8 MB higher. It costs a twentieth
    of a first load that the org sends faster than it is stored (docs/performance.md). Elsewhere than on glibc it does
    nothing. `MALLOC_ARENA_MAX=1` in the environment is the same for programs that use this package.
    """
    if sys.platform == "linux":
        limit = getattr(ctypes.CDLL(None), "mallopt", None)
        if limit is not None:
            limit(_ARENA_MAX, 1)
