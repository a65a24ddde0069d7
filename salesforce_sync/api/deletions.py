"""getDeleted: the org's own log of what was deleted. It knows purged records too, and keeps them some fifteen days.

Source: REST guide, sObject Get Deleted; section 5 of the API facts. The window has whole minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from salesforce_sync.api.bulk import read_time
from salesforce_sync.api.query import is_identifier
from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.errors import Misuse, ObjectTrouble, RequestRefused, SyncError, Unreachable
from salesforce_sync.models.page import Deletions
from salesforce_sync.models.salesforce_id import from_org

WINDOW = "INVALID_REPLICATION_DATE"
"""Salesforce's code for a window that it does not take: reversed, too old, or no longer in its log."""


class _Deleted(msgspec.Struct):
    id: str


class _Reply(msgspec.Struct):
    deletedRecords: list[_Deleted]
    latestDateCovered: str


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_REPLY = msgspec.json.Decoder(_Reply)


def deletions(transport: Transport, object_name: str, start: datetime, end: datetime) -> Deletions:
    """What was deleted in the window, of which the org sees only the minutes. One call.

    `covered` may be earlier than `end`: an open transaction may still add to what is later.
    """
    if not is_identifier(object_name):
        raise RequestRefused(f"There is no object {object_name!r}.", code="NOT_FOUND")
    first, last = _minute(start), _minute(end)
    if first >= last:
        hint = "The start must be at least one minute before the end."
        raise RequestRefused(f"No deletions can be between {first:%H:%M} and {last:%H:%M}.", code=WINDOW, hint=hint)
    path = f"sobjects/{object_name}/deleted/?start={_parameter(first)}&end={_parameter(last)}"
    answer = transport.send(Call(f"list the deletions of {object_name}", path, refused=_refused))
    return _read(answer.body, object_name, last)


def _minute(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise Misuse(f"{moment!r} has no time zone.", hint="Give a datetime in UTC.")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _parameter(moment: datetime) -> str:
    # A bare + in a query string means a blank.
    return quote(moment.isoformat(), safe="")


def _refused(refusal: Refusal, doing: str) -> SyncError:
    """What concerns the object keeps the org's own code: it tells whether a smaller window, or nothing, would help."""
    error = error_for(refusal, doing)
    if not isinstance(error, ObjectTrouble):
        return error
    return RequestRefused(error.message, code=refusal.code, hint="Compare the ids with the org instead: verify.")


def _read(body: bytes, object_name: str, end: datetime) -> Deletions:
    try:
        told = _REPLY.decode(body)
        ids = frozenset(from_org(each.id) for each in told.deletedRecords)
    except (msgspec.MsgspecError, UnicodeDecodeError, Misuse) as bad:
        raise Unreachable(f"The org's deletions of {object_name} cannot be read: {bad}.") from bad
    covered = read_time(told.latestDateCovered)
    if covered is None:
        raise Unreachable(f"The org did not say until when the deletions of {object_name} are known.")
    return Deletions(ids, min(covered, end))
