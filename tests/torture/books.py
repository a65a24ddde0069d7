"""Workbooks in a history: a replica is exported, people type into the file, and some time later it is taken in."""

from __future__ import annotations

import random
from collections.abc import Mapping

import openpyxl
from openpyxl.workbook import Workbook

from salesforce_sync.workbook.layout import METADATA, read_metadata
from tests.torture.edits import token
from tests.torture.rarer import attempted
from tests.torture.replica import Replica
from tests.torture.world import World
from tests.workbook.books import put, row_of

MOST_ROWS = 2
"""In which somebody types at one sitting."""


def export(world: World, rng: random.Random) -> None:
    """The replica is written as a workbook; who opens it sees what was here at that moment."""
    replica = rng.choice(world.replicas)
    book = replica.book
    if any(name not in replica.sync.objects for name in replica.objects):
        return
    what = f"{replica.path.parent.name} exports"
    if attempted(world, what, lambda: replica.sync.export(*replica.objects, path=book.path)):
        book.rows, book.typed = {name: replica.visible(name) for name in replica.objects}, {}


def take_in(world: World, rng: random.Random) -> None:
    """Some cells of the last workbook are edited, and it is taken in."""
    replica = rng.choice(world.replicas)
    known = [name for name, rows in replica.book.rows.items() if rows]
    if not known:
        return
    file = openpyxl.load_workbook(replica.book.path)
    name = rng.choice(known)
    for key in rng.sample(sorted(replica.book.rows[name]), min(len(replica.book.rows[name]), MOST_ROWS)):
        _type(world, rng, replica, file, name, key)
    file.save(replica.book.path)
    attempted(world, f"{replica.path.parent.name} imports {replica.book.typed}", lambda: _apply(world, replica))
    _note(replica)


def _type(world: World, rng: random.Random, replica: Replica, file: Workbook, name: str, key: str) -> None:
    texts = [each for each in replica.texts(name) if each in replica.book.rows[name][key]]
    values = {each: token(world, "ours") for each in rng.sample(texts, min(len(texts), rng.choice((1, 2))))}
    headers = _headers(file, name)
    put(file[name], row_of(file[name], key), **{headers.get(each, each): value for each, value in values.items()})
    replica.book.typed[name, key] = {**replica.book.typed.get((name, key), {}), **values}


def _headers(file: Workbook, name: str) -> Mapping[str, str]:
    metadata = read_metadata(list(file[METADATA].iter_rows(values_only=True)))
    entry = next(each for each in metadata.entries if each.object_name == name)
    return {field: header.removesuffix(" *") for field, header in entry.header_of.items()}


def _apply(world: World, replica: Replica) -> None:
    with replica.sync.import_workbook(replica.book.path) as preview:
        world.tell("; ".join(str(each)[:300] for each in preview.changes()))
        world.tell(str(replica.sync.apply(preview)))


def _note(replica: Replica) -> None:
    """Only what was taken in is an edit; who typed it had seen what was exported."""
    waiting = replica.waiting()
    for (name, key), values in list(replica.book.typed.items()):
        real = replica.ledger.real(key)
        here = replica.visible(name).get(real, {})
        taken = {each: value for each, value in values.items() if here.get(each) == value or (real, value) in waiting}
        if taken:
            replica.ledger.edited(name, key, dict(replica.book.rows[name][key]), taken)
        replica.book.typed[name, key] = {each: value for each, value in values.items() if each not in taken}
