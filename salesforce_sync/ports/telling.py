"""Signals: kept by the store, read by the sinks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from salesforce_sync.models.sinks import SinkState
from salesforce_sync.signals import DeadLetter, Signal, SyncFailed, Told


class Telling(Protocol):
    """The signals that are kept."""

    def tell(self, signals: Sequence[Signal], ended: str = "") -> None:
        """Keep these signals, in this order, all or none. What a `RecordsUpdated` counts is told by it.

        `ended` is the run whose end they tell.

        Others are kept in the transaction that causes them: a new item of the inbox (`news`), a proof
        (`VerifyComplete`), and a schema that is not as the one before (`SchemaDrifted`).
        """

    def begun(self, run_id: str, objects: Sequence[str]) -> AbstractContextManager[None]:
        """Keep `SyncStarted`; the run goes on until the block ends, or its process does."""

    def tell_abandoned(self) -> tuple[SyncFailed, ...]:
        """Keep the end of each run that goes on no longer and has told none, and give what was kept, once."""

    def told(self, after: int, most: int = 1000) -> tuple[Told, ...]:
        """The signals behind this number, in the order of the transactions that they happened in."""

    def untold(self, objects: Iterable[str]) -> tuple[tuple[str, int], ...]:
        """How many rows of these objects merges have changed, and removals, since that was last told, by name."""


class SinkLog(Protocol):
    """The signals as the sinks read them. May be called from several threads at once."""

    def told(self, after: int, most: int) -> tuple[Told, ...]:
        """As `Store.told`."""

    def newest(self) -> int:
        """The number of the last signal, 0 before the first."""

    def replica_id(self) -> str:
        """A word that no other replica has."""

    def join(self, names: Sequence[str]) -> None:
        """Sinks that are new begin behind what has been told so far; the others go on where they are."""

    def leave(self, sink: str) -> bool:
        """Forget the sink, and what it has refused; gives whether it had joined."""

    def sinks(self) -> tuple[SinkState, ...]:
        """Every sink that has ever joined, by name."""

    def sink(self, name: str) -> SinkState:
        """One that has joined."""

    def delivered(self, sink: str, number: int) -> None:
        """The sink has all up to this number."""

    def failed(self, sink: str, problem: str, retry_at: datetime) -> None:
        """The sink could not take the next signal; it stays the next."""

    def told_dropped(self, sink: str, dropped: int) -> None:
        """The sink knows that so many signals have never come, in all."""

    def bury(self, sink: str, told: Told, problem: str) -> None:
        """The sink has refused this signal: it is a dead letter, and the one behind it is the next."""

    def dead(self, sink: str | None = None) -> tuple[DeadLetter, ...]:
        """What this sink, or any, has refused."""

    def again(self, sink: str | None = None) -> int:
        """Let the dead letters of this sink, or of all, be tried again; gives how many there are.

        A sink that is left alone after a failure is tried at once.
        """

    def wanted_again(self, sink: str) -> tuple[DeadLetter, ...]:
        """Those of them that this sink has not tried again yet."""

    def revived(self, number: int) -> None:
        """This dead letter has been taken."""
