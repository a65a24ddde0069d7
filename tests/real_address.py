"""An org that has the address of a real one: a proxy of our own leads there, with a certificate that tests trust."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder, hosts):
    """A self-signed certificate for these hosts, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "proxy.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


class Proxy:
    """Takes CONNECT to any host, ends the TLS itself, and hands on to one port of this machine."""

    def __init__(self, pem, port):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                came, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(came,), daemon=True).start()

    def _serve(self, came):
        head = b""
        while b"\r\n\r\n" not in head:
            head += came.recv(4096)
        came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        secured = self._context.wrap_socket(came, server_side=True)
        with came, secured as secure, socket.create_connection(("127.0.0.1", self._to)) as behind:
            back = threading.Thread(target=self._pump, args=(behind, secure), daemon=True)
            back.start()
            self._pump(secure, behind)
            back.join()

    @staticmethod
    def _pump(source, target):
        try:
            while block := source.recv(65_536):
                target.sendall(block)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listening.close()
