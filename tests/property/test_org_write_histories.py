"""Random pushes with random mishaps: an outcome never says what is not so, and nobody is overwritten."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from salesforce_sync.api.write_route import Way
from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Applied, Lost, Outcome
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Order
from simorg.faults import Fault
from tests.contract.writing import WIDGET, SocketWriteWorld, row

MISHAPS = [
    lambda chance: Fault(path="composite$", nth=chance.randint(1, 3), drop=chance.choice(["before", "after"])),
    lambda chance: Fault(path="composite$", nth=chance.randint(1, 3), save_rows=chance.randint(0, 5)),
    lambda chance: Fault(
        path="composite$|jobs/ingest|sobjects/Widget__c",
        nth=chance.randint(1, 4),
        status=chance.choice([500, 502, 503]),
        done=chance.random() < 0.5,
    ),
    lambda chance: Fault(path="composite$|jobs/ingest|sobjects/Widget__c", nth=chance.randint(1, 4), status=429),
    lambda chance: Fault(path="composite$|jobs/ingest", nth=chance.randint(1, 4), expire=True),
    lambda chance: Fault(path="composite$", nth=chance.randint(1, 3), cut_after=chance.randint(0, 400)),
    lambda chance: Fault(path="jobs/ingest", nth=chance.randint(1, 6), drop=chance.choice(["before", "after"])),
    lambda chance: Fault(job="failed", path=WIDGET),
    lambda chance: Fault(path="Soap", drop=chance.choice(["before", "after"])),
]


HISTORIES = int(os.environ.get("WRITE_HISTORIES", "12"))
"""Pushes by each way."""


class History:
    """One push of a few orders, and what the org has to show afterwards."""

    def __init__(self, world: SocketWriteWorld, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.schema: ObjectSchema = world.org.describe(WIDGET)
        self.theirs: set[str] = set()
        self.orders: list[Order] = []

    def build(self) -> None:
        """Records, orders on them, and what other people do before these are sent."""
        for number in range(self.chance.randint(1, 30)):
            operation = self.chance.choice(list(Operation))
            if operation is Operation.CREATE:
                edits = (Edit("Account__c", None, self.world.account), Edit("Text__c", None, f"ours {number}"))
                self._order(Change(number, WIDGET, f"local-{number}", operation, edits))
                continue
            record_id = self.world.add(Text__c="base")
            if operation is Operation.UNDELETE:
                self.world.delete(record_id)
            value = "x" * 256 if self.chance.random() < 0.1 else f"ours {number}"
            edits = (Edit("Text__c", "base", value),) if operation is Operation.UPDATE else ()
            stamp = str(row(self.world, record_id, self.schema)["SystemModstamp"])
            self._order(Change(number, WIDGET, record_id, operation, edits, stamp))
        self.world.tick(2)
        for order in self.orders:
            if order.change.operation in (Operation.UPDATE, Operation.DELETE) and self.chance.random() < 0.2:
                self.world.edit(order.change.record_id, Text__c="theirs")
                self.theirs.add(order.change.record_id)

    def _order(self, change: Change) -> None:
        self.orders.append(Order(self.schema, change))

    def push(self) -> dict[int, Outcome]:
        """The outcomes by the numbers of the changes; each has one, and none comes before it was announced."""
        announced: set[int] = set()
        jobs: dict[int, str | None] = {}

        def announce(changes: Sequence[Change], job: str | None) -> None:
            announced.update(each.number for each in changes)
            jobs.update({each.number: job for each in changes})

        outcomes: dict[int, Outcome] = {}
        for some in self.world.org.write(self.orders, announce):
            assert some
            for outcome in some:
                assert outcome.change.number not in outcomes
                outcomes[outcome.change.number] = outcome
        assert set(outcomes) == {order.change.number for order in self.orders}
        self.world.sim.faults.clear()
        lost = [each for each in outcomes.values() if isinstance(each, Lost)]
        assert {each.change.number for each in lost} <= announced
        return outcomes

    def check(self, outcomes: dict[int, Outcome]) -> None:
        """What the outcomes say is so."""
        made = [each[0] for each in self.world.sim.database.rows('SELECT "Text__c" FROM "Widget__c"')]
        for order in self.orders:
            change, outcome = order.change, outcomes[order.change.number]
            if change.operation is Operation.CREATE:
                times = made.count(change.values["Text__c"])
                assert times == (1 if isinstance(outcome, Applied) else 0) or (times <= 1 and isinstance(outcome, Lost))
                continue
            there = self.world.sim.row(change.record_id)
            assert there is not None
            if change.record_id in self.theirs:
                assert (there["Text__c"], there["IsDeleted"]) == ("theirs", 0)
                assert not isinstance(outcome, Applied)
            elif isinstance(outcome, Applied):
                assert self._done(change, there)
            elif not isinstance(outcome, Lost):
                assert not self._done(change, there)

    def _done(self, change: Change, there: dict[str, object]) -> bool:
        match change.operation:
            case Operation.UPDATE:
                return there["Text__c"] == change.values["Text__c"]
            case Operation.DELETE:
                return bool(there["IsDeleted"])
        return not there["IsDeleted"]


@pytest.mark.parametrize("way", [None, Way.PARTS, Way.COLLECTIONS, Way.BULK, Way.ALONE], ids=str)
def test_an_outcome_says_what_is_so(way: Way | None, tmp_path: Path) -> None:
    world = SocketWriteWorld(tmp_path, way=way)
    for seed in range(HISTORIES):
        chance = random.Random(f"{way} {seed}")
        history = History(world, chance)
        history.build()
        for mishap in chance.sample(MISHAPS, chance.randint(0, 2)):  # a session that ends twice at once is for a person
            world.sim.faults.add(mishap(chance))

        history.check(history.push())

        world.sim.purge([each[0] for each in world.sim.database.rows('SELECT "Id" FROM "Widget__c"')])
    world.close()
