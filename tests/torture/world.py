"""A world in which a history happens: an org on a socket, its chronicle, and replicas that sync from it."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simorg import ids
from simorg.database import quote
from simorg.event_server import EventServer
from simorg.faults import Fault, Faults
from simorg.org import OrgError, SimOrg
from simorg.results import Failure, Refused, Result
from tests.torture.chronicle import Chronicle
from tests.torture.clock import FollowingClock
from tests.torture.history import Setup
from tests.torture.replica import Replica, config_of

START_MS = 1_700_000_000_000
TRANSACTION = "a transaction"
SOMEBODY = ids.make("005", 2)
CHILDREN_FIRST = ("Widget__c", "Opportunity", "Lead", "Contact", "Account")


@dataclass(slots=True)
class Meanwhile:
    """Something that happens when the org gets its `nth` request from now on."""

    nth: int
    act: Callable[[], None]


class WatchedFaults(Faults):
    """Faults that also let other things happen when a request comes, in the middle of somebody's sync."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Meanwhile] = []
        self.troubles: list[Exception] = []
        self.before_each: Callable[[], None] = lambda: None

    def for_request(self, method: str, target: str) -> list[Fault]:
        self._let(self.before_each)
        for each in list(self.waiting):
            each.nth -= 1
            if each.nth <= 0:
                self.waiting.remove(each)
                self._let(each.act)
        return super().for_request(method, target)

    def _let(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as trouble:  # it would else end the server's answer, and not the history
            self.troubles.append(trouble)


class World:
    """Everything that a step may touch."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = tempfile.TemporaryDirectory(prefix="torture-")
        self.org = SimOrg(0, start_ms=START_MS)
        self.org.clock.freeze()
        self.org.user_id = SOMEBODY  # who works in the org is not who is connected
        self.org.rules.move_stamp_of_nulled_lookups = not setup.quiet_lookups
        self.faults = self.org.faults = WatchedFaults()
        self.server = self.org.serve()
        self.server.start()
        self.event_server = self._events_begin() if setup.events else None
        self.chronicle = Chronicle(self.org, setup.objects)
        self.clock = FollowingClock(self.org.clock, setup.skew_seconds)
        self.replicas = [self._replica(number) for number in range(setup.replicas)]
        self.locked: dict[str, int] = {}
        self.fields_made = 0
        self.days_passed = 0.0
        self.trace: list[str] = []
        self.tokens = 0
        self.excused: set[object] = set()
        self.joined = 0
        self._beside: list[threading.Thread] = []
        if setup.two_way:
            self.faults.before_each = self.chronicle.note

    def _replica(self, number: int) -> Replica:
        path = Path(self.folder.name) / f"replica{number}" / "salesforce.db"
        config = config_of(self.org.url, path, self.setup.objects, self.org.events.url, self.setup.policy)
        return Replica(config, self.clock, follows=self.setup.events)

    def _events_begin(self) -> EventServer:
        self.org.events.select(*self.setup.objects)
        self.org.events.ping_seconds = 0.3
        return self.org.serve_events().start()

    @property
    def rows_a_page(self) -> int:
        """The fewest rows that one call brings here."""
        return min(self.setup.page_rows, self.setup.result_rows)

    def close(self) -> None:
        """Give everything up. The server's end takes a moment, and nobody has to wait for it."""
        self.join()
        for replica in self.replicas:
            replica.close()
        threading.Thread(target=self._close_org).start()

    def _close_org(self) -> None:
        if self.event_server is not None:
            self.event_server.stop()
        self.server.stop()
        self.org.close()
        self.folder.cleanup()

    def tell(self, text: str) -> None:
        self.trace.append(text)

    @property
    def bulk_writes(self) -> bool:
        """Whether local edits go by Bulk, which does not see what is written meanwhile, or in the second of our stamp.

        That is known (docs/two-way.md), so it does not happen in these histories.
        """
        return self.setup.two_way and self.setup.way == "bulk"

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def ids(self, name: str, *, deleted: bool) -> list[str]:
        """The rows of an object that somebody can work on: visible ones that no open transaction holds."""
        if self.org.schema(name) is None:
            return []
        where = f'"IsDeleted" = {int(deleted)} AND "Id" NOT IN (SELECT id FROM _invisible)'
        found = self.org.database.rows(f'SELECT "Id" FROM {quote(name)} WHERE {where} ORDER BY "Id"')
        self._free_locks()
        return [key for (key,) in found if key not in self.locked]

    def pick(self, rng: random.Random, name: str, *, deleted: bool = False) -> str | None:
        """One of them."""
        found = self.ids(name, deleted=deleted)
        return rng.choice(found) if found else None

    def lock(self, ids: list[str], seconds: float) -> None:
        """What an open transaction has written, nobody else can write until it commits."""
        due = self.org.clock.now_ms() + round(seconds * 1000)
        self.locked |= dict.fromkeys([*ids, TRANSACTION], due)

    def _free_locks(self) -> None:
        now = self.org.clock.now_ms()
        self.locked = {key: due for key, due in self.locked.items() if due > now}

    def stamped_now(self, record_id: str) -> bool:
        """Whether the row was saved in this very second."""
        row = self.org.row(record_id)
        return row is not None and row.get("SystemModstamp") == self.org.now_stamp()

    @property
    def transacting(self) -> bool:
        """Whether a transaction is open: who changes tables, or rows that hang together, waits for it."""
        self._free_locks()
        return bool(self.locked)

    def entangled(self, record_id: str) -> bool:
        """Whether an open transaction holds the row or one below it: deleting it would have to wait."""
        return self.transacting and any(key in self.locked for key in self._tree(record_id))

    def _tree(self, record_id: str) -> set[str]:
        found, new = {record_id}, {record_id}
        while new:
            new = {child for key in new for child in self._children(key)} - found
            found |= new
        return found

    def _children(self, record_id: str) -> list[str]:
        schema = self.org.object_of_id(record_id)
        links = schema.child_relationships if schema else ()
        children: list[str] = []
        for link in links:
            if link.child in CHILDREN_FIRST and link.field not in ("MasterRecordId",):
                sql = f'SELECT "Id" FROM {quote(link.child)} WHERE {quote(link.field)} = ?'
                children += [key for (key,) in self.org.database.rows(sql, (record_id,))]
        return children

    def attempt(self, what: str, act: Callable[[], Any]) -> None:
        """Let somebody try something that the org may refuse, and note what came of it."""
        try:
            answer = act()
        except (OrgError, Refused, LookupError) as refused:
            self.tell(f"{what}: refused ({refused})")
        else:
            self.tell(f"{what}: {_summary(answer)}")
        self.chronicle.note()

    # ── the middle of a sync ─────────────────────────────────────────────────────────────────────────────────────

    def beside(self, act: Callable[[], None]) -> None:
        """Let this happen in a thread of its own, beside whatever is under way."""

        def guarded() -> None:
            try:
                act()
            except Exception as trouble:
                self.faults.troubles.append(trouble)

        thread = threading.Thread(target=guarded)
        thread.start()
        self._beside.append(thread)

    def join(self) -> None:
        """Wait for what happens beside. What it has done to a replica, no run of ours has told."""
        joined = bool(self._beside)
        while self._beside:
            self._beside.pop().join()
        if joined:
            self.joined += 1
            self.chronicle.note()
            for replica in self.replicas:
                replica.doubt()

    def at_request(self, nth: int, act: Callable[[], None]) -> None:
        """Do this when the org gets its nth request from now on."""

        def then() -> None:
            self.chronicle.note()  # what has become visible since the run began, and may have been read, as it is
            act()

        self.faults.waiting.append(Meanwhile(nth, then))

    def kill_at_request(self, nth: int, pid: int, delay: float) -> None:
        """End this process without a word, some seconds after its nth request has come."""
        self.at_request(nth, lambda: threading.Timer(delay, _kill, (pid,)).start())


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _summary(answer: Any) -> str:
    if isinstance(answer, list):
        failures = [one for one in answer if isinstance(one, Failure)]
        text = f", {len(failures)} refused ({failures[0].code} {failures[0].message})" if failures else ""
        return f"{len(answer) - len(failures)} rows{text}"
    if isinstance(answer, Failure):
        return f"refused ({answer.code} {answer.message})"
    return "" if answer is None else str(answer)


def saved(results: list[Result]) -> list[str]:
    """The ids of the rows that were written."""
    return [one.id for one in results if not isinstance(one, Failure)]
