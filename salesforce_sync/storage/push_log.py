"""The pushes in SQLite: what each cost, and what became of its changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import apsw
import msgspec

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import DELETED_OVER, NOT_SHOWN, OVERWROTE
from salesforce_sync.models.push import UNFINISHED, Push, PushedChange, besides_settled
from salesforce_sync.models.run import Problem
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.ports import MOST_LISTED, Pushed
from salesforce_sync.storage.connections import Connections

_NOTE_PUSH = "INSERT OR IGNORE INTO _sync_push (push_id, at, code, message, hint) VALUES (?, ?, ?, ?, ?)"
_RECORD_PUSH = """
INSERT INTO _sync_push (push_id, at, calls, seconds, code, message, hint, besides) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (push_id) DO UPDATE SET calls = excluded.calls, seconds = excluded.seconds, code = excluded.code,
    message = excluded.message, hint = excluded.hint, besides = excluded.besides
"""
_FORGET_ATTEMPT = """
-- +push_id: not by the index of the push, which all its rows share (10,000 answers would be 50 million looks).
DELETE FROM _sync_pushed WHERE +push_id = ? AND object_name = ? AND record_id IN (?, ?) AND outcome <> 'applied'
"""
_LOST = """
SELECT EXISTS (SELECT 1 FROM _sync_pushed
WHERE +push_id = ? AND object_name = ? AND record_id = ? AND operation = ? AND outcome = 'lost')
"""
_NOTE_PUSHED = """
INSERT INTO _sync_pushed (push_id, object_name, record_id, operation, edits, outcome, code, message, hint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PUSHES = """
SELECT push_id, calls, seconds, code, message, hint, at, besides FROM _sync_push ORDER BY at DESC, rowid DESC LIMIT ?
"""
_ENDED = "SELECT outcome, count(*) FROM _sync_pushed WHERE push_id = ? GROUP BY outcome"
_PUSHED = """
SELECT object_name, record_id, operation, edits, outcome, code, message, hint FROM _sync_pushed
WHERE push_id = ? ORDER BY id LIMIT ?
"""
_NOT_LISTED = """
SELECT outcome, count(*) FROM (SELECT outcome FROM _sync_pushed WHERE push_id = ? ORDER BY id LIMIT -1 OFFSET ?)
GROUP BY outcome
"""
_TOLD = f"""
SELECT coalesce(sum(code IN ('{OVERWROTE}', '{DELETED_OVER}')), 0), coalesce(sum(code = '{NOT_SHOWN}'), 0)
FROM _sync_pushed WHERE push_id = ? AND outcome = 'applied' AND code IS NOT NULL
"""
_NOTE_PROBLEM = """
UPDATE _sync_pushed SET code = ?, message = ?, hint = ?
-- By the record: a push may have brought very many.
WHERE +push_id = ? AND object_name = ? AND record_id = ? AND outcome = 'applied'
"""
_NOTE_NO_PROBLEM = f"""
UPDATE _sync_pushed SET code = NULL, message = NULL, hint = NULL
WHERE object_name = ? AND record_id = ? AND code = '{DELETED_OVER}'
"""
_NOTE_LESS = "UPDATE _sync_pushed SET message = ?4 WHERE object_name = ?1 AND record_id = ?2 AND message = ?3"
_PUSHED_BACKWARDS = """
SELECT id, object_name, record_id, operation, edits, outcome, code, message, hint FROM _sync_pushed
WHERE push_id = ? AND id < ? ORDER BY id DESC LIMIT ?
"""
_ENDED_AT = "SELECT at, seconds FROM _sync_push WHERE push_id = ?"
_KNOWS_PUSH = "SELECT EXISTS (SELECT 1 FROM _sync_push WHERE push_id = ?)"
KEPT_PUSHES = 500
_KEEP_PUSHES = f"""
DELETE FROM _sync_push WHERE push_id IN (SELECT push_id FROM _sync_push ORDER BY at DESC LIMIT -1 OFFSET {KEPT_PUSHES});
DELETE FROM _sync_pushed WHERE push_id NOT IN (SELECT push_id FROM _sync_push)
"""
_AFTER_ALL = 2**63 - 1

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_EDITS = msgspec.json.Decoder(list[tuple[str, Stored, Stored]])
_BESIDES = msgspec.json.Decoder(dict[str, int])


class PushLog:
    """The pushes' part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections, now: Callable[[], datetime]) -> None:
        self._connections = connections
        self._now = now

    def record_push(self, push: Push) -> None:
        problem = push.problem
        reason = (None, None, None) if problem is None else (problem.code, problem.message, problem.hint)
        with self._connections.writing() as db:
            at = format_datetime(self._now())
            kept = {str(outcome): int(str(count)) for outcome, count in db.execute(_ENDED, (push.push_id,))}
            besides = msgspec.json.encode(besides_settled(push, kept)).decode()
            db.execute(_RECORD_PUSH, (push.push_id, at, push.calls, push.seconds, *reason, besides))
            db.execute(_KEEP_PUSHES)

    def pushes(self, most: int, listed: int) -> tuple[Push, ...]:
        found: list[Push] = []
        room = MOST_LISTED
        with self._connections.looking() as db, db:
            for row in list(db.execute(_PUSHES, (most,))):
                here = min(room, listed)
                changes = [_pushed(each) for each in db.execute(_PUSHED, (row[0], here))]
                beyond: Counter[str] = Counter(_BESIDES.decode(str(row[7])))
                if len(changes) == here:
                    beyond.update(dict(db.execute(_NOT_LISTED, (row[0], here))))
                room -= len(changes)
                found.append(_push(row, changes, beyond, db.execute(_TOLD, (row[0],)).get))
        return tuple(found)

    def pushed(self, push_id: str, before: int | None, most: int) -> Pushed:
        last = _AFTER_ALL if before is None else before
        with self._connections.looking() as db:
            rows = list(db.execute(_PUSHED_BACKWARDS, (push_id, last, most)))
            at, seconds = db.execute(_ENDED_AT, (push_id,)).get or (format_datetime(self._now()), 0.0)
        before = int(str(rows[-1][0])) if len(rows) == most else None
        return Pushed(tuple(_pushed(row[1:]) for row in rows), before, parse_datetime(at) + timedelta(seconds=seconds))

    def knows_push(self, push_id: str) -> bool:
        with self._connections.looking() as db:
            return bool(db.execute(_KNOWS_PUSH, (push_id,)).get)


def note_push(db: apsw.Connection, push_id: str, now: datetime) -> None:
    """The push has begun."""
    db.execute(_NOTE_PUSH, (push_id, format_datetime(now), UNFINISHED.code, UNFINISHED.message, UNFINISHED.hint))


def note_pushed(
    db: apsw.Connection, push_id: str, change: Change, record_id: str, outcome: str, problem: Problem | None = None
) -> None:
    """Keep what became of one change of a push, in place of what became of it before, under whichever of its ids."""
    db.execute(_FORGET_ATTEMPT, (push_id, change.object_name, change.record_id, record_id))
    edits = msgspec.json.encode([(each.field, each.base, each.value) for each in change.edits]).decode()
    reason = (None, None, None) if problem is None else (problem.code, problem.message, problem.hint)
    db.execute(_NOTE_PUSHED, (push_id, change.object_name, record_id, change.operation, edits, outcome, *reason))


def has_lost(db: apsw.Connection, push_id: str, change: Change, record_id: str) -> bool:
    """Whether this push has sent the change and had no answer."""
    return bool(db.execute(_LOST, (push_id, change.object_name, record_id, change.operation)).get)


def note_problem(db: apsw.Connection, push_id: str | None, object_name: str, record_id: str, problem: Problem) -> None:
    """Keep what was found out, later, about a change that a push has brought to the org."""
    db.execute(_NOTE_PROBLEM, (problem.code, problem.message, problem.hint, push_id, object_name, record_id))


def note_no_problem(db: apsw.Connection, object_name: str, record_id: str) -> None:
    """It shows that the deletion of a record took nothing of anybody's."""
    db.execute(_NOTE_NO_PROBLEM, (object_name, record_id))


def note_less(db: apsw.Connection, object_name: str, record_id: str, told: str, now: str) -> None:
    """It shows that it took less than was `told`."""
    db.execute(_NOTE_LESS, (object_name, record_id, told, now))


def _pushed(row: tuple[object, ...]) -> PushedChange:
    name, record_id, operation, edits, outcome, code, message, hint = row
    return PushedChange(
        str(name),
        str(record_id),
        Operation(str(operation)),
        tuple(Edit(*each) for each in _EDITS.decode(str(edits))),
        str(outcome),
        _problem(code, message, hint),
    )


def _push(
    row: tuple[object, ...], changes: Sequence[PushedChange], beyond: Mapping[str, int], told: tuple[int, int]
) -> Push:
    push_id, calls, seconds, code, message, hint, at, _ = row
    cost = int(str(calls)), float(str(seconds))
    problem, (overwrote, hidden) = _problem(code, message, hint), told
    at = parse_datetime(str(at))
    return Push(str(push_id), tuple(changes), *cost, problem, at, beyond, overwrote, hidden=hidden)


def _problem(code: object, message: object, hint: object) -> Problem | None:
    return None if code is None else Problem(str(code), str(message), str(hint or ""))
