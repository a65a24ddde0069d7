"""A history as data: how the world is set up, and the steps that happen in it. Made from a seed, or cut by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

OBJECTS = ("Account", "Contact", "Lead", "Opportunity", "Widget__c")
POLICIES = ("org", "local", "newest", "ask, Account=local, Contact.Phone=org", "local, Contact=newest, Widget__c=ask")
"""Of `sync.conflicts`, besides `ask`."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens. Its own seed decides the details, so that steps before it may be left out."""

    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Step:
        kind, _, seed = text.partition(":")
        return cls(kind, int(seed))


@dataclass(frozen=True, slots=True)
class Setup:
    """What stays the same through a history.

    `page_rows` are the rows of a REST page, `result_rows` those of a Bulk result page, `segment_bytes` is where a
    result page is cut on disk; `route` is "cheapest", "rest" or "bulk"; `skew_seconds` is how far this machine's clock
    is ahead of the org's. With `two_way` there are local edits, which go by `way`: "cheapest", "parts",
    "collections" or "bulk", and `policy` says who wins where both sides have changed a field. With `events` the
    replicas follow change events beside their syncs. With `quiet_lookups` the org moves no stamp of a row whose
    reference it empties because the record is deleted.
    """

    objects: tuple[str, ...]
    replicas: int
    rows: int
    page_rows: int
    result_rows: int
    segment_bytes: int
    route: str
    workers: int
    skew_seconds: int
    two_way: bool = False
    way: str = "cheapest"
    events: bool = False
    policy: str = "ask"
    quiet_lookups: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """A world and what happens in it."""

    seed: int
    setup: Setup
    steps: tuple[Step, ...]

    def only(self, steps: Sequence[Step]) -> History:
        """The same world with other steps."""
        return replace(self, steps=tuple(steps))


def make(seed: int, length: int, weights: Mapping[str, int]) -> History:
    """The history of a seed: `length` steps, each kind as often as its weight says."""
    rng = random.Random(f"history {seed}")
    kinds, chances = zip(*weights.items(), strict=True)
    setup = replace(make_setup(rng), quiet_lookups=seed % 2 == 1)
    steps = tuple(Step(kind, rng.randrange(1_000_000)) for kind in rng.choices(kinds, chances, k=length))
    return History(seed, setup, steps)


def make_two_way(seed: int, length: int, weights: Mapping[str, int]) -> History:
    """The same with local edits: two replicas more often, and few rows, so that edits meet."""
    history = make(seed, length, weights)
    rng = random.Random(f"two-way {seed}")
    setup = replace(
        history.setup,
        objects=tuple(sorted(rng.sample(OBJECTS, rng.choice((1, 2, 2, 3))))),
        replicas=rng.choice((1, 1, 2)),
        rows=rng.choice((2, 3, 5)),
        two_way=True,
        way=rng.choice(("cheapest", "cheapest", "parts", "collections", "collections", "bulk")),
        policy=rng.choice(("ask", "ask", "ask", *POLICIES)),
    )
    return replace(history, setup=setup)


def make_setup(rng: random.Random) -> Setup:
    """A random world: small pages most of the time, so that few rows are many pages."""
    count = rng.choice((1, 1, 2, 2, 3, 5))
    return Setup(
        objects=tuple(sorted(rng.sample(OBJECTS, count))),
        replicas=rng.choice((1, 1, 1, 2)),
        rows=rng.choice((0, 3, 12, 30)),
        page_rows=rng.choice((1, 3, 7, 7, 2000)),
        result_rows=rng.choice((2, 5, 11, 250_000)),
        segment_bytes=rng.choice((500, 3_000, 32 << 20)),
        route=rng.choice(("cheapest", "cheapest", "rest", "bulk")),
        workers=rng.choice((1, 1, 1, 4)),
        skew_seconds=rng.choice((0, 0, 3600, -3600, 86_400 * 400)),
    )
