"""`Users`: who may come in, and how much they may do."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.access.tokens import equal, hashed, new_token
from salesforce_sync.errors import Misuse, UserNotFound
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.ports import Clock

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
_COLUMNS: Final = "id, name, role, made_at"


class Role(StrEnum):
    """How much a user may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Read what is in a replica."""
    EDITOR = "editor"
    """Sync, edit, decide, push, export; add connections of his own."""
    ADMIN = "admin"
    """Users, every connection, the audit log."""

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        return _RANK[self] >= _RANK[needed]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


class User(Struct, frozen=True):
    """Somebody who may come in."""

    id: int
    name: str
    role: Role
    made_at: datetime


class Users:
    """The users of one installation."""

    def __init__(self, database: AccessDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, role: Role) -> tuple[User, str]:
        """A new user and his token, which is told this once; `Misuse` if the name is taken or no name."""
        if not _NAME.fullmatch(name):
            raise Misuse(
                f"{name[:64]!r} cannot be a user's name.",
                hint="Up to 64 letters, digits and . _ @ + -, beginning with a letter or digit.",
            )
        token, now = new_token(), self._clock.now()
        with self._database.writing() as db:
            if db.execute("SELECT 1 FROM user WHERE name = ? AND revoked_at IS NULL", (name,)).fetchone():
                raise Misuse(f"There is a user {name} already.", hint="Revoke him first, or take another name.")
            db.execute(
                "INSERT INTO user (name, role, token_hash, made_at) VALUES (?, ?, ?, ?)",
                (name, role.value, hashed(token), format_datetime(now)),
            )
            return User(db.last_insert_rowid(), name, role, now), token

    def by_token(self, token: str) -> User | None:
        """The user whose token this is; None for every other text."""
        given = hashed(token)
        if given is None:
            return None
        found = self._database.rows(
            f"SELECT token_hash, {_COLUMNS} FROM user WHERE token_hash = ? AND revoked_at IS NULL", (given,)
        )
        return next((user_of(row) for kept, *row in found if equal(kept, given)), None)

    def list(self) -> tuple[User, ...]:
        """Everybody who may come in, by name."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM user WHERE revoked_at IS NULL ORDER BY name")
        return tuple(map(user_of, rows))

    def named(self, name: str) -> User:
        """The user of this name; `UserNotFound` if there is none."""
        found = self._database.rows(f"SELECT {_COLUMNS} FROM user WHERE name = ? AND revoked_at IS NULL", (name,))
        if not found:
            raise UserNotFound(f"There is no user {name!r}.", hint="See 'salesforce-sync user list'.")
        return user_of(found[0])

    def change_role(self, name: str, role: Role) -> User:
        """Let this user do so much from now on, in what is open already, too; `UserNotFound` if there is none."""
        user = self.named(name)
        with self._database.writing() as db:
            db.execute("UPDATE user SET role = ? WHERE id = ?", (role.value, user.id))
        return replace(user, role=role)

    def revoke(self, name: str) -> User:
        """Let this user in no more: token, browser sessions and links end at once. His connections stay, for admins."""
        user = self.named(name)
        with self._database.writing() as db:
            db.execute("UPDATE user SET revoked_at = ? WHERE id = ?", (format_datetime(self._clock.now()), user.id))
            db.execute("DELETE FROM session WHERE user_id = ?", (user.id,))
            db.execute("DELETE FROM link WHERE user_id = ?", (user.id,))
            db.execute("DELETE FROM share WHERE user_id = ?", (user.id,))
        return user


def user_of(row: tuple[object, ...] | list[object]) -> User:
    """The user of a row of `id, name, role, made_at`."""
    number, name, role, made_at = row
    return User(int(str(number)), str(name), Role(str(role)), parse_datetime(str(made_at)))
