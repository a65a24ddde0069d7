"""What replicas do, and time: syncs, restarts, kills."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Event

from salesforce_sync.models.run import Run
from tests.loaded import Loaded
from tests.torture import checks
from tests.torture.replica import Replica
from tests.torture.violation import Violation
from tests.torture.world import World

ROOT = Path(__file__).parents[2]
MOST_DAYS = 14.0
"""After 15 days the org itself purges what is in the bin."""
WORKER_SECONDS = 120
WORKERS = Loaded("tests.torture.worker")

Act = Callable[[World, random.Random], None]


def sync(world: World, rng: random.Random) -> None:
    """One replica syncs some or all of its objects."""
    replica = rng.choice(world.replicas)
    names = rng.sample(replica.objects, rng.randint(1, len(replica.objects))) if rng.random() < 0.3 else []
    run(world, replica, *names)


def sync_and_accept(world: World, rng: random.Random) -> None:
    """A person has said that any number of rows may go."""
    replica = rng.choice(world.replicas)
    run(world, replica, accept_loss=replica.objects)


def run(
    world: World, replica: Replica, *names: str, accept_loss: tuple[str, ...] = (), stop: Event | None = None
) -> Run:
    """Sync, and see that what must always hold does."""
    before, shown, joined = world.chronicle.mark(), checks.shown(replica), world.joined
    result = replica.run(*names, accept_loss=accept_loss, stop=stop)
    world.chronicle.note()
    parts = [
        f"{each.object_name} {each.state}{f' ({each.problem.code})' if each.problem else ''}" for each in result.objects
    ]
    world.tell(f"sync of {replica.path.parent.name}: {', '.join(parts)}, {result.calls} calls")
    for record in result.objects:
        if record.problem is not None and record.problem.code == "INTERNAL_ERROR":
            raise Violation("no bugs", record.problem.message)
    raise_troubles(world)
    with replica.still():
        world.chronicle.note()
        seen = checks.after_run(world.chronicle, replica, result, before, world.rows_a_page)
        # What events tell one by one needs nobody's yes; and of another program's run each may take its share.
        if not replica.follows and joined == world.joined:
            edited = replica.edited()  # also since the run began
            checks.no_mass_loss({name: rows - edited for name, rows in shown.items()}, seen, accept_loss)
    return result


def raise_troubles(world: World) -> None:
    """What went wrong in the middle of a sync, or beside it, and is no part of it."""
    world.join()
    if world.faults.troubles:
        raise world.faults.troubles.pop()


def during(*acts: Act) -> Act:
    """A step that lets one of these happen in the middle of the next sync."""

    def arm(world: World, rng: random.Random) -> None:
        if world.bulk_writes:
            return
        act, seed, seconds = rng.choice(acts), rng.randrange(1_000_000), rng.choice((0, 0, 1, 7))

        def happen() -> None:
            world.org.clock.advance(seconds)
            world.tell(f"meanwhile, {seconds} s later:")
            act(world, random.Random(seed))
            world.chronicle.note()

        nth = rng.choice((1, 2, 2, 3, 4, 6, 9))
        world.tell(f"{act.__name__} is to happen at request {nth} from now")
        world.at_request(nth, happen)

    return arm


def reopen(world: World, rng: random.Random) -> None:
    """A replica is closed and opened again."""
    replica = rng.choice(world.replicas)
    world.tell(f"reopen {replica.path.parent.name}")
    replica.reopen()
    checks.no_half_rows(world.chronicle, replica)


def killed_sync(world: World, rng: random.Random) -> None:
    """Another process syncs the replica, and is killed with SIGKILL when the org has got so many requests."""
    nth, delay = rng.randint(1, 12), rng.choice((0.0, 0.0, 0.002, 0.01, 0.03))

    def kill(pid: int) -> None:
        world.kill_at_request(nth, pid, delay)

    world.tell(f"a sync in another process, killed {delay} s after request {nth}")
    elsewhere(world, rng.choice(world.replicas), kill, (0, -9))


def full_disk(world: World, rng: random.Random) -> None:
    """Another process syncs the replica, and none of its files can grow by more than so many bytes."""
    replica = rng.choice(world.replicas)
    room = rng.choice((0, 4096, 20_000, 70_000, 200_000))
    world.tell(f"a sync in another process, with room for {room} bytes")
    elsewhere(world, replica, lambda pid: None, (0,), room)


def elsewhere(
    world: World,
    replica: Replica,
    begun: Callable[[int], None],
    ends: tuple[int, ...],
    room: int | None = None,
    work: str = "sync",
) -> None:
    """Let a process of its own sync or push the replica; `begun` is told its number, it `ends` with one of these."""
    order = {
        "url": world.org.url,
        "path": str(replica.path),
        "objects": list(replica.objects),
        "now": world.clock.now().isoformat(),
        "setup": asdict(world.setup),
        "room": room,
        "work": work,
        "events": world.org.events.url,
    }
    with replica.handed_over():
        done = WORKERS.run([json.dumps(order)], ROOT, os.environ, "", WORKER_SECONDS, begun)
    assert done is not None, "one history at a time in a process"
    code, said, complaint = done
    world.faults.waiting.clear()
    world.tell(f"it ended with {code} {said.strip()}")
    if code not in ends or "INTERNAL_ERROR" in said:
        raise Violation("no bugs", f"the worker ended with {code}: {said} {complaint[-2000:]}")
    world.chronicle.note()
    raise_troubles(world)
    replica.forget_fields()
    checks.no_half_rows(world.chronicle, replica)


def time_passes(world: World, rng: random.Random) -> None:
    """Seconds to days."""
    seconds = rng.choice((0.4, 1, 1, 20, 61, 599, 601, 3700, 8000, 86_400, 3 * 86_400))
    days = seconds / 86_400
    if world.days_passed + days < MOST_DAYS:
        world.days_passed += days
        world.org.clock.advance(seconds)
        world.tell(f"{seconds} s pass")
        world.chronicle.note()
