"""The package within an encrypted workbook, sealed and opened piece by piece: msoffcrypto would hold all of it.

[MS-OFFCRYPTO] 2.3.4.15: the plain size in eight bytes, then segments of 4096 bytes, each with a start of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Iterator
from typing import IO, Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SEGMENT: Final = 4096
_AES_BLOCK: Final = 16
_SIZE: Final = struct.Struct("<Q")
_MINI: Final = 4096
"""Streams below that are kept together in another place, and are small enough to be held."""

_HMAC_KEY: Final = bytes.fromhex("5fb2ad010cb9e1f6")
_HMAC_VALUE: Final = bytes.fromhex("a0677f02b22c8433")


# ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────────


def unseal(ole: Any, key: bytes, salt: bytes, hash_name: str, out: IO[bytes]) -> None:
    """Write the package that is in this OLE file, decrypted; `ValueError` or `OSError` if the file is damaged."""
    pieces = _segments(ole)
    (left,) = _SIZE.unpack(next(pieces, b""))
    for number, piece in enumerate(pieces):
        opened = _cipher(key, salt, number, hash_name).decryptor().update(piece)
        out.write(opened[:left])
        left -= len(opened)
        if left <= 0:
            return
    if left:
        raise ValueError("the encrypted package is cut")


def _segments(ole: Any) -> Iterator[bytes]:
    """The first eight bytes of the package, then its segments."""
    held, wanted = bytearray(), _SIZE.size
    for piece in _stream(ole, "EncryptedPackage"):
        held += piece
        while len(held) >= wanted:
            yield bytes(held[:wanted])
            del held[:wanted]
            wanted = SEGMENT
    if held:
        yield bytes(held[: len(held) // _AES_BLOCK * _AES_BLOCK])


def _stream(ole: Any, name: str) -> Iterator[bytes]:
    """The bytes of a stream of the root, sector by sector."""
    entry = next((each for each in ole.direntries if each is not None and each.name == name), None)
    if entry is None or entry.size < _MINI:
        yield ole.openstream(name).read()
        return
    size, sector, left = ole.sector_size, entry.isectStart, entry.size
    while left > 0:
        if not 0 <= sector < len(ole.fat):
            raise OSError("the encrypted package is cut")
        ole.fp.seek((sector + 1) * size)
        piece = ole.fp.read(min(size, left))
        if not piece:
            raise OSError("the encrypted package is cut")
        yield piece
        left, sector = left - len(piece), ole.fat[sector]


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Sealed:
    """A plain package as the encrypted stream that it becomes: made anew each time it is read, held never."""

    def __init__(self, plain: IO[bytes], key: bytes, salt: bytes) -> None:
        self._plain, self._key, self._salt = plain, key, salt
        self._size = plain.seek(0, 2)

    def __len__(self) -> int:
        return _SIZE.size + -(-self._size // _AES_BLOCK) * _AES_BLOCK

    def __iter__(self) -> Iterator[bytes]:
        self._plain.seek(0)
        yield _SIZE.pack(self._size)
        for number in range(-(-self._size // SEGMENT)):
            piece = self._plain.read(SEGMENT)
            padded = piece + bytes(-len(piece) % _AES_BLOCK)
            yield _cipher(self._key, self._salt, number, "SHA512").encryptor().update(padded)


def seal(plain: IO[bytes], password: str, out: IO[bytes]) -> None:
    """Write the package once more, encrypted (AES-256, as Excel does)."""
    from msoffcrypto.method.ecma376_agile import ECMA376Agile

    info, key = ECMA376Agile.generate_encryption_parameters(password)
    salt = info.keyData.saltValue
    sealed = Sealed(plain, key, salt)
    proof_key = secrets.token_bytes(64)
    mac = hmac.new(proof_key, digestmod="sha512")
    for piece in sealed:
        mac.update(piece)
    info.encryptedHmacKey = _whole(key, salt, _HMAC_KEY, proof_key)
    info.encryptedHmacValue = _whole(key, salt, _HMAC_VALUE, mac.digest())
    told = info.getEncryptionDescriptorHeader() + info.toEncryptionDescriptor().encode()
    _container(sealed, told, out)


def _container(sealed: Sealed, told: bytes, out: IO[bytes]) -> None:
    """Write the OLE file around it."""
    from msoffcrypto.method.container.ecma376_encrypted import ECMA376Encrypted, ECMA376EncryptedLayout

    class Grown(ECMA376EncryptedLayout):  # type: ignore[misc]
        """Of a file that has its size, and is zeros, before anything is written: else as many would be held at once."""

        totalSize = 0

    class Container(ECMA376Encrypted):  # type: ignore[misc]
        def _detect_sector_num(self, layout: Any) -> None:
            super()._detect_sector_num(layout)
            out.truncate(layout.totalSize)
            layout.__class__ = Grown

    Container(sealed, told)._write_to(_Pieces(out))


class _Pieces:
    """A file that takes a `Sealed` for bytes."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.seek, self.tell = out.seek, out.tell

    def write(self, data: bytes | Sealed) -> None:
        """Write it, piece by piece."""
        if isinstance(data, Sealed):
            for piece in data:
                self._out.write(piece)
        else:
            self._out.write(data)


def _whole(key: bytes, salt: bytes, purpose: bytes, data: bytes) -> bytes:
    start = hashlib.sha512(salt + purpose).digest()[:_AES_BLOCK]
    return Cipher(algorithms.AES(key), modes.CBC(start)).encryptor().update(data)


def _cipher(key: bytes, salt: bytes, number: int, hash_name: str) -> Cipher[modes.CBC]:
    start = hashlib.new(hash_name.lower(), salt + struct.pack("<I", number)).digest()[:_AES_BLOCK]
    return Cipher(algorithms.AES(key), modes.CBC(start))
