"""Who is writing, and through which door: what change events tell as commitUser and changeOrigin."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """A user, and the changeOrigin of what he writes; empty for what happens inside the org."""

    user_id: str | None = None
    text: str = ""


INSIDE = Origin()
_HERE: ContextVar[Origin] = ContextVar("where the writes of now come from", default=INSIDE)
_DOORS = (("/services/data/v", "rest"), ("/services/Soap/", "soap"))


def here() -> Origin:
    """Return where the writes of now come from."""
    return _HERE.get()


@contextmanager
def writing(origin: Origin) -> Iterator[None]:
    """Let the writes of the block come from there."""
    token = _HERE.set(origin)
    try:
        yield
    finally:
        _HERE.reset(token)


def of_call(path: str, headers: Mapping[str, str], user_id: str | None) -> Origin:
    """Return where a request's writes come from: `com/salesforce/api/rest/58.0;client=NAME`."""
    kind = next((kind for start, kind in _DOORS if path.startswith(start)), None)
    if kind is None:
        return Origin(user_id)
    version = re.search(r"/v?(\d+\.\d)", path)
    return of_api("bulkapi" if "/jobs/ingest" in path else kind, version[1] if version else "", headers, user_id)


def of_api(kind: str, version: str, headers: Mapping[str, str], user_id: str | None) -> Origin:
    """Return the origin of one API; the caller's name stands in a header, whose separator is `;` or `,`."""
    parts = re.split("[;,]", headers.get("sforce-call-options", ""))
    names = [part.partition("=")[2].strip() for part in parts if part.partition("=")[0].strip().lower() == "client"]
    client = f";client={names[0]}" if names and names[0] else ""
    return Origin(user_id, f"com/salesforce/api/{kind}/{version}{client}")
