"""Where a page of records goes on: a place in the order, as an opaque text that a URL can carry. Pure."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from salesforce_sync.errors import Misuse
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Place

_FOLLOW: Final = "Follow nextRecordsUrl as it was given; begin anew, without `after`, for another order."


def written(place: Place, sort: str) -> str:
    """The place as a text; `sort` is the field by which the records are ordered."""
    body = msgspec.json.encode([place.id, place.value, sort])
    return urlsafe_b64encode(body).decode().rstrip("=")


def read(text: str, sort: str) -> Place:
    """The place that a text names; `Misuse` for any other text, and for a place in another order."""
    try:
        body = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        record_id, value, order = msgspec.json.decode(body, type=tuple[str, Stored, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Misuse("This page cannot be found.", hint=_FOLLOW) from error
    if order.casefold() != sort.casefold():
        raise Misuse(f"This page is of records in the order of {order}, and not of {sort}.", hint=_FOLLOW)
    return Place(record_id, value)
