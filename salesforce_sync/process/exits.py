"""Exit codes: what a script that called us may rely on."""

from __future__ import annotations

from enum import IntEnum

from salesforce_sync.errors import (
    ConfigError,
    ConnectionNotFound,
    LimitExceeded,
    Misuse,
    NotConnected,
    ObjectTrouble,
    ProductionUnconfirmed,
    RecordNotFound,
    SessionInvalid,
    Stopped,
    SyncError,
    UserNotFound,
    WorkbookRefused,
)
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run, RunRecord, RunState


class Exit(IntEnum):
    """How a command ended."""

    COMPLETE = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    LOGIN = 4
    LIMIT = 5
    REFUSED = 6
    UNCONFIRMED = 7
    INTERRUPTED = 130


MEANINGS = {
    Exit.COMPLETE: "complete: all that was asked for is done",
    Exit.FAILED: "failed: the network, the org, the disk, or a mistake of ours",
    Exit.USAGE: "the command or a setting is wrong (CONFIG_ERROR, BAD_REQUEST, WRONG_ORG)",
    Exit.PARTIAL: "partial: some objects or changes are complete and some are not; or an edit has come into the inbox",
    Exit.LOGIN: "no credentials, or the session or the login was refused (NOT_CONNECTED, INVALID_SESSION_ID)",
    Exit.LIMIT: "today's API calls are used up (REQUEST_LIMIT_EXCEEDED, API_BUDGET_SPENT)",
    Exit.REFUSED: (
        "the object, record, query or workbook was refused (OBJECT_NOT_FOUND, NOT_FOUND, NOT_QUERYABLE,"
        " INSUFFICIENT_ACCESS, MALFORMED_QUERY, NOT_A_WORKBOOK)"
    ),
    Exit.UNCONFIRMED: "edits for a production org wait until somebody says yes, once (PRODUCTION_UNCONFIRMED)",
    Exit.INTERRUPTED: "ended by Ctrl-C",
}

_BY_ERROR: tuple[tuple[type[SyncError], Exit], ...] = (
    (ConfigError, Exit.USAGE),
    (ProductionUnconfirmed, Exit.UNCONFIRMED),
    (WorkbookRefused, Exit.REFUSED),
    (NotConnected, Exit.LOGIN),
    (SessionInvalid, Exit.LOGIN),
    (LimitExceeded, Exit.LIMIT),
    (ObjectTrouble, Exit.REFUSED),
    (RecordNotFound, Exit.REFUSED),
    (ConnectionNotFound, Exit.REFUSED),
    (UserNotFound, Exit.REFUSED),
    (Misuse, Exit.USAGE),
)

_BY_CODE = {
    "INVALID_SESSION_ID": Exit.LOGIN,
    "NOT_CONNECTED": Exit.LOGIN,
    "REQUEST_LIMIT_EXCEEDED": Exit.LIMIT,
    "API_BUDGET_SPENT": Exit.LIMIT,
    "OBJECT_NOT_FOUND": Exit.REFUSED,
    "NOT_QUERYABLE": Exit.REFUSED,
    "DESCRIBE_REFUSED": Exit.PARTIAL,
    "FIELD_REFUSED": Exit.PARTIAL,
    "INSUFFICIENT_ACCESS": Exit.REFUSED,
    "MALFORMED_QUERY": Exit.REFUSED,
    "PRODUCTION_UNCONFIRMED": Exit.UNCONFIRMED,
    "CONFIG_ERROR": Exit.USAGE,
    "WRONG_ORG": Exit.USAGE,
    "BAD_REQUEST": Exit.USAGE,
}
"""A run's problems are kept by their code; every other code is `FAILED`."""


def exit_of_error(error: SyncError) -> Exit:
    """The exit code for an error that ended a command."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.FAILED)


def exit_of_run(run: Run) -> Exit:
    """The exit code for a run: of one in which nothing is complete, that of its first cause."""
    if run.state is RunState.COMPLETE:
        return Exit.COMPLETE
    if any(each.problem is not None and each.problem.code == Stopped.code for each in run.objects):
        return Exit.INTERRUPTED
    if any(each.state is RunState.COMPLETE for each in run.objects):
        return Exit.PARTIAL
    causes = (_cause(each) for each in run.objects if each.problem is not None and each.problem.code != "NOT_BEGUN")
    return next(causes, Exit.FAILED)


def _cause(record: RunRecord) -> Exit:
    code = "" if record.problem is None else record.problem.code
    if code == LimitExceeded.code and record.state is RunState.FAILED:
        return Exit.FAILED  # too many calls at once, and not too many in the day, which makes it partial
    return _BY_CODE.get(code, Exit.FAILED)


def exit_of_push(push: Push) -> Exit:
    """The exit code for a push: of one that failed, that of its cause."""
    if push.state is RunState.FAILED:
        if push.problem is None or push.problem.is_crowd:
            return Exit.FAILED
        return _BY_CODE.get(push.problem.code, Exit.FAILED)
    return Exit.COMPLETE if push.complete else Exit.PARTIAL
