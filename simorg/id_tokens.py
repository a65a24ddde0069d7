"""What the org signs: its key, its JWKS, the id_token that the scope `openid` adds to a log-in, JWT access tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from simorg.auth import Session
    from simorg.org import SimOrg

LIFE_SECONDS = 120
JWT_LIFE_SECONDS = 1800
KEY_BITS = 2048
KEY_ID = "simorg1"


class SigningKey:
    """The RSA key of one org, made when it is first needed: that takes a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @cached_property
    def _private(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa  # heavy, and few callers need it

        return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a JWT signed with RS256."""
        import jwt

        with self._lock:
            key = self._private
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": KEY_ID})

    def published(self) -> dict[str, Any]:
        """Return the public key as `/id/keys` shows it (a JWKS)."""
        with self._lock:
            numbers = self._private.public_key().public_numbers()
        sizes = {"n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, **sizes}]}


def _unsigned(number: int) -> str:
    return _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def id_token(org: SimOrg, session: Session, nonce: str | None) -> dict[str, str]:
    """Return the `id_token` of a log-in with the scope `openid`, else nothing."""
    if "openid" not in session.scope.split():
        return {}
    now = org.clock.now_ms() // 1000
    half = hashlib.sha256(session.token.encode()).digest()[:16]
    claims: dict[str, Any] = {
        "at_hash": _encoded(half),
        "sub": f"{org.url}/id/{org.org_id}/{session.user_id}",
        "aud": session.client_id,
        "iss": org.url,
        "exp": now + LIFE_SECONDS,
        "iat": now,
    }
    return {"id_token": org.signing_key.sign(claims | ({"nonce": nonce} if nonce else {}))}


def give_jwts(org: SimOrg) -> None:
    """Let the access tokens that come be JWT-based ones, as an app may be set to give; they name no org in front."""
    org.sessions.as_jwt = partial(access_token, org)


def access_token(org: SimOrg, user_id: str, client_id: str, scope: str) -> str:
    """Return a JWT-based access token. Callers treat it as opaque: its claims are not for them."""
    now = org.clock.now_ms() // 1000
    claims = {
        "iss": org.url,
        "aud": [org.url],
        "sub": f"uid:{user_id}",
        "client_id": client_id,
        "scp": scope,
        "mty": "oauth",
        "nbf": now,
        "iat": now,
        "exp": now + JWT_LIFE_SECONDS,
        "jti": secrets.token_urlsafe(16),
    }
    return org.signing_key.sign(claims)
