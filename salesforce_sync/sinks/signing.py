"""Signatures of webhooks, as standardwebhooks.com says: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from salesforce_sync.errors import ConfigError

PREFIX = "whsec_"
LEAST_BYTES = 16
HINT = "Make one: salesforce-sync signals secret. Several, with commas between, all sign: new beside old."


def secrets_for(sink: str, text: str | None) -> tuple[bytes, ...]:
    """The keys of this sink in `SF_WEBHOOK_SECRETS`: those named `sink:whsec_…`, or else those without a name.

    Without any, or with one that is none, `ConfigError`. The secret is never shown.
    """
    given = [each.strip() for each in (text or "").split(",") if each.strip()]
    named = [each.partition(":") for each in given]
    mine = [secret for name, colon, secret in named if colon and name.strip() == sink]
    anyones = [name for name, colon, _ in named if not colon]
    keys = tuple(_key(each, sink) for each in mine or anyones)
    if not keys:
        raise ConfigError(f"SF_WEBHOOK_SECRETS has no secret to sign the webhooks of {sink} with.", hint=HINT)
    return keys


def _key(secret: str, sink: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < LEAST_BYTES:
        raise ConfigError(f"SF_WEBHOOK_SECRETS: a secret of {sink} is not whsec_ and base64 after it.", hint=HINT)
    return key


def signature(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature a key."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)
