"""Counts API calls: what the org says in its own header, and what we spent."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

from salesforce_sync.ports import Usage

_API_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


def read_limit_info(header: str) -> tuple[int, int] | None:
    """`(used, limit)` of `Sforce-Limit-Info`; the quota of one app that may follow is not the org's."""
    found = _API_USAGE.search(header)
    return (int(found[1]), int(found[2])) if found else None


class Meter:
    """The usage so far, shared by all workers."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        return self._usage

    def spend(self) -> None:
        """One more call was sent."""
        with self._lock:
            self._usage = replace(self._usage, spent=self._usage.spent + 1)

    def note(self, header: str | None) -> None:
        """Take over what the org said on an answer."""
        said = read_limit_info(header) if header else None
        if said is not None:
            with self._lock:
                self._usage = replace(self._usage, used=said[0], limit=said[1])
