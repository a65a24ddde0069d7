"""The grant types of the token endpoint, and their refusals with Salesforce's texts."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from simorg.auth import Session
from simorg.clients import Client
from simorg.id_tokens import id_token
from simorg.references import rows_by_key

if TYPE_CHECKING:
    from simorg.org import SimOrg

CODE_SECONDS = 900
ASSERTION_SECONDS = 180
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
Sent = dict[str, str]
Credentials = tuple[str, str | None]


class Denied(Exception):
    """The token endpoint says no: HTTP 400 with an object, not the REST array."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(slots=True)
class Code:
    """An authorization code: good once, for 15 minutes."""

    client_id: str
    user_id: str
    scope: str
    redirect_uri: str
    challenge: str | None
    made_ms: int
    nonce: str | None = None
    used: bool = False


def known_client(org: "SimOrg", given: Credentials) -> Client:
    """Return the client by its id; a secret, where one is sent, must be right."""
    client = org.clients.by_id.get(given[0])
    if client is None:
        raise Denied("invalid_client_id", "client identifier invalid")
    if given[1] is not None and not hmac.compare_digest(given[1].encode(), client.secret.encode()):
        raise Denied("invalid_client", "invalid client credentials")
    return client


def confidential(org: "SimOrg", given: Credentials) -> Client:
    """Return the client by id and secret; both are needed."""
    client = known_client(org, given)
    if given[1] is None:
        raise Denied("invalid_client", "invalid client credentials")
    return client


def new_code(org: "SimOrg", client: Client, asked: Sent) -> str:
    """Make an authorization code for the org's API user."""
    code = "aPrx" + secrets.token_urlsafe(32) + "=="
    scope = asked.get("scope") or client.scopes
    made = org.clock.now_ms()
    target = asked.get("redirect_uri", "")
    org.codes[code] = Code(
        client.client_id, org.user_id, scope, target, asked.get("code_challenge"), made, asked.get("nonce")
    )
    return code


def _active_user(org: "SimOrg", user_id: str) -> None:
    user = org.database.get(org.objects["User"], user_id)
    if user is None or not user["IsActive"]:
        raise Denied("invalid_grant", "inactive user")


def _body(org: "SimOrg", client: Client, session: Session) -> dict[str, str]:
    identity = f"{org.url}/id/{org.org_id}/{session.user_id}"
    issued = str(session.issued_ms)
    digest = hmac.new(client.secret.encode(), (identity + issued).encode(), hashlib.sha256).digest()
    return {
        "access_token": session.token,
        "signature": base64.b64encode(digest).decode(),
        "scope": session.scope,
        "instance_url": org.url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }


def client_credentials(org: "SimOrg", sent: Sent, given: Credentials) -> dict[str, str]:
    """Log the app's run-as user in."""
    client = confidential(org, given)
    if client.run_as is None:
        raise Denied("invalid_grant", "no client credentials user enabled")
    _active_user(org, client.run_as)
    session = org.sessions.open(client.run_as, client.client_id, _without_refresh(client.scopes))
    return _body(org, client, session) | {"api_instance_url": org.url}


def _without_refresh(scopes: str) -> str:
    return " ".join(scope for scope in scopes.split() if scope not in ("refresh_token", "offline_access"))


def authorization_code(org: "SimOrg", sent: Sent, given: Credentials) -> dict[str, str]:
    """Exchange the code that the browser brought back."""
    client = known_client(org, given)
    code = org.codes.get(sent.get("code", ""))
    if code is None or code.used or code.client_id != client.client_id:
        raise Denied("invalid_grant", "invalid authorization code")
    if org.clock.now_ms() - code.made_ms > CODE_SECONDS * 1000:
        raise Denied("invalid_grant", "expired authorization code")
    if code.redirect_uri != sent.get("redirect_uri", ""):
        raise Denied("redirect_uri_mismatch", "redirect_uri must match configuration")
    _check_verifier(code, sent.get("code_verifier"), given[1])
    code.used = True
    return _with_refresh(org, client, code)


def _check_verifier(code: Code, verifier: str | None, secret: str | None) -> None:
    if code.challenge is None:
        if secret is None:
            raise Denied("invalid_client", "invalid client credentials")
        return
    if not verifier:
        raise Denied("invalid_grant", "code verifier is required")
    digest = hashlib.sha256(verifier.encode()).digest()
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.challenge.rstrip("="):
        raise Denied("invalid_request", "invalid code verifier")


def _with_refresh(org: "SimOrg", client: Client, code: Code) -> dict[str, str]:
    user_id, scope = code.user_id, code.scope
    _active_user(org, user_id)
    if not {"refresh_token", "offline_access"} & set(scope.split()):
        session = org.sessions.open(user_id, client.client_id, scope)
        return _body(org, client, session) | id_token(org, session, code.nonce)
    refresh = org.sessions.grant(user_id, client.client_id, scope)
    session = org.sessions.open(user_id, client.client_id, scope, refresh.token)
    return {"refresh_token": refresh.token} | _body(org, client, session) | id_token(org, session, code.nonce)


def refresh_token(org: "SimOrg", sent: Sent, given: Credentials) -> dict[str, str]:
    """Log in again by a refresh token; with rotation on, a new one comes and the old one is dead."""
    client = known_client(org, given)
    known = org.sessions.refresh_token(sent.get("refresh_token", ""))
    if known is None or known.client_id != client.client_id:
        raise Denied("invalid_grant", "expired access/refresh token")
    if known.spent:  # somebody uses a token again that was stolen, or lost in a crash: all of its kin must die
        org.sessions.kill_family(known.family)
    if known.spent or not known.alive:
        raise Denied("invalid_grant", "expired access/refresh token")
    _active_user(org, known.user_id)
    if not client.rotate_refresh_tokens:
        session = org.sessions.open(known.user_id, client.client_id, known.scope, known.token)
        return _body(org, client, session) | id_token(org, session, None)
    known.spent = True
    org.sessions.end_of(known.token)
    fresh = org.sessions.grant(known.user_id, client.client_id, known.scope, known.family)
    session = org.sessions.open(known.user_id, client.client_id, known.scope, fresh.token)
    return {"refresh_token": fresh.token} | _body(org, client, session) | id_token(org, session, None)


def jwt_bearer(org: "SimOrg", sent: Sent, given: Credentials) -> dict[str, str]:
    """Log a user in by a signed assertion."""
    claims, client = _claims(org, sent.get("assertion", ""))
    audience = claims.get("aud")
    if not {*AUDIENCES, org.url} & set([audience] if isinstance(audience, str) else audience or []):
        raise Denied("invalid_grant", "Audience validation failed")
    now = org.clock.now_ms() / 1000
    expires = claims.get("exp")
    if not isinstance(expires, (int, float)) or not now < expires <= now + ASSERTION_SECONDS + 30:
        raise Denied("invalid_grant", "expired authorization code")
    schema = org.objects["User"]
    username = schema.field("Username")
    found = rows_by_key(org, schema, username, str(claims.get("sub", ""))) if username else []
    if not found or not client.approved:
        raise Denied("invalid_grant", "user hasn't approved this consumer")
    _active_user(org, found[0])
    session = org.sessions.open(found[0], client.client_id, _without_refresh(client.scopes))
    body = _body(org, client, session)
    return {key: body[key] for key in ("access_token", "scope", "instance_url", "id", "token_type")}


def _claims(org: "SimOrg", assertion: str) -> tuple[dict[str, Any], Client]:
    import jwt  # cryptography is heavy, and only this flow needs it

    try:
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss", "")
    except jwt.PyJWTError as problem:
        raise Denied("invalid_grant", "invalid assertion") from problem
    client = known_client(org, (issuer, None))
    checks: dict[str, Any] = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    try:
        return jwt.decode(assertion, client.public_key or "", algorithms=["RS256"], options=cast(Any, checks)), client
    except (jwt.PyJWTError, ValueError) as problem:
        raise Denied("invalid_grant", "invalid assertion") from problem


def password(org: "SimOrg", sent: Sent, given: Credentials) -> dict[str, str]:
    """Refuse: the flow is blocked in orgs made since Summer '23."""
    known_client(org, given)
    raise Denied("invalid_grant", "authentication failure")


def introspected(org: "SimOrg", client: Client, token: str) -> dict[str, Any]:
    """Return what introspection tells of a token."""
    session, refresh = org.sessions.find(token), org.sessions.refresh_token(token)
    user_id = session.user_id if session else refresh.user_id if refresh and refresh.alive and not refresh.spent else ""
    if not user_id:
        return {"active": False}
    issued = (session.issued_ms if session else org.clock.now_ms()) // 1000
    life = int(org.sessions.idle_seconds)
    return {
        "active": True,
        "scope": session.scope if session else refresh.scope if refresh else "",
        "client_id": client.client_id,
        "username": org.database.value('SELECT "Username" FROM "User" WHERE "Id" = ?', (user_id,)),
        "sub": f"{org.url}/id/{org.org_id}/{user_id}",
        "token_type": "access_token" if session else "refresh_token",
        "exp": (session.used_ms // 1000 if session else issued) + life,
        "iat": issued,
        "nbf": issued,
    }


GRANTS: "dict[str, Callable[[SimOrg, Sent, Credentials], dict[str, str]]]" = {
    "authorization_code": authorization_code,
    "client_credentials": client_credentials,
    "password": password,
    "refresh_token": refresh_token,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": jwt_bearer,
}
