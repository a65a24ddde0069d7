"""What people, integrations and administrators do to the org."""

from __future__ import annotations

import random
from typing import Any

from simorg.schema import SField, SObject
from tests.torture.values import unique_value, value_for
from tests.torture.world import CHILDREN_FIRST, World

EXTRA_FIELDS = (
    "string 80",
    "double 18,2",
    "currency 18,0",
    "boolean",
    "boolean default:true",
    "date",
    "datetime",
    "textarea 32768",
    "percent 5,2",
    "int 9",
)
RETYPED = ("string 80", "double 18,2", "textarea 32768", "date")
LONGEST_TRANSACTION = 540
"""Seconds: below the margin of ten minutes that a pull goes back."""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_row(world: World, rng: random.Random, name: str) -> dict[str, Any]:
    """Values for a create: what is required, and some more."""
    schema = world.org.object(name)
    if schema is None:
        return {}
    required = [one for one in schema.fields if one.required]
    others = [one for one in schema.fields if one.createable and one not in required and not one.compound]
    return _filled(world, rng, [*required, *rng.sample(others, min(len(others), rng.randint(0, 6)))])


def changes(world: World, rng: random.Random, schema: SObject) -> dict[str, Any]:
    """Values for an update."""
    fields = [one for one in schema.fields if one.updateable and not one.compound]
    return _filled(world, rng, rng.sample(fields, min(len(fields), rng.randint(1, 4))))


def _filled(world: World, rng: random.Random, fields: list[SField]) -> dict[str, Any]:
    return {one.name: _value(world, rng, one) for one in fields if one.name not in ("OwnerId", "IsConverted")}


def _value(world: World, rng: random.Random, one: SField) -> Any:
    if one.type != "reference":
        return value_for(one, rng)
    target = next((name for name in one.reference_to if name in CHILDREN_FIRST), None)
    found = world.pick(rng, target) if target else None
    if found is None and one.required and target and world.org.object(target):
        return world.org.add(target, **new_row(world, rng, target))
    return found if one.required or rng.random() < 0.7 else None


def create(world: World, rng: random.Random) -> None:
    """A row, or many with one stamp."""
    name = rng.choice(world.setup.objects)
    rows = [new_row(world, rng, name) for _ in range(rng.choice((1, 1, 2, 5, 25)))]
    world.attempt(f"create {name}", lambda: world.org.create(name, rows))


def update(world: World, rng: random.Random) -> None:
    """Some rows, each in its own way."""
    name = rng.choice(world.setup.objects)
    schema, found = world.org.object(name), world.ids(name, deleted=False)
    if schema is not None and found:
        chosen = rng.sample(found, min(len(found), rng.choice((1, 1, 3))))
        rows = [{"Id": key, **changes(world, rng, schema)} for key in chosen]
        world.attempt(f"update {name} {chosen}", lambda: world.org.update(name, rows))


def update_all(world: World, rng: random.Random) -> None:
    """A mass update: every row of an object gets one stamp."""
    name = rng.choice(world.setup.objects)
    schema = world.org.object(name)
    if schema is not None:
        fields = [one for one in schema.fields if one.updateable and not one.compound and not one.unique]
        values = _filled(world, rng, [rng.choice(fields)])
        rows = [{"Id": key, **values} for key in world.ids(name, deleted=False)]
        world.attempt(f"update all of {name}", lambda: world.org.update(name, rows))


def touch_back_and_forth(world: World, rng: random.Random) -> None:
    """A value that changes and changes back: only the stamp tells."""
    name = rng.choice(world.setup.objects)
    key = world.pick(rng, name)
    if key is not None:
        world.attempt(f"touch {key}", lambda: world.org.update(name, [{"Id": key}]))


def delete(world: World, rng: random.Random) -> None:
    """Some rows into the bin; what hangs on them goes along."""
    name = rng.choice(world.setup.objects)
    found = [key for key in world.ids(name, deleted=False) if not world.entangled(key)]
    chosen = rng.sample(found, min(len(found), rng.choice((1, 1, 2, 4))))
    world.attempt(f"delete {chosen}", lambda: world.org.delete(chosen))


def undelete(world: World, rng: random.Random) -> None:
    """A row out of the bin, with what went along."""
    key = world.pick(rng, rng.choice(world.setup.objects), deleted=True)
    if key is not None and not world.transacting:
        world.attempt(f"undelete {key}", lambda: world.org.undelete([key]))


def delete_and_undelete(world: World, rng: random.Random) -> None:
    """Gone and back between two looks."""
    key = world.pick(rng, rng.choice(world.setup.objects))
    if key is not None and not world.transacting:

        def work() -> list[Any]:
            with world.org.transaction():  # nobody sees it in the bin
                return [*world.org.delete([key]), *world.org.undelete([key])]

        world.attempt(f"delete and undelete {key}", work)


def merge(world: World, rng: random.Random) -> None:
    """Two or three rows become one."""
    names = [name for name in world.setup.objects if name in ("Account", "Contact", "Lead")]
    found = world.ids(rng.choice(names), deleted=False) if names else []
    if len(found) > 1 and not world.transacting:
        master, *losers = rng.sample(found, min(len(found), rng.choice((2, 3))))
        world.attempt(f"merge {losers} into {master}", lambda: world.org.merge(master, losers))


def convert(world: World, rng: random.Random) -> None:
    """A lead becomes a contact, an account and perhaps an opportunity."""
    key = world.pick(rng, "Lead")
    if key is not None and not world.transacting:
        deal = rng.choice((None, "Deal"))
        world.attempt(f"convert {key}", lambda: world.org.convert_lead(key, None, deal))


def long_transaction(world: World, rng: random.Random) -> None:
    """Rows that are stamped now and seen minutes later."""
    name = rng.choice(world.setup.objects)
    schema = world.org.object(name)
    found = world.ids(name, deleted=False)
    if schema is not None:
        _transact(world, rng, schema, [key for key in found if not world.stamped_now(key)])


def long_transaction_in_the_second_of_another(world: World, rng: random.Random) -> None:
    """The same over rows that were saved in this very second: before and after, they have one stamp."""
    schema = world.org.object(rng.choice(world.setup.objects))
    if schema is not None:
        found = world.ids(schema.name, deleted=False)
        _transact(world, rng, schema, [key for key in found if world.stamped_now(key)])


def _transact(world: World, rng: random.Random, schema: SObject, found: list[str]) -> None:
    name, seconds = schema.name, rng.choice((1, 30, 299, LONGEST_TRANSACTION))
    rows = [new_row(world, rng, name) for _ in range(rng.choice((0, 1, 8)))]
    chosen = rng.sample(found, min(len(found), rng.choice((0, 1, 5))))
    edits = [{"Id": key, **changes(world, rng, schema)} for key in chosen]

    def work() -> list[Any]:
        with world.org.late_commit(seconds):
            return [*world.org.create(name, rows), *world.org.update(name, edits)]

    world.lock(chosen, seconds)
    world.attempt(f"{name}: a transaction of {seconds} s over {chosen}", work)


def purge(world: World, rng: random.Random) -> None:
    """Rows removed for good, from the bin or at once."""
    name = rng.choice(world.setup.objects)
    key = world.pick(rng, name, deleted=rng.random() < 0.5)
    if key is not None and not world.transacting:
        world.attempt(f"purge {key}", lambda: world.org.purge([key]))


def stamp_in_the_future(world: World, rng: random.Random) -> None:
    """An application server whose clock is ahead: later edits of the row have older stamps."""
    name = rng.choice(world.setup.objects)
    key = world.pick(rng, name)
    if key is not None:
        stamp = world.org.now_stamp() + 1000 * rng.choice((2, 30, 599, 3600))
        world.attempt(
            f"{key} is stamped {stamp}", lambda: world.org.database.update(name, key, {"SystemModstamp": stamp})
        )


def hide_record(world: World, rng: random.Random) -> None:
    """Sharing takes a row away from the user, without a stamp."""
    key = world.pick(rng, rng.choice(world.setup.objects))
    if key is not None:
        world.attempt(f"hide {key}", lambda: world.org.hide_record(key))


def show_record(world: World, rng: random.Random) -> None:
    """Sharing gives a row back, without a stamp."""
    hidden = sorted(world.chronicle.hidden())
    if hidden:
        key = rng.choice(hidden)
        world.attempt(f"show {key}", lambda: world.org.show_record(key))


# ── administrators ───────────────────────────────────────────────────────────────────────────────────────────────


def add_field(world: World, rng: random.Random) -> None:
    """A new field, with values in some rows."""
    name = rng.choice(world.setup.objects)
    if world.transacting:
        return
    world.fields_made += 1
    field, line = f"Extra{world.fields_made}__c", rng.choice(EXTRA_FIELDS)
    world.attempt(f"add {name}.{field} {line}", lambda: world.org.add_field(name, field, line).name)
    schema = world.org.schema(name)
    one = schema.field(field) if schema else None
    found = world.ids(name, deleted=False)
    if one is not None and found and rng.random() < 0.7:
        rows = [{"Id": key, field: value_for(one, rng)} for key in found]
        world.attempt(f"fill {name}.{field}", lambda: world.org.update(name, rows))


def remove_field(world: World, rng: random.Random) -> None:
    """A field that was made before goes, or another that an administrator may take away."""
    name, one = _optional_field(world, rng)
    if one is not None and not world.transacting:
        world.attempt(f"remove {name}.{one.name}", lambda: world.org.remove_field(name, one.name))


def rename_field(world: World, rng: random.Random) -> None:
    """A field gets another API name; its values stay, and no stamp moves."""
    name, one = _optional_field(world, rng)
    if one is not None and not world.transacting:
        world.fields_made += 1
        new = f"Renamed{world.fields_made}__c"
        world.attempt(f"rename {name}.{one.name} to {new}", lambda: world.org.rename_field(name, one.name, new))


def retype_field(world: World, rng: random.Random) -> None:
    """A field gets another type; what does not fit is lost, and no stamp moves."""
    name, one = _optional_field(world, rng)
    if one is not None and not world.transacting:
        line = rng.choice(RETYPED)
        world.attempt(f"retype {name}.{one.name} to {line}", lambda: world.org.retype_field(name, one.name, line))


def reuse_field_name(world: World, rng: random.Random) -> None:
    """A field is renamed, and another takes its name with another type (docs/store.md tells of the same one)."""
    name, one = _optional_field(world, rng)
    if one is not None and not world.transacting:
        world.fields_made += 1
        new, line = f"Renamed{world.fields_made}__c", rng.choice(EXTRA_FIELDS)
        if line.partition(" ")[0] == one.type:
            line = rng.choice([each for each in EXTRA_FIELDS if each.partition(" ")[0] != one.type])
        world.attempt(f"rename {name}.{one.name} to {new}", lambda: world.org.rename_field(name, one.name, new))
        world.attempt(f"add {name}.{one.name} {line}", lambda: world.org.add_field(name, one.name, line).name)


def _optional_field(world: World, rng: random.Random) -> tuple[str, SField | None]:
    name = rng.choice(world.setup.objects)
    schema = world.org.schema(name)
    known = [one for one in schema.fields if one.name.startswith(("Extra", "Renamed"))] if schema else []
    return name, rng.choice(known) if known else None


def hide_field(world: World, rng: random.Random) -> None:
    """Field-level security takes a field away from the user."""
    name = rng.choice(world.setup.objects)
    schema = world.org.object(name)
    usual = [one for one in schema.fields if one.updateable and not one.required and not one.compound] if schema else []
    if usual:
        one = rng.choice(usual)
        world.tell(f"hide {name}.{one.name}")
        world.org.permissions.hide_field(name, one.name)


def hide_stamps(world: World, rng: random.Random) -> None:
    """An object has no field any more that tells when a row changed: it can only be read whole."""
    name = rng.choice(world.setup.objects)
    world.tell(f"hide the stamps of {name}")
    for stamp in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        world.org.permissions.hide_field(name, stamp)


def hide_object(world: World, rng: random.Random) -> None:
    """The user's right to read an object is taken away."""
    name = rng.choice(world.setup.objects)
    world.tell(f"hide {name}")
    world.org.permissions.deny(name, "read")


def give_rights_back(world: World, rng: random.Random) -> None:
    """The user may see everything of an object again."""
    name = rng.choice(world.setup.objects)
    world.tell(f"allow {name}")
    world.org.permissions.allow(name)


def unique_keys(world: World, rng: random.Random) -> None:
    """External ids move from row to row: one loses it, another gets the same."""
    name = rng.choice(world.setup.objects)
    schema, found = world.org.object(name), world.ids(name, deleted=False)
    keys = [one for one in schema.fields if one.unique and one.updateable] if schema else []
    if keys and len(found) > 1:
        one, (first, second) = rng.choice(keys), rng.sample(found, 2)
        value = unique_value(one)
        rows = [{"Id": first, one.name: value}, {"Id": first, one.name: None}, {"Id": second, one.name: value}]
        world.attempt(f"move {name}.{one.name} from {first} to {second}", lambda: world.org.update(name, rows))
