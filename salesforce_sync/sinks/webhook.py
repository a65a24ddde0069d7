"""Webhooks: each signal is posted by itself, signed, to an address that was looked at."""

from __future__ import annotations

import http.client
import math
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from salesforce_sync.errors import SinkDown, SinkRefused
from salesforce_sync.signals import Told
from salesforce_sync.sink_settings import SinkSettings
from salesforce_sync.sinks.addresses import resolve
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.signing import signature
from salesforce_sync.sinks.trust import trusting

TRY_AGAIN = frozenset({408, 425, 429})
GONE = 410
LONGEST_WAIT = 3600.0
MOST_OF_AN_ANSWER = 64 * 1024
TIMES = 3.0
"""So many times its time-out is what a receiver has for everything, from the handshake to the end of its answer."""


class Webhook:
    """Posts to one URL. Redirects are not followed: where they lead to was not looked at."""

    most = 1

    def __init__(self, settings: SinkSettings, keys: tuple[bytes, ...], envelope: Envelope) -> None:
        self._settings = settings
        self._keys = keys
        self._envelope = envelope
        parts = urlsplit(settings.url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._netloc = parts.netloc
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = trusting(settings.ca_file) if self._secure else None

    def take(self, signals: Sequence[Told]) -> None:
        for told in signals:
            self._post(told)

    def _post(self, told: Told) -> None:
        body = self._envelope.body(told)
        now = int(time.time())
        message_id = self._envelope.id_of(told)
        headers = {
            "Host": self._netloc,
            "Content-Type": self._envelope.content_type,
            "User-Agent": "salesforce-sync",
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._keys, message_id, now, body),
        }
        try:
            status, retry_after = self._send(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise SinkDown(f"{self._host} did not answer: {type(error).__name__}.") from error
        if 200 <= status < 300:
            return
        if status == GONE:
            # Standard Webhooks: no more is to be sent. What waits is kept, in case it was somebody's mistake.
            back = f"once it is back, run 'salesforce-sync signals retry {self._settings.name}'"
            text = f"{self._host} wants no more signals (410). Take it out of the settings, or, {back}."
            raise SinkDown(text, retry_after=LONGEST_WAIT)
        if status in TRY_AGAIN or status >= 500:
            raise SinkDown(f"{self._host} answered {status}.", retry_after=retry_after)
        raise SinkRefused(f"{self._host} answered {status}.")

    def _send(self, body: bytes, headers: dict[str, str]) -> tuple[int, float | None]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._settings.timeout_seconds)
        plain = self._connect()
        held = plain.dup()  # TLS takes the other one over
        # A time-out is of one read: who sends a byte a second, in the handshake too, would keep us for hours.
        cut = threading.Timer(TIMES * self._settings.timeout_seconds, _cut, (held,))
        cut.daemon = True
        cut.start()
        try:
            connection.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self._host)
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            answer.read(MOST_OF_AN_ANSWER)  # somebody may hang up on who does not read
            return answer.status, _seconds(answer.headers.get("Retry-After"))
        finally:
            cut.cancel()
            for each in (connection, plain, held):
                each.close()

    def _connect(self) -> socket.socket:
        addresses = resolve(self._host, self._port, allow_private=self._settings.allow_private)
        last: OSError | None = None
        for each in addresses:
            try:
                return socket.create_connection(each.where, timeout=self._settings.timeout_seconds)
            except OSError as error:
                last = error
        raise last or OSError("no address")

    def look(self) -> None:
        """Nothing to look at."""

    def close(self) -> None:
        """Nothing is kept open between two signals."""


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _seconds(header: str | None) -> float | None:
    """`Retry-After` where it is a number of seconds, within bounds."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None
