"""Connections that are added, and their logins."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from salesforce_sync.web.bodies.base import Body


class NewConnection(Body, frozen=True, kw_only=True):
    """A connection to add."""

    # For programs that read the document; who checks it says in words what a name may hold.
    name: Annotated[str, Meta(extra_json_schema={"pattern": r"^[a-z0-9][a-z0-9_-]{0,39}$"})]
    instance_url: Annotated[str, Meta(max_length=300)]


class BrowserLoginRequest(Body, frozen=True, kw_only=True):
    """The app in the org that asks for access. `loginUrl` where that is not the org's own address."""

    client_id: Annotated[str, Meta(min_length=1, max_length=400)]
    client_secret: str | None = None
    login_url: str | None = None


class LoginBegun(Body, frozen=True, kw_only=True):
    """Where the browser is to go, and where it will come back to."""

    success: bool = True
    authorize_url: str
    redirect_uri: str


class CameBack(Body, frozen=True, kw_only=True):
    """The address that the browser was sent back to, with its code and state."""

    came_back: Annotated[str, Meta(min_length=1, max_length=4000)]


class Credentials(Body, frozen=True, kw_only=True):
    """Credentials: clientId and clientSecret; clientId and refreshToken; or accessToken (a session)."""

    method: Literal["client_credentials", "refresh_token", "session"]
    instance_url: str | None = None
    login_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    access_token: str | None = None
