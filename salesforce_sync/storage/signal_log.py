"""The signals in SQLite: what happened, how far each sink has got with it, and what a sink has refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import apsw

from salesforce_sync.models.sinks import Keep, SinkState
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.signals import DeadLetter, RecordsUpdated, Signal, Told, decoded, encoded
from salesforce_sync.storage.connections import Connections

_TELL = "INSERT INTO _sync_signals (at, name, data) VALUES (?, ?, ?)"
_TOLD = "SELECT number, at, name, data FROM _sync_signals WHERE number > ? ORDER BY number LIMIT ?"
_NEWEST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '_sync_signals'), 0)"
_COUNT = """
INSERT INTO _sync_untold (object_name, count) VALUES (?, ?)
ON CONFLICT (object_name) DO UPDATE SET count = count + excluded.count
"""
_UNTOLD = "SELECT object_name, count FROM _sync_untold ORDER BY object_name"
_COUNTED = "UPDATE _sync_untold SET count = count - ? WHERE object_name = ?"
_FORGET_COUNTED = "DELETE FROM _sync_untold WHERE count <= 0"

_TOO_OLD = """
SELECT max(number) FROM _sync_signals WHERE number <= max(
    (SELECT max(number) FROM _sync_signals) - ?1,
    (SELECT number FROM _sync_signals WHERE at >= ?2 ORDER BY number LIMIT 1) - 1)
"""
"""Only what stands before all that is young: one that was told while the clock was years behind takes none with it."""

_DROPPED = """
UPDATE _sync_sink SET number = ?1, dropped = dropped + (
    SELECT count(*) FROM _sync_signals s WHERE s.number > _sync_sink.number AND s.number <= ?1)
WHERE number < ?1
"""
_DROP = "DELETE FROM _sync_signals WHERE number <= ?"

_RUN_ENDED = "DELETE FROM _sync_open_run WHERE run_id = ?"

_JOIN = f"INSERT OR IGNORE INTO _sync_sink (name, number) VALUES (?, ({_NEWEST}))"
_SINKS = """
SELECT name, number, failures, retry_at, problem, delivered_at, dropped,
    (SELECT count(*) FROM _sync_signals WHERE _sync_signals.number > _sync_sink.number),
    (SELECT count(*) FROM _sync_dead WHERE sink = _sync_sink.name), dropped_told
FROM _sync_sink
"""
_DELIVERED = """
UPDATE _sync_sink SET number = max(number, ?), failures = 0, retry_at = NULL, problem = '', delivered_at = ?
WHERE name = ?
"""
_FAILED = "UPDATE _sync_sink SET failures = failures + 1, retry_at = ?, problem = ? WHERE name = ?"
_BURY = """
INSERT INTO _sync_dead (sink, number, at, name, data, problem, died_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sink, number) DO UPDATE SET problem = excluded.problem, died_at = excluded.died_at, again = 0
"""
_PASS = "UPDATE _sync_sink SET number = max(number, ?), failures = 0, retry_at = NULL WHERE name = ?"
_DEAD = "SELECT id, sink, number, at, name, data, problem, died_at FROM _sync_dead"
_KEEP_DEAD = "DELETE FROM _sync_dead WHERE id <= (SELECT max(id) FROM _sync_dead) - ?"
MOST_DEAD = 10_000


class SignalLog:
    """The signals' part of the SQLite store; `ports` says what each call promises."""

    def __init__(self, connections: Connections, now: Callable[[], datetime], keep: Keep) -> None:
        self._connections = connections
        self._now = now
        self._keep = keep

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, signals: Sequence[Signal], ended: str = "") -> None:
        with self._connections.writing() as db:
            if ended:
                db.execute(_RUN_ENDED, (ended,))
            for signal in signals:
                self.write(db, signal)
                if isinstance(signal, RecordsUpdated):
                    db.executemany(_COUNTED, [(count, name) for name, count in signal.objects])
                    db.execute(_FORGET_COUNTED)
            self.trim(db)

    def write(self, db: apsw.Connection, signal: Signal) -> None:
        """Tell it within the transaction that is open."""
        tell(db, self._now(), signal)

    def write_all(self, db: apsw.Connection, signals: Sequence[Signal]) -> None:
        """The same for several."""
        at = format_datetime(self._now())
        db.executemany(_TELL, [(at, each.name, encoded(each)) for each in signals])

    def trim(self, db: apsw.Connection) -> None:
        """Let go of what is too old, or too much."""
        oldest = format_datetime(self._now() - timedelta(days=self._keep.days))
        last: int | None = db.execute(_TOO_OLD, (self._keep.rows, oldest)).get
        if last is not None:
            db.execute(_DROPPED, (last,))
            db.execute(_DROP, (last,))

    def untold(self, names: Iterable[str]) -> tuple[tuple[str, int], ...]:
        wanted = {name.casefold() for name in names}
        with self._connections.looking() as db:
            rows = [(str(name), int(str(count))) for name, count in db.execute(_UNTOLD)]
        return tuple((name, count) for name, count in rows if name.casefold() in wanted)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def told(self, after: int, most: int) -> tuple[Told, ...]:
        with self._connections.looking() as db:
            rows = [tuple(map(str, row)) for row in db.execute(_TOLD, (after, most))]
        found = ((number, at, decoded(name, data)) for number, at, name, data in rows)
        return tuple(Told(int(number), parse_datetime(at), signal) for number, at, signal in found if signal)

    def newest(self) -> int:
        with self._connections.looking() as db:
            return int(str(db.execute(_NEWEST).get))

    def replica_id(self) -> str:
        with self._connections.looking() as db:
            return str(db.execute("SELECT id FROM _sync_replica").get)

    # ── sinks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, names: Sequence[str]) -> None:
        with self._connections.writing() as db:
            for name in names:
                db.execute(_JOIN, (name,))

    def leave(self, sink: str) -> bool:
        with self._connections.writing() as db:
            db.execute("DELETE FROM _sync_dead WHERE sink = ?", (sink,))
            db.execute("DELETE FROM _sync_sink WHERE name = ?", (sink,))
            return db.changes() > 0

    def sinks(self) -> tuple[SinkState, ...]:
        with self._connections.looking() as db:
            return tuple(map(_sink, db.execute(f"{_SINKS} ORDER BY name")))

    def sink(self, name: str) -> SinkState:
        with self._connections.looking() as db:
            return _sink(db.execute(f"{_SINKS} WHERE name = ?", (name,)).get)

    def delivered(self, sink: str, number: int) -> None:
        with self._connections.writing() as db:
            db.execute(_DELIVERED, (number, format_datetime(self._now()), sink))

    def failed(self, sink: str, problem: str, retry_at: datetime) -> None:
        with self._connections.writing() as db:
            db.execute(_FAILED, (format_datetime(retry_at), problem, sink))

    def told_dropped(self, sink: str, dropped: int) -> None:
        with self._connections.writing() as db:
            db.execute("UPDATE _sync_sink SET dropped_told = ? WHERE name = ?", (dropped, sink))

    def bury(self, sink: str, told: Told, problem: str) -> None:
        with self._connections.writing() as db:
            values = format_datetime(told.at), told.signal.name, encoded(told.signal)
            db.execute(_BURY, (sink, told.number, *values, problem, format_datetime(self._now())))
            db.execute(_PASS, (told.number, sink))
            db.execute(_KEEP_DEAD, (MOST_DEAD,))

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────

    def dead(self, sink: str | None = None) -> tuple[DeadLetter, ...]:
        return self._dead("" if sink is None else " WHERE sink = ?", () if sink is None else (sink,))

    def wanted_again(self, sink: str) -> tuple[DeadLetter, ...]:
        return self._dead(" WHERE sink = ? AND again = 1", (sink,))

    def _dead(self, condition: str, bindings: tuple[str, ...]) -> tuple[DeadLetter, ...]:
        with self._connections.looking() as db:
            rows = [tuple(map(str, row)) for row in db.execute(f"{_DEAD}{condition} ORDER BY id", bindings)]
        letters = []
        for row in rows:
            number, sink, told, at, name, data, problem, died_at = row
            signal = decoded(name, data)
            if signal is not None:
                kept = Told(int(told), parse_datetime(at), signal)
                letters.append(DeadLetter(int(number), sink, kept, problem, parse_datetime(died_at)))
        return tuple(letters)

    def again(self, sink: str | None = None) -> int:
        with self._connections.writing() as db:
            bindings = () if sink is None else (sink,)
            db.execute(f"UPDATE _sync_sink SET retry_at = NULL{'' if sink is None else ' WHERE name = ?'}", bindings)
            db.execute(f"UPDATE _sync_dead SET again = 1{'' if sink is None else ' WHERE sink = ?'}", bindings)
            return db.changes()

    def revived(self, number: int) -> None:
        with self._connections.writing() as db:
            db.execute("DELETE FROM _sync_dead WHERE id = ?", (number,))


def tell(db: apsw.Connection, at: datetime, signal: Signal) -> None:
    """Tell it within the transaction that is open, and that caused it."""
    db.execute(_TELL, (format_datetime(at), signal.name, encoded(signal)))


def count_changed(db: apsw.Connection, object_name: str, changed: int) -> None:
    """Note, within the transaction of a merge, that so many rows are not as they were."""
    if changed:
        db.execute(_COUNT, (object_name, changed))


def _sink(row: tuple[object, ...]) -> SinkState:
    name, number, failures, retry_at, problem, delivered_at, *rest = row
    counts = (int(str(each)) for each in rest)  # dropped, waiting, dead, dropped_told
    times = _moment(retry_at), str(problem), _moment(delivered_at)
    return SinkState(str(name), int(str(number)), int(str(failures)), *times, *counts)


def _moment(text: object) -> datetime | None:
    return None if text is None else parse_datetime(str(text))
