"""The error tree, grouped by fate: what happens next to the work that met the error.

Every error has `code` (Salesforce's own where it has one), `message` (what was being done, to what) and
`hint` (what the person can do).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


class SyncError(Exception):
    """Anything that this package raises on purpose."""

    code = "SYNC_ERROR"
    usual_hint = ""
    """What the person can do, where whoever raises it knows no better."""

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.usual_hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip() if self.hint else self.message


# ── Transient: the same request may succeed if it is sent again ──────────────────────────────────────────────────


class Transient(SyncError):
    """The org or the network could not answer now; trying again later is right."""

    code = "SERVER_UNAVAILABLE"
    usual_hint = "Try again in a few minutes."


class Unreachable(Transient):
    """No answer came: refused, reset, timed out, or cut in the middle."""

    code = "UNREACHABLE"


class QueryTimeout(Transient):
    """The query ran longer than Salesforce's two minutes."""

    code = "QUERY_TIMEOUT"


class LocatorExpired(Transient):
    """A query locator, or the Bulk job behind a page, is no longer known: the query has to be asked anew."""

    code = "INVALID_QUERY_LOCATOR"


class JobLost(LocatorExpired):
    """The org does not give the result of a Bulk job, or no more of it."""


class Incomplete(Transient):
    """An answer was well formed but had fewer rows than the org said it would."""

    code = "INCOMPLETE_RESULT"


class JobFailed(Transient):
    """A Bulk API job ended as Failed or Aborted, or never ended."""

    code = "JOB_FAILED"


class SinkDown(Transient):
    """A sink for signals could not take one now; it is tried again, not before `retry_after` seconds if it said so."""

    code = "SINK_DOWN"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SinkRefused(SyncError):
    """A sink has refused a signal, and would do so again."""

    code = "SINK_REFUSED"


class ReplayRefused(Transient):
    """The org does not know a replay id (any more): events are followed anew, and a poll brings what they missed."""

    code = "REPLAY_ID_REFUSED"


class EventsSpent(Transient):
    """The org delivers no more change events now: its allocation of 24 hours, or of clients, is used up."""

    code = "EVENT_LIMIT_EXCEEDED"


class Stopped(SyncError):
    """Somebody wants the run to end. What is complete is kept, and the next run goes on from there."""

    code = "STOPPED"

    def __init__(self) -> None:
        super().__init__("Stopped on request.", hint="The next sync goes on from the last whole page.")


# ── LimitExceeded: stop until the window frees ───────────────────────────────────────────────────────────────────


class LimitExceeded(SyncError):
    """The API calls of the rolling 24 hours are used up. `again_at` (UTC): when to look whether some are free again."""

    code = "REQUEST_LIMIT_EXCEEDED"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str = "", again_at: datetime | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.again_at = again_at


class BudgetSpent(LimitExceeded):
    """We did not send the call: what is left of the day's calls is kept for something more important."""

    code = "API_BUDGET_SPENT"


# ── ObjectTrouble: this object stops, the others go on ───────────────────────────────────────────────────────────


class ObjectTrouble(SyncError):
    """One object cannot be synced; the rest of the run is not touched."""


class ObjectNotFound(ObjectTrouble):
    """The org has no such object, or hides it from this user."""

    code = "OBJECT_NOT_FOUND"

    @classmethod
    def named(cls, name: str, known: Iterable[str]) -> ObjectNotFound:
        known = tuple(known)
        if name.casefold() in {each.casefold() for each in known}:
            hint = "Check that the connected user may read it."
            return cls(f"The org lists {name}, and answers all the same that there is no such object.", hint=hint)
        hint = (
            near(name, known) or "Look it up by 'salesforce-sync objects', and see that the connected user may read it."
        )
        return cls(f"There is no object {name!r}.", hint=hint)


class ObjectGone(ObjectNotFound):
    """An object that is here, and of which the org knows no more."""

    def __init__(self, object_name: str, rows: int) -> None:
        super().__init__(
            f"{object_name} is not in the org any more, or is hidden from the connected user; its {rows:,} rows stay "
            "here as they were.",
            hint="If it is hidden, give the user the Read permission. If it is gone for good, take it out of "
            "sync.objects, if it is named there; its rows can be read all the same.",
        )


class InsufficientAccess(ObjectTrouble):
    """The connected user has no right to do this."""

    code = "INSUFFICIENT_ACCESS"


class MalformedQuery(ObjectTrouble):
    """The org (or the local database) did not understand a query."""

    code = "MALFORMED_QUERY"


class SchemaChanged(ObjectTrouble):
    """A field or object that the query names is gone since the last describe. `column`: which field, if it was told."""

    code = "INVALID_FIELD"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", column: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.column = column


class RequestRefused(ObjectTrouble):
    """The org refused a request for a reason of its own, named by `code`."""


class BulkRefused(RequestRefused):
    """The org, or the user, has no Bulk API; REST may work all the same."""


class ForeignAnswer(RequestRefused):
    """A refusal in no words of Salesforce's: a page of what stands before it, which knows of no object or record.

    It may pass, so nothing is concluded from it: a record is not gone, a job not forgotten, a change not refused.
    """


class DescribeRefused(ObjectTrouble):
    """The org answers for an object's rows and does not say what its fields are; the rows came by those known here."""

    code = "DESCRIBE_REFUSED"

    @classmethod
    def because(cls, object_name: str, error: SyncError) -> DescribeRefused:
        """For an object that is known here; `error` is what the org has answered."""
        message = f"The org does not describe {object_name}, so its rows came by the fields known here: {error.message}"
        later = "Until it does, new and changed fields are not seen; later syncs ask again."
        return cls(message, hint=f"{error.hint} {later}".strip())


class LossRefused(ObjectTrouble):
    """Taking this in would remove more of an object's rows than a person has allowed; nothing was removed."""

    code = "LOSS_REFUSED"


class NotSynced(ObjectTrouble, KeyError):
    """The replica does not hold this object yet."""

    code = "OBJECT_NOT_FOUND"

    @classmethod
    def named(cls, name: str, known: Iterable[str]) -> NotSynced:
        hint = near(name, known) or f"Run 'salesforce-sync sync {name}' first."
        return cls(f"{name} is not in this replica.", hint=hint)


# ── NeedsPerson: nothing works until somebody does something ─────────────────────────────────────────────────────


class NeedsPerson(SyncError):
    """Only a person can mend this."""


class ConfigError(NeedsPerson):
    """A setting is missing, misspelt or has a wrong value."""

    code = "CONFIG_ERROR"


class WrongOrg(ConfigError):
    """The database is a replica of another org."""

    code = "WRONG_ORG"


class ProductionUnconfirmed(NeedsPerson):
    """A business runs on this org, and nobody has said yet that it may be written to from here. Edits wait."""

    code = "PRODUCTION_UNCONFIRMED"


class NotConnected(NeedsPerson):
    """No credentials are known for the org."""

    code = "NOT_CONNECTED"


class SessionInvalid(NeedsPerson):
    """The session has ended and could not be renewed."""

    code = "INVALID_SESSION_ID"


class LoginRefused(SessionInvalid):
    """The token endpoint refused the credentials; `reason` is OAuth's own error name.

    `at` is the login host's own time (UTC) then, if it told one.
    """

    def __init__(self, message: str, *, reason: str, hint: str = "", at: datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.at = at


class WorkbookRefused(NeedsPerson):
    """A workbook cannot be taken in, and nothing of it was."""

    code = "WORKBOOK_REFUSED"


class NotAWorkbook(WorkbookRefused):
    """The file is no .xlsx workbook, or a damaged one."""

    code = "NOT_A_WORKBOOK"


class WorkbookTooLarge(WorkbookRefused):
    """The file, or what it unpacks to, is larger than the settings allow, or larger than a workbook can be."""

    code = "WORKBOOK_TOO_LARGE"


class WorkbookEncrypted(WorkbookRefused):
    """The workbook has a password, and none or a wrong one was given."""

    code = "WORKBOOK_ENCRYPTED"


class ForeignWorkbook(WorkbookRefused):
    """The workbook was not exported from this replica, or its form is not that of an export any more."""

    code = "FOREIGN_WORKBOOK"


# ── StoreTrouble: the local side ─────────────────────────────────────────────────────────────────────────────────


class StoreTrouble(SyncError):
    """The local database could not do what was asked; nothing half done was kept."""

    code = "STORE_ERROR"


class StoreBusy(StoreTrouble):
    """Another program holds the database's write lock."""

    code = "STORE_BUSY"


class Taken(StoreBusy):
    """Somebody else has a duty of which a replica has one."""

    code = "RUNS_ALREADY"


class DiskFull(StoreTrouble):
    """There is no room left on the disk."""

    code = "DISK_FULL"


class NotText(StoreTrouble):
    """Some tool has put bytes into the database as text that are no UTF-8."""

    code = "NOT_TEXT"
    usual_hint = (
        "Write it again, as UTF-8. An edit by SQL is made readable by the next sync or push, and waits in the inbox."
    )

    @classmethod
    def found(cls, raw: bytes) -> NotText:
        """`raw` is the value that was met."""
        shown = raw[:60].decode("cp1252", "replace")
        return cls(f"A text that was written by another tool is not UTF-8 (read as Windows-1252: {shown!r}).")


class OutputLost(SyncError):
    """What a command printed could not be written to where it was sent."""

    code = "OUTPUT_LOST"
    usual_hint = "What was done by then is done. Make room there, or send the output elsewhere."


# ── Misuse: a call that cannot mean anything ─────────────────────────────────────────────────────────────────────


class Misuse(SyncError, ValueError):
    """A name or value in a call that makes no sense here."""

    code = "BAD_REQUEST"


class FieldNotFound(Misuse, AttributeError):
    """The object has no such field."""

    code = "FIELD_NOT_FOUND"

    @classmethod
    def named(cls, name: str, object_name: str, known: Iterable[str]) -> FieldNotFound:
        return cls(f"{object_name} has no field {name!r}.", hint=near(name, known))


class FieldRefused(FieldNotFound):
    """The org describes a field and refuses to read it; it is left out here until it does."""

    code = "FIELD_REFUSED"

    @classmethod
    def told(
        cls, fields: Iterable[str], object_name: str, since: datetime | None, again_at: datetime | None
    ) -> FieldRefused:
        """`since`, `again_at`: since when, and from when on it is tried again (UTC); None where that is not known."""
        names = [f"{object_name}.{each}" for each in fields]
        it = "it" if len(names) == 1 else "them"
        began = "" if since is None else f" since {since:%Y-%m-%d %H:%M} UTC"
        when = "The next sync" if again_at is None else f"The first sync after {again_at:%Y-%m-%d %H:%M} UTC"
        return cls(
            f"The org describes {', '.join(names)} and refuses to read {it}{began}: left out, and here as last read.",
            hint=f"{when} tries again, and so does each verify. To be done with that, hide {it} from the user.",
        )


class RecordNotFound(SyncError, LookupError):
    """The replica has no such record."""

    code = "NOT_FOUND"


class ConnectionNotFound(SyncError, LookupError):
    """There is no such connection, or it is somebody else's."""

    code = "CONNECTION_NOT_FOUND"


class UserNotFound(SyncError, LookupError):
    """There is no such user."""

    code = "USER_NOT_FOUND"


def near(name: str, known: Iterable[str]) -> str:
    """A hint that lists the known names closest to `name`, compared without case; empty if none is close."""
    from difflib import get_close_matches  # only who mistypes needs it

    by_folded = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    return f"Did you mean {', '.join(by_folded[each] for each in close)}?" if close else ""
