"""Random histories in which changes come by events: twice, late, out of order, beside polls, edits and pushes.

Whatever the interleaving, the replica ends as the org is, once every event has come at least once and what they did not
tell has been read; no edit is lost, and nobody's value is overwritten.
"""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from salesforce_sync.models.event import Action, EventPage
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.signals import Bus
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import MemoryEvents, MemoryOrg, MemoryStore, make_schema

WIDGET = make_schema("Widget__c", Name="string", Color__c="string", Size__c="string")
NAME = "Widget__c"
FIELDS = ("Name", "Color__c", "Size__c")


class History:
    """One org, its replica, and what an unreliable stream brings from the one to the other."""

    def __init__(self, seed: int, store) -> None:
        self.chance = random.Random(seed)
        self.org = MemoryOrg(WIDGET)
        self.events = MemoryEvents(self.org)
        self.store = store
        self.engine = SyncEngine(self.org, store, self.org.clock, Bus())
        self.delivered = 0
        self.numbers = iter(range(1, 10_000))
        self.mine: dict[tuple[str, str], str] = {}
        for _ in range(3):
            self.make()
        self.engine.pull([NAME])

    # ── in the org ───────────────────────────────────────────────────────────────────────────────────────────────

    def make(self) -> None:
        self.org.put(NAME, Name=f"made {next(self.numbers)}")

    def change(self) -> None:
        living = list(self.org.live(NAME))
        if living:
            names = self.chance.sample(FIELDS, self.chance.randint(1, 2))
            self.org.put(NAME, self.chance.choice(living), **{name: f"org {next(self.numbers)}" for name in names})

    def delete(self) -> None:
        living = list(self.org.live(NAME))
        if living:
            key = self.chance.choice(living)
            self.org.delete(NAME, key)
            if self.chance.random() < 0.4:
                self.org.undelete(NAME, key)

    def wait(self) -> None:
        self.org.tick(self.chance.choice((0, 1, 1, 5, 700)))

    # ── on the way ───────────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self) -> None:
        """Some of what is waiting, perhaps out of order, with some of before once more, in pages."""
        log = [event for _, event in self.events._log]
        fresh = log[self.delivered : self.delivered + self.chance.randint(1, 6)]
        self.delivered += len(fresh)
        again = [log[self.chance.randrange(len(log))] for _ in range(self.chance.randint(0, 2))] if log else []
        told = [*again, *fresh] if self.chance.random() < 0.4 else self.chance.sample(again + fresh, len(again + fresh))
        cut = self.chance.randint(0, len(told))
        for page in (told[:cut], told[cut:]):
            self.store.merge_events(EventPage(NAME, tuple(page), str(self.delivered).encode()))

    def gap(self) -> None:
        living = list(self.org.live(NAME))
        if living:
            self.events.happen(NAME, self.chance.choice(living), Action.GAP, {}, "2024-01-01T00:00:00.000Z")

    def read(self) -> None:
        wanted = self.store.to_read_again(NAME, 3)
        if not wanted:
            return
        ids = tuple(key for key, _ in wanted)
        with closing(self.org.pull(PullRequest(WIDGET, ids=ids))) as pages:
            rows = [row for page in pages for row in page.body.values]
        self.store.merge_again(Page(WIDGET, Rows(rows)), ids)

    # ── here ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self) -> None:
        self.engine.pull([NAME])

    def edit(self) -> None:
        here = [str(row[0]) for row in self.store.scan(NAME)]
        if here:
            key, field = self.chance.choice(here), self.chance.choice(FIELDS)
            value = f"mine {next(self.numbers)}"
            self.store.update(NAME, key, {field: value})
            self.mine[key, field] = value

    def push(self) -> None:
        self.engine.push()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def all_told(self) -> None:
        while self.delivered < len(self.events._log):
            self.deliver()
        while self.store.to_read_again(NAME, 1):
            self.read()

    def here(self) -> dict[str, dict[str, object]]:
        names = [each.name for each in WIDGET.columns]
        rows = (dict(zip(names, row, strict=True)) for row in self.store.scan(NAME))
        return {str(row["Id"]): {name: row[name] for name in FIELDS} for row in rows}

    def there(self) -> dict[str, dict[str, object]]:
        return {key: {name: row[name] for name in FIELDS} for key, row in self.org.live(NAME).items()}


@pytest.fixture(params=["memory", "sqlite"])
def store_of(request, tmp_path):
    made = []

    def make(number):
        clock = MemoryOrg().clock
        store = MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / f"{number}.db", clock)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_events_and_polls_in_any_order_end_as_the_org_is(store_of, first):
    for seed in range(first, first + 20):
        history = History(seed, store_of(seed))
        steps = [history.make, history.delete, history.wait, history.gap, history.read, *[history.change] * 5]
        # polls would mend what events have spoilt
        steps += [*[history.deliver] * 4, *[history.poll] * (seed % 2)]
        for _ in range(40):
            history.chance.choice(steps)()
        history.all_told()

        assert history.here() == history.there(), f"seed {seed}"


@pytest.mark.parametrize("first", range(1000, 1040, 20))
def test_no_edit_is_lost_and_nobodys_value_overwritten(store_of, first):
    for seed in range(first, first + 20):
        history = History(seed, store_of(seed))
        steps = [history.make, history.change, history.delete, history.wait, history.deliver, history.deliver]
        steps += [history.gap, history.read, history.poll, history.edit, history.edit, history.push]
        for _ in range(40):
            history.chance.choice(steps)()
        history.org.tick(700)
        history.all_told()
        history.engine.run([NAME])
        history.all_told()
        history.engine.run([NAME])

        there = history.there()
        waiting = {each.record_id for each in history.store.inbox()} | {
            each.record_id for each in history.store.changes()
        }
        assert {key: row for key, row in history.here().items() if key not in waiting} == {
            key: row for key, row in there.items() if key not in waiting
        }, f"seed {seed}"
        told = {
            (conflict.field, conflict.local)
            for item in history.store.inbox()
            for conflict in getattr(item, "conflicts", ())
        }
        for (key, field), value in history.mine.items():
            written = any(
                event.record_id == key and event.values.get(field) == value for _, event in history.events._log
            )
            assert written or (field, value) in told or key in waiting or key not in there, (
                f"seed {seed}: {key} {field}"
            )
