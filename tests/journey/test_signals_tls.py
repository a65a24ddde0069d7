"""Signals over TLS, with certificates by an authority that only the settings name."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from salesforce_sync.errors import ConfigError, SinkDown
from salesforce_sync.signals import PushComplete, Told
from salesforce_sync.sink_settings import sinks
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.mqtt import Mqtt
from salesforce_sync.sinks.webhook import Webhook
from tests.journey.mosquitto import Broker, Listener, wait_until

TOLD = (Told(1, datetime(2026, 1, 27, tzinfo=UTC), PushComplete(1, 0)),)


def certificate(name, signed_by=None):
    """A key and a certificate for 127.0.0.1; without a signer it is an authority's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (subject, key) if signed_by is None else (signed_by[1].subject, signed_by[0])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return key, builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """The folder with `ca.pem`, and with `server.pem` and `server.key`, which are by it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate("An authority of our own")
    key, server = certificate("127.0.0.1", authority)
    (folder / "ca.pem").write_bytes(authority[1].public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.key").write_bytes(key_text)
    return folder


def settings(folder, **values):
    return sinks([values], folder)[0]


@pytest.fixture
def broker(pem, tmp_path):
    made = Broker(tmp_path, f"certfile {pem}/server.pem\nkeyfile {pem}/server.key\n")
    made.start()
    yield made
    made.stop()


def mqtt_to(broker, pem, **more):
    return Mqtt(
        settings(pem, type="mqtt", host="127.0.0.1", port=broker.port, tls=True, **more), None, Envelope("abc"), None
    )


def test_a_broker_with_a_certificate_of_our_own_authority_is_spoken_to(broker, pem):
    listener = Listener(broker.port, ca_file=pem / "ca.pem")
    sink = mqtt_to(broker, pem, ca_file="ca.pem")
    sink.take(TOLD)
    wait_until(lambda: listener.of("signals/push_complete"))
    online = listener.retained["status"]
    sink.close()
    wait_until(lambda: listener.retained["status"] == "offline")
    listener.close()

    assert online == "online"


def test_a_broker_whose_certificate_nobody_vouches_for_is_told_as_that(broker, pem, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sinks.mqtt.PATIENCE", 0.5)
    sink = mqtt_to(broker, pem)

    with pytest.raises(SinkDown, match="certificate verify failed"):
        sink.take(TOLD)
    sink.close()


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver(pem):
    with HTTPServer(("127.0.0.1", 0), _Taker) as server:
        server.taken = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem / "server.pem", pem / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def webhook_to(receiver, pem, **more):
    url = f"https://127.0.0.1:{receiver.server_address[1]}/hook"
    return Webhook(settings(pem, type="webhook", url=url, allow_private=True, **more), (b"k" * 24,), Envelope("abc"))


def test_a_receiver_with_a_certificate_of_our_own_authority_is_posted_to_and_no_other(receiver, pem):
    webhook_to(receiver, pem, ca_file=str(pem / "ca.pem")).take(TOLD)
    with pytest.raises(SinkDown, match="SSLCertVerificationError"):
        webhook_to(receiver, pem).take(TOLD)

    assert len(receiver.taken) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_is_a_mistake_in_the_settings(broker, pem, tmp_path, content):
    if content is not None:
        (tmp_path / "other.pem").write_text(content)

    with pytest.raises(ConfigError, match=r"other\.pem cannot be read as certificates"):
        mqtt_to(broker, pem, ca_file=str(tmp_path / "other.pem"))


class _Dripper(threading.Thread):
    """Takes one connection, and answers the handshake with a byte now and then."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server_address = self.listener.getsockname()

    def run(self):
        connected, _ = self.listener.accept()
        with connected, suppress(OSError):
            connected.sendall(b"\x16\x03\x03\x40\x00")
            for _ in range(100):
                connected.sendall(b"\x00")
                time.sleep(0.1)


def test_who_drips_bytes_in_the_handshake_is_cut_off(pem, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sinks.webhook.TIMES", 0.5)
    dripper = _Dripper()
    dripper.start()
    began = time.monotonic()
    with pytest.raises(SinkDown, match="did not answer"):
        webhook_to(dripper, pem, timeout_seconds=1).take(TOLD)
    dripper.listener.close()

    assert time.monotonic() - began < 5.0
