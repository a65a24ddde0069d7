"""Change events in a history: replicas follow them beside their syncs, as a daemon does, and streams go wrong."""

from __future__ import annotations

import random
import time

from simorg.events import Mishaps
from tests.torture import runs
from tests.torture.replica import Replica
from tests.torture.violation import Violation
from tests.torture.world import World

SETTLED_WITHIN = 30.0


def settle(world: World, replica: Replica) -> None:
    """Wait until all that was told is here."""
    if replica.beside is None:
        return
    ends = time.monotonic() + SETTLED_WITHIN
    while lags := replica.beside.lags(world.org, replica.objects):
        if refused := _refused(replica):  # until a person agrees, it is polled in vain
            runs.run(world, replica, accept_loss=refused)
        if time.monotonic() > ends:
            raise Violation("events arrive", f"{lags}; {replica.beside.following.told()}")
        time.sleep(0.01)


def _refused(replica: Replica) -> tuple[str, ...]:
    """The objects of which so many rows are gone that the last run has asked for a person's word."""
    found = [each for each in replica.sync.status().objects if each.last_run is not None]
    return tuple(
        each.object_name for each in found if each.last_run.problem and each.last_run.problem.code == "LOSS_REFUSED"
    )


def calm(world: World) -> None:
    """Nothing is wrong with streams any more, and what was held back is told."""
    world.org.events.mishaps = Mishaps()
    world.org.events.let_go()


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────


def arrive(world: World, rng: random.Random) -> None:
    """Some time for events to come."""
    replica = rng.choice(world.replicas)
    ends = time.monotonic() + rng.choice((0.01, 0.05, 0.3))
    while time.monotonic() < ends and replica.beside is not None and replica.beside.lags(world.org, replica.objects):
        time.sleep(0.005)


def cut(world: World, rng: random.Random) -> None:
    """Every stream breaks."""
    world.tell("streams break")
    world.org.events.cut()


def mishap(world: World, rng: random.Random) -> None:
    """Streams go wrong from now on, in one way more."""
    name, value = rng.choice(
        (
            ("repeat", rng.randrange(4)),
            ("reorder", True),
            ("page", rng.choice((1, 2, 5))),
            ("gaps", rng.randrange(1, 4)),
            ("slow", 0.01),
            ("silent", True),
            ("cut_after", rng.randrange(1, 6)),
            ("refuse_replays", True),
            ("limit", True),
        )
    )
    world.tell(f"streams: {name} {value}")
    setattr(world.org.events.mishaps, name, value)


def streams_calm(world: World, rng: random.Random) -> None:
    """What is wrong with streams ends."""
    world.tell("streams are calm")
    calm(world)


def untold(world: World, rng: random.Random) -> None:
    """The org says that something has happened, and not what."""
    name = rng.choice(world.setup.objects)
    key = world.pick(rng, name)
    act = rng.choice(("overflow", "converted", "gap", "gap"))
    if world.org.object(name) is None or (act == "gap" and key is None):
        return
    world.tell(f"{act} of {name} {key}")
    if act == "gap":
        world.org.events.gap(str(key))
    else:
        getattr(world.org.events, act)(name)


def killed_follower(world: World, rng: random.Random) -> None:
    """Another process follows the events, and is killed with SIGKILL after some moments."""
    nth, delay = rng.randint(1, 6), rng.choice((0.0, 0.01, 0.05, 0.2))
    world.tell(f"a follower in another process, killed {delay} s after request {nth}")
    replica = rng.choice(world.replicas)
    runs.elsewhere(world, replica, lambda pid: world.kill_at_request(nth, pid, delay), (0, -9), work="follow")
