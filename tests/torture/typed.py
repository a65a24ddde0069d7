"""Edits of other fields than texts: numbers, dates, times, picklists, as Python and plain SQL write them; many at once.

What such a field holds need not be unique, so who wrote it cannot be told; that it arrives, and as what, can be.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import decode, encode
from simorg.schema import SField
from tests.torture import edits
from tests.torture.edits import attempted_edit, meant_of, new_values, place_of, token
from tests.torture.ledger import DESKS, MADE_LATER
from tests.torture.people import new_row
from tests.torture.replica import Replica
from tests.torture.values import value_for
from tests.torture.violation import Violation
from tests.torture.world import World

NO_VALUES = (FieldType.ID, FieldType.REFERENCE)
MOST_FIELDS = 3


def update(world: World, rng: random.Random) -> None:
    """Some fields that are no texts of a record, by Python or by SQL."""
    place = place_of(world, rng)
    if place is None:
        return
    replica, name = place
    rows = replica.visible(name)
    values = _values(world, rng, replica, name)
    if not rows or not values:
        return
    key = rng.choice(sorted(rows))
    kinds = {each: replica.sync.objects[name].schema.field(each).type for each in values}
    what = f"{replica.path.parent.name} updates {name} {key} {values}"
    if rng.random() < 0.5:
        done = attempted_edit(world, what, lambda: replica.sync.objects[name].update(key, **values))
    else:
        stored = {each: encode(kinds[each], value) for each, value in values.items()}
        done = _sql(world, what, replica, [_update(name, key, stored)])
    if done:
        meant = {each: decode(kinds[each], encode(kinds[each], value)) for each, value in values.items()}
        replica.ledger.edited(name, key, dict(rows[key]), meant)


def _values(world: World, rng: random.Random, replica: Replica, name: str) -> dict[str, Any]:
    """Values for some fields, as Python takes them; texts that people write elsewhere are left to them."""
    schema, org = replica.sync.objects[name].schema, world.org.schema(name)
    if org is None:
        return {}
    theirs = {one.name: one for one in org.fields if one.updateable and not _is_told_otherwise(one)}
    left = {*DESKS[name].texts, DESKS[name].marker, "IsConverted"}
    usable = [
        each.name
        for each in schema.columns
        if each.name in theirs
        and each.name not in left
        and each.type not in NO_VALUES
        and not each.name.startswith(MADE_LATER)
    ]
    return {
        each: value_for(theirs[each], rng) for each in rng.sample(usable, min(len(usable), rng.randint(1, MOST_FIELDS)))
    }


def _is_told_otherwise(one: SField) -> bool:
    """Whether the org shows such a value in another way than it was written, or has it but once."""
    return bool(one.compound or one.unique or one.encrypted or one.mask_type) or one.type == "multipicklist"


def _looked_at(world: World, rng: random.Random) -> tuple[Replica, str, Mapping[str, Mapping[str, object]], str] | None:
    """A replica, one of its objects, the rows that a person sees of it, and a field that holds texts."""
    place = place_of(world, rng)
    if place is None:
        return None
    rows, texts = place[0].visible(place[1]), place[0].texts(place[1])
    return (*place, rows, rng.choice(texts)) if rows and texts else None


KEY = "Ext__c"
KEYS = ("key 0", "key 1", "KEY 0", "key 2", None)
"""Few, so that several people mean to give the same one: the org takes it once."""


def keyed(world: World, rng: random.Random) -> None:
    """An external id, with a text, for a new record or one that is here: many records are to have the same.

    Those of two replicas differ: a record with the value, made in the second of a create whose answer is lost, or after
    it, is taken for that create (docs/two-way.md).
    """
    place = place_of(world, rng)
    if place is None or KEY not in place[0].fields(place[1]):
        return
    replica, name = place
    key, rows = rng.choice(KEYS), replica.visible(name)
    if key is not None and len(world.replicas) > 1:
        key = f"{key} of {replica.path.parent.name}"
    what = f"{replica.path.parent.name}: {KEY} {key!r} for"
    if rng.random() < 0.6 and (new := new_values(world, rng, replica, name)) is not None:
        marker, values = new
        given = {**values, KEY: key}
        made = attempted_edit(world, f"{what} a new {name} {given}", lambda: replica.sync.objects[name].create(**given))
        if made:
            replica.ledger.created(name, made.to_dict()["Id"], marker, meant_of(values, name))
    elif rows and (texts := replica.texts(name)):
        record_id, values = rng.choice(sorted(rows)), {rng.choice(texts): token(world, "ours")}
        told = f"{what} {name} {record_id} {values}"
        collection = replica.sync.objects[name]
        if attempted_edit(world, told, lambda: collection.update(record_id, **values, **{KEY: key})):
            replica.ledger.edited(name, record_id, dict(rows[record_id]), values)


def theirs_keyed(world: World, rng: random.Random) -> None:
    """Somebody in the org gives one of these external ids to a new record, or to one that is there."""
    name, key = rng.choice(world.setup.objects), rng.choice(KEYS)
    record_id = world.pick(rng, name)
    if world.org.object(name) is None:
        return
    if record_id is None or rng.random() < 0.5:
        row = {**new_row(world, rng, name), KEY: key}
        world.attempt(f"theirs {row}", lambda: world.org.create(name, [row]))
        world.org.clock.advance(2)  # see `keyed`
    else:
        world.attempt(f"theirs {record_id} {key}", lambda: world.org.update(name, [{"Id": record_id, KEY: key}]))


def many(world: World, rng: random.Random) -> None:
    """Several edits in one transaction of any SQLite tool, which may take all of them back."""
    if (found := _looked_at(world, rng)) is None:
        return
    replica, name, rows, field = found
    values = {key: token(world, "ours") for key in sorted(rows)}
    statements = [_update(name, key, {field: value}) for key, value in values.items()]
    what = f"{replica.path.parent.name} updates {field} of {len(values)} {name} {sorted(values.values())}"
    if rng.random() < 0.2:
        # A statement that is wrong at the end takes the others back.
        _sql(world, what, replica, [*statements, (f'UPDATE "{name}" SET "Id" = \'no id\'', ())])
    elif _sql(world, what, replica, statements):
        for key, value in values.items():
            replica.ledger.edited(name, key, dict(rows[key]), {field: value})


def back_again(world: World, rng: random.Random) -> None:
    """An edit, and the old value put back: nothing was edited then, if the org has it still."""
    if (found := _looked_at(world, rng)) is None:
        return
    replica, name, rows, field = found
    waiting = {each.record_id for each in (*replica.sync.outbox(), *replica.sync.inbox())}
    usable = sorted(set(rows) - waiting)
    if not usable:
        return
    key = rng.choice(usable)
    old = rows[key].get(field)
    statements = [_update(name, key, {field: token(world, "gone")}), _update(name, key, {field: old})]
    if rng.random() < 0.5:
        _sql(world, f"{replica.path.parent.name} updates {name} {key} {field} and puts it back", replica, statements)
        return
    for statement in statements:
        if not _sql(world, f"{replica.path.parent.name}: {statement}", replica, [statement]):
            return
    if any(each.record_id == key for each in replica.sync.outbox()):
        raise Violation("no echo", f"{name} {key} is in the outbox, and {field} is what it was")


def _update(name: str, key: str, values: dict[str, Any]) -> tuple[str, Sequence[Any]]:
    listed = ", ".join(f'"{each}" = ?' for each in values)
    return f'UPDATE "{name}" SET {listed} WHERE "Id" = ?', [*values.values(), key]


def _sql(world: World, what: str, replica: Replica, statements: Sequence[tuple[str, Sequence[Any]]]) -> bool:
    command = [sys.executable, "-S", "-m", "tests.torture.any_tool", str(replica.path), json.dumps(statements)]
    ended = subprocess.run(command, cwd=edits.ROOT, capture_output=True, text=True, timeout=60)
    if ended.stderr:
        raise AssertionError(ended.stderr)
    world.tell(f"{what}, by SQL: {ended.stdout.strip() or 'done'}")
    return ended.returncode == 0
