"""One request to the token endpoint: what each way of logging in sends, and what its answers mean."""

from __future__ import annotations

import logging
import random
import re
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from salesforce_sync.api.responses import Refusal, read_refusal, redirected
from salesforce_sync.api.retry import Fate, fate, pause, read_retry_after
from salesforce_sync.api.wire import NotSent, Outgoing, Wire, org_time, origin
from salesforce_sync.errors import ConfigError, LoginRefused, Transient, Unreachable
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.ports import Clock
from salesforce_sync.settings import is_address, is_by_domain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

log = logging.getLogger("salesforce_sync.api")

_PRODUCTION = "https://login.salesforce.com"
_SANDBOX = "https://test.salesforce.com"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SECRETS = ("client_secret", "refresh_token", "assertion", "code", "code_verifier")
_JWT_LIFE = timedelta(minutes=2)
"""Salesforce takes at most three minutes; one is left for clocks that differ."""
_IDENTITY = re.compile(r"/id/(00D[^\W_]{12})(?:[^\W_]{3})?(?:/(005[^\W_]{12}(?:[^\W_]{3})?)\b)?", re.ASCII)
"""The address of who has logged in: `…/id/<org>/<user>`."""
_CLOCKS_DIFFER = timedelta(seconds=30)


class _Reply(msgspec.Struct):
    access_token: str
    instance_url: str | None = None
    refresh_token: str | None = None
    id: str | None = None


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_REPLY = msgspec.json.Decoder(_Reply)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login gave. There is no lifetime in it: Salesforce tells of an ended session only by refusing it."""

    access_token: str = field(repr=False)
    instance_url: str | None
    refresh_token: str | None = field(default=None, repr=False)
    told_org: str | None = None
    """The org's 15-character id."""
    told_user: str | None = None
    """The user's 18-character id."""


def request(connection: Connection, wire: Wire, clock: Clock) -> Grant:
    """Ask the token endpoint; `LoginRefused` with Salesforce's own reason, `Transient` if it cannot answer now."""
    if connection.method is not LoginMethod.JWT_BEARER:
        return _ask(connection, _form(connection), wire, clock)
    try:
        return _by_assertion(connection, wire, clock, clock.now())
    except LoginRefused as refused:
        # A Raspberry Pi has no battery for its clock and may start in the past: then the host's time counts.
        if refused.at is None or abs(refused.at - clock.now()) < _CLOCKS_DIFFER:
            raise
        log.warning("This machine's clock differs from the login host's by %s.", abs(refused.at - clock.now()))
        return _by_assertion(connection, wire, clock, refused.at)


def _by_assertion(connection: Connection, wire: Wire, clock: Clock, now: datetime) -> Grant:
    """Log in by an assertion that is signed at `now`, for each audience that the host may want."""
    *others, last = _audiences(connection)
    for audience in others:
        try:
            return _ask(connection, _assertion_form(connection, audience, now), wire, clock)
        except LoginRefused as refused:
            if "audience" not in refused.message.lower():
                raise
    return _ask(connection, _assertion_form(connection, last, now), wire, clock)


def exchange(login_url: str, form: dict[str, str], wire: Wire, clock: Clock) -> Grant:
    """Ask the token endpoint there with this form, which is good once; raises as `request` does."""
    return _send(login_url, form, wire, clock, again_if_seen=False)


def _form(connection: Connection) -> dict[str, str]:
    """The form that a way of logging in without an assertion sends."""
    app = {"client_id": connection.client_id or ""}
    if connection.client_secret:
        app["client_secret"] = connection.client_secret
    match connection.method:
        case LoginMethod.CLIENT_CREDENTIALS:
            return {"grant_type": "client_credentials", **app}
        case LoginMethod.REFRESH_TOKEN:
            return {"grant_type": "refresh_token", "refresh_token": connection.refresh_token or "", **app}
        case _:
            raise ConfigError("A pasted session cannot be renewed.", hint="Paste a new one or connect another way.")


def _assertion_form(connection: Connection, audience: str, now: datetime) -> dict[str, str]:
    return {"grant_type": _JWT_GRANT, "assertion": assertion(connection, audience, now)}


def assertion(connection: Connection, audience: str, now: datetime) -> str:
    """The JWT that the user's key signs (RS256)."""
    import jwt

    claims = {
        "iss": connection.client_id,
        "sub": connection.username,
        "aud": audience,
        "exp": int((now + _JWT_LIFE).timestamp()),
    }
    return jwt.encode(claims, _private_key(Path(connection.jwt_key_file or "")), algorithm="RS256")


def _private_key(path: Path) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    nothing = ConfigError(f"The key file {path} holds no RSA private key in PEM form.", hint=_KEY_HINT)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as missing:
        raise ConfigError(f"The key file {path} cannot be read: {missing.strerror}.", hint=_KEY_HINT) from missing
    except TypeError as locked:
        hint = f"Write it without one, to a file that only you can read: openssl rsa -in {path} -out FILE"
        raise ConfigError(f"The key file {path} is locked by a passphrase.", hint=hint) from locked
    except (ValueError, UnsupportedAlgorithm) as bad:
        raise nothing from bad
    if not isinstance(key, RSAPrivateKey):
        raise nothing
    return key


_KEY_HINT = "Set SF_JWT_KEY_FILE to the private key whose certificate was uploaded to the app."


def _audiences(connection: Connection) -> tuple[str, ...]:
    """Who the assertion is for: Salesforce's login host of that kind of org, or a host that is none of Salesforce's."""
    base = _token_host(connection)
    host = urlsplit(base).hostname or ""
    if base in (_PRODUCTION, _SANDBOX):
        return (base,)
    if host.endswith(".sandbox.my.salesforce.com"):
        return (_SANDBOX,)
    if host.endswith((".my.salesforce.com", ".salesforce.com")):
        return (_PRODUCTION,)
    return (base, _PRODUCTION)


def _token_host(connection: Connection) -> str:
    return origin(connection.login_url or connection.instance_url)


def _ask(connection: Connection, form: dict[str, str], wire: Wire, clock: Clock) -> Grant:
    # A refresh token that rotates is good once: if the org may have seen it, it is not sent again.
    again_if_seen = connection.method is not LoginMethod.REFRESH_TOKEN
    return _send(_token_host(connection), form, wire, clock, again_if_seen=again_if_seen)


def _send(host: str, form: dict[str, str], wire: Wire, clock: Clock, *, again_if_seen: bool) -> Grant:
    outgoing = Outgoing(
        "POST",
        f"{host}/services/oauth2/token",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        urlencode(form).encode(),
    )
    tried = 0
    while True:
        tried += 1
        after: float | None = None
        try:
            with closing(wire.open(outgoing)) as incoming:
                body = incoming.read()
                if incoming.ok:
                    return _grant(body, outgoing.url)
                refusal = read_refusal(incoming.status, body, [form[key] for key in _SECRETS if key in form])
                refusal = redirected(refusal, incoming.header("location"))
                after = read_retry_after(incoming.header("retry-after"), clock.now())
                at = org_time(incoming.header("date"), 0.0)
            failure, again = _refused(refusal, outgoing.url, at), fate(refusal) is Fate.AGAIN
        except Unreachable as broken:
            failure, again = broken, again_if_seen or isinstance(broken, NotSent)
        seconds = pause(tried, after, random.random()) if again else None
        if seconds is None:
            raise failure
        clock.sleep(seconds)


def _grant(body: bytes, url: str) -> Grant:
    try:
        reply = _REPLY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
        raise LoginRefused(
            f"The answer of {url} is no token.", reason="bad_reply", hint="Is this the address of a Salesforce org?"
        ) from bad
    instance = None if reply.instance_url is None else instance_of(reply.instance_url, url)
    return Grant(reply.access_token, instance, reply.refresh_token, *_identity(reply.id or ""))


def _identity(address: str) -> tuple[str | None, str | None]:
    """The org's and the user's ids in the address of who has logged in, which every token comes with."""
    found = _IDENTITY.search(address)
    return (None, None) if found is None else (found[1], found[2] and from_org(found[2]))


def instance_of(named: str, token_url: str) -> str:
    """The org's address that a login host names; `LoginRefused` for none, and for one that is less safe than its own.

    A host on the internet must not send us, with a session, to plain http, to this machine or into its network.
    """
    try:
        address = origin(named)
    except ConfigError:
        address = ""
    less_safe = urlsplit(token_url).scheme == "https" and not address.startswith("https:")
    less_far = is_by_domain(token_url) and not is_by_domain(address)
    if not is_address(address) or less_safe or less_far:
        hint = "Is this the address of a Salesforce org?"
        message = "The login host named an instance that is no https address of an org."
        raise LoginRefused(message, reason="bad_reply", hint=hint)
    return address


def _refused(refusal: Refusal, url: str, at: datetime | None) -> LoginRefused | Transient:
    if fate(refusal) is Fate.AGAIN:
        message = f"The login host could not answer: {refusal.message or refusal.code}."
        return Transient(message, hint="Try again in a few minutes.")
    message = f"Login refused by {url}: {refusal.message or 'no reason was given'} ({refusal.code})."
    return LoginRefused(message, reason=refusal.code, hint=hint_for(refusal.code, refusal.message), at=at)


def hint_for(error: str, description: str) -> str:
    """What the person can do about an OAuth error."""
    folded = description.lower()
    for text, hint in _HINTS_BY_TEXT:
        if text in folded:
            return hint
    if error.startswith("HTTP_3"):
        return "Set salesforce.instance_url (or SF_LOGIN_URL) to that address, if it is the org's own."
    return _HINTS_BY_ERROR.get(error, "Check the credentials and the app's OAuth settings in the org.")


_HINTS_BY_TEXT = (
    ("no client credentials user", "Set a 'Run As' user in the app's client credentials flow."),
    ("not supported on this domain", "Set salesforce.instance_url to the org's own My Domain address; "
     "client credentials do not work on login.salesforce.com or test.salesforce.com."),
    ("expired access/refresh token", "The refresh token has ended, or was used before (the answer to its last use may "
     "have been lost). Authorise the app again: 'salesforce-sync connect', or a new SF_REFRESH_TOKEN."),
    ("hasn't approved this consumer", "Pre-authorise the app for the user ('Admin approved users')."),
    ("audience", "Set SF_LOGIN_URL to https://login.salesforce.com, or https://test.salesforce.com for a sandbox."),
    ("inactive user", "The user is not active in the org; use another one."),
    ("expired authorization code", "Start the login again."),
    ("invalid authorization code", "Start the login again."),
    ("ip restricted", "The app's or profile's IP ranges do not allow this machine."),
    ("authentication failure", "Check the user name, the app's certificate or secret, and the login history in Setup."),
    ("assertion", "Check this machine's clock, SF_USERNAME and the certificate of SF_JWT_KEY_FILE."),
)  # fmt: skip

_HINTS_BY_ERROR = {
    "invalid_client_id": "Check SF_CLIENT_ID (the app's consumer key). A new app needs up to ten minutes.",
    "invalid_client": "Check SF_CLIENT_SECRET (the app's consumer secret).",
    "invalid_grant": "The credentials are no longer good; connect again with new ones.",
    "unsupported_grant_type": "Turn this OAuth flow on in the app's settings.",
    "inactive_user": "The user is not active in the org; use another one.",
    "inactive_org": "The org is locked, closed or suspended.",
    "rate_limit_exceeded": "Too many logins in a short time; wait a few minutes.",
    "HTTP_404": "There is no token endpoint here; check salesforce.instance_url and SF_LOGIN_URL.",
}
