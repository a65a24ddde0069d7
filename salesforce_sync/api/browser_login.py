"""Log in with a browser: authorization code with PKCE (RFC 7636, S256) and a state that only the beginner knows.

begun = begin(app, redirect_uri)        # send the browser to begun.authorize_url; keep `begun` where nobody reads it
connection, session = complete(begun, address_that_the_browser_was_sent_back_to, wire, clock)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from salesforce_sync.api import tokens
from salesforce_sync.api.wire import Wire, origin
from salesforce_sync.errors import ConfigError, LoginRefused
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.ports import Clock
from salesforce_sync.settings import is_address

SCOPES: Final = "api refresh_token id"
"""Without `refresh_token` the login would end with its session."""

_AGAIN: Final = "Start the login again."


@dataclass(frozen=True, slots=True)
class App:
    """The app in the org that asks for access. `login_url` is the org's own address, or Salesforce's login host."""

    client_id: str
    login_url: str
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BrowserLogin:
    """A login that has begun. Whoever holds it may complete it: once."""

    app: App
    authorize_url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def begin(app: App, redirect_uri: str) -> BrowserLogin:
    """Make a state and a verifier, and the address that the browser is to open. No call."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
    }
    url = f"{origin(app.login_url)}/services/oauth2/authorize?{urlencode(asked)}"
    return BrowserLogin(app, url, redirect_uri, state, verifier)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode("ascii").rstrip("=")


def complete(begun: BrowserLogin, came_back: str, wire: Wire, clock: Clock) -> tuple[Connection, Session]:
    """Exchange the code for a session. `came_back` is the whole address, its query, or the bare code.

    `LoginRefused` says what the org, or this function, does not like about it.
    """
    form = {
        "grant_type": "authorization_code",
        "code": read_code(begun, came_back),
        "client_id": begun.app.client_id,
        "redirect_uri": begun.redirect_uri,
        "code_verifier": begun.verifier,
    }
    if begun.app.client_secret:
        form["client_secret"] = begun.app.client_secret
    granted = tokens.exchange(origin(begun.app.login_url), form, wire, clock)
    return _connected(begun.app, granted)


def read_code(begun: BrowserLogin, came_back: str) -> str:
    """The code in what came back; an address must bring the state that was sent.

    A bare code brings none: without our verifier, which its challenge was made of, it is worth nothing to anybody.
    """
    text = came_back.strip()
    if "=" not in text.rstrip("=") and "?" not in text:
        return unquote(text)
    query = urlsplit(text).query if "?" in text else text
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if not hmac.compare_digest(given.get("state", "").encode(), begun.state.encode()):
        message = "The address that came back does not belong to this login: its state is another."
        raise LoginRefused(message, reason="state_mismatch", hint=_AGAIN)
    if "error" in given:
        said = given.get("error_description") or given["error"]
        raise LoginRefused(f"The org did not allow it: {said[:200]}.", reason=given["error"][:60], hint=_AGAIN)
    if not given.get("code"):
        raise LoginRefused("The address that came back has no code.", reason="no_code", hint=_AGAIN)
    return given["code"]


def _connected(app: App, granted: tokens.Grant) -> tuple[Connection, Session]:
    instance = granted.instance_url or origin(app.login_url)
    session = Session(instance, granted.access_token, granted.told_org, granted.told_user)
    if granted.refresh_token is None:
        pasted = Connection(LoginMethod.PASTED_SESSION, instance, access_token=granted.access_token)
        return pasted, session
    refreshed = Connection(
        LoginMethod.REFRESH_TOKEN,
        instance,
        login_url=origin(app.login_url),
        client_id=app.client_id,
        client_secret=app.client_secret,
        refresh_token=granted.refresh_token,
    )
    return refreshed, session


def app_for(client_id: str | None, login_url: str | None, client_secret: str | None = None) -> App:
    """The app, or `ConfigError` that says what is missing."""
    if not client_id:
        hint = "Give --client-id or SF_CLIENT_ID: the consumer key of an External Client App with the callback URL."
        raise ConfigError("A browser login needs the app's consumer key.", hint=hint)
    if not login_url or not is_address(login_url):
        hint = "Give --instance-url: https://yourdomain.my.salesforce.com, or https://login.salesforce.com."
        raise ConfigError("A browser login needs the address to log in at.", hint=hint)
    return App(client_id, login_url, client_secret)
