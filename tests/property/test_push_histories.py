"""Random histories of edits on both sides, with pushes that are killed after any durable step.

Invariants 2, 3 and 4: nothing is lost, nothing is doubled, nobody is overwritten. `HISTORIES=10000` runs more of them.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import Change, is_local
from salesforce_sync.ports import Order
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from salesforce_sync.testing import MemoryOrg, MemoryStore, make_field, make_schema
from tests.unit.orgs import replica

ACCOUNT = make_schema(
    "Account",
    make_field("Name", nillable=False),
    make_field("ParentId", "reference", referenceTo=["Account"]),
    Phone="phone",
    Site="string",
)
CONTACT = make_schema(
    "Contact",
    make_field("LastName", nillable=False),
    make_field("AccountId", "reference", referenceTo=["Account"]),
    Phone="phone",
)
NAMES = {"Account": "Name", "Contact": "LastName"}
PARENTS = {"Account": "ParentId", "Contact": "AccountId"}
FIELDS = {"Account": ("Phone", "Site"), "Contact": ("Phone",)}
WRITES = frozenset({"sending", "settle", "begin", "stage", "merge", "set_aside", "record_push"})


class Killed(BaseException):
    """The process is gone: nothing of it runs on."""


class Mortal:
    """A store whose process dies at the n-th durable step, before or after it."""

    def __init__(self, store: MemoryStore, dies_at: int, before: bool) -> None:
        self._store, self._left, self._before, self._dead = store, dies_at, before, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in WRITES:
            return self._while_alive(method)

        def step(*values: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and self._before:
                self._dead = True
            self._check()
            result = method(*values, **named)
            if self._left == 0:
                self._dead = True
            self._check()
            return result

        return step

    def _while_alive(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            self._check()
            return method(*values, **named)

        return call

    def _check(self) -> None:
        if self._dead:
            raise Killed


class WatchedOrg(MemoryOrg):
    """An org that remembers every value it ever had, and sees whether a push overwrites what it had not seen."""

    def __init__(self) -> None:
        self.had: set[object] = set()
        self.overwritten: list[str] = []
        super().__init__(ACCOUNT, CONTACT)

    def _save(self, object_name: str, key: str, values: dict[str, object], moment: datetime) -> None:
        self.had.update(each for each in values.values() if isinstance(each, str))
        super()._save(object_name, key, values, moment)

    def _update(self, order: Order) -> Any:
        there = dict(self._rows[order.schema.name].get(order.change.record_id, {}))
        outcome = super()._update(order)
        if type(outcome).__name__ == "Applied":
            self.overwritten += [
                f"{edit.field}: {there[edit.field]!r} was there, not {edit.base!r}"
                for edit in order.change.edits
                if there[edit.field] != edit.base
            ]
        return outcome

    def everything(self, object_name: str) -> list[dict[str, object]]:
        return list(self._rows[object_name].values())


@dataclass
class History:
    """One replica, its org, and what was done to both."""

    seed: int
    chance: random.Random = field(init=False)
    org: WatchedOrg = field(init=False)
    store: MemoryStore = field(init=False)
    edits: dict[tuple[str, str, str], str] = field(default_factory=dict)
    made: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.org = WatchedOrg()
        self.org.orders_a_call = self.chance.choice([1, 2, 5])
        self.rules = Rules(window=self.chance.choice([1, 2, 10_000]))
        self.store = MemoryStore(self.org.clock)
        self.first = [self.org.put("Account", Name=f"first {number}") for number in range(4)]
        self.children = [self.org.put("Contact", LastName=f"child {each}", AccountId=self.first[0]) for each in (1, 2)]
        self.org.tick(60)
        self.engine().run(["Account", "Contact"])

    def engine(self, store: Any = None) -> SyncEngine:
        return SyncEngine(self.org, store or self.store, self.org.clock, Bus(), self.rules)

    def token(self) -> str:
        return f"t{len(self.steps)}-{self.chance.random():.6f}"

    def play(self, length: int) -> None:
        for _ in range(length):
            self.org.tick(self.chance.choice([1, 1, 1, 7, 700]))
            twice = [self.edit, self.create, self.theirs, self.push, self.kill]
            step = self.chance.choice([*twice, *twice, self.delete, self.undelete, self.mishap, self.sync])
            self.steps.append(step.__name__)
            step()

    # ── here ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def any_record(self) -> tuple[str, str]:
        name = self.chance.choice(["Account", "Account", "Contact"])
        live = sorted(str(row[0]) for row in self.store.scan(name))
        return name, self.chance.choice(live) if live else ""

    def edit(self) -> None:
        name, record_id = self.any_record()
        if not record_id:
            return
        values: dict[str, Any] = {each: self.token() + each for each in FIELDS[name] if self.chance.random() < 0.7}
        for each, value in values.items():
            self.edits[name, record_id, each] = value
        if self.chance.random() < 0.3:
            values[PARENTS[name]] = self.any_account()
        self.store.update(name, record_id, values)

    def any_account(self) -> str | None:
        live = sorted(str(row[0]) for row in self.store.scan("Account"))
        return self.chance.choice([*live, None]) if live else None

    def create(self) -> None:
        name = self.chance.choice(["Account", "Contact"])
        title = "new " + self.token()
        parent = self.any_account()
        self.made[title] = name, self.store.create(name, {NAMES[name]: title, PARENTS[name]: parent})

    def delete(self) -> None:
        if self.chance.random() < 0.5:
            return
        name, record_id = self.any_record()
        if record_id:
            self.forget(name, record_id)
            self.store.delete(name, record_id)

    def forget(self, name: str, record_id: str) -> None:
        """The person who deletes a record gives its edits up."""
        real = self.store.real_id(record_id)
        self.dropped.add(real)
        for key in [key for key in self.edits if key[0] == name and self.store.real_id(key[1]) == real]:
            del self.edits[key]

    def undelete(self) -> None:
        gone = [each for each in self.first if self.store.get("Account", each) is None]
        if gone:
            try:
                self.store.undelete("Account", self.chance.choice(gone))
            except (RecordNotFound, Misuse):
                return  # nothing here to bring back

    # ── there ────────────────────────────────────────────────────────────────────────────────────────────────────

    def theirs(self) -> None:
        record_id = self.chance.choice(self.first)
        if self.org.live("Account").get(record_id) is None:
            return
        if self.chance.random() < 0.1:
            self.org.delete("Account", record_id)
        else:
            self.org.put("Account", record_id, **{self.chance.choice(FIELDS["Account"]): "theirs " + self.token()})

    def mishap(self) -> None:
        match self.chance.randrange(4):
            case 0:
                self.org.lose_answer(rows=self.chance.choice([None, 1]))
            case 1:
                self.org.lose_request()
            case 2:
                self.org.lock_row(self.chance.choice(["Account", "Contact"]))
            case 3:
                self.org.reject(self.chance.choice([*self.first, "Contact"]), "SOME_RULE", "No.")

    # ── between ──────────────────────────────────────────────────────────────────────────────────────────────────

    def sync(self) -> None:
        self.engine().run(["Account", "Contact"])

    def push(self) -> None:
        self.engine().push()

    def kill(self) -> None:
        mortal = Mortal(self.store, self.chance.randint(1, 9), self.chance.random() < 0.5)
        try:
            self.engine(mortal).push()
        except Killed:
            self.steps[-1] += "!"
        self.store = self.store.reopened()

    def rest(self) -> None:
        """Everything is allowed again, and time goes on until nothing moves."""
        self.org.faults.clear()
        for each in ("Account", "Contact", *self.first):
            self.org.accept(each)
        for _ in range(12):
            self.org.tick(3600)
            self.sync()


def held(history: History, text: str) -> bool:
    """Whether a local value is in the org (or was, until somebody else changed it), the outbox or the inbox."""
    waiting: set[object] = {edit.value for change in history.store.changes() for edit in change.edits}
    for item in history.store.inbox():
        waiting |= {edit.value for edit in item.edits} | {each.local for each in item.conflicts}
    return text in history.org.had or text in waiting


def check_nothing_is_lost(history: History) -> None:
    lost = {key: value for key, value in history.edits.items() if not held(history, value)}
    assert not lost
    for title, (_, local) in history.made.items():
        assert held(history, title) or history.store.real_id(local) in history.dropped, title


def check_nothing_is_doubled(history: History) -> None:
    count: defaultdict[object, int] = defaultdict(int)
    for name, title in NAMES.items():
        for row in history.org.everything(name):
            count[row[title]] += 1
    assert [title for title in history.made if count[title] > 1] == []


def check_only_what_waits_differs(history: History) -> None:
    waits = {item.record_id for item in history.store.inbox()}
    waits |= {change.record_id for change in history.store.changes()}
    for name in ("Account", "Contact"):
        here, there = replica(history.store, name), history.org.live(name)
        for key in here.keys() | there.keys():
            if key not in waits and not is_local(key):
                assert here.get(key) == there.get(key), (name, key)


HISTORIES = int(os.environ.get("HISTORIES", "270"))


@pytest.mark.parametrize("part", range(10))
def test_histories(part: int):
    for seed in range(part, HISTORIES, 10):
        history = History(seed)
        history.play(40)
        history.rest()
        try:
            assert history.org.overwritten == []
            check_nothing_is_doubled(history)
            check_nothing_is_lost(history)
            check_only_what_waits_differs(history)
            assert all(not stuck(each) for each in history.store.changes())
        except AssertionError as broken:
            raise AssertionError(f"history {seed}: {' '.join(history.steps)}") from broken


def stuck(change: Change) -> bool:
    """Whether a change that could be sent was not, when everything was allowed again for hours."""
    return change.state.value == "sending"


def test_every_step_of_one_push_can_be_the_last():
    """One push with every kind of change, killed before and after each durable step."""
    ends = set()
    for number in range(1, 60):
        for before in (True, False):
            history = History(1)
            local = history.store.create("Account", {"Name": "new one"})
            history.store.create("Contact", {"LastName": "new two", "AccountId": local})
            history.store.update("Account", local, {"ParentId": local})
            history.store.update("Account", history.first[1], {"Phone": "edited"})
            history.store.delete("Contact", history.children[1])
            try:
                history.engine(Mortal(history.store, number, before)).push()
                ends.add("whole")
            except Killed:
                ends.add("killed")
            history.store = history.store.reopened()

            history.rest()

            assert history.store.changes() == ()
            assert history.store.inbox() == ()
            assert [each["Name"] for each in history.org.everything("Account")].count("new one") == 1
            assert [each["LastName"] for each in history.org.everything("Contact")].count("new two") == 1
            check_only_what_waits_differs(history)
    assert ends == {"whole", "killed"}


def test_a_decision_ends_every_conflict_of_a_history():
    """What is in the inbox can be decided: afterwards both sides are equal."""
    history = History(5)
    history.store.update("Account", history.first[0], {"Phone": "ours"})
    history.org.put("Account", history.first[0], Phone="theirs")
    history.rest()

    for item in history.store.inbox():
        history.store.resolve(item.number, Resolution(Side.LOCAL))
    history.rest()

    assert history.org.live("Account")[history.first[0]]["Phone"] == "ours"
    assert history.store.inbox() == ()
    assert replica(history.store, "Account") == history.org.live("Account")


def test_time_that_passes_between_tries_is_short():
    """A lock that stays for a while is tried again, later and later, and then the change arrives."""
    history = History(6)
    history.org.lock_row("Account", times=3)
    history.store.update("Account", history.first[0], {"Phone": "ours"})

    for _ in range(10):
        history.org.clock.advance(timedelta(minutes=10))
        history.push()

    assert history.org.live("Account")[history.first[0]]["Phone"] == "ours"
