"""The key pair for a JWT login: made here, the private half never leaves this machine."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from salesforce_sync.errors import StoreTrouble

LIFE: Final = timedelta(days=3650)
_BITS: Final = 2048


class JwtKey(Struct, frozen=True):
    """Two files in PEM form: the private key, and the certificate that goes to Salesforce."""

    key_file: Path
    certificate_file: Path


def files_beside(database: Path) -> JwtKey:
    """Where the pair of this database is, if it was made."""
    return JwtKey(
        database.with_name(f"{database.name}.jwt-key.pem"),
        database.with_name(f"{database.name}.jwt-certificate.pem"),
    )


def make(pair: JwtKey, now: datetime) -> JwtKey:
    """Make both files, 0600 from their first byte. A key that is there stays: its certificate may be in use."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if pair.key_file.exists() and pair.certificate_file.exists():
        return pair
    if pair.key_file.exists():
        hint = "Move it away if it is not in use, and try again."
        raise StoreTrouble(f"There is a key {pair.key_file} without its certificate.", hint=hint)
    pair.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pair.certificate_file.unlink(missing_ok=True)  # of a key that is gone
    _write_new(pair.certificate_file, _certificate(key, now))
    _write_new(pair.key_file, pem)  # last: where there is a key, there is its certificate
    return pair


def _certificate(key: object, now: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509.oid import NameOID

    assert isinstance(key, RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "salesforce-sync")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + LIFE)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _write_new(file: Path, content: bytes) -> None:
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as failed:
        hint = "Check the folder, its rights and the room on its disk."
        raise StoreTrouble(f"{file} cannot be written: {failed.strerror}.", hint=hint) from failed
