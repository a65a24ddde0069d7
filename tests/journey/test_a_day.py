"""A day of the daemon in seconds: the org's clock and ours are one."""

import gc
import itertools
import logging
import os
import resource
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from salesforce_sync import Config, SFSync
from salesforce_sync.errors import Stopped
from salesforce_sync.signals import SyncComplete, SyncFailed
from salesforce_sync.testing import FrozenClock
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg

START = datetime(2024, 3, 30, 12, 0, tzinfo=UTC)  # summer time begins in this night
DAY = timedelta(days=1)
EVERY = timedelta(minutes=20)


class OneClock(FrozenClock):
    """Moves the org's clock with ours; people work there every few minutes, and at the end of the day all stops."""

    def __init__(self, org, work):
        super().__init__(START)
        self._org, self._work = org, work
        self._next = START + EVERY
        self.ends = None
        self.stop = threading.Event()

    def advance(self, by):
        super().advance(by)
        self._org.clock.advance(by.total_seconds())
        if self.now() >= self._next:
            self._next += EVERY
            self._work(self)
        if self.ends is not None and self.now() >= self.ends:
            self.stop.set()

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.stop.is_set():
            raise Stopped()


def resident_kib():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


class Looker:
    """Counts what the daemon does."""

    def __init__(self):
        self.runs, self.pushes, self.memory, self.files = [], [], [], []

    def beat(self):
        pass

    def doing(self, what):
        pass

    def ran(self, run):
        self.runs.append(run)
        if len(self.runs) % 20 == 10:
            self.memory.append(resident_kib())
            self.files.append(len(os.listdir("/proc/self/fd")))

    def caught_up(self, run):
        pass

    def pushed(self, push):
        self.pushes.append(push)


class Day:
    """A replica, its org, and the clock that both go by."""

    def __init__(self, folder, org):
        self.org, self.turn = org, 0
        self.contacts = [org.add("Contact", LastName=f"Person {number}") for number in range(30)]
        self.clock = OneClock(org, self.work)
        config = Config.load(
            environ={"SF_CLIENT_ID": CLIENT_ID, "SF_CLIENT_SECRET": CLIENT_SECRET},
            instance_url=org.url,
            storage_path=str(folder / "replica.db"),
        )
        self.sync = SFSync(config, clock=self.clock)
        self.clock.stop = self.sync._stop
        self.looker = Looker()

    def work(self, clock):
        """Somebody changes a contact in the org."""
        self.turn += 1
        self.org.change(self.contacts[self.turn % len(self.contacts)], Phone=f"555-{self.turn:04d}")

    def pass_by(self, length=DAY):
        self.clock.ends = self.clock.now() + length
        self.sync.run_daemon(self.looker, tick=15.0)

    def phones(self):
        return {each.id: each.phone for each in self.sync.contacts.all() if each.id in self.contacts}


@pytest.fixture
def day(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    with SimOrg(records=40, seed=7, start_ms=int(START.timestamp() * 1000)) as org, org.serve():
        org.clock.freeze()
        made = Day(tmp_path, org)
        yield made
        made.sync.close()


def test_a_day_costs_what_was_forecast_misses_nothing_and_stays_as_small_as_it_was(day):
    day.sync.sync()
    day.clock.advance(timedelta(hours=2))
    day.org.usage.reset()
    forecast = day.sync.budget().day
    heard = []
    day.sync.on("*", heard.append)
    day.pass_by()
    memory = day.looker.memory
    spent = sum(day.org.usage.counters.values())

    runs = [run for run in day.looker.runs if run.calls]
    of_contact = [run for run in runs if any(each.object_name == "Contact" for each in run.objects)]
    of_account = [run for run in runs if any(each.object_name == "Account" for each in run.objects)]
    assert abs(spent - forecast) <= 0.05 * forecast, (spent, forecast)
    assert 94 <= len(of_contact) <= 98
    assert 23 <= len(of_account) <= 26
    assert {run.state.value for run in runs} == {"complete"}
    # What was changed before the last sync is here.
    there = {key: day.org.row(key)["Phone"] for key in day.contacts}
    assert sum(day.phones()[key] != phone for key, phone in there.items()) <= 3
    assert {each.proof is not None for each in day.sync.status().objects} == {True}
    # What is kept is filled at first, and malloc takes memory from the system in pieces; what leaks is in every step.
    steps = [after - before for before, after in itertools.pairwise(memory)]
    assert min(steps) < 512, memory
    assert memory[-1] - memory[0] < 16_384, memory
    # SQLite keeps the descriptor of a connection that is closed while another one has a lock, and gives it to the next:
    # how many such there are is chance, and what leaks is in every step.
    files = day.looker.files
    assert min(after - before for before, after in itertools.pairwise(files)) <= 0, files
    assert files[-1] <= files[0] + 6, files
    assert not [each for each in heard if isinstance(each, SyncFailed)]
    assert any(isinstance(each, SyncComplete) for each in heard)
