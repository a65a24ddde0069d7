"""What happened, told after it is durable: frozen values with a line form and a JSON form, and the `Bus`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from salesforce_sync.models.event import EventsMerged
from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.schema import ObjectSchema

log = logging.getLogger("salesforce_sync.signals")

SOURCE = "FND"
TARGET = "OS"


class Signal(Struct, frozen=True):
    """Something that happened. `name` is what listeners register for."""

    name: ClassVar[str]
    mark: ClassVar[str]

    def details(self) -> str:
        """What follows the name in the line, as `key=value` pairs."""
        return ""

    def all_details(self) -> str:
        """What follows the name in the line of a log, which may tell more."""
        return self.details()

    def line(self, target: str = TARGET, source: str = SOURCE) -> str:
        """The signal as the one line that was promised, e.g. `✔️ FND → OS : sync_complete`."""
        return self._line(self.details(), target, source)

    def full_line(self, target: str = TARGET, source: str = SOURCE) -> str:
        """The line with all details behind."""
        return self._line(self.all_details(), target, source)

    def log_line(self, at: datetime, target: str = TARGET, source: str = SOURCE) -> str:
        """The full line with the time in front."""
        return f"{stamp(at)} {self.full_line(target, source)}"

    def _line(self, details: str, target: str, source: str) -> str:
        return f"{self.mark} {source} → {target} : {self.name}" + (f", {details}" if details else "")

    def data(self) -> dict[str, Any]:
        """The typed values."""
        return asdict(self)

    def to_json(self, at: datetime, target: str = TARGET, source: str = SOURCE) -> dict[str, Any]:
        """The signal as a JSON object: `ts`, `signal`, `from`, `to`, `msg` and the typed `data`."""
        names = {"signal": self.name, "from": source, "to": target}
        return {"ts": stamp(at), **names, "msg": self.line(target, source), "data": self.data()}


def stamp(at: datetime) -> str:
    """A time as the signals tell it: UTC, whole seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class SyncStarted(Signal, frozen=True):
    """A run began with these objects."""

    objects: tuple[str, ...]

    name: ClassVar[str] = "sync_started"
    mark: ClassVar[str] = "🔄"


class ObjectStarted(Signal, frozen=True):
    """The org is asked for this object now."""

    object: str

    name: ClassVar[str] = "object_started"
    mark: ClassVar[str] = "▶️"

    def details(self) -> str:
        return f"object={self.object}"


class ObjectFinished(Signal, frozen=True):
    """One object's part of a run has ended, and is kept, while others may go on: `rows` came, `changed` differ now.

    `error`, `message` and `hint` say why it is not complete.
    """

    object: str
    state: str
    rows: int = 0
    changed: int = 0
    error: str = ""
    message: str = ""
    hint: str = ""

    name: ClassVar[str] = "object_finished"
    mark: ClassVar[str] = "🏁"

    def details(self) -> str:
        return f"object={self.object}, state={self.state}"


class SyncComplete(Signal, frozen=True):
    """A run ended and nothing was skipped: the rows that came of each object, and how long it took."""

    objects: tuple[tuple[str, int], ...] = ()
    seconds: float = 0.0

    name: ClassVar[str] = "sync_complete"
    mark: ClassVar[str] = "✔️"

    def all_details(self) -> str:
        if not self.objects:
            return ""
        names = "+".join(name for name, _ in self.objects)
        records = sum(rows for _, rows in self.objects)
        word = "object" if len(self.objects) == 1 else "objects"
        return f"{word}={names}, records={records}, duration={self.seconds:.1f}s"


class RecordsUpdated(Signal, frozen=True):
    """Records of the replica are not as they were: `count` were inserted, updated or deleted; `objects` says where."""

    count: int
    objects: tuple[tuple[str, int], ...] = ()

    name: ClassVar[str] = "records_updated"
    mark: ClassVar[str] = "📊"

    def details(self) -> str:
        return f"count={self.count}"


class SfRealtime(Signal, frozen=True):
    """A record is not as it was, by a change event: `action` is create, update, delete or undelete."""

    object: str
    action: str
    id: str

    name: ClassVar[str] = "sf_realtime"
    mark: ClassVar[str] = "⚡"

    def details(self) -> str:
        return f"object={self.object}, action={self.action}, id={self.id}"


ABANDONED = "ABANDONED"
"""Our code for a run that has told no end: its process was killed, or could keep nothing any more."""


class SyncFailed(Signal, frozen=True):
    """A run was cut, skipped something, or failed: the first error's code, and the objects that are not complete."""

    error: str
    objects: tuple[str, ...] = ()

    name: ClassVar[str] = "sync_failed"
    mark: ClassVar[str] = "❌"

    def all_details(self) -> str:
        return f"error={self.error}" + (f", objects={'+'.join(self.objects)}" if any(self.objects) else "")


class ConflictFound(Signal, frozen=True):
    """A record waits in the inbox because both sides changed it; `kind` says how."""

    object: str
    id: str
    kind: str

    name: ClassVar[str] = "conflict"
    mark: ClassVar[str] = "⚡"

    def details(self) -> str:
        return f"object={self.object}, id={self.id}, kind={self.kind}"


class ChangeRejected(Signal, frozen=True):
    """The org refused a change, which waits in the inbox: Salesforce's code."""

    object: str
    id: str
    code: str

    name: ClassVar[str] = "rejected"
    mark: ClassVar[str] = "⛔"

    def details(self) -> str:
        return f"object={self.object}, id={self.id}, code={self.code}"


class PushComplete(Signal, frozen=True):
    """A push ended: `count` changes are in the org, `left` of those that were to be sent are not."""

    count: int
    left: int

    name: ClassVar[str] = "push_complete"
    mark: ClassVar[str] = "📤"

    def details(self) -> str:
        return f"count={self.count}, left={self.left}"


class ApiLimitWarning(Signal, frozen=True):
    """Most of today's API calls are used: `used` of `limit`."""

    used: int
    limit: int

    name: ClassVar[str] = "api_limit_warning"
    mark: ClassVar[str] = "⚠️"

    def all_details(self) -> str:
        return f"used={self.used}, limit={self.limit}"


class VerifyComplete(Signal, frozen=True):
    """An object was compared with the org row by row: `rows` are equal, after `repaired` were mended."""

    object: str
    rows: int
    repaired: int

    name: ClassVar[str] = "verify_complete"
    mark: ClassVar[str] = "🔎"

    def details(self) -> str:
        return f"object={self.object}, rows={self.rows}, repaired={self.repaired}"


class Progress(Signal, frozen=True):
    """How far one object's pull is: rows so far, of how many (None while the org has not said), calls of the run.

    `waits_for` says what it is waiting for, if that may take minutes.
    """

    object: str
    rows: int
    total: int | None
    calls: int
    waits_for: str = ""

    name: ClassVar[str] = "sync_progress"
    mark: ClassVar[str] = "⏳"

    def details(self) -> str:
        return f"{_many(self.object)}={self.rows}/{'?' if self.total is None else self.total}"


def _many(object_name: str) -> str:
    """The name of several: Contact → contacts, Opportunity → opportunities; custom objects as they are."""
    name = object_name.lower()
    if name.endswith(("s", "__c", "__x", "__mdt", "2")):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else f"{name}s"


class SchemaDrifted(Signal, frozen=True):
    """An object's fields are not as they were: `added`, `removed`, and of another type, length or scale (`retyped`)."""

    object: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    name: ClassVar[str] = "schema_changed"
    mark: ClassVar[str] = "🧩"

    def details(self) -> str:
        kinds = (("added", self.added), ("removed", self.removed), ("retyped", self.retyped))
        return ", ".join((f"object={self.object}", *(f"{kind}={'+'.join(each)}" for kind, each in kinds if each)))


class SyncRequested(Signal, frozen=True):
    """Somebody asked for a sync of these objects (none named: all), which begins at once."""

    number: int
    who: str
    objects: tuple[str, ...] = ()

    name: ClassVar[str] = "sync_requested"
    mark: ClassVar[str] = "🔄"

    def details(self) -> str:
        return ", ".join((f"number={self.number}", *([f"objects={'+'.join(self.objects)}"] if self.objects else [])))


class SignalsDropped(Signal, frozen=True):
    """A sink has not got `count` signals, at most, and never will: they grew too old, or too many, before that.

    Told to this sink alone, before what is left.
    """

    sink: str
    count: int

    name: ClassVar[str] = "signals_dropped"
    mark: ClassVar[str] = "⚠️"

    def details(self) -> str:
        return f"sink={self.sink}, count={self.count}"


class SignalRefused(Signal, frozen=True):
    """A signal that came in was not understood, or was not for us: why."""

    why: str

    name: ClassVar[str] = "signal_refused"
    mark: ClassVar[str] = "❓"

    def details(self) -> str:
        return f"why={self.why}"


# ── kept, and read again ─────────────────────────────────────────────────────────────────────────────────────────


class Told(Struct, frozen=True):
    """A signal as the store keeps it: its place in the order of what happened, and when that was."""

    number: int
    at: datetime
    signal: Signal


class DeadLetter(Struct, frozen=True):
    """A signal that a sink has refused for good, unless somebody wants it to be tried again."""

    number: int
    sink: str
    told: Told
    problem: str
    died_at: datetime


KINDS: dict[str, type[Signal]] = {
    each.name: each
    for each in (
        *(SyncStarted, SyncComplete, RecordsUpdated, SyncFailed, ConflictFound, ChangeRejected, PushComplete),
        *(ApiLimitWarning, VerifyComplete, Progress, SfRealtime, SchemaDrifted, SyncRequested, SignalRefused),
        SignalsDropped,
    )
}
# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}


def encoded(signal: Signal) -> str:
    """The signal's typed values as JSON text."""
    return msgspec.json.encode(signal).decode()


def decoded(name: str, data: str) -> Signal | None:
    """The signal of this name with these values; None for a name that a newer version has left in the store."""
    decoder = _DECODERS.get(name)
    return None if decoder is None else decoder.decode(data)


def news(item: InboxItem) -> ChangeRejected | ConflictFound:
    """What is told of a new item of the inbox."""
    return news_of(item.object_name, item.record_id, item.kind, item.code)


def news_of(object_name: str, record_id: str, kind: Kind, code: str) -> ChangeRejected | ConflictFound:
    """The same from its parts."""
    if kind in (Kind.REJECTED, Kind.DUPLICATE, Kind.UNCERTAIN):
        return ChangeRejected(object_name, record_id, code)
    return ConflictFound(object_name, record_id, kind.value)


def news_of_proof(proof: Proof) -> VerifyComplete:
    """What is told of a proof."""
    return VerifyComplete(proof.object_name, proof.rows, sum(number for _, number in proof.repaired))


def news_of_events(merged: EventsMerged) -> tuple[Signal, ...]:
    """What is told of change events that were merged; our own writes are no news."""
    others = [each for each in merged.told if not each.own]
    if not others:
        return ()
    each_one = (SfRealtime(merged.object_name, each.action.value, each.record_id) for each in others)
    return (*each_one, RecordsUpdated(len(others), ((merged.object_name, len(others)),)))


def drift(before: ObjectSchema | None, now: ObjectSchema) -> SchemaDrifted | None:
    """How an object's fields (name and nature) have changed; None where they have not, and for a new object."""
    if before is None:
        return None
    # One that is only written with other capitals is the same field, for the org and for SQL.
    was, types = ({field.name.casefold(): field for field in each.columns} for each in (before, now))
    added = tuple(field.name for key, field in types.items() if key not in was)
    removed = tuple(field.name for key, field in was.items() if key not in types)
    retyped = tuple(field.name for key, field in types.items() if field.may_be_another(was.get(key, field)))
    return SchemaDrifted(now.name, added, removed, retyped) if added or removed or retyped else None


class ExportProgress(Signal, frozen=True):
    """How far one object's way into a workbook is: rows so far, of how many."""

    object: str
    rows: int
    total: int

    name: ClassVar[str] = "export_progress"
    mark: ClassVar[str] = "📗"

    def details(self) -> str:
        return f"{self.object.lower()}={self.rows}/{self.total}"


class ImportProgress(Signal, frozen=True):
    """How far the rows of one object of a workbook have been compared with the replica."""

    object: str
    rows: int
    total: int

    name: ClassVar[str] = "import_progress"
    mark: ClassVar[str] = "📗"

    def details(self) -> str:
        return f"{self.object.lower()}={self.rows}/{self.total}"


Listener = Callable[[Any], None]


class Bus:
    """Hands signals to listeners in this process, in the order in which things happened."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._lock = threading.RLock()

    def on(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each signal of this name (`"*"` for all); the result, when called, ends it."""
        with self._lock:
            self._listeners.setdefault(name, []).append(listener)

        def off() -> None:
            with self._lock:
                self._listeners[name] = [each for each in self._listeners[name] if each is not listener]

        return off

    def emit(self, signal: Signal) -> None:
        """Tell every listener; one that fails is logged and does not keep the others, or the sync, from going on."""
        with self._lock:
            listeners = [*self._listeners.get(signal.name, ()), *self._listeners.get("*", ())]
            for listener in listeners:
                try:
                    listener(signal)
                except Exception:  # the listener is not our code, and a sync must not fail because of it
                    log.exception("A listener for %s failed", signal.name)
