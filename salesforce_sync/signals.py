"""What happened, told after it is durable: frozen values with a line form and a JSON form, and the `Bus`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

log = logging.getLogger("salesforce_sync.signals")

SOURCE = "FND"
TARGET = "OS"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened. `name` is what listeners register for."""

    name: ClassVar[str]
    mark: ClassVar[str]

    def details(self) -> str:
        """What follows the name in the line, as `key=value` pairs."""
        return ""

    def line(self, target: str = TARGET) -> str:
        """The signal as the one line that was promised, e.g. `✔️ FND → OS : sync_complete`."""
        details = self.details()
        return f"{self.mark} {SOURCE} → {target} : {self.name}" + (f", {details}" if details else "")

    def to_json(self, at: datetime, target: str = TARGET) -> dict[str, Any]:
        """The signal as a JSON object: `ts`, `signal`, `from`, `to`, `msg` and the typed `data`."""
        stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        data = asdict(self)
        return {"ts": stamp, "signal": self.name, "from": SOURCE, "to": target, "msg": self.line(target), "data": data}


@dataclass(frozen=True, slots=True)
class SyncStarted(Signal):
    """A run began with these objects."""

    objects: tuple[str, ...]

    name: ClassVar[str] = "sync_started"
    mark: ClassVar[str] = "🔄"


@dataclass(frozen=True, slots=True)
class ObjectStarted(Signal):
    """The org is asked for this object now."""

    object: str

    name: ClassVar[str] = "object_started"
    mark: ClassVar[str] = "▶️"

    def details(self) -> str:
        return f"object={self.object}"


@dataclass(frozen=True, slots=True)
class ObjectFinished(Signal):
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


@dataclass(frozen=True, slots=True)
class SyncComplete(Signal):
    """A run ended and nothing was skipped."""

    name: ClassVar[str] = "sync_complete"
    mark: ClassVar[str] = "✔️"


@dataclass(frozen=True, slots=True)
class RecordsUpdated(Signal):
    """Records of the replica are not as they were: `count` were inserted, updated or deleted; `objects` says where."""

    count: int
    objects: tuple[tuple[str, int], ...] = ()

    name: ClassVar[str] = "records_updated"
    mark: ClassVar[str] = "📊"

    def details(self) -> str:
        return f"count={self.count}"


@dataclass(frozen=True, slots=True)
class SfRealtime(Signal):
    """A record is not as it was, by a change event: `action` is create, update, delete or undelete."""

    object: str
    action: str
    id: str

    name: ClassVar[str] = "sf_realtime"
    mark: ClassVar[str] = "⚡"

    def details(self) -> str:
        return f"object={self.object}, action={self.action}, id={self.id}"


@dataclass(frozen=True, slots=True)
class SyncFailed(Signal):
    """A run was cut, skipped something, or failed: the first error's code, and the objects that are not complete."""

    error: str
    objects: tuple[str, ...] = ()

    name: ClassVar[str] = "sync_failed"
    mark: ClassVar[str] = "❌"


@dataclass(frozen=True, slots=True)
class ConflictFound(Signal):
    """A record waits in the inbox because both sides changed it; `kind` says how."""

    object: str
    id: str
    kind: str

    name: ClassVar[str] = "conflict"
    mark: ClassVar[str] = "⚡"

    def details(self) -> str:
        return f"object={self.object}, id={self.id}, kind={self.kind}"


@dataclass(frozen=True, slots=True)
class ChangeRejected(Signal):
    """The org refused a change, which waits in the inbox: Salesforce's code."""

    object: str
    id: str
    code: str

    name: ClassVar[str] = "rejected"
    mark: ClassVar[str] = "⛔"

    def details(self) -> str:
        return f"object={self.object}, id={self.id}, code={self.code}"


@dataclass(frozen=True, slots=True)
class PushComplete(Signal):
    """A push ended: `count` changes are in the org, `left` of those that were to be sent are not."""

    count: int
    left: int

    name: ClassVar[str] = "push_complete"
    mark: ClassVar[str] = "📤"

    def details(self) -> str:
        return f"count={self.count}, left={self.left}"


@dataclass(frozen=True, slots=True)
class ApiLimitWarning(Signal):
    """Most of today's API calls are used: `used` of `limit`."""

    used: int
    limit: int

    name: ClassVar[str] = "api_limit_warning"
    mark: ClassVar[str] = "⚠️"


@dataclass(frozen=True, slots=True)
class VerifyComplete(Signal):
    """An object was compared with the org row by row: `rows` are equal, after `repaired` were mended."""

    object: str
    rows: int
    repaired: int

    name: ClassVar[str] = "verify_complete"
    mark: ClassVar[str] = "🔎"

    def details(self) -> str:
        return f"object={self.object}, rows={self.rows}, repaired={self.repaired}"


@dataclass(frozen=True, slots=True)
class Progress(Signal):
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
        return f"{self.object.lower()}={self.rows}/{'?' if self.total is None else self.total}"


@dataclass(frozen=True, slots=True)
class ExportProgress(Signal):
    """How far one object's way into a workbook is: rows so far, of how many."""

    object: str
    rows: int
    total: int

    name: ClassVar[str] = "export_progress"
    mark: ClassVar[str] = "📗"

    def details(self) -> str:
        return f"{self.object.lower()}={self.rows}/{self.total}"


@dataclass(frozen=True, slots=True)
class ImportProgress(Signal):
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
