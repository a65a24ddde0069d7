"""Plays a history to its end, lets the org rest, and says what did not hold."""

from __future__ import annotations

import json
import random
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial

from salesforce_sync.models.run import Run, RunState
from tests.torture import at_peace, checks, following, people, runs
from tests.torture.history import History, Step
from tests.torture.pace import of_the_org, of_the_product, paced
from tests.torture.pushes import nothing_is_lost
from tests.torture.replica import Replica, still
from tests.torture.steps import AT_ONCE, act_of, is_unseen
from tests.torture.violation import Violation
from tests.torture.world import World

REST_SECONDS = 15 * 60
REFRESH_SECONDS = 6 * 3600
"""After this the values that change without a stamp are read again."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A history that broke a rule, or in which something raised what it never should."""

    history: History
    rule: str
    what: str
    trace: tuple[str, ...]

    def told(self) -> str:
        """What a person needs to see it again."""
        history = self.history
        again = {"seed": history.seed, "setup": asdict(history.setup), "steps": [str(each) for each in history.steps]}
        lines = [f"seed {history.seed}: {self.what}", str(history.setup), *(f"  {line:.240}" for line in self.trace)]
        return "\n  ".join([*lines, f"again: python -m tests.torture --replay '{json.dumps(again)}'"])


def play(history: History) -> Failed | None:
    """Play it; None if everything held."""
    with paced(*of_the_product(history.setup), *of_the_org(history.setup)):
        world, unseen = World(history.setup), any(map(is_unseen, history.steps))
        try:
            _begin(world, history)
            _live(world, history.steps)
            _rest(world)
            for replica in world.replicas:
                following.settle(world, replica)
            if history.setup.two_way:
                at_peace.settle(world)
                at_peace.check(world, unseen=unseen)
                return None
            for replica in world.replicas:
                _bring_to_rest(world, replica, unseen=unseen)
        except Violation as broken:
            return Failed(history, broken.rule, str(broken), tuple(world.trace))
        except Exception as error:
            where = "".join(traceback.format_exception(error)[-6:]).splitlines()
            return Failed(history, type(error).__name__, f"{type(error).__name__}: {error}", (*world.trace, *where))
        finally:
            world.close()
    return None


def _begin(world: World, history: History) -> None:
    """The rows that are there before the first step; parents first."""
    rng = random.Random(f"rows {history.seed}")
    for name in ("Account", *world.setup.objects):
        rows = [people.new_row(world, rng, name) for _ in range(world.setup.rows)]
        world.attempt(f"begin with {name}", partial(world.org.create, name, rows))


def _live(world: World, steps: Sequence[Step]) -> None:
    for number, step in enumerate(steps):
        world.tell(f"[{number}] {step}")
        if world.bulk_writes:
            world.org.clock.advance(1)
        with still(*world.replicas) if step.kind in AT_ONCE else nullcontext():
            act_of(step.kind)(world, random.Random(step.seed))
        if world.setup.two_way:
            nothing_is_lost(world)


def _rest(world: World) -> None:
    """Nothing is wrong any more, open transactions have ended, and nobody works."""
    world.tell("rest")
    world.faults.waiting.clear()
    world.org.faults.clear()
    world.org.rules.clear()
    world.org.usage.reset()
    world.org.permissions.reset()
    following.calm(world)
    world.org.clock.advance(3700)  # long enough to look for new fields
    world.chronicle.note()


def _bring_to_rest(world: World, replica: Replica, *, unseen: bool) -> None:
    """One run must do; where something happened that polling cannot see, a verify must."""
    _complete_run(world, replica)
    if unseen:
        _check_state(replica.verify())
    following.settle(world, replica)
    checks.at_rest(world.chronicle, replica)
    if _changed_at_rest(world, replica):
        raise Violation("equal at rest", "a run changed rows although the org rests")
    world.org.clock.advance(REFRESH_SECONDS)
    _complete_run(world, replica)
    checks.formulas(world.chronicle, replica)


def _changed_at_rest(world: World, replica: Replica) -> int:
    """How many rows a run changes a while later, formulas apart: those are read when they are due, and then told."""
    before = replica.refreshed()
    world.org.clock.advance(REST_SECONDS)
    changed = _complete_run(world, replica)
    if changed and replica.refreshed() != before:
        world.org.clock.advance(REST_SECONDS)
        changed = _complete_run(world, replica)
    return changed


def _complete_run(world: World, replica: Replica) -> int:
    """A run that has no reason not to be complete; gives how many rows changed."""
    result = runs.run(world, replica, accept_loss=replica.objects)
    _check_state(result)
    return result.changed


def _check_state(result: Run) -> None:
    if result.state is not RunState.COMPLETE:
        problems = [f"{each.object_name}: {each.problem}" for each in result.objects if each.problem]
        raise Violation("equal at rest", f"nothing is wrong with the org, but the run is {result.state}: {problems}")
