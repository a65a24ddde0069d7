"""`Connection`: how to reach one org, and `Session`: the key that the org gave."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar

from salesforce_sync.models.hiding import Hiding


class LoginMethod(StrEnum):
    """How a session is had."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"
    JWT_BEARER = "jwt_bearer"
    PASTED_SESSION = "session"


class Connection(Hiding, frozen=True):
    """One org and the credentials for it. Secrets never show in `repr`.

    `login_url` is the host of the token endpoint where that is not `instance_url`.
    """

    hidden: ClassVar[frozenset[str]] = frozenset(("client_secret", "refresh_token", "access_token", "origin"))

    method: LoginMethod
    instance_url: str
    login_url: str | None = None
    client_id: str | None = None
    username: str | None = None
    jwt_key_file: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    access_token: str | None = None
    origin: str | None = None
    """With rotating refresh tokens: `fingerprint` of the token that a person gave and that this one descends from."""

    def succeeds(self, given: Connection) -> bool:
        """Whether this connection's refresh token came from `given`'s by rotation: the given one is dead then."""
        return (
            given.refresh_token is not None
            and self.origin == fingerprint(given.refresh_token)
            and (self.instance_url, self.client_id) == (given.instance_url, given.client_id)
        )


def fingerprint(token: str) -> str:
    """A hash by which a token is recognised without being kept."""
    import hashlib

    return hashlib.sha256(token.encode()).hexdigest()


class Session(Hiding, frozen=True):
    """An access token and the instance it is good at."""

    hidden: ClassVar[frozenset[str]] = frozenset(("access_token",))

    instance_url: str
    access_token: str
    told_org: str | None = None
    """The org's 15-character id, where a login has told it beside the token."""
    told_user: str | None = None
    """Likewise the user's 18-character id."""

    @property
    def org_id(self) -> str | None:
        """The org's 15-character id, where the login told it, or the session does: a session id begins with it.

        A JWT-based access token does not; whoever pastes one tells no more than that.
        """
        found = re.match(r"(00D[0-9A-Za-z]{12})!", self.access_token)
        return self.told_org if found is None else found[1]
