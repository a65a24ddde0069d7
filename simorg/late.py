"""Late commits: writes with the stamp of their making that are seen only later, as after a long transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from simorg.clock import OrgClock
from simorg.database import Database, Value


@dataclass(frozen=True, slots=True)
class Late:
    """Writes stamped at `started_ms` that become visible at `commit_ms`."""

    started_ms: int
    commit_ms: int
    writes: Sequence[tuple[str, Sequence[Value]]]


class LateCommits:
    """The open transactions of an org."""

    def __init__(self, database: Database, clock: OrgClock) -> None:
        self._database = database
        self._clock = clock
        self._open: list[Late] = []

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Keep the writes of the block back until the clock has gone on by `seconds`; an error drops them."""
        started = self._clock.now_ms()
        with self._database.lock:
            with self._database.recording() as writes:
                yield
            self._open.append(Late(started, started + round(seconds * 1000), list(writes)))

    def commit_due(self) -> None:
        """Do the writes whose time has come, in the order of their times."""
        now = self._clock.now_ms()
        if not any(late.commit_ms <= now for late in self._open):
            return
        with self._database.lock:
            due = sorted((late for late in self._open if late.commit_ms <= now), key=lambda late: late.commit_ms)
            self._open = [late for late in self._open if late.commit_ms > now]
            for late in due:
                self._database.replay(late.writes)

    def oldest_ms(self) -> int | None:
        """Return when the oldest open transaction began, or None."""
        return min((late.started_ms for late in self._open), default=None)
