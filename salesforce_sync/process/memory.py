"""How a process of ours asks the C library for memory."""

from __future__ import annotations

import ctypes
import sys

import apsw

# From glibc's malloc.h.
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
_LARGE_BYTES = 128 << 10  # with which glibc begins


def spare_memory() -> None:
    """Let what was given back be of use again, or leave the process; to be called before there is a second thread.

    glibc gives each thread an arena of its own, up to eight a core. What a thread of one run has given back is then of
    no use to those of the next: a process that syncs and proves a million rows peaks 8 MB higher. And once a large
    block was given back, such blocks come from among the small ones, where holes stay: a first load grew by 7 MB with
    each million rows. One arena costs a twentieth of a first load that the org sends faster than it is stored
    (docs/performance.md). Elsewhere than on glibc this does nothing. `MALLOC_ARENA_MAX=1` and
    `MALLOC_MMAP_THRESHOLD_=131072` in the environment are the same for programs that use this package.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_ARENA_MAX, 1)
            set_option(_MMAP_THRESHOLD, _LARGE_BYTES)


def leave_uncounted() -> None:
    """Let SQLite not count the memory that it takes; to be called before a database is opened, or nothing is done.

    It would do so under one lock for all threads: some 6 % of the CPU of a first load (docs/performance.md). What
    SQLite says of its memory is then 0, and limits of it are not kept, so this is for processes of ours
    (https://www.sqlite.org/c3ref/c_config_covering_index_scan.html#sqliteconfigmemstatus).
    """
    if not apsw.connections():
        apsw.shutdown()
        apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
        apsw.initialize()
