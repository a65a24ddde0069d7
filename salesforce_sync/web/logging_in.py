"""Browser logins to orgs that were begun here and have not come back yet."""

from __future__ import annotations

import threading
import time
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from salesforce_sync.api.browser_login import BrowserLogin
from salesforce_sync.errors import LoginRefused

SECONDS: Final = 600.0
MOST: Final = 100


class Begun(Struct, frozen=True):
    """A login that somebody has begun for one connection."""

    login: BrowserLogin
    connection_id: str
    user_id: int
    home: str
    at: float


class Begins:
    """Each is found by its state, once, within ten minutes, by the user who has begun it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Begun] = {}

    def keep(self, login: BrowserLogin, connection_id: str, user_id: int, home: str) -> None:
        """Remember it; `home` is this server as whoever begins it calls it."""
        with self._lock:
            self._known[login.state] = Begun(login, connection_id, user_id, home, time.monotonic())
            for old in list(self._known)[:-MOST]:
                del self._known[old]

    def home_of(self, state: str) -> str | None:
        """What this server was called where the login of this state was begun."""
        found = self._known.get(state)
        return None if found is None else found.home

    def take(self, came_back: str, user_id: int) -> Begun:
        """The login that this address belongs to; `LoginRefused` if it is nobody's, or another user's."""
        query = urlsplit(came_back).query if "?" in came_back else came_back
        state = parse_qs(query).get("state", [""])[-1]
        with self._lock:
            found = self._known.get(state)
            if found is not None and found.user_id == user_id:
                del self._known[state]
                if time.monotonic() - found.at < SECONDS:
                    return found
        raise LoginRefused(
            "This address belongs to no login that you have begun here, or it is too old.",
            reason="state_mismatch",
            hint="Begin the login again.",
        )
