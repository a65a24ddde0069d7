"""What people do at a replica now and then: undo, decisions field by field or of many at once, a proof, rights."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from salesforce_sync.errors import SyncError
from salesforce_sync.models.inbox import InboxItem, can_be_sent_again
from salesforce_sync.models.outbox import Kind, Operation
from salesforce_sync.models.push import Push
from tests.torture import checks, runs
from tests.torture.edits import token
from tests.torture.ledger import DESKS, texts_among
from tests.torture.replica import Replica
from tests.torture.world import World

# ── back ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def undo(world: World, rng: random.Random) -> None:
    """A push is taken back, as far as nobody has changed its values since."""
    replica = rng.choice(world.replicas)
    pushes = [each for each in replica.sync.pushes() if each.count("applied")]
    if not pushes:
        return
    push = rng.choice(pushes[:3])
    try:
        done = replica.sync.undo(push.push_id)
    except SyncError as refused:
        world.tell(f"undo of {push.push_id}: refused ({refused.message})")
        done = None
    else:
        world.tell(f"undo of {push.push_id}: {[(each.record_id, each.field, each.reason) for each in done.left]}")
    world.chronicle.note()
    _given_up(replica, push)
    _seen_by_all(world, push)
    runs.raise_troubles(world)


def _given_up(replica: Replica, push: Push) -> None:
    """What the push had sent, nobody wants any more: each value that came before it was known here."""
    for change in push.changes:
        if change.operation is Operation.UPDATE:
            fields = {each.field for each in change.edits}
            replica.ledger.forget_fields(change.object_name, change.record_id, fields)
        else:
            replica.ledger.forget(change.object_name, change.record_id)


def _seen_by_all(world: World, push: Push) -> None:
    """What is taken back was seen by whoever took it back: what comes in its place may be another replica's value."""
    for change in push.changes:
        taken_back = {each.field: each.value for each in change.edits}
        for replica in world.replicas:
            replica.ledger.shown(change.object_name, change.record_id, {change.record_id: taken_back})


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────


def decide_by_field(world: World, rng: random.Random) -> None:
    """Each field that waits gets a value of its own; or only one of them."""
    replica = rng.choice(world.replicas)
    items = [each for each in replica.sync.inbox() if each.kind in (Kind.CONFLICT, Kind.REPLACED) and each.conflicts]
    if items:
        _decide_fields(world, rng, replica, rng.choice(items))


def _decide_fields(world: World, rng: random.Random, replica: Replica, item: InboxItem) -> None:
    replica.ledger.told(item)
    texts = texts_among(item.object_name, (each.field for each in item.conflicts))
    disputed = [each for each in item.conflicts if each.field in texts]
    if not disputed:
        return
    chosen = rng.sample(disputed, rng.randint(1, len(disputed)))
    values = {each.field: rng.choice((token(world, "ours"), each.org, each.local, None)) for each in chosen}
    what = f"{replica.path.parent.name} takes {values} for {item.record_id}"
    before = dict(replica.visible(item.object_name).get(item.record_id, {}))
    if attempted(world, what, partial(replica.sync.take, item.number, **values)):
        replica.ledger.edited(item.object_name, item.record_id, before, dict(values))


def retry_all(world: World, rng: random.Random) -> None:
    """A rule has been mended: all that it refused is to be sent again."""
    replica = rng.choice(world.replicas)
    items = [each for each in replica.sync.inbox() if can_be_sent_again(each) and each.kind is not Kind.UNCERTAIN]
    if items:
        code = rng.choice(items).code
        attempted(world, f"{replica.path.parent.name} retries all {code}", lambda: replica.sync.retry_all(code))


def attempted(world: World, what: str, act: Any) -> bool:
    try:
        act()
    except SyncError as refused:
        world.tell(f"{what}: refused ({refused.message})")
        return False
    world.tell(f"{what}: done")
    return True


# ── proof ────────────────────────────────────────────────────────────────────────────────────────────────────────


def verify(world: World, rng: random.Random) -> None:
    """A replica is held against the org, whatever waits in it; what is called complete is."""
    replica, before = rng.choice(world.replicas), world.chronicle.mark()
    done = replica.verify()
    world.chronicle.note()
    world.tell(f"verify of {replica.path.parent.name}: {done.state}")
    runs.raise_troubles(world)
    with replica.still():
        world.chronicle.note()
        checks.after_run(world.chronicle, replica, done, before, world.rows_a_page)


# ── rights ───────────────────────────────────────────────────────────────────────────────────────────────────────


def may_not_write(world: World, rng: random.Random) -> None:
    """The connected user loses the right to write an object, or one of the fields that people edit."""
    name = rng.choice(world.setup.objects)
    action = rng.choice(("create", "update", "delete", "", "", ""))
    field = rng.choice(DESKS[name].texts)
    world.tell(f"nobody may {action} {name}" if action else f"{name}.{field} is read-only")
    if action:
        world.org.permissions.deny(name, action)
    else:
        world.org.permissions.make_read_only(name, field)


def hide_text(world: World, rng: random.Random) -> None:
    """A field that people edit is hidden from the connected user."""
    name = rng.choice(world.setup.objects)
    field = rng.choice(DESKS[name].texts)
    world.tell(f"hide {name}.{field}")
    world.org.permissions.hide_field(name, field)
