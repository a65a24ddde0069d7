"""Where somebody goes on who had to sign in first: an address of this server, and of no other."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

START: Final = "/"
_LONGEST: Final = 2_000
"""As it stands in the address of the login, escaped once more: that, too, has to be no longer than addresses may be."""

# No "//host" and no backslash, which browsers read as "/"; nothing that they leave out, and so bring both together.
_OF_OURS: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)


def local(given: str | None) -> str:
    """This path, with its query, if it is one of this server; otherwise the start."""
    if given is None or not _OF_OURS.fullmatch(given) or len(quote(given)) > _LONGEST:
        return START
    return START if urlsplit(given).path.rstrip("/") == "/login" else given


def login_for(place: str) -> str:
    """The address of the login that goes on to this path."""
    place = local(place)
    return "/login" if place == START else f"/login?next={quote(place, safe='/')}"


def place_of(address: str | None) -> str:
    """The path and the query of a whole address of this server, as a browser names the screen that it shows."""
    if address is None:
        return START
    try:
        parts = urlsplit(address)
    except ValueError:
        return START
    return local(f"{parts.path}?{parts.query}" if parts.query else parts.path)
