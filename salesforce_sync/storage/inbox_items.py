"""What comes into the inbox, and what a person is told about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import apsw
import msgspec
from msgspec.structs import astuple, replace

from salesforce_sync.errors import FieldNotFound
from salesforce_sync.models.inbox import MERGED, Conflict, Contested, Verdict, beyond_reach
from salesforce_sync.models.outbox import Change, Kind, Operation
from salesforce_sync.models.outcome import EDITED_TWICE, NOT_DELETED, Rejected
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import Problem
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.resolve import as_told, changed_again, changed_there
from salesforce_sync.signals import news_of
from salesforce_sync.storage.signal_log import tell

_PUT = """
INSERT INTO _sync_inbox (object_name, record_id, kind, at, code, message, hint, fields, matches, replaced, operation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (object_name, record_id, kind) DO UPDATE SET
    at = CASE WHEN (code, message, fields) = (excluded.code, excluded.message, excluded.fields)
        THEN at ELSE excluded.at END, code = excluded.code,
    message = excluded.message, hint = excluded.hint, fields = excluded.fields, matches = excluded.matches,
    replaced = excluded.replaced, operation = excluded.operation
"""
_TOLD = "SELECT replaced FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"
_REFUSAL = "SELECT code, message, fields FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"
_AS_IT_WAS_THERE = """
SELECT field FROM _sync_edit WHERE object_name = ? AND record_id = ? AND contested = 1 AND org IS base
"""
_CONTESTED = "SELECT field FROM _sync_edit WHERE object_name = ? AND record_id = ? AND contested = 1"
_RENEW = """
UPDATE _sync_inbox SET code = ?, message = ?, hint = ?, fields = ? WHERE object_name = ? AND record_id = ? AND kind = ?
"""
_SAID = "SELECT message FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"
_IS_THERE = "SELECT 1 FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"

Key = tuple[str, str, Kind]
"""An item's object, record and kind: there is one of each."""


def put_item(
    db: apsw.Connection,
    change: Change,
    record_id: str,
    kind: Kind,
    at: datetime,
    rejected: Rejected | None = None,
    replaced: Sequence[Conflict] = (),
) -> None:
    """Put what became of a change before a person."""
    told = Rejected(change, "", "") if rejected is None else rejected
    message = (
        "Somebody changed the field in the moment before it was written." if kind is Kind.REPLACED else told.message
    )
    named = [(each.object_name, each.record_id) for each in told.matches]
    texts = [msgspec.json.encode(each).decode() for each in (told.fields, named)]
    hint = advice(told.code, kind, change.operation)
    if kind is Kind.UNCERTAIN and not told.matches:
        hint = "Look for it in the org: link it if it is there, else send it again."
    what = (told.code, message, hint, *texts, encoded(replaced))
    _put(db, (change.object_name, record_id, kind), at, what)


def put_record_item(db: apsw.Connection, contested: Contested, verdict: Verdict, at: datetime, code: str = "") -> None:
    """Put a contested record before a person."""
    kind = verdict.kind or Kind.CONFLICT
    key = contested.object_name, contested.record_id, kind
    fields = [each.field for each in verdict.conflicts]
    code = MERGED if verdict.master else code or kind.name
    masters = [(contested.object_name, verdict.master)] if verdict.master else []
    message, changed = verdict.message, verdict.changed
    if kind is Kind.CONFLICT:
        code, message, fields = _still_refused(db, key) or (code, message, fields)
    if changed:
        changed = changed_again(decoded(db.execute(_TOLD, key).get or "[]"), changed)
        message = changed_there([each.field for each in changed])
    elif kind is Kind.DELETED_THERE:
        message = as_told(str(db.execute(_SAID, key).get or ""), message)
    texts = [msgspec.json.encode(each).decode() for each in (fields, masters)]
    both_changed = any(each.org != each.base for each in verdict.conflicts)
    _put(db, key, at, (code, message, advice("" if both_changed else code, kind), *texts, encoded(changed)))


def put_refused_fields(db: apsw.Connection, change: Change, record_id: str, at: datetime, rejected: Rejected) -> None:
    """Put fields that were refused whatever is in them before a person; what waits so already is told with them."""
    before = _still_refused(db, (change.object_name, record_id, Kind.CONFLICT))
    if before is not None:
        _, message, fields = before
        said = message if rejected.message in message else f"{message} {rejected.message}"
        all_fields = tuple(dict.fromkeys((*fields, *rejected.apart)))
        rejected = replace(rejected, message=said, apart=all_fields)
    put_item(db, change, record_id, Kind.CONFLICT, at, replace(rejected, fields=rejected.apart))


def renew_refusal(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """Some fields of the record are decided: what the org said of them is told of no others."""
    key = object_name, record_id, Kind.CONFLICT
    told = db.execute(_REFUSAL, key).fetchone()
    if told is None or told[0] == Kind.CONFLICT.name:
        return
    waits = [name for (name,) in db.execute(_CONTESTED, key[:2])]
    code, message, fields = _still_refused(db, key) or (Kind.CONFLICT.name, "", waits)
    only_refused = set(waits) == set(fields) and code != Kind.CONFLICT.name
    hint = advice(code if only_refused else "", Kind.CONFLICT)
    db.execute(_RENEW, (code, message, hint, msgspec.json.encode(fields).decode(), *key))


def _still_refused(db: apsw.Connection, key: Key) -> tuple[str, str, list[str]] | None:
    """What the org said as it refused fields that wait on, and that nobody has changed there since: code and message
    hold, and `retry` finds them."""
    told = db.execute(_REFUSAL, key).fetchone()
    if told is None or told[0] == Kind.CONFLICT.name:
        return None
    code, message, fields = told
    waits = {name for (name,) in db.execute(_AS_IT_WAS_THERE, key[:2])}
    left = [each for each in _FIELDS.decode(fields) if each in waits]
    return (code, message, left) if left else None


def put_told(
    db: apsw.Connection, key: Key, operation: Operation, at: datetime, problem: Problem, lost: Sequence[Conflict]
) -> None:
    """Tell a person what a push has done to a record; `lost` are the values of others that are gone with it."""
    fields, hint = msgspec.json.encode([each.field for each in lost]).decode(), advice(problem.code, key[2])
    _put(db, key, at, (problem.code, problem.message, hint, fields, "[]", encoded(lost)), operation)


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_FIELDS = msgspec.json.Decoder(list[str])
_CONFLICTS = msgspec.json.Decoder(list[tuple[str, Stored, Stored, Stored]])


def encoded(conflicts: Sequence[Conflict]) -> str:
    """What was, or is to be, replaced, as an item keeps it."""
    return msgspec.json.encode(list(map(astuple, conflicts))).decode()


def decoded(text: str) -> list[Conflict]:
    """The same, as it was."""
    return [Conflict(*each) for each in _CONFLICTS.decode(text)]


def _put(
    db: apsw.Connection, key: Key, at: datetime, what: tuple[str, ...], operation: Operation | None = None
) -> None:
    """Put it there, or renew what is there; of a new item a signal tells."""
    is_new = db.execute(_IS_THERE, key).get is None
    db.execute(_PUT, (*key, format_datetime(at), *what, operation))
    if is_new:
        code, *_ = what
        tell(db, at, news_of(*key, code))


_ADVICE = {
    Kind.CONFLICT: "Take the org's values, the local ones, or write others.",
    Kind.DELETED_THERE: "Take the org's side to let the record go, or the local one to bring it back with its edits.",
    Kind.CHANGED_THERE: "Take the org's side to keep the record, or the local one to delete it all the same.",
    Kind.REPLACED: "Take the org's side to write the replaced value again, or the local one to leave it replaced.",
    Kind.DELETED_OVER: "Take the org's side to bring the record back with it, or the local one to leave it deleted.",
    Kind.NOT_SHOWN: "Let the connected user see the record, then verify: it comes. Or drop this, and leave it unseen.",
    Kind.DUPLICATE: "Link it to the matching record, send it again past the rule (if that lets it pass), or drop it.",
    Kind.UNCERTAIN: "Look at the matching record: link it if it is this one, else send it again.",
    Kind.REJECTED: "Edit the record, or send it again once the org's rule is changed; drop it to give the edit up.",
}


def advice(code: str, kind: Kind, operation: Operation | None = None) -> str:
    """What a person can do."""
    if beyond_reach(kind, code):
        return _OF_A_GONE_RECORD[code]
    if kind is Kind.DUPLICATE and operation is not Operation.CREATE:
        return "Edit the record, send it again past the rule (if that lets it pass), or drop the edit."
    return _BY_CODE.get(code, _ADVICE[kind])


_OF_A_GONE_RECORD = {
    Cause.PURGED.name: "It is gone for good: drop the edit, and make the record anew if you need one.",
    Cause.HIDDEN.name: "Let the connected user see the record, then verify: the edit goes on by itself. "
    "Or drop the edit.",
    Cause.UNKNOWN.name: "If it is only hidden, let the connected user see it, then verify: the edit goes on by itself. "
    "Else drop the edit.",
}


_NO_FIELD = "The org has no such field any more: drop the edit, or take it up once the field is back."

_BY_CODE = {
    "REQUIRED_FIELD_MISSING": "Fill the field in and push again.",
    "DUPLICATE_VALUE": "Another record has the value: change it there or here. Two that are to swap: empty one first.",
    "STRING_TOO_LONG": "Shorten the text and push again.",
    "CANNOT_UPDATE_CONVERTED_LEAD": "A converted lead is not changed any more: drop this, and edit the contact, "
    "account or opportunity that it became (ConvertedContactId, ConvertedAccountId, ConvertedOpportunityId).",
    "INVALID_EMAIL_ADDRESS": "Correct the address and push again.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The connected user needs edit rights on the record; then send it again.",
    "ENTITY_IS_DELETED": "A record that it refers to is deleted in the org: choose another, or clear the field.",
    "UNDELETE_FAILED": "It is not in the org's bin. If it went with a record that is, bring that one back, then send "
    "this again; else drop this, or make it anew.",
    "INVALID_FIELD": _NO_FIELD,
    FieldNotFound.code: _NO_FIELD,
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The connected user may not write the field: drop the edit, or have it allowed.",
    "INVALID_CROSS_REFERENCE_KEY": "The id that it refers to does not exist, or the user may not see it.",
    EDITED_TWICE: "Take the org's side to write the earlier value, or the local one to leave the later one.",
    NOT_DELETED: "Delete it again if it is to go; drop this if it may stay.",
    MERGED: "Give its edits to the record that it went into (link it, local side), or let them go (the org's side).",
    "NO_SOAP_API": "Restore the record in Salesforce's recycle bin, then sync; or drop this if it may stay deleted.",
    "NOT_TEXT": "Write it again, or send it if it is right as it reads now. Convert the file before the next import.",
    "LOCAL_REFERENCE_GONE": "It refers to a record that was made here and dropped: choose another, or clear the field.",
}
