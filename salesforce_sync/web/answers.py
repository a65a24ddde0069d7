"""Answers as bytes: msgspec encodes them, FastAPI only hands them on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from salesforce_sync.errors import SyncError
from salesforce_sync.web.bodies import Body
from salesforce_sync.web.failures import failure_of, status_of, wait_of

JSON = "application/json"


def answered(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer."""
    return Response(msgspec.json.encode(body), status, headers, JSON)


def failed(error: SyncError, object_name: str | None = None, *, close: bool = False) -> Response:
    """The answer that tells of an error."""
    status, wait, headers = status_of(error), wait_of(error), {}
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if error.code == "NOT_AUTHENTICATED":
        headers["WWW-Authenticate"] = 'Bearer realm="salesforce-sync"'
    if close:  # what of the request was not read must not be taken for the next one
        headers["Connection"] = "close"
    return Response(msgspec.json.encode(failure_of(error, object_name)), status, headers, JSON)
