"""mosquitto as a process of its own, and somebody else who is connected to it."""

import getpass
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def wait_until(happened, seconds=30):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


class Broker:
    """mosquitto on a free port, with its retained messages and sessions in a folder."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self._program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        kept = f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
        # As root it would become a user who may not write here, and forget the sessions with each stop.
        kept += f"user {getpass.getuser()}\n"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{kept}{more}")
        self._process = None

    def start(self) -> None:
        self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Listener:
    """Somebody else at the broker: what came by topic, and what is retained there."""

    def __init__(self, port: int, ca_file: Path | None = None) -> None:
        self.heard, self.retained = [], {}
        listens = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
        self._client.on_connect = lambda client, *_: client.subscribe("salesforce-sync/#", qos=1)
        # What is published before the broker has said so would pass it.
        self._client.on_subscribe = lambda *_: listens.set()
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        if ca_file is not None:
            self._client.tls_set(str(ca_file))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert listens.wait(30)

    def _hear(self, _client, _data, message):
        topic = message.topic.removeprefix("salesforce-sync/")
        if topic == "status":
            self.retained[topic] = message.payload.decode()
        self.heard.append((topic, message.payload.decode()))

    def of(self, topic):
        return [payload for at, payload in self.heard if at == topic]

    def say(self, text):
        self._client.publish("salesforce-sync/in", text, qos=1).wait_for_publish(5)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
