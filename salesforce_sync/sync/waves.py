"""Waves: the changes of the outbox in the order in which the org takes them, circles of references cut open. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Operation
from salesforce_sync.ports import Order
from salesforce_sync.sync.needs import Outbox, parents


class Wave(Struct, frozen=True):
    """Changes that may be handed over together, siblings side by side."""

    orders: tuple[Order, ...]


Key = tuple[int, int]
"""A change's number, and 0, or 1 for the part of a create that is sent afterwards."""


class Node(Struct):
    """A change that will be sent, or a part of it, and the keys that it waits for (with the fields that make it)."""

    change: Change
    needs: dict[Key, set[str]] = field(default_factory=dict)


Nodes = dict[Key, Node]


def nodes_of(outbox: Outbox, numbers: Collection[int]) -> Nodes:
    nodes: Nodes = {}
    for number in sorted(numbers):
        node = nodes[number, 0] = Node(outbox.by_number[number])
        for need in outbox.needs[number]:
            if need.number in numbers:
                node.needs.setdefault((need.number, 0), set()).add(need.field)
    return nodes


def cut_circles(nodes: Nodes, outbox: Outbox) -> int | None:
    """Break every circle of needs; gives the number of a change that stands in one that cannot be broken."""
    for key in [key for key, node in nodes.items() if key in node.needs]:
        if not _cut(nodes, key, key, outbox):
            return key[0]
    while left := _unreachable(nodes):
        for circle in _circles(nodes, left):
            links = sorted(zip(circle, circle[1:] + circle[:1], strict=True))
            if not any(_cut(nodes, key, needed, outbox) for key, needed in links):
                return min(circle)[0]
    return None


def _unreachable(nodes: Nodes) -> set[Key]:
    """What stands in a circle, or waits for one."""
    counts = {key: len(node.needs) for key, node in nodes.items()}
    waiting = _waiting(nodes)
    todo = [key for key, count in counts.items() if not count]
    for key in todo:
        for each in waiting[key]:
            counts[each] -= 1
            if not counts[each]:
                todo.append(each)
    return counts.keys() - set(todo)


def _waiting(nodes: Nodes) -> Mapping[Key, list[Key]]:
    """Who waits for each node."""
    waiting: defaultdict[Key, list[Key]] = defaultdict(list)
    for key, node in nodes.items():
        for needed in node.needs:
            waiting[needed].append(key)
    return waiting


def _circles(nodes: Nodes, left: set[Key]) -> Iterator[list[Key]]:
    """Circles without a common node, at least one: follow one need of each node until a node comes again."""
    seen: set[Key] = set()
    for start in sorted(left):
        path: dict[Key, None] = {}
        key = start
        while key not in seen:
            seen.add(key)
            path[key] = None
            key = min(each for each in nodes[key].needs if each in left)
        if key in path:
            keys = list(path)
            yield keys[keys.index(key) :]


def _cut(nodes: Nodes, key: Key, needed: Key, outbox: Outbox) -> bool:
    """Let a node go before what it needs, if it can: a create without the field, which is sent afterwards."""
    node = nodes[key]
    names = node.needs[needed]
    if names == {""} and needed[1] == 0:
        del node.needs[needed]  # deletions, or undeletions, of records that refer to each other
        return True
    if node.change.operation is not Operation.CREATE:
        return False
    schema = outbox.schema(node.change)
    if any(schema.field(name).required or not schema.field(name).updateable for name in names):
        return False
    del node.needs[needed]
    now = tuple(edit for edit in node.change.edits if edit.field not in names)
    later = tuple(edit for edit in outbox.by_number[key[0]].edits if edit not in now)
    node.change = replace(node.change, edits=now)
    patch = nodes.setdefault((key[0], 1), Node(node.change))
    patch.change = replace(node.change, operation=Operation.UPDATE, edits=later)
    patch.needs[key] = {""}
    if needed != key:
        patch.needs[needed] = set(names)
    return True


def levels(nodes: Nodes, outbox: Outbox) -> Iterator[list[Node]]:
    """The nodes by the length of the longest way to them: a node is in the first wave in which it can be."""
    counts = {key: len(node.needs) for key, node in nodes.items()}
    waiting = _waiting(nodes)
    ready = [key for key, count in counts.items() if not count]
    while ready:
        held = _held_back([nodes[key].change for key in ready], outbox)
        yield [nodes[key] for key in ready if key[0] not in held]
        following = [key for key in ready if key[0] in held]
        for key in ready:
            for each in waiting[key] if key[0] not in held else ():
                counts[each] -= 1
                if not counts[each]:
                    following.append(each)
        ready = following


def _held_back(changes: Sequence[Change], outbox: Outbox) -> set[int]:
    """Creates that let older deletions of their object go first: they may have the same value in a unique field."""
    first: dict[str, int] = {}
    for change in changes:
        if change.operation is Operation.DELETE:
            first.setdefault(change.object_name, change.number)
            first[change.object_name] = min(first[change.object_name], change.number)
    return {
        change.number
        for change in changes
        if change.operation is Operation.CREATE
        and first.get(change.object_name, change.number) < change.number
        and change.values.keys() & {each.name for each in outbox.schema(change).columns if each.unique}
    }


def wave_of(nodes: Sequence[Node], outbox: Outbox) -> Wave:
    """In the order of the outbox, but siblings follow their eldest."""
    numbered = sorted(nodes, key=lambda node: node.change.number)
    family = [_family(node.change, outbox) for node in numbered]
    eldest: dict[str, int] = {}
    for node, parent in zip(numbered, family, strict=True):
        eldest.setdefault(parent, node.change.number)
    pairs = sorted(zip(family, numbered, strict=True), key=lambda pair: (eldest[pair[0]], pair[1].change.number))
    return Wave(tuple(Order(outbox.schema(node.change), node.change) for _, node in pairs))


def _family(change: Change, outbox: Outbox) -> str:
    """The id of the record that the org locks with this one; its own where none is known."""
    found = parents(outbox.schema(change), change.values) or outbox.references.get(change.record_id, ())
    return found[0] if found else change.record_id
