"""Sinks on this machine: lines of the log, and a file of JSON lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from salesforce_sync.errors import SinkDown
from salesforce_sync.signals import Told
from salesforce_sync.sinks.envelope import Envelope

log = logging.getLogger("salesforce_sync.signal")

AT_ONCE = 1000


class LogLines:
    """Every signal is a line of the log `salesforce_sync.signal`, at level INFO."""

    most = AT_ONCE

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def take(self, signals: Sequence[Told]) -> None:
        for told in signals:
            log.info("%s", self._envelope.line(told), extra={"signal": self._envelope.document(told)})

    def look(self) -> None:
        """Nothing to look at."""

    def close(self) -> None:
        """Nothing to give up."""


class JsonLines:
    """A file with one JSON object a line, readable to its owner only.

    Once it has grown to so many bytes it becomes FILE.1 before more is written, and a new one begins. It is opened anew
    for each batch, so that somebody else may move it away.
    """

    most = AT_ONCE

    def __init__(self, path: Path, envelope: Envelope, max_bytes: int) -> None:
        self._path = path
        self._envelope = envelope
        self._max_bytes = max_bytes

    def take(self, signals: Sequence[Told]) -> None:
        lines = b"".join(self._envelope.body(told) + b"\n" for told in signals)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room()
            self._append(lines)
        except OSError as error:
            raise SinkDown(f"{self._path} cannot be written: {error.strerror}.") from error

    def _make_room(self) -> None:
        # Before a batch: if it failed after one, that would be written again and again.
        with suppress(FileNotFoundError):
            if self._path.stat().st_size >= self._max_bytes:
                os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))

    def _append(self, lines: bytes) -> None:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a kill has cut the last line
            try:
                _write_all(handle, b"\n" + lines if torn else lines)
            except OSError:
                os.ftruncate(handle, size)  # a full disk has cut it, and each new try would leave a piece more
                raise
            os.fsync(handle)
        finally:
            os.close(handle)

    def look(self) -> None:
        """Nothing to look at."""

    def close(self) -> None:
        """Nothing to give up."""


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
