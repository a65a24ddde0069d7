"""How the runs went, object by object, and what the org last said of the day's calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import astuple

from salesforce_sync.models.run import Problem, RunCounts, RunRecord, RunState
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.storage import own_sql
from salesforce_sync.storage.connections import Connections


class Runs:
    """The runs' part of the SQLite store. The status reads with its thread's own reader."""

    def __init__(self, connections: Connections, now: Callable[[], datetime]) -> None:
        self._connections = connections
        self._now = now

    def record(self, run: RunRecord) -> None:
        problem = run.problem
        times = format_datetime(run.started), format_datetime(run.finished)
        counts = astuple(run.counts)
        reason = (None, None, None) if problem is None else (problem.code, problem.message, problem.hint)
        with self._connections.writing() as db:
            db.execute(own_sql.FORGET_SAME_RUN, (run.object_name, run.run_id))
            db.execute(own_sql.RECORD_RUN, (run.run_id, run.object_name, run.state, *times, *counts, *reason))
            db.execute(own_sql.KEEP_RUNS, (run.object_name,))

    def note_usage(self, used: int, limit: int) -> None:
        with self._connections.writing() as db:
            db.execute(own_sql.NOTE_USAGE, (used, limit, format_datetime(self._now())))

    def usage(self) -> DayUsage | None:
        with self._connections.looking() as db:
            row = db.execute(own_sql.USAGE).fetchone()
        return None if row is None else DayUsage(row[0], row[1], parse_datetime(row[2]))

    def tried(self) -> list[str]:
        """The objects that some run has tried, whether they are here or not."""
        return [name for (name,) in self._connections.reader().execute(own_sql.OBJECTS_WITH_RUNS)]

    def last(self, object_name: str) -> RunRecord | None:
        """The object's last run."""
        row = self._connections.reader().execute(own_sql.LAST_RUN, (object_name,)).fetchone()
        return None if row is None else _run(row)

    def last_complete(self, object_name: str) -> datetime | None:
        """When the object's last run that was complete ended."""
        text = self._connections.reader().execute(own_sql.LAST_COMPLETE, (object_name,)).get
        return None if text is None else parse_datetime(text)


def _run(row: tuple[object, ...]) -> RunRecord:
    run_id, name, state, started, finished, rows, inserted, updated, deleted, code, message, hint = row
    problem = None if code is None else Problem(str(code), str(message), str(hint))
    counts = RunCounts(*(int(str(each)) for each in (rows, inserted, updated, deleted)))
    times = parse_datetime(str(started)), parse_datetime(str(finished))
    return RunRecord(str(run_id), str(name), RunState(str(state)), *times, counts, problem)
