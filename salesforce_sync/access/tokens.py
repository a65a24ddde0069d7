"""Secrets that we give out: random, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

TOKEN_PREFIX: Final = "sfsync_"
"""By this a secret scanner, or a person, knows what a stray token is."""

_RANDOM_BYTES: Final = 32
_SECRET: Final = re.compile(rf"(?:{TOKEN_PREFIX})?[A-Za-z0-9_-]{{43}}", re.ASCII)


def new_token() -> str:
    """A user's token: 256 random bits."""
    return TOKEN_PREFIX + new_secret()


def new_secret() -> str:
    """The value of a cookie or a link: 256 random bits."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def hashed(secret: str) -> str | None:
    """What is kept of a secret; None for what cannot be one of ours.

    A plain hash is enough: nobody guesses 256 random bits. It is looked up whole, so the time that takes tells nothing
    of the secret.
    """
    if not _SECRET.fullmatch(secret):
        return None
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def derived(secret: str, purpose: str) -> str:
    """Another secret that only the holder of this one can make."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def equal(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
