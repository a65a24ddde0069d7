"""What happens at a replica in the middle of a run: people and other programs write to it, the run is told to stop."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event

import apsw

from salesforce_sync.app import SFSync
from salesforce_sync.errors import SyncError
from tests.torture import runs
from tests.torture.edits import meant_of, new_values, place_of, token
from tests.torture.replica import Replica
from tests.torture.world import World

BUSY_MS = 30_000
NTH = (1, 2, 2, 3, 4, 5, 7, 9)


def edit(world: World, rng: random.Random) -> None:
    """Somebody writes to a replica by plain SQL while a run is under way, of it or of another one."""
    place = place_of(world, rng)
    if place is None or world.setup.events:  # events come in threads of their own, and the ledger is for one at a time
        return
    act = rng.choice((_updates, _updates, _updates, _creates, _deletes))(world, rng, *place)
    if act is not None:
        nth = rng.choice(NTH)
        world.tell(f"somebody is to write to {place[0].path.parent.name} at request {nth} from now")
        world.at_request(nth, act)


def _updates(world: World, rng: random.Random, replica: Replica, name: str) -> Callable[[], None] | None:
    texts, at, value = replica.texts(name), rng.random(), token(world, "ours")
    if not texts:
        return None
    field = rng.choice(texts)

    def act(tool: apsw.Connection) -> str:
        row = _some_row(tool, replica, name, at, field)
        if row is None:
            return "there is nothing"
        key, before = row
        tool.execute(f'UPDATE "{name}" SET "{field}" = ? WHERE "Id" = ?', (value, key))
        tool.execute("COMMIT")
        replica.note(lambda: replica.ledger.edited(name, key, {field: before}, {field: value}))
        return f"{name} {key} {field}: {before!r} is {value!r}"

    return lambda: _writing(world, replica, act)


def _creates(world: World, rng: random.Random, replica: Replica, name: str) -> Callable[[], None] | None:
    new = new_values(world, rng, replica, name)
    if new is None:
        return None
    marker, values = new
    key = f"local-{token(world, 'amid').replace(' ', '-')}"
    row = {"Id": key, **{each: getattr(value, "isoformat", lambda v=value: v)() for each, value in values.items()}}

    def act(tool: apsw.Connection) -> str:
        listed, marks = ", ".join(f'"{each}"' for each in row), ", ".join("?" * len(row))
        tool.execute(f'INSERT INTO "{name}" ({listed}) VALUES ({marks})', tuple(row.values()))
        tool.execute("COMMIT")
        replica.note(lambda: replica.ledger.created(name, key, marker, meant_of(values, name)))
        return f"{name} {row} is made"

    return lambda: _writing(world, replica, act)


def _deletes(world: World, rng: random.Random, replica: Replica, name: str) -> Callable[[], None] | None:
    at = rng.random()

    def act(tool: apsw.Connection) -> str:
        row = _some_row(tool, replica, name, at, "Id")
        if row is None:
            return "there is nothing"
        tool.execute(f'DELETE FROM "{name}" WHERE "Id" = ?', (row[0],))
        tool.execute("COMMIT")
        replica.note(lambda: replica.ledger.forget(name, row[0]))
        return f"{name} {row[0]} is deleted"

    return lambda: _writing(world, replica, act)


def _some_row(tool: apsw.Connection, replica: Replica, name: str, at: float, field: str) -> tuple[str, object] | None:
    columns = {row[1] for row in tool.execute(f"PRAGMA table_info('{name}')")}
    living = 'WHERE "IsDeleted" IS NOT 1' if "IsDeleted" in columns else ""
    found = tool.execute(f'SELECT "Id", "{field}" FROM "{name}" {living} ORDER BY "Id"').fetchall()
    return found[int(at * len(found))] if found else None


def _writing(world: World, replica: Replica, act: Callable[[apsw.Connection], str]) -> None:
    """Within one transaction: what is looked at is what is written over."""
    tool = apsw.Connection(str(replica.path))
    try:
        tool.set_busy_timeout(BUSY_MS)
        tool.execute("BEGIN IMMEDIATE")
        world.tell(f"meanwhile {replica.path.parent.name}: {act(tool)}")
    except apsw.BusyError:
        raise  # nobody may hold the file for so long
    except apsw.Error as refused:
        world.tell(f"meanwhile {replica.path.parent.name}: refused ({refused})")
    finally:
        tool.close()


# ── other programs ───────────────────────────────────────────────────────────────────────────────────────────────


def other_program(world: World, rng: random.Random) -> None:
    """Another program pushes, syncs or proves the same replica while a run is under way."""
    replica, work = rng.choice(world.replicas), rng.choice(("push", "push", "sync", "verify", "dry run"))
    name = rng.choice(replica.objects)
    if world.setup.events or (work != "sync" and name not in replica.sync.objects):
        return

    def act() -> None:
        with SFSync(replica.config, clock=world.clock) as other:
            try:
                world.tell(
                    f"meanwhile another program: {work} of {replica.path.parent.name}: {_work(other, work, name)}"
                )
            except SyncError as refused:
                world.tell(f"meanwhile another program: {work} of {replica.path.parent.name}: {refused.message}")

    nth = rng.choice(NTH)
    world.tell(f"another program is to {work} {replica.path.parent.name} at request {nth} from now")
    world.at_request(nth, lambda: world.beside(act))


def _work(other: SFSync, work: str, name: str) -> str:
    match work:
        case "push":
            return str(other.push().state)
        case "sync":
            return str(other.sync(name).state)
        case "verify":
            return str(other.verify(name)[0].state)
        case _:
            return f"{other.diff().total} changes"


# ── stops ────────────────────────────────────────────────────────────────────────────────────────────────────────


def stopped_sync(world: World, rng: random.Random) -> None:
    """A sync that is told to stop when the org gets its nth request, as by the page's button or by Ctrl-C."""
    replica, stop, nth = rng.choice(world.replicas), Event(), rng.choice(NTH)
    world.tell(f"the sync is told to stop at request {nth}")
    world.at_request(nth, stop.set)
    runs.run(world, replica, stop=stop)


def killed_verify(world: World, rng: random.Random) -> None:
    """Another process proves the replica, and is killed."""
    nth, delay = rng.randint(1, 8), rng.choice((0.0, 0.002, 0.01, 0.03))
    world.tell(f"a verify in another process, killed {delay} s after request {nth}")
    runs.elsewhere(
        world, rng.choice(world.replicas), lambda pid: world.kill_at_request(nth, pid, delay), (0, -9), work="verify"
    )


def weeks_pass(world: World, rng: random.Random) -> None:
    """The machine was off for weeks: the org has emptied its bin, and tells of deletions no longer."""
    days = rng.choice((16, 31, 45))
    world.org.clock.advance(days * 86_400)
    world.tell(f"{days} days pass")
    world.chronicle.note()
