"""What lies beneath records that an undo is to delete: the org would delete it along, or empty its references."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Filter, Store
from salesforce_sync.sync.rows import named_rows

IDS_AT_ONCE = 500

Key = tuple[str, str]
"""An object, and a record's id."""


def kept_by(store: Store, wanted: Collection[Key], kept: Collection[Key]) -> dict[Key, Key]:
    """Those of the `wanted` ones that have to stay, each with a record beneath it because of which it has to.

    That is one that others have made, or one that is `kept`. What the user who made the record has made beneath it, or
    automation in that name, keeps nothing.
    """
    found: dict[Key, Key] = {}
    below: dict[Key, list[Key]] = {}
    for key, child, by_others in _children(store, wanted):
        if by_others or child in kept:
            found.setdefault(key, child)
        if child in wanted:
            below.setdefault(child, []).append(key)
    todo = [*found]
    for child in todo:
        new = [key for key in below.get(child, ()) if key not in found]
        found |= dict.fromkeys(new, child)
        todo += new
    return found


def _children(store: Store, wanted: Collection[Key]) -> Iterator[tuple[Key, Key, bool]]:
    """Each live record that refers to one of these, and whether somebody else has made it than that one."""
    own = {**dict.fromkeys(wanted)}
    for name in sorted({name for name, _ in own}):
        ids = [key for each, key in own if each == name]
        for some in _pieces(ids):
            _, parents = named_rows(store, name, some)
            for schema in store.schemas():
                for field in _referring(schema, name):
                    yield from _beneath(store, schema, field, name, parents, own)


def _referring(schema: ObjectSchema, name: str) -> list[str]:
    """The fields by which the object's records may be children of that one's."""
    return [each for each in schema.parents if name in schema.field(each).reference_to]


def _beneath(
    store: Store,
    schema: ObjectSchema,
    field: str,
    name: str,
    parents: Mapping[str, Mapping[str, Stored]],
    own: Mapping[Key, None],
) -> Iterator[tuple[Key, Key, bool]]:
    columns = [each.name for each in schema.columns]
    for values in store.scan(schema.name, (Filter(field, "in", tuple(parents)),)):
        row = dict(zip(columns, values, strict=True))
        child, parent = (schema.name, str(row["Id"])), str(row[field])
        if child != (name, parent):
            makers = row.get("CreatedById"), parents[parent].get("CreatedById")
            yield (name, parent), child, child not in own and makers[0] != makers[1]


def _pieces(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    left = iter(ids)
    while some := list(islice(left, IDS_AT_ONCE)):
        yield some
