"""Mishaps that a test has ordered, each for one call."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

Call = Literal["pull", "describe", "objects", "poll", "deletions", "write", "recover", "created", "user_id"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Raise `error`, end the pull after the page ("cut"), or leave the page's last row out ("short").

    Or lose the answer of a call that writes ("lost"), of which the first `rows` orders are done (None: all).
    """

    kind: Literal["raise", "cut", "short", "lost"]
    call: Call
    object_name: str | None = None
    page: int = 1
    error: Exception | None = None
    rows: int | None = None


class Faults:
    """The mishaps that have not happened yet."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Order one."""
        with self._lock:
            self._waiting.append(fault)

    def take(self, call: Call, object_name: str | None, page: int) -> Fault | None:
        """The first one for this call, which has then happened."""
        with self._lock:
            for fault in self._waiting:
                if (fault.call, fault.page) == (call, page) and fault.object_name in (None, object_name):
                    self._waiting.remove(fault)
                    return fault
        return None

    def waits(self, call: Call, object_name: str) -> bool:
        """Whether a mishap is ordered for this call of this very object."""
        with self._lock:
            return any((fault.call, fault.object_name) == (call, object_name) for fault in self._waiting)

    def clear(self) -> None:
        """Let nothing happen any more."""
        with self._lock:
            self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)
