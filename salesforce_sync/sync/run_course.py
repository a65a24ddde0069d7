"""`Course`: one run while it goes on, and its objects on their way through it. Data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from enum import Enum
from threading import Event

from msgspec import Struct, field

from salesforce_sync.errors import SyncError
from salesforce_sync.models.page import Poll, Polled
from salesforce_sync.models.run import RunRecord
from salesforce_sync.models.schema import Described
from salesforce_sync.sync.bringing import Pages
from salesforce_sync.sync.pulled import Pulled
from salesforce_sync.sync.puller import Puller


class Proofs(Enum):
    """Which objects of a run are compared with the org."""

    WHEN_DUE = "when due"
    """Those whose schedule says so."""
    WHEN_ASKED = "when asked"
    """Those, and each of which rows are gone and wait for the word of a person, who is there and asks for it."""
    NOW = "now"
    """All of them."""


class Task(Struct):
    """One object on its way through a run: claimed, perhaps asked about, pulled, perhaps proved; `record` ends it."""

    name: str
    started: datetime
    claim: ExitStack = field(default_factory=ExitStack)
    poll: Poll | None = None
    polled: Polled | None = None
    described: Described | None = None
    error: SyncError | None = None
    pulled: Pulled | None = None
    listing: Pages | None = None
    record: RunRecord | None = None
    again_at: datetime | None = None


class Course(Struct, frozen=True):
    """One run while it goes on; `stop`: an error concerns every object; `spent`: it is that the day's calls are used;
    `shut`: a push, too, would be in vain; `broken_off`: whoever asked for it does not wait for its end."""

    run_id: str
    names: tuple[str, ...]
    puller: Puller
    proofs: Proofs
    started: float
    calls_before: int
    stop: Event = field(default_factory=Event)
    spent: Event = field(default_factory=Event)
    shut: Event = field(default_factory=Event)
    broken_off: Event = field(default_factory=Event)

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """What is raised in this block (Ctrl-C, say) ends the pulls that go on in other threads at their next page."""
        try:
            yield
        except BaseException:
            self.broken_off.set()
            raise


def distinct(objects: Sequence[str]) -> tuple[str, ...]:
    """Each object once: the org knows names whatever their case, so two spellings are one object."""
    spelt: dict[str, str] = {}
    for name in objects:
        spelt.setdefault(name.casefold(), name)
    return tuple(spelt.values())
