"""Files that people go on with: one that was saved since we wrote it is never replaced, it is kept beside the new one.

What tells is the file's time: we give it one that ends in half a second sharp, and whoever saves it gives it another.
"""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

_SECOND: Final = 1_000_000_000
_HALF: Final = _SECOND // 2


def sign(stream: BinaryIO) -> None:
    """Give the file that was written here the time by which it is known again."""
    stream.flush()
    stamp = time.time_ns() // _SECOND * _SECOND - _HALF  # never in the future
    os.utime(stream.fileno(), ns=(stamp, stamp))


def keep_edited(file: Path, new: BinaryIO) -> Path | None:
    """Give a file that is there, and is not as it was written, another name: `plan.edited.xlsx`. None if there is none.

    `new`, which is signed, will take its place. Where a file can have two names it has both until then.
    """
    if not file.exists() or _fraction(file.stat()) == _fraction(os.fstat(new.fileno())):
        return None
    for number in count(1):
        kept = file.with_name(f"{file.stem}.edited{f'-{number}' if number > 1 else ''}{file.suffix}")
        try:
            os.link(file, kept)
        except FileExistsError:
            continue
        except OSError:  # no hard links on this disk
            if kept.exists():
                continue
            file.rename(kept)
        return kept
    raise AssertionError("numbers do not end")


def _fraction(found: os.stat_result) -> int:
    return found.st_mtime_ns % _SECOND
