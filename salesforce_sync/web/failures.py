"""What a caller is told when something does not work: the promised body, and the status that fits its code."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from salesforce_sync.errors import LimitExceeded, ObjectTrouble, RequestRefused, SyncError, Transient, WorkbookRefused
from salesforce_sync.models.run import Problem
from salesforce_sync.web.ways import Words, for_programs


class Failure(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Why a request was not done: `error` is a code, `details` say what happened and what to do."""

    success: bool = False
    error: str
    details: str
    object_api_name: str | msgspec.UnsetType = msgspec.UNSET


class Refused(SyncError):
    """This server's own refusals: who asks, how often, in which form."""

    status: int = 400
    code = "BAD_REQUEST"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", wait: float | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.wait = wait


class NotAuthenticated(Refused):
    """Nobody is known by what was sent."""

    status = 401
    code = "NOT_AUTHENTICATED"


class Forbidden(Refused):
    """The caller is known, and may not do this."""

    status = 403
    code = "FORBIDDEN"


class SessionNotFound(Refused):
    """No sync session has this id."""

    status = 404
    code = "SESSION_NOT_FOUND"


class InvalidObjectName(Refused):
    """This cannot be the API name of an object."""

    code = "INVALID_OBJECT_NAME"


class TooLarge(Refused):
    """The body is larger than this door takes."""

    status = 413
    code = "BODY_TOO_LARGE"


class TooLong(Refused):
    """The address is longer than any of ours."""

    status = 414
    code = "URL_TOO_LONG"


class TooSlow(Refused):
    """The body did not come in time."""

    status = 408
    code = "REQUEST_TIMEOUT"


class Throttled(Refused):
    """Too many requests; `wait` says how many seconds to wait."""

    status = 429
    code = "THROTTLED"


class ServerBusy(Refused):
    """As many requests as this server takes are under way."""

    status = 503
    code = "SERVER_BUSY"


class ServerEnds(Refused):
    """The server was told to end before this was answered."""

    status = 503
    code = "SERVER_ENDS"

    def __init__(self) -> None:
        super().__init__(
            "This server ends, and has not come to an answer.",
            hint="Ask again once it is back; look first whether what was to be changed is changed.",
            wait=5,
        )


class StillSyncing(Refused):
    """Nothing is heard of a sync that somebody waits for; it goes on."""

    status = 503
    code = "SYNC_UNDER_WAY"


class WrongHost(Refused):
    """The request was sent to a name that is not this server's."""

    status = 421
    code = "WRONG_HOST"


class Mistake(Refused):
    """Something went wrong that nobody has thought of."""

    status = 500
    code = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("The server made a mistake.", hint="Its log tells more.")


LIMIT_SECONDS: Final = 3600
"""When to try again after the API calls of the day are used up, where no time is known: as long as the error says."""

CROWD_SECONDS: Final = 30
"""When to try again after too many requests of 20 seconds and more ran at once."""

_BY_CODE: Final = {
    "INVALID_SESSION_ID": 401,
    "INSUFFICIENT_ACCESS": 403,
    "API_DISABLED_FOR_ORG": 403,
    "API_CURRENTLY_DISABLED": 403,
    "RESTAPINOTENABLED": 403,
    "FUNCTIONALITY_NOT_ENABLED": 403,
    "OBJECT_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "CONNECTION_NOT_FOUND": 404,
    "USER_NOT_FOUND": 404,
    "BAD_REQUEST": 400,
    "FIELD_NOT_FOUND": 400,
    "MALFORMED_QUERY": 400,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "API_BUDGET_SPENT": 429,
    "STORE_BUSY": 409,
    "CHANGED_SINCE": 409,
    "LOSS_REFUSED": 409,
    "STOPPED": 409,
    "NOT_BEGUN": 409,
    "NOT_CONNECTED": 409,
    "WRONG_ORG": 409,
    "PRODUCTION_UNCONFIRMED": 409,
    "INVALID_FIELD": 409,
    "FIELD_REFUSED": 409,
    "UNREACHABLE": 502,
    "UNKNOWN_EXCEPTION": 502,
    "DESCRIBE_REFUSED": 502,
    "INCOMPLETE_RESULT": 502,
    "JOB_FAILED": 502,
    "INVALID_QUERY_LOCATOR": 502,
    "SERVER_UNAVAILABLE": 503,
    "QUERY_TIMEOUT": 504,
    "INTERNAL_ERROR": 500,
    "CONFIG_ERROR": 500,
    "STORE_ERROR": 500,
    "NOT_TEXT": 500,
    "DISK_FULL": 507,
}
"""Statuses by code; another code of Salesforce's own about one object is 422, and anything else 500."""


def status_of(error: SyncError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, Refused):
        return error.status
    known = _BY_CODE.get(error.code)
    if known is not None:
        return known
    if isinstance(error, Transient):
        return 503
    if error.code.startswith("HTTP_"):  # in no words of Salesforce's: a redirect, or a page of what stands before it
        return 502
    return 422 if isinstance(error, ObjectTrouble | WorkbookRefused) else 500


def wait_of(error: SyncError, now: datetime | None = None) -> int | None:
    """After how many seconds the same request may work; None where waiting does not help."""
    if isinstance(error, Refused):
        return None if error.wait is None else max(1, math.ceil(error.wait))
    if isinstance(error, LimitExceeded):
        again_at = error.again_at
        return (
            LIMIT_SECONDS if again_at is None else max(1, int((again_at - (now or datetime.now(UTC))).total_seconds()))
        )
    if status_of(error) == 429:
        return CROWD_SECONDS if Problem(error.code, error.message).is_crowd else LIMIT_SECONDS
    return 5 if status_of(error) in (502, 503, 504) else None


def error_of(problem: Problem) -> SyncError:
    """What a run met with one object, to be told in place of its answer."""
    return RequestRefused(problem.message, code=problem.code, hint=problem.hint)


def failure_of(error: SyncError, object_name: str | None = None, words: Words = for_programs) -> Failure:
    """The body that tells of an error."""
    named = msgspec.UNSET if object_name is None else object_name
    return Failure(error=error.code, details=words(without_secrets(str(error))), object_api_name=named)


_SECRET: Final = re.compile(
    r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._-]{20,}"  # a session of Salesforce
    r"|5Aep861[A-Za-z0-9._-]{20,}"
    r"|sfsync_[A-Za-z0-9_-]{20,}"  # a refresh token
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=!-]{8,}"
    r"|(?i:(?:access_token|refresh_token|client_secret|assertion|password)\s*[=:]\s*)[^\s&\"']+"
)


def without_secrets(text: str) -> str:
    """The text with everything blotted out that has the form of a secret: an org may repeat what it was sent."""
    return _SECRET.sub("***", text)
