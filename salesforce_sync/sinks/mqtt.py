"""MQTT: signals by QoS 1, a retained status with a last will, and signals of others on their way in."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from salesforce_sync.errors import ConfigError, SinkDown, SyncError
from salesforce_sync.signals import SignalRefused, Told
from salesforce_sync.sink_settings import SinkSettings
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.inbound import MOST_BYTES, Reply
from salesforce_sync.sinks.trust import trusting

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

log = logging.getLogger(__name__)

Ask = Callable[[bytes], Reply]
"""Takes what came in, and says what became of it."""

PATIENCE = 10.0
"""Seconds for an acknowledgement."""

ONLINE, OFFLINE = b"online", b"offline"


class Mqtt:
    """Publishes to one broker under `topic`: `signals/NAME`, `status`, `answers`; hears what comes at `in`."""

    most = 100

    def __init__(self, settings: SinkSettings, password: str | None, envelope: Envelope, ask: Ask | None) -> None:
        """`ask` is called with what comes in; None: nothing is listened to."""
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "MQTT needs a package that is not installed.", hint="pip install 'salesforce-sync[mqtt]'"
            ) from error
        self._settings = settings
        self._tls = trusting(settings.ca_file) if settings.tls else None
        self._password = password
        self._envelope = envelope
        self._ask = ask
        self._client: Client | None = None
        self._connected = threading.Event()
        self._refused = self._failed = ""

    def take(self, signals: Sequence[Told]) -> None:
        client = self._open()
        sent = [
            client.publish(self._topic(f"signals/{told.signal.name}"), self._envelope.body(told), qos=1)
            for told in signals
        ]
        try:
            for each in sent:
                each.wait_for_publish(PATIENCE)
                if not each.is_published():
                    raise self._down("no acknowledgement came")
        except (RuntimeError, ValueError) as error:
            raise self._down(str(error)) from error

    def look(self) -> None:
        """Stay connected: the retained status says whether somebody is here, and others may have something to say."""
        self._open()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._connected.is_set():
            client.publish(self._topic("status"), OFFLINE, qos=1, retain=True).wait_for_publish(1.0)
        client.disconnect()
        client.loop_stop()

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> Client:
        """A connection that is up; once begun, it is taken up again by itself."""
        if self._client is None:
            self._client = self._begin()
        if not self._connected.wait(PATIENCE if not self._refused else 0.5):
            raise self._down(self._refused or self._failed or "not connected")
        return self._client

    def _begin(self) -> Client:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        settings = self._settings
        # The session stays with the broker: what comes for us while we are away waits there.
        name = f"salesforce-sync-{self._envelope.replica}-{settings.name}"
        client = Client(CallbackAPIVersion.VERSION2, name, clean_session=False, protocol=MQTTv311)
        if settings.username:
            client.username_pw_set(settings.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._topic("status"), OFFLINE, qos=1, retain=True)
        client.max_queued_messages_set(2 * self.most)
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        try:
            client.connect_async(settings.host, settings.port or (8883 if settings.tls else 1883), keepalive=30)
            client.loop_start()
        except (OSError, ValueError) as error:
            raise self._down(str(error)) from error
        return client

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        self._refused = self._failed = ""
        client.publish(self._topic("status"), ONLINE, qos=1, retain=True)
        if self._ask is not None:
            client.subscribe(self._topic("in"), qos=1)
        self._connected.set()

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._failed = str(sys.exception() or "")  # it is called while the error is handled

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self._connected.clear()

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        if self._ask is None:
            return
        answer = self._asked(self._ask, bytes(message.payload[: MOST_BYTES + 1]))
        client.publish(self._topic("answers"), msgspec.json.encode(answer), qos=1)

    def _asked(self, ask: Ask, text: bytes) -> Reply:
        """What became of it. Never raises: the client's thread would end, and nothing would go or come any more."""
        try:
            return ask(text)
        except SyncError as error:
            why = error.message
        except Exception:  # a mistake in taking one must not end the connection
            log.exception("A signal that came by MQTT could not be taken")
            why = "it could not be taken; the log says why"
        refused = SignalRefused(why)
        return Reply(False, refused.name, refused.line(self._envelope.target, self._envelope.source))

    def _topic(self, name: str) -> str:
        return f"{self._settings.topic}/{name}"

    def _down(self, why: str) -> SinkDown:
        return SinkDown(f"{self._settings.host} (MQTT): {why}.")
