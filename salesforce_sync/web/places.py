"""Where a page of records goes on: a place in the order, as an opaque text that a URL can carry. Pure."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from salesforce_sync.errors import Misuse
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Place


def written(place: Place) -> str:
    """The place as a text."""
    body = msgspec.json.encode([place.id, place.value])
    return urlsafe_b64encode(body).decode().rstrip("=")


def read(text: str) -> Place:
    """The place that a text names; `Misuse` for any other text."""
    try:
        body = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        record_id, value = msgspec.json.decode(body, type=tuple[str, Stored])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Misuse("This page cannot be found.", hint="Follow nextRecordsUrl as it was given.") from error
    return Place(record_id, value)
