"""`Logins`: browsers that have logged in, and links that log in once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.access.tokens import derived, equal, hashed, new_secret
from salesforce_sync.access.users import User, user_of
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.ports import Clock

IDLE: Final = timedelta(hours=12)
LIFE: Final = timedelta(days=7)
LINK_LIFE: Final = timedelta(minutes=15)
_FIND: Final = (
    "SELECT s.made_at, s.used_at, u.id, u.name, u.role, u.made_at FROM session s JOIN user u ON u.id = s.user_id"
    " WHERE s.cookie_hash = ? AND s.used_at >= ? AND s.made_at >= ? AND u.revoked_at IS NULL"
)
_NOTE_USE_EVERY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser that is logged in. `csrf` has to come back with every request that changes something."""

    user: User
    csrf: str = field(repr=False)
    ends_at: datetime

    def takes(self, csrf: str) -> bool:
        """Whether this is the session's CSRF token."""
        return equal(self.csrf, csrf)


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session; `cookie` is the cookie's value, which is told this once."""

    cookie: str = field(repr=False)
    session: BrowserSession


class Logins:
    """Sessions end after 12 hours without use, after 7 days, when they are closed, and when their user is revoked."""

    def __init__(self, database: AccessDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def open(self, user: User) -> Opened:
        """Log a browser in. Always a new cookie: one that was there before may be known to somebody else."""
        cookie, now = new_secret(), self._clock.now()
        with self._database.writing() as db:
            db.execute("DELETE FROM session WHERE used_at < ? OR made_at < ?", _oldest(now))
            row = (hashed(cookie), user.id, format_datetime(now), format_datetime(now))
            db.execute("INSERT INTO session VALUES (?, ?, ?, ?)", row)
        return Opened(cookie, _session(cookie, user, now, now))

    def session(self, cookie: str) -> BrowserSession | None:
        """The session of this cookie; None if it has ended or never was."""
        given, now = hashed(cookie), self._clock.now()
        found = self._database.rows(
            _FIND,
            (given, *_oldest(now)),
        )
        if given is None or not found:
            return None
        made_at, used_at, *user = found[0]
        used = parse_datetime(used_at)
        if now - used > _NOTE_USE_EVERY:  # not at each request: that would be a write on the disk for every read
            with self._database.writing() as db:
                db.execute("UPDATE session SET used_at = ? WHERE cookie_hash = ?", (format_datetime(now), given))
            used = now
        return _session(cookie, user_of(user), parse_datetime(made_at), used)

    def close(self, cookie: str) -> None:
        """End the session of this cookie."""
        with self._database.writing() as db:
            db.execute("DELETE FROM session WHERE cookie_hash = ?", (hashed(cookie),))

    def link(self, user: User) -> str:
        """A secret that logs this user in once, within a quarter of an hour; it ends all earlier links of his."""
        secret = new_secret()
        with self._database.writing() as db:
            db.execute("DELETE FROM link WHERE user_id = ?", (user.id,))
            ends_at = format_datetime(self._clock.now() + LINK_LIFE)
            db.execute("INSERT INTO link VALUES (?, ?, ?)", (hashed(secret), user.id, ends_at))
        return secret

    def follow(self, secret: str) -> User | None:
        """Use up a link: its user, or None if it was used, is too old, or never was. Of several at once, one wins."""
        with self._database.writing() as db:
            used = db.execute(
                "DELETE FROM link WHERE secret_hash = ? RETURNING user_id, ends_at", (hashed(secret),)
            ).fetchall()
            if not used or parse_datetime(str(used[0][1])) < self._clock.now():
                return None
            query = "SELECT id, name, role, made_at FROM user WHERE id = ? AND revoked_at IS NULL"
            row = db.execute(query, (used[0][0],)).fetchone()
            return None if row is None else user_of(row)


def _oldest(now: datetime) -> tuple[str, str]:
    """Sessions that were last used, or made, before these have ended."""
    return format_datetime(now - IDLE), format_datetime(now - LIFE)


def _session(cookie: str, user: User, made: datetime, used: datetime) -> BrowserSession:
    return BrowserSession(user, derived(cookie, "csrf"), min(made + LIFE, used + IDLE))
