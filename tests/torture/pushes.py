"""What happens to pushes: kills, lost answers, rules that refuse, triggers that change values, locks."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from simorg import triggers
from tests.torture import runs
from tests.torture.edits import COMMON, token
from tests.torture.ledger import DESKS
from tests.torture.mishaps import LOCKED
from tests.torture.runs import elsewhere
from tests.torture.violation import Violation
from tests.torture.world import World

WRITES = (r"/composite", r"/composite", r"/sobjects", r"/jobs/ingest", r"/services/Soap", r"/services/data/")


def push(world: World, rng: random.Random) -> None:
    """One replica sends what it has, without a pull before."""
    replica = rng.choice(world.replicas)
    if not replica.sync.outbox():
        return
    result = replica.sync.push()
    for name in replica.settled:  # a push, too, describes an object anew, without what the org shows no more
        replica.settled[name] = replica.settled[name] & replica.fields(name)
    world.chronicle.note()
    counts = {each.outcome for each in result.changes}
    world.tell(f"push of {replica.path.parent.name}: {len(result.changes)} changes {sorted(counts)} {result.problem}")
    runs.raise_troubles(world)


def killed_push(world: World, rng: random.Random) -> None:
    """Another process pushes, or syncs, and is killed with SIGKILL at some request, or just after it."""
    replica = rng.choice(world.replicas)
    if not replica.sync.outbox():
        return
    nth, delay = rng.choice((1, 2, 2, 3, 3, 4, 5, 7)), rng.choice((0.0, 0.001, 0.003, 0.01, 0.03))
    work = rng.choice(("push", "push", "sync"))
    world.tell(f"a {work} in another process, killed {delay} s after request {nth}")
    elsewhere(world, replica, lambda pid: world.kill_at_request(nth, pid, delay), (0, -9), work=work)


def lost_answer(world: World, rng: random.Random) -> None:
    """The org does the work, or a part of it, and the answer does not arrive."""
    kind: dict[str, Any] = rng.choice(
        (
            {"status": 502, "done": True},
            {"status": 503, "done": True},
            {"drop": "after"},
            {"drop": "before"},
            {"cut_after": rng.choice((0, 1, 40))},
            {"save_rows": rng.choice((0, 1, 2, 3))},
            {"save_rows": rng.choice((1, 2)), "status": 500},
            {"status": 400, "body": LOCKED},
        )
    )
    values = {"method": "POST|PATCH|DELETE|PUT", "path": rng.choice(WRITES), "nth": rng.choice((1, 1, 1, 2, 3)), **kind}
    world.tell(f"fault {values}")
    world.org.faults.add(**values)


def rule(world: World, rng: random.Random) -> None:
    """An administrator adds a rule or a trigger."""
    name = rng.choice(world.setup.objects)
    desk, rules = DESKS[name], world.org.rules
    field = rng.choice(desk.texts)
    digit = rng.randrange(10)
    column = f"\"{field}\" LIKE '%{digit}'"
    act = rng.choice(
        (
            partial(rules.add_validation, name, column, "No.", field),
            partial(rules.add_validation, name, f"\"{desk.marker}\" LIKE '%{digit}'", "No.", desk.marker),
            partial(triggers.normalise, world.org, name, field, rng.choice(("upper", "title", "trim"))),
            partial(triggers.normalise, world.org, name, desk.marker, "upper"),
            partial(triggers.fill, world.org, name, field, token(world, "filled")),
            partial(triggers.fail_when, world.org, name, column),
            partial(_duplicates, world, name),
            partial(_counter, world, name),
        )
    )
    world.excused.add(f"filled {world.tokens}")
    world.attempt(f"rule of {name}: {act.func.__name__} {act.args[1:]}", lambda: act() and None)


def _duplicates(world: World, name: str) -> None:
    fields = [each for each in DESKS[name].texts if each.startswith(("Phone", "Desc"))]
    world.org.rules.add_duplicate_rule(name, fields[:1], message=COMMON)


def _counter(world: World, name: str) -> None:
    if name == "Contact":
        triggers.count_on_parent(world.org, "Contact", "AccountId", "NumberOfEmployees")


def rules_end(world: World, rng: random.Random) -> None:
    """The administrator takes them away."""
    world.tell("no rules")
    world.org.rules.clear()


def lock(world: World, rng: random.Random) -> None:
    """Somebody holds a row for a while."""
    key = world.pick(rng, rng.choice(world.setup.objects))
    if key is not None:
        times = rng.choice((1, 2, 5))
        world.tell(f"{key} is locked {times} times")
        world.org.rules.lock_row(key, times)


def theirs(world: World, rng: random.Random) -> None:
    """Somebody in the org writes the very fields that people edit here."""
    name = rng.choice(world.setup.objects)
    found = world.ids(name, deleted=False)
    if found:
        keys = rng.sample(found, min(len(found), rng.choice((1, 2, 5))))
        rows = [{"Id": key, rng.choice(DESKS[name].texts): token(world, "theirs")} for key in keys]
        world.attempt(f"theirs {rows}", lambda: world.org.update(name, rows))


def nothing_is_lost(world: World) -> None:
    """Every local edit is in the org, in the outbox or in the inbox, now and not only in the end."""
    for replica in world.replicas:
        with replica.still():
            replica.ledger.note_unanswered(replica.sync.outbox())
            lost = replica.ledger.lost(world.chronicle, replica.waiting())
            if lost and world.setup.policy != "ask":  # whom the policy gave up, the history keeps
                lost = replica.ledger.lost(world.chronicle, replica.waiting() | replica.replaced())
        if lost:
            raise Violation("nothing is lost", "; ".join(lost[:4]))
