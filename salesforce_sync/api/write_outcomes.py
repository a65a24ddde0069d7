"""What the org's answer to one row means: its `Outcome`. Pure.

The codes are those of the REST guide's "Status Codes and Error Responses"; section 3.4 of the API facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from salesforce_sync.api.responses import Refusal, is_concurrency_limit
from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import Change, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Match, Outcome, Rejected
from salesforce_sync.models.salesforce_id import from_org

_PASSES = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "SERVER_UNAVAILABLE",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "REQUEST_LIMIT_EXCEEDED",
        "PROCESSING_HALTED",
        "BATCH_PROCESSING_HALTED",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "TXN_SECURITY_METERING_ERROR",
    }
)
"""Codes after which the same change may go through later."""

_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
_BLOCKS = " (This rule blocks: nobody can save past it.)"

Fit = Callable[[str], str]
"""Makes a text of the org fit to be shown."""


class RowError(Struct, frozen=True):
    """Why the org did not take one row. `status` is the HTTP status of the row's own part, 0 where it has none."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    status: int = 0


def read_error(body: bytes, status: int, fit: Fit) -> RowError:
    """The error that the body of a refused part holds, in any of its spellings."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if isinstance(told, list):
        told = told[0] if told else None
    return error_of(told if isinstance(told, dict) else {}, fit, status)


def error_of(entry: dict[str, Any], fit: Fit, status: int = 0) -> RowError:
    """One error as REST (`errorCode`), collections (`statusCode`) or SOAP have it."""
    code = str(entry.get("errorCode") or entry.get("statusCode") or f"HTTP_{status}")
    fields = entry.get("fields")
    names = tuple(map(str, fields)) if isinstance(fields, list) else ()
    message = str(entry.get("message") or "") + (_BLOCKS if _blocks(entry) else "")
    return RowError(fit(code), fit(message), names, tuple(_matches(entry)), status)


def _duplicates(entry: dict[str, Any]) -> Any:
    """What a duplicate rule has found. Salesforce itself writes `duplicateResut`."""
    return entry.get("duplicateResut") or entry.get("duplicateResult")


def _blocks(entry: dict[str, Any]) -> bool:
    """Whether it is a rule that blocks: the header `allowSave` does not pass it."""
    found = _duplicates(entry)
    return isinstance(found, dict) and found.get("allowSave") is False


def _matches(entry: dict[str, Any]) -> Iterator[Match]:
    """The records that a duplicate rule found."""
    for result in _dicts(_duplicates(entry), "matchResults"):
        for one in _dicts(result, "matchRecords"):
            record = one.get("record")
            if isinstance(record, dict) and record.get("Id"):
                kind = (record.get("attributes") or {}).get("type") or result.get("entityType") or ""
                try:
                    yield Match(str(kind), from_org(str(record["Id"])))
                except Misuse:
                    continue


def _dicts(holder: Any, key: str) -> list[dict[str, Any]]:
    items = holder.get(key) if isinstance(holder, dict) else None
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def outcome_of(change: Change, error: RowError) -> Outcome:
    """What becomes of a change that the org did not take."""
    if error.status == 412:
        return Conflicted(change)
    # With the name of a field it is the record referred to that is gone: the same edit would be refused for ever.
    if (error.code in _GONE and not set(error.fields) - {"Id"}) or error.status == 404:
        return gone(change, error)
    if error.status >= 500:
        message = f"The org's answer was {error.status}: {error.message or error.code}"
        return Lost(change, message, code=error.code if error.status == 500 else "")
    if passes(error) or error.status == 401:
        return Deferred(change, error.code, error.message)
    if error.code == "DUPLICATES_DETECTED":
        return Rejected(change, error.code, error.message, error.fields, error.matches, Kind.DUPLICATE)
    return Rejected(change, error.code, error.message, error.fields)


def passes(error: RowError) -> bool:
    """Whether the same change may go through later."""
    return error.code in _PASSES or "concurrent" in error.code.lower()


def gone(change: Change, error: RowError) -> Outcome:
    """The org has no such record (any more): a deletion has reached its goal, an edit has met another's."""
    match change.operation:
        case Operation.DELETE:
            return Applied(change, change.record_id, was_gone=True)
        case Operation.UPDATE:
            return Conflicted(change, error.code, error.message)
    return Rejected(change, error.code, error.message, error.fields)


def refused(change: Change, refusal: Refusal, fit: Fit) -> Outcome:
    """What becomes of a change whose call, which had nothing but it, was refused as a whole."""
    if is_concurrency_limit(refusal):
        return Deferred(change, refusal.code, refusal.message)
    error = read_error(refusal.body, refusal.status, fit)
    if error.code.startswith("HTTP_"):
        error = RowError(refusal.code, refusal.message, status=refusal.status)
    return outcome_of(change, error)
