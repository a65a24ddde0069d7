"""The end of a history with local edits: all is sent or decided, and the rules of two-way sync held."""

from __future__ import annotations

import random

from tests.torture import checks, edits, following, runs
from tests.torture.ledger import check_nothing_is_doubled, writes
from tests.torture.pushes import nothing_is_lost
from tests.torture.replica import Replica
from tests.torture.violation import Violation
from tests.torture.world import World

ROUNDS = 16
DECIDED_AT_RANDOM = 6
"""Rounds in which anything may be decided; after them what waits is dropped."""
QUIET_CYCLES = 5
BETWEEN = 3600


def settle(world: World) -> None:
    """Sync, and decide what waits, until nothing does."""
    rng = random.Random("decisions")
    for number in range(ROUNDS):
        for replica in world.replicas:
            runs.run(world, replica, accept_loss=replica.objects)
            nothing_is_lost(world)
            with replica.still():
                _decide(world, rng, replica, number)
        world.org.clock.advance(BETWEEN)
        if number > 1 and not any(each.sync.outbox() or each.sync.inbox() for each in world.replicas):
            break
    for replica in world.replicas:
        if replica.sync.outbox() or replica.sync.inbox():
            left = [str(each)[:300] for each in (*replica.sync.outbox(), *replica.sync.inbox())]
            raise Violation("all is sent or decided", f"after {ROUNDS} cycles there is {left[:4]}")


def _decide(world: World, rng: random.Random, replica: Replica, number: int) -> None:
    for item in replica.sync.inbox():
        if number < DECIDED_AT_RANDOM or replica.ledger.may_be(item, world.chronicle):
            edits.decide_item(world, rng, replica, item)
        else:
            edits.drop_item(world, rng, replica, item)


def check(world: World, *, unseen: bool) -> None:
    """Invariants 2, 3 and 4 of design.md, section 5, and that pushes have no echo.

    Where something happened that polling cannot see, a verify comes first.
    """
    for replica in world.replicas:
        runs.run(world, replica, accept_loss=replica.objects)
        if unseen:
            replica.verify()
    nothing_is_lost(world)
    for replica in world.replicas:
        following.settle(world, replica)
        check_nothing_is_doubled(world.chronicle, replica.ledger)
        looks_before = world.setup.way != "parts"
        overwritten = replica.ledger.overwritten(world.chronicle, world.excused, looks_before=looks_before)
        if overwritten and world.setup.policy != "ask":  # what the policy wrote over, the history keeps
            kept = {value for _, value in replica.replaced()}
            overwritten = replica.ledger.overwritten(world.chronicle, world.excused | kept, looks_before=looks_before)
        if overwritten:
            raise Violation("nobody is overwritten", "; ".join(overwritten[:4]))
        checks.at_rest(world.chronicle, replica)
    before = writes(world.chronicle)
    for _ in range(QUIET_CYCLES):
        world.org.clock.advance(BETWEEN)
        for replica in world.replicas:
            replica.run(accept_loss=replica.objects)
    world.chronicle.note()
    if writes(world.chronicle) != before:
        raise Violation("no echo", f"quiet cycles wrote: {writes(world.chronicle) - before}")
