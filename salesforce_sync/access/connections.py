"""`Connections`: several orgs, each with an owner and a replica of its own.

The org of config.yaml is `default`; it is the house's: every user may use it within his role. One that was added is
seen by its owner, by those he shares it with, and by admins. For everybody else it answers as one that does not exist;
so names are each owner's own, and nobody learns from a refusal that somebody else has taken one.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.access.users import Role, User
from salesforce_sync.config import Config
from salesforce_sync.errors import ConnectionNotFound, Misuse
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.ports import Clock
from salesforce_sync.settings import Credentials, is_address, org_address

DEFAULT: Final = "default"
MOST_OWN: Final = 20
"""Connections of a user who is no admin: each that is open has a database of its own, and files are not endless."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_ID: Final = re.compile(r"con_[0-9a-f]{16}", re.ASCII)
_SELECT: Final = (
    "SELECT c.id, c.name, u.name || iif(u.revoked_at IS NULL, '', ' (revoked)'), c.owner_id, c.instance_url, c.made_at"
    " FROM connection c LEFT JOIN user u ON u.id = c.owner_id"
)


class KnownConnection(Struct, frozen=True):
    """One org that is known here. `owner` is a user's name, None for this machine's own; `made_at` None: config.yaml's.

    `instance_url` is None where nothing says it (the default one of an installation that is not connected yet).
    """

    id: str
    name: str
    owner: str | None
    owner_id: int | None
    instance_url: str | None
    database: Path
    made_at: datetime | None


class Connections:
    """The orgs of one installation. Where a method takes a user, None is whoever runs this program on this machine."""

    def __init__(self, config: Config, database: AccessDatabase, clock: Clock) -> None:
        self._config = config
        self._database = database
        self._clock = clock

    def list(self, user: User | None = None) -> tuple[KnownConnection, ...]:
        """What this user may see, the default one first."""
        rows = self._database.rows(f"{_SELECT} ORDER BY c.name, c.id")
        shared = self._shared_with(user)
        known = map(self._known, rows)
        return (self._default(), *(each for each in known if _is_seen(each, user, shared)))

    def get(self, id_or_name: str, user: User | None = None) -> KnownConnection:
        """The connection; `ConnectionNotFound` for one that does not exist, and in the same words for somebody else's.

        A user's own name goes before one that is shared with him or that he sees as an admin.
        """
        if id_or_name == DEFAULT:
            return self._default()
        if _ID.fullmatch(id_or_name) or _NAME.fullmatch(id_or_name):
            rows = self._database.rows(f"{_SELECT} WHERE c.id = ? OR c.name = ? ORDER BY c.id", (id_or_name,) * 2)
            shared = self._shared_with(user)
            seen = [each for each in map(self._known, rows) if _is_seen(each, user, shared)]
            own = [
                each for each in seen if id_or_name == each.id or each.owner_id == (None if user is None else user.id)
            ]
            if len(own or seen) == 1:
                return (own or seen)[0]
            if seen:
                raise Misuse(f"There are several connections {id_or_name!r}.", hint="Give the id of one of them.")
        shown = id_or_name if len(id_or_name) <= 40 else f"{id_or_name[:39]}…"
        raise ConnectionNotFound(f"There is no connection {shown!r}.", hint="See 'salesforce-sync connections'.")

    def add(self, name: str, instance_url: str, owner: User | None = None) -> KnownConnection:
        """A new connection with a folder (0700) of its own; `Misuse` if the owner has one of that name, or it is none.

        It has no login yet: `SFSync(connections.config_of(it.id, owner)).connect(...)` gives it one.
        """
        check_name(name)
        instance_url = org_address(instance_url)
        if not is_address(instance_url):
            hint = "Such as https://yourdomain.my.salesforce.com."
            raise Misuse("A connection needs the org's address: https, without a path.", hint=hint)
        made = f"con_{secrets.token_hex(8)}"
        owner_id = None if owner is None else owner.id
        with self._database.writing() as db:
            taken = "SELECT 1 FROM connection WHERE name = ? AND owner_id IS ?"
            if db.execute(taken, (name, owner_id)).fetchone():
                raise Misuse(f"There is a connection {name!r} already.", hint="Take another name.")
            if owner is not None and owner.role is not Role.ADMIN:
                self._check_room(db, owner)
            row = (made, name, owner_id, instance_url, format_datetime(self._clock.now()))
            db.execute("INSERT INTO connection VALUES (?, ?, ?, ?, ?)", row)
            for folder in (self._folder(made).parent, self._folder(made)):  # a mode holds for the last of a path only
                folder.mkdir(mode=0o700, exist_ok=True)
        return self.get(made, owner)

    def _check_room(self, db: apsw.Connection, owner: User) -> None:
        if db.execute("SELECT count(*) FROM connection WHERE owner_id = ?", (owner.id,)).get >= MOST_OWN:
            raise Misuse(f"You have {MOST_OWN} connections already.", hint="Forget one, or ask an admin for another.")

    def remove(self, id_or_name: str, user: User | None = None) -> KnownConnection:
        """Forget the connection. Its folder, with the replica and edits that were not sent, stays where it is."""
        found = self.owned(id_or_name, user)
        with self._database.writing() as db:
            db.execute("DELETE FROM share WHERE connection_id = ?", (found.id,))
            db.execute("DELETE FROM connection WHERE id = ?", (found.id,))
        return found

    def share(self, id_or_name: str, guest: User, user: User | None = None) -> KnownConnection:
        """Let another user use it, within his role."""
        found = self.owned(id_or_name, user)
        with self._database.writing() as db:
            db.execute("INSERT OR IGNORE INTO share VALUES (?, ?)", (found.id, guest.id))
        return found

    def unshare(self, id_or_name: str, guest: User, user: User | None = None) -> KnownConnection:
        """Take that back."""
        found = self.owned(id_or_name, user)
        with self._database.writing() as db:
            db.execute("DELETE FROM share WHERE connection_id = ? AND user_id = ?", (found.id, guest.id))
        return found

    def owned(self, id_or_name: str, user: User | None = None) -> KnownConnection:
        """The connection, for its owner or an admin; for all others as `get` says of one that does not exist."""
        found = self.get(id_or_name, user)
        if found.id == DEFAULT:
            raise Misuse("The default connection is config.yaml's.", hint="Change it there.")
        if user is not None and user.role is not Role.ADMIN and found.owner_id != user.id:
            raise ConnectionNotFound(f"There is no connection {id_or_name!r} of yours.")
        return found

    def config_of(self, id_or_name: str, user: User | None = None) -> Config:
        """The settings to open it with: config.yaml's, but for the org's address, the replica's path and the login.

        The credentials of .env and the environment are the default one's; all others keep their login in their folder.
        """
        found = self.get(id_or_name, user)
        if found.id == DEFAULT:
            return self._config
        return replace(
            self._config,
            salesforce=replace(self._config.salesforce, instance_url=found.instance_url),
            storage=replace(self._config.storage, path=found.database),
            workbook=replace(self._config.workbook, path=found.database.with_name(self._config.workbook.path.name)),
            credentials=Credentials(sync_key=self._config.credentials.sync_key),
            home=self._config.house,
        )

    def _default(self) -> KnownConnection:
        url = self._config.salesforce.instance_url if self._config.org_is_known else None
        return KnownConnection(DEFAULT, DEFAULT, None, None, url, self._config.storage.path, None)

    def _known(self, row: tuple[object, ...]) -> KnownConnection:
        made, name, owner, owner_id, url, at = row
        number = None if owner_id is None else int(str(owner_id))
        return KnownConnection(
            id=str(made),
            name=str(name),
            owner=None if owner is None else str(owner),
            owner_id=number,
            instance_url=str(url),
            database=self._folder(str(made)) / "salesforce.db",
            made_at=parse_datetime(str(at)),
        )

    def _folder(self, made: str) -> Path:
        """Named by an id of ours, never by what somebody typed."""
        return self._database.path.parent / "connections" / made

    def _shared_with(self, user: User | None) -> frozenset[str]:
        if user is None:
            return frozenset()
        return frozenset(
            each for (each,) in self._database.rows("SELECT connection_id FROM share WHERE user_id = ?", (user.id,))
        )


def check_name(name: str) -> None:
    """`Misuse` if this cannot be the name of a connection that is added."""
    if not _NAME.fullmatch(name) or _ID.fullmatch(name) or name == DEFAULT:
        hint = "Up to 40 lower-case letters, digits, _ and -, beginning with a letter or digit; not 'default'."
        raise Misuse(f"{name[:40]!r} cannot be a connection's name.", hint=hint)


def _is_seen(connection: KnownConnection, user: User | None, shared: frozenset[str]) -> bool:
    if user is None or user.role is Role.ADMIN:
        return True
    return connection.owner_id == user.id or connection.id in shared
