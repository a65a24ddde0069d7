"""`Vault`: the connection and the current session, encrypted in a file beside the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import ConfigError, NotConnected
from salesforce_sync.models.connection import Connection, Session, fingerprint
from salesforce_sync.storage.private_files import give_back, locked, read_private, replace_private, reserve

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

log = logging.getLogger(__name__)

KEY_VARIABLE = "SF_SYNC_KEY"
CREDENTIAL = "sf_sync_key"
_CONNECT_AGAIN = "Run `salesforce-sync connect` again."


class _Kept(Struct, frozen=True):
    """What the file holds, once decrypted."""

    connection: Connection | None = None
    session: Session | None = None


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_KEPT = msgspec.json.Decoder(_Kept)


class Vault:
    """Keeps secrets for the database at `db_path`; several processes and threads may use one vault at once.

    Files, all 0600 from their first byte: `<database>.connection`, and `<database>.key` unless `sync_key`, the
    environment's SF_SYNC_KEY or systemd's credential `sf_sync_key` gives the key: one or more Fernet keys with commas
    between, of which the first encrypts and all decrypt. A key file that is there decrypts too, so that the others can
    take over at any time.
    """

    def __init__(self, db_path: Path, *, sync_key: str | None = None) -> None:
        self._file = db_path.with_name(f"{db_path.name}.connection")
        self._key_file = db_path.with_name(f"{db_path.name}.key")
        self._lock_file = db_path.with_name(f"{db_path.name}.connection.lock")
        self._sync_key = sync_key
        self._reserved = False

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep every other process and thread from saving, and from this same block: for a login.

        The block may load and save. `StoreBusy` if another does not leave it within a quarter of an hour.
        """
        with locked(self._lock_file):
            yield

    @contextmanager
    def room(self) -> Iterator[None]:
        """Make sure that the first save within can be written, even if the disk is full by then; else `DiskFull`."""
        with self.exclusive():
            if not self._keys():
                self._new_key()
            reserve(self._file)
            self._reserved = True
            try:
                yield
            finally:
                if self._reserved:
                    self._reserved = False
                    give_back(self._file)

    @property
    def is_there(self) -> bool:
        """Whether something is stored, be it readable or not: false before the first save and once it was forgotten."""
        return self._file.exists()

    def load(self) -> Connection | None:
        """The stored connection, None if there is none; `NotConnected` if it can no longer be decrypted."""
        return self._read().connection

    def find(self) -> Connection | None:
        """The stored connection; None also where it can no longer be decrypted."""
        return self._read_if_possible().connection

    def save(self, connection: Connection) -> None:
        """Store the connection; a session that another login gave is forgotten.

        What was stored before need not be readable: this is how a lost key is mended. A refresh token that the org has
        rotated since does not come back: the newest one of its line stays.
        """
        with self.exclusive():
            kept = self._read_if_possible()
            if kept.connection is not None and kept.connection.succeeds(connection):
                connection = replace(
                    connection, refresh_token=kept.connection.refresh_token, origin=_lineage(connection)
                )
            same = kept.connection is not None and _same_login(kept.connection, connection)
            self._write(_Kept(connection, kept.session if same else None))

    def holds(self, connection: Connection) -> bool:
        """Whether the stored connection is this login, so that the stored session is this login's too."""
        kept = self._read_if_possible().connection
        return kept is not None and _same_login(kept, connection)

    def load_session(self) -> Session | None:
        """The session last saved, None if there is none; `NotConnected` if it can no longer be decrypted."""
        return self._read().session

    def save_session(self, session: Session | None) -> None:
        """Store the session beside the connection; None forgets it."""
        with self.exclusive():
            self._write(_Kept(self._read().connection, session))

    def forget(self) -> None:
        """Take the connection, the session and their key off the disk. What the environment gives as a key stays."""
        with self.exclusive():
            for file in (self._file, self._key_file):
                file.unlink(missing_ok=True)

    # ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> _Kept:
        from cryptography.fernet import InvalidToken, MultiFernet

        token = read_private(self._file)
        if token is None:
            return _Kept()
        keys = self._keys()
        if not keys:
            raise NotConnected(f"The key to {self._file} is gone or damaged: {self._key_file}.", hint=_CONNECT_AGAIN)
        try:
            return _KEPT.decode(MultiFernet(keys).decrypt(token))
        except (InvalidToken, msgspec.DecodeError) as error:
            raise NotConnected(
                f"{self._file} cannot be decrypted: it is damaged, or was encrypted with another key.",
                hint=f"Give every program the key it was saved with (in {KEY_VARIABLE}, or by LoadCredential="
                f"{CREDENTIAL}:FILE in a systemd unit), or: {_CONNECT_AGAIN}",
            ) from error

    def _read_if_possible(self) -> _Kept:
        try:
            return self._read()
        except NotConnected:
            return _Kept()

    def _write(self, kept: _Kept) -> None:
        from cryptography.fernet import MultiFernet

        keys = self._keys() or [self._new_key()]
        self._warn_of_another_key(keys)
        reserved, self._reserved = self._reserved, False
        replace_private(self._file, MultiFernet(keys).encrypt(msgspec.json.encode(kept)), reserved=reserved)

    def _warn_of_another_key(self, keys: list[Fernet]) -> None:
        """What only the key file opens is about to be encrypted with a key that other programs may not have."""
        from cryptography.fernet import InvalidToken, MultiFernet

        token = read_private(self._file)
        if token is None or len(keys) < 2 or not self._key_file.exists():
            return
        try:
            MultiFernet(keys[:-1]).decrypt(token)
        except InvalidToken:
            log.warning(
                "%s is encrypted with the key of %s or systemd from now on: give it to every program that uses this"
                " connection, as %s alone opens it no more, and delete that file.",
                *(self._file, KEY_VARIABLE, self._key_file),
            )

    # ── The key ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _keys(self) -> list[Fernet]:
        given = self._sync_key or os.environ.get(KEY_VARIABLE) or _credential() or ""
        keys = [_fernet(each.strip()) for each in given.split(",") if each.strip()]
        stored = read_private(self._key_file)
        try:
            return keys if stored is None else [*keys, _fernet(stored.decode("ascii", "replace").strip())]
        except ConfigError:
            return keys  # a damaged key file is as good as none; the next connection gets a new one

    def _new_key(self) -> Fernet:
        from cryptography.fernet import Fernet

        key = Fernet.generate_key()
        replace_private(self._key_file, key)
        return Fernet(key)


def _same_login(one: Connection, other: Connection) -> bool:
    """Whether both get the same session: all is equal, but for a refresh token that the org has rotated."""
    same = replace(one, refresh_token=None, origin=None) == replace(other, refresh_token=None, origin=None)
    return same and _lineage(one) == _lineage(other)


def _lineage(connection: Connection) -> str | None:
    """The fingerprint of the refresh token that a person gave, whatever the org has made of it since."""
    if connection.origin is not None or connection.refresh_token is None:
        return connection.origin
    return fingerprint(connection.refresh_token)


def _credential() -> str | None:
    """The key that systemd hands over (`LoadCredential=sf_sync_key:FILE`): a file in a folder that only we can read."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    try:
        return (Path(folder) / CREDENTIAL).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as failed:
        hint = "Check the unit's LoadCredential= line."
        raise ConfigError(f"The credential {CREDENTIAL} cannot be read.", hint=hint) from failed


def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError as error:
        make = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        raise ConfigError(
            f"{KEY_VARIABLE} does not hold a Fernet key, or the credential {CREDENTIAL} holds none.",
            hint=f"Make one with: {make}",
        ) from error
