"""What systemd wants to know of a service: ready, status, still alive (sd_notify(3)). Elsewhere nothing is sent."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

SILENCE = 600.0
"""Seconds without a sign of life after which the watchdog is no longer told that all is well."""


class Notifier:
    """Tells the service manager that is named in the environment."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An address of the abstract namespace is written with @ for its first byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every = _watchdog_seconds(environ) / 3
        self._alive = time.monotonic()
        self._ended = threading.Event()
        self._is_ready = False

    def ready(self) -> None:
        """The service is up; from now on the watchdog is kept quiet for as long as there are signs of life."""
        if self._is_ready:
            return
        self._is_ready = True
        self._send("READY=1")
        if self._every and self._address:
            threading.Thread(target=self._keep_quiet, name="watchdog", daemon=True).start()

    def status(self, text: str) -> None:
        """What it is doing, in one line."""
        self._send(f"STATUS={' '.join(text.split())}")

    def beat(self) -> None:
        """A sign of life."""
        self._alive = time.monotonic()

    def stopping(self) -> None:
        """It is about to end."""
        self._ended.set()
        self._send("STOPPING=1")

    def _keep_quiet(self) -> None:
        while True:
            if time.monotonic() - self._alive < SILENCE:
                self._send("WATCHDOG=1")
            if self._ended.wait(self._every):
                return

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A manager that does not listen must not end what it manages.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(1.0)
            to.sendto(message.encode(), self._address)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0
