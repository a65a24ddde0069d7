"""Logins to orgs that were begun on the page and have not come back from the browser yet."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from salesforce_sync.access import User

if TYPE_CHECKING:
    from salesforce_sync.api.browser_login import BrowserLogin

LIFE_SECONDS: Final = 900
MOST: Final = 100


class Target(Struct, frozen=True):
    """The connection that is logged in, and for whom; a new one goes again if nothing comes of it."""

    connection_id: str
    user: User
    address: str
    is_new: bool = False


class Begun(Struct):
    """A login that waits for its browser. `number` names it for the page; its state stays between us and the org.

    `home` is this server as the browser that began it calls it, `http://127.0.0.1:8765`. `given` is what was typed for
    it, without its secrets.
    """

    login: BrowserLogin
    target: Target
    home: str
    given: Mapping[str, str]
    number: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    until: float = field(default_factory=lambda: time.monotonic() + LIFE_SECONDS)
    connected_to: str = ""
    failed: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return not self.connected_to and not self.failed


class BrowserLogins:
    """Each is completed at most once; none lives longer than a quarter of an hour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, Begun] = {}

    def begin(self, login: BrowserLogin, target: Target, home: str, given: Mapping[str, str]) -> Begun:
        """Wait for this login's browser."""
        made = Begun(login, target, home, given)
        with self._lock:
            now = time.monotonic()
            kept = [each for each in self._begun.values() if each.until > now][-MOST + 1 :]
            self._begun = {each.number: each for each in (*kept, made)}
        return made

    def find(self, number: str, user: User) -> Begun | None:
        """The login of this number, if this user has begun it."""
        found = self._begun.get(number)
        return found if found is not None and found.target.user.id == user.id else None

    def waiting(self, state: str) -> Begun | None:
        """The login that waits with this state."""
        with self._lock:
            return self._waiting(state)

    def take(self, state: str) -> Begun | None:
        """The login that waits with this state; it waits no more."""
        with self._lock:
            found = self._waiting(state)
            if found is not None:
                found.until = min(found.until, time.monotonic())
            return found

    def _waiting(self, state: str) -> Begun | None:
        now, given = time.monotonic(), state.encode()
        for each in self._begun.values():
            if each.until > now and each.is_open and secrets.compare_digest(each.login.state.encode(), given):
                return each
        return None
