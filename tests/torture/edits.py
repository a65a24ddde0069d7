"""What people do at a replica: edits through Python and through plain SQL, and decisions on the inbox."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.inbox import InboxItem, Resolution, Side, can_be_sent_again
from salesforce_sync.models.outbox import TOLD, Kind
from tests.torture.ledger import DESKS, texts_among
from tests.torture.replica import Replica
from tests.torture.world import World

ROOT = Path(__file__).parents[2]
Way = Callable[[random.Random, Replica, InboxItem], None]

COMMON = "555-0000"
"""A telephone number that many new records have: duplicate rules find it."""


def token(world: World, what: str) -> str:
    """A text that nobody else writes in this history."""
    world.tokens += 1
    return f"{what} {world.tokens}"


def place_of(world: World, rng: random.Random) -> tuple[Replica, str] | None:
    """A replica and one of its objects that has been synced."""
    replica = rng.choice(world.replicas)
    known = [name for name in replica.objects if name in replica.sync.objects]
    return (replica, rng.choice(known)) if known else None


def attempted_edit(world: World, what: str, act: Callable[[], Any]) -> Any:
    """Let a person try something that may be refused; None then."""
    try:
        made = act()
    except (Misuse, RecordNotFound) as refused:
        world.tell(f"{what}: refused ({refused.message})")
        return None
    world.tell(f"{what}: done")
    return True if made is None else made


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _texts(world: World, rng: random.Random, replica: Replica, name: str) -> dict[str, Any]:
    usable = replica.texts(name)
    chosen = rng.sample(usable, min(len(usable), rng.choice((1, 1, 2))))
    return {each: None if rng.random() < 0.1 else token(world, "ours") for each in chosen}


def _references(rng: random.Random, replica: Replica, name: str, chance: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, target in DESKS[name].references.items():
        if field in replica.fields(name) and rng.random() < chance:
            ids = sorted(replica.visible(target)) if target in replica.objects else []
            new = [each for each in ids if each.startswith("local-")]
            if ids:
                found[field] = rng.choice(new if new and rng.random() < 0.6 else ids)
    return found


def new_values(world: World, rng: random.Random, replica: Replica, name: str) -> tuple[str, dict[str, Any]] | None:
    marker = token(world, "new")
    values = {DESKS[name].marker: marker, **_texts(world, rng, replica, name), **_references(rng, replica, name, 0.6)}
    if rng.random() < 0.2:
        values[next(each for each in DESKS[name].texts if each.startswith(("Phone", "Desc")))] = COMMON
    match name:
        case "Lead":
            values["Company"] = "Acme"
        case "Opportunity":
            values |= {"StageName": "Prospecting", "CloseDate": date(2024, 5, 1)}
        case "Widget__c":
            accounts = sorted(replica.visible("Account")) if "Account" in replica.objects else []
            if not accounts:
                return None
            values["Account__c"] = rng.choice(accounts)
    return marker, {each: value for each, value in values.items() if value is not None}


def meant_of(values: dict[str, Any], name: str) -> dict[str, object]:
    """What is looked for again: unique texts, and references."""
    desk = DESKS[name]
    return {
        each: None if value == COMMON else value
        for each, value in values.items()
        if texts_among(name, [each]) or each in desk.references
    }


# ── edits ────────────────────────────────────────────────────────────────────────────────────────────────────────


def create(world: World, rng: random.Random) -> None:
    """A new record, by Python or by SQL."""
    if (place := place_of(world, rng)) is None or (new := new_values(world, rng, *place)) is None:
        return
    (replica, name), (marker, values) = place, new
    what = f"{replica.path.parent.name} creates {name} {values}"
    if rng.random() < 0.5:
        made = attempted_edit(world, what, lambda: replica.sync.objects[name].create(**values))
        key = made.to_dict()["Id"] if made else None
    else:
        key = f"local-{token(world, 'sql').replace(' ', '-')}"
        sql_values = {"Id": key, **values}
        listed, marks = ", ".join(f'"{each}"' for each in sql_values), ", ".join("?" * len(sql_values))
        if not _sql(world, replica, what, f'INSERT INTO "{name}" ({listed}) VALUES ({marks})', *sql_values.values()):
            return
    if key:
        replica.ledger.created(name, key, marker, meant_of(values, name))


def update(world: World, rng: random.Random) -> None:
    """Some fields of a record, by Python or by SQL."""
    if (place := place_of(world, rng)) is None:
        return
    replica, name = place
    rows = replica.visible(name)
    if not rows:
        return
    key = rng.choice(sorted(rows))
    values = {**_texts(world, rng, replica, name), **_references(rng, replica, name, 0.2)}
    if DESKS[name].references and rng.random() < 0.1:
        field = next(iter(DESKS[name].references))
        if DESKS[name].references[field] == name and field in replica.fields(name):
            values[field] = key
    what = f"{replica.path.parent.name} updates {name} {key} {values}"
    if rng.random() < 0.5:
        done = attempted_edit(world, what, lambda: replica.sync.objects[name].update(key, **values))
    else:
        listed = ", ".join(f'"{each}" = ?' for each in values)
        done = _sql(world, replica, what, f'UPDATE "{name}" SET {listed} WHERE "Id" = ?', *values.values(), key)
    if done and values:
        replica.ledger.edited(name, key, dict(rows[key]), meant_of(values, name))


def delete(world: World, rng: random.Random) -> None:
    """A record goes, by Python or by SQL; its edits are given up."""
    if (place := place_of(world, rng)) is None:
        return
    replica, name = place
    rows = sorted(replica.visible(name))
    if not rows:
        return
    key = rng.choice(rows)
    what = f"{replica.path.parent.name} deletes {name} {key}"
    if rng.random() < 0.5:
        done = attempted_edit(world, what, lambda: replica.sync.objects[name].delete(key))
    else:
        done = _sql(world, replica, what, f'DELETE FROM "{name}" WHERE "Id" = ?', key)
    if done:
        replica.ledger.forget(name, key)


def undelete(world: World, rng: random.Random) -> None:
    """A tombstone is brought back."""
    if (place := place_of(world, rng)) is None:
        return
    replica, name = place
    gone = sorted(replica.tombstones(name))
    if not gone:
        return
    key = rng.choice(gone)
    what = f"{replica.path.parent.name} undeletes {name} {key}"
    if rng.random() < 0.5:
        done = attempted_edit(world, what, lambda: replica.sync.objects[name].undelete(key))
    else:
        done = _sql(world, replica, what, f'UPDATE "{name}" SET "IsDeleted" = 0 WHERE "Id" = ?', key)
    if done:
        replica.ledger.forget(name, key)


def _sql(world: World, replica: Replica, what: str, sql: str, *values: Any) -> bool:
    bound = [each.isoformat() if isinstance(each, date) else each for each in values]
    command = [sys.executable, "-S", "-m", "tests.torture.any_tool", str(replica.path), json.dumps([[sql, bound]])]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if ended.stderr:
        raise AssertionError(ended.stderr)
    world.tell(f"{what}, by SQL: {ended.stdout.strip() or 'done'}")
    return ended.returncode == 0


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────


def decide(world: World, rng: random.Random) -> None:
    """A person decides something of what waits."""
    replica = rng.choice(world.replicas)
    for item in replica.sync.inbox():
        if rng.random() < 0.5:
            decide_item(world, rng, replica, item)


def decide_item(world: World, rng: random.Random, replica: Replica, item: InboxItem) -> None:
    """Any decision that a person who looks at the matching records may take."""
    replica.ledger.told(item)
    linkable = replica.ledger.may_be(item, world.chronicle)
    ways: list[Way] = [_link] if linkable else [_take_org, _take_local, _again, _drop]
    if item.kind is Kind.DUPLICATE:
        ways.append(_link)
    way = rng.choice(ways)
    what = f"{replica.path.parent.name} decides {item.kind} of {item.record_id} by {way.__name__}"
    attempted_edit(world, what, lambda: way(rng, replica, item))


def drop_item(world: World, rng: random.Random, replica: Replica, item: InboxItem) -> None:
    """What nobody wants any more is given up."""
    replica.ledger.told(item)
    attempted_edit(world, f"{replica.path.parent.name} drops {item.record_id}", lambda: _drop(rng, replica, item))


def _take_org(rng: random.Random, replica: Replica, item: InboxItem) -> None:
    replica.sync.take(item.number, "org")
    if item.kind in (Kind.DELETED_OVER, Kind.NOT_SHOWN):
        return  # what was edited here is in the org
    if item.kind in (Kind.CONFLICT, Kind.REPLACED):
        fields = {each.field for each in item.conflicts}
        replica.ledger.forget_fields(item.object_name, item.record_id, fields)
    else:
        replica.ledger.forget(item.object_name, item.record_id)


def _take_local(rng: random.Random, replica: Replica, item: InboxItem) -> None:
    replica.sync.take(item.number, "local")
    replica.ledger.forget_earlier(item)
    if item.kind is Kind.CHANGED_THERE:  # it is deleted all the same, with what was decided of its fields since
        replica.ledger.forget(item.object_name, item.record_id)


def _again(rng: random.Random, replica: Replica, item: InboxItem) -> None:
    if can_be_sent_again(item):
        replica.sync.retry(item.number, allow_duplicates=rng.random() < 0.7)


def _drop(rng: random.Random, replica: Replica, item: InboxItem) -> None:
    replica.sync.drop(item.number)
    replica.ledger.forget_earlier(item)
    if item.kind is Kind.CONFLICT:
        replica.ledger.forget_fields(item.object_name, item.record_id, {each.field for each in item.conflicts})
    elif item.kind not in TOLD:
        replica.ledger.forget(item.object_name, item.record_id)


def _link(rng: random.Random, replica: Replica, item: InboxItem) -> None:
    if not item.matches:  # a person who has found it in the org, and gives up making it
        _drop(rng, replica, item)
        return
    match = item.matches[0]
    if match.object_name != item.object_name:
        return
    marks = [mark for mark, made in replica.ledger.made.items() if made == (item.object_name, item.record_id)]
    if item.kind is Kind.UNCERTAIN and rng.random() < 0.7:
        replica.ledger.shown(match.object_name, match.record_id, replica.visible(match.object_name))
        replica.sync.resolve(item.number, Resolution(Side.LOCAL, link=match.record_id))
        return
    replica.sync.link(item.number, match.record_id)
    fields = {key[2] for key in replica.ledger.edits}
    replica.ledger.forget_fields(item.object_name, item.record_id, fields)
    replica.ledger.given_up |= set(marks)
