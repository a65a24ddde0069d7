"""What a refusal of the org means: its body, read in every form that Salesforce and proxies send, as an error of ours.

The REST facts are in the guide's "Status Codes and Error Responses". Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from salesforce_sync import errors
from salesforce_sync.api.org_text import said, without_secrets
from salesforce_sync.errors import SyncError

CONFLICT = "CONFLICT"
"""Our code for HTTP 409: what is asked does not fit the state or the API version."""

NOT_READY = "JOB_NOT_COMPLETE"
"""Salesforce's code for a result that is asked for before its job is done."""

_TEXT_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success: HTTP status, Salesforce's code (or `HTTP_<status>`), and the message."""

    status: int
    code: str
    message: str
    empty: bool = False
    body: bytes = field(default=b"", repr=False, compare=False)
    """The answer itself, as it came."""

    @property
    def foreign(self) -> bool:
        """Whether it is in no words of Salesforce's: a page of a proxy or a load balancer."""
        return self.code == f"HTTP_{self.status}"


def read_refusal(status: int, body: bytes, secrets: Collection[str] = ()) -> Refusal:
    """Read an error body: an array of errors, one error, OAuth's error, or a text that is not Salesforce's at all.

    What was sent with the request is named in `secrets`; it is blotted out after decoding, so that no escape hides it.
    """
    entry = _first_entry(body)
    if entry is None:
        return Refusal(status, f"HTTP_{status}", said(_plain(body, secrets), secrets), not body.strip(), body)
    code = said(_text(entry, "errorCode", "statusCode", "exceptionCode", "error"), secrets) or f"HTTP_{status}"
    message = said(_text(entry, "message", "exceptionMessage", "error_description"), secrets)
    return Refusal(status, code, message, body=body)


def _first_entry(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    return parsed if isinstance(parsed, dict) else None


def _text(entry: dict[str, Any], *keys: str) -> str:
    return next((str(entry[key]) for key in keys if entry.get(key)), "")


def _plain(body: bytes, secrets: Collection[str]) -> str:
    """A proxy's HTML page, as one short line for people."""
    text = without_secrets(body[:20_000].decode("utf-8", "replace"), secrets)  # before it is cut, or half would stay
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join(text.split())[:_TEXT_SHOWN]


def is_concurrency_limit(refusal: Refusal) -> bool:
    """Whether too many long requests run just now: this passes by itself, unlike a used-up day."""
    return refusal.code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in refusal.message.lower()


def is_scope_problem(refusal: Refusal) -> bool:
    """Whether the session is alive but may not use the API: a new login would give the same, so it is not tried."""
    return "not valid for use with" in refusal.message.lower()


def error_for(refusal: Refusal, doing: str) -> SyncError:
    """The narrowest of our errors for this refusal; `doing` says what was asked, e.g. `describe Contact`."""
    # A server that failed may have done it all the same.
    failed = f"answered {refusal.status} when asked to" if refusal.status >= 500 else "refused to"
    what = f"Salesforce {failed} {doing}: {refusal.message or 'no reason was given'} ({refusal.code})."
    by_code = _BY_CODE.get(refusal.code)
    if by_code is not None:
        return by_code(refusal, what)
    if refusal.code.startswith("INSUFFICIENT_ACCESS"):
        return _no_access(refusal, what)
    by_status = _BY_STATUS.get(refusal.status)
    if by_status is not None:
        return by_status(refusal, what)
    if refusal.status >= 500:
        return _unavailable(refusal, what)
    if 300 <= refusal.status < 400:
        return errors.NeedsPerson(what, code=refusal.code, hint=_MOVED)
    if refusal.foreign:
        return errors.ForeignAnswer(what, code=refusal.code, hint=NOT_SALESFORCE)
    return errors.RequestRefused(what, code=refusal.code, hint="" if refusal.message else NOT_SALESFORCE)


def redirected(refusal: Refusal, location: str | None) -> Refusal:
    """The refusal; of a redirect, with the host that it sends one on to. No more: a session may stand behind it."""
    host = re.match(r"(https?://)(?:[^/?#]*@)?([\w.-]+(?::\d+)?)", location or "", re.IGNORECASE)
    if not 300 <= refusal.status < 400 or host is None:
        return refusal
    return replace(refusal, message=f"it sends one on to {host[1]}{host[2]}")


_MOVED = "Redirects are not followed. Check that salesforce.instance_url is the org's own My Domain address."
NOT_SALESFORCE = "Check that salesforce.instance_url is the org's address and that no proxy stands in between."

_Maker = Callable[[Refusal, str], SyncError]

_NO_COLUMN = re.compile(r"No such column '(\w+)' on entity")
"""Salesforce's words for a field that a query may not name (section 3.4 of the API facts)."""


def _session(refusal: Refusal, what: str) -> SyncError:
    if is_scope_problem(refusal):
        hint = "Give the app the OAuth scope 'Manage user data via APIs (api)' and the user the right 'API Enabled'."
        return errors.SessionInvalid(what, hint=hint)
    return errors.SessionInvalid(what, hint="Log in again: run `salesforce-sync connect`.")


def _no_access(refusal: Refusal, what: str) -> SyncError:
    hint = "Give the connected user read access to the object (profile or permission set), or leave it out."
    return errors.InsufficientAccess(what, hint=hint)


def _api_off(refusal: Refusal, what: str) -> SyncError:
    hint = "The org's edition or the user's profile has no API access; an administrator can turn 'API Enabled' on."
    return errors.NeedsPerson(what, code=refusal.code, hint=hint)


def _malformed(refusal: Refusal, what: str) -> SyncError:
    return errors.MalformedQuery(what, hint="The org did not understand the query; its message says where.")


def _missing(refusal: Refusal, what: str) -> SyncError:
    if refusal.foreign:
        return errors.ForeignAnswer(what, code=refusal.code, hint=NOT_SALESFORCE)
    return _no_object(refusal, what)


def _no_object(refusal: Refusal, what: str) -> SyncError:
    hint = "Check the API name (custom objects end with __c) and that the connected user may see the object."
    return errors.ObjectNotFound(what, hint=hint)


def _field_gone(refusal: Refusal, what: str) -> SyncError:
    hint = "A field was removed or hidden since it was last described; the next sync describes the object anew."
    named = _NO_COLUMN.search(refusal.message)
    return errors.SchemaChanged(what, hint=hint, column=named[1] if named else "")


def _limit(refusal: Refusal, what: str) -> SyncError:
    if is_concurrency_limit(refusal):
        return errors.Transient(what, code=refusal.code, hint="Too many long requests run at once; try again later.")
    hint = "The org's API calls of the last 24 hours are used up. Wait until some are free again, then sync on."
    return errors.LimitExceeded(what, hint=hint)


def _locator(refusal: Refusal, what: str) -> SyncError:
    return errors.LocatorExpired(what, hint="The query has to be asked anew.")


def _query_timeout(refusal: Refusal, what: str) -> SyncError:
    return errors.QueryTimeout(what, hint="The org needed more than two minutes; try again when it is less busy.")


def _unavailable(refusal: Refusal, what: str) -> SyncError:
    code = "SERVER_UNAVAILABLE" if refusal.code.startswith("HTTP_") else refusal.code
    return errors.Transient(what, code=code, hint="The org could not answer now; try again in a few minutes.")


def _too_long(refusal: Refusal, what: str) -> SyncError:
    return errors.RequestRefused(what, code="URI_TOO_LONG", hint="The object has too many fields for one request.")


def _version_gone(refusal: Refusal, what: str) -> SyncError:
    return errors.ConfigError(what, hint="Set salesforce.api_version to a version that the org still has.")


def _conflict(refusal: Refusal, what: str) -> SyncError:
    return errors.RequestRefused(what, code=CONFLICT)


def _not_ready(refusal: Refusal, what: str) -> SyncError:
    return errors.Transient(what, code=refusal.code, hint="Try again in a moment.")


_BY_CODE: dict[str, _Maker] = {
    "INVALID_SESSION_ID": _session,
    "INVALID_AUTH_HEADER": _session,
    "INVALID_JWT_FORMAT": _session,
    "API_DISABLED_FOR_ORG": _api_off,
    "API_CURRENTLY_DISABLED": _api_off,
    "RESTAPINOTENABLED": _api_off,
    "MALFORMED_QUERY": _malformed,
    "INVALID_TYPE": _no_object,
    "NOT_FOUND": _no_object,
    "INVALID_FIELD": _field_gone,
    "REQUEST_LIMIT_EXCEEDED": _limit,
    "INVALID_QUERY_LOCATOR": _locator,
    "QUERY_TIMEOUT": _query_timeout,
    "UNABLE_TO_LOCK_ROW": _not_ready,
    "SERVER_UNAVAILABLE": _unavailable,
    NOT_READY: _not_ready,
}

_BY_STATUS: dict[int, _Maker] = {
    401: _session,
    404: _missing,
    406: _unavailable,
    408: _unavailable,
    409: _conflict,
    410: _version_gone,
    414: _too_long,
    420: _unavailable,
    429: _unavailable,
    431: _too_long,
}
