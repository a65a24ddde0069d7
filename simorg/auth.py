"""Sessions: who has logged in, with which token, and until when."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from simorg.clock import OrgClock


@dataclass(slots=True)
class Session:
    """An access token that lives until it has been idle too long or was ended."""

    token: str
    user_id: str
    client_id: str
    scope: str
    issued_ms: int
    used_ms: int
    refresh_token: str | None = None
    alive: bool = True


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; with rotation it is used once, and its re-use kills its whole family."""

    token: str
    user_id: str
    client_id: str
    scope: str
    family: int
    spent: bool = False
    alive: bool = True


@dataclass(slots=True)
class _Families:
    last: int = 0
    members: dict[str, RefreshToken] = field(default_factory=dict)


class Sessions:
    """All sessions and refresh tokens of the org."""

    def __init__(self, clock: OrgClock, org_id: str, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.as_jwt: Callable[[str, str, str], str] | None = None
        """Makes an access token of user, client and scope: of an app that gives JWT-based ones; None: session ids."""
        self._clock = clock
        self._org15 = org_id[:15]
        self._lock = threading.Lock()
        self._by_token: dict[str, Session] = {}
        self._refresh = _Families()

    def open(self, user_id: str, client_id: str = "", scope: str = "api", refresh: str | None = None) -> Session:
        """Begin a session and return it; its token looks like Salesforce's (`00D…!…`, or a JWT)."""
        now = self._clock.now_ms()
        made = self.as_jwt
        token = made(user_id, client_id, scope) if made else f"{self._org15}!{secrets.token_urlsafe(64)}"
        session = Session(token, user_id, client_id, scope, now, now, refresh)
        with self._lock:
            self._by_token[session.token] = session
        return session

    def find(self, token: str) -> Session | None:
        """Return the living session of a token, without keeping it awake, or None."""
        session = self._by_token.get(token)
        if session is None or not session.alive:
            return None
        if self._clock.now_ms() - session.used_ms > self.idle_seconds * 1000:
            session.alive = False
            return None
        return session

    def use(self, token: str) -> Session | None:
        """Return the living session of a token and keep it awake, or None."""
        session = self.find(token)
        if session is not None:
            session.used_ms = self._clock.now_ms()
        return session

    def end(self, token: str) -> bool:
        """End one session; return whether there was one."""
        session = self._by_token.get(token)
        if session is None or not session.alive:
            return False
        session.alive = False
        return True

    def end_of(self, refresh: str) -> None:
        """End the sessions that a refresh token made."""
        for session in list(self._by_token.values()):
            if session.refresh_token == refresh:
                session.alive = False

    def end_all(self) -> None:
        """End every session; refresh tokens stay good."""
        for session in list(self._by_token.values()):
            session.alive = False

    def begin_anew(self, org_id: str) -> None:
        """End every session; those that come are of another org."""
        self.end_all()
        self._org15 = org_id[:15]

    def grant(self, user_id: str, client_id: str, scope: str, family: int | None = None) -> RefreshToken:
        """Make a refresh token, of a new family unless one is given."""
        with self._lock:
            if family is None:
                self._refresh.last += 1
                family = self._refresh.last
            made = RefreshToken("5Aep861" + secrets.token_urlsafe(48), user_id, client_id, scope, family)
            self._refresh.members[made.token] = made
            return made

    def refresh_token(self, token: str) -> RefreshToken | None:
        """Return the refresh token's record, dead or alive, or None when it was never given out."""
        return self._refresh.members.get(token)

    def kill_family(self, family: int) -> None:
        """Revoke all refresh tokens of a family and every session made with them."""
        with self._lock:
            dead = {token for token, one in self._refresh.members.items() if one.family == family}
            for token in dead:
                self._refresh.members[token].alive = False
            for session in self._by_token.values():
                if session.refresh_token in dead:
                    session.alive = False
