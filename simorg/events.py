"""Change Data Capture: events of what transactions commit, kept for 72 hours by the org's clock, in one order.

Their replay ids are opaque and not contiguous. `EventServer` (event_server.py) serves them.
"""

import itertools
import struct
import threading
import uuid
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, Any

from simorg import origins
from simorg.database import Row, Value
from simorg.drift import known
from simorg.event_schema import DIFFED, EventSchema, changed_fields, difference, event_name
from simorg.journal import Change, Journal
from simorg.schema import TEXT_TYPES, SField
from simorg.times import DAY_MS

if TYPE_CHECKING:
    from simorg.org import SimOrg

RETENTION_MS = 3 * DAY_MS
EVERYTHING = "/data/ChangeEvents"
NOBODY = "000000000000000AAA"
MAX_EVENT = 1_000_000
FIRST_POSITION = 1 << 40
_POSITION = struct.Struct(">Q")


class BadReplay(Exception):
    """The replay id is none that was given out, or is older than what is kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event on the bus."""

    position: int
    at_ms: int
    object_name: str
    schema_id: str
    payload: bytes
    id: str

    @property
    def replay_id(self) -> bytes:
        """What a subscriber is given to come back with."""
        return replay_id(self.position)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place that subscribers were told of, and when."""

    position: int
    at_ms: int


def replay_id(position: int) -> bytes:
    """Return the replay id of a place on the bus."""
    return _POSITION.pack(position) + b"\x00\x00"


@dataclass(slots=True)
class Mishaps:
    """What goes wrong on the way to subscribers.

    `silent`: nothing is sent, no keep-alive either. `slow`: seconds before each answer. `repeat`: every answer begins
    with so many of the events before it, and so does a subscription that resumes. `refuse_replays`: every replay id is
    refused. `cut_after`: a stream breaks after so many events. `gaps`: so many of the next events are GAP events.
    `reorder`: each transaction's events come after those of the next one. `page`: events in an answer at most.
    `limit`: no more events are delivered today.
    """

    silent: bool = False
    slow: float = 0.0
    repeat: int = 0
    refuse_replays: bool = False
    cut_after: int | None = None
    gaps: int = 0
    reorder: bool = False
    page: int = 100
    limit: bool = False


@dataclass(slots=True)
class Managed:
    """A subscription whose replay id the org keeps."""

    topic: str
    replay: bytes | None = None


@dataclass(slots=True)
class Events:
    """The events of an org; nothing is captured before objects are selected."""

    org: "SimOrg"
    overflow_after: int = 100_000
    ping_seconds: float = 270.0
    send_diffs: bool = False
    mishaps: Mishaps = field(default_factory=Mishaps)
    channels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    managed: dict[str, Managed] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    cuts: int = 0
    url: str = ""
    _log: list[Event] = field(default_factory=list)
    _held: list[Event] = field(default_factory=list)
    _position: int = FIRST_POSITION
    _forgotten: int = 0
    _marks: list[_Mark] = field(default_factory=list)
    _schemas: dict[str, EventSchema] = field(default_factory=dict)
    _current: dict[str, EventSchema] = field(default_factory=dict)
    _random: Random = field(default_factory=lambda: Random(7))
    _commits: "itertools.count[int]" = field(default_factory=lambda: itertools.count(10_000_000_000))
    _journal: Journal | None = None

    # -- what is captured

    def select(self, *object_names: str) -> None:
        """Capture the changes of these objects, and of those selected before."""
        import fastavro  # noqa: F401 -- an extra: better missed here than by the first write

        names = frozenset(known(self.org, name).name for name in object_names)
        with self.org.lock:
            if self._journal is None:
                self._journal = self.org.database.journal = Journal(self._row, self._publish)
            self._journal.watched |= names

    @property
    def selected(self) -> frozenset[str]:
        """The objects whose changes are captured."""
        return frozenset() if self._journal is None else self._journal.watched

    def _row(self, object_name: str, record_id: str) -> Row | None:
        schema = self.org.schema(object_name)
        return None if schema is None else self.org.database.get(schema, record_id)

    # -- topics and schemas

    def objects_of(self, topic: str) -> frozenset[str] | None:
        """Return the objects whose events a topic (its letter case counts) brings; None for one that is not there."""
        if topic == EVERYTHING:
            return frozenset(name for name in self.selected if self.org.object(name) is not None)
        if topic in self.channels:
            return frozenset(self.channels[topic])
        name = next((one for one in self.org.objects if topic == f"/data/{event_name(one)}"), None)
        return None if name is None or self.org.object(name) is None else frozenset((name,))

    def schema_of(self, object_name: str) -> EventSchema:
        """Return the schema of an object's events as of now."""
        # Of an object that is hidden from the user the events are there all the same: he may not follow them.
        view = self.org.object(object_name) or self.org.schema(object_name)
        if view is None:
            raise LookupError(object_name)
        known = self._current.get(object_name)
        if known is None or known.view is not view:
            made = EventSchema(view)
            known = self._current[object_name] = self._schemas.setdefault(made.id, made)
        return known

    def schema(self, schema_id: str) -> EventSchema | None:
        """Return a schema that some event has, or had, or None."""
        return self._schemas.get(schema_id)

    # -- making events

    def gap(self, record_id: str, action: str = "UPDATE") -> None:
        """Publish a GAP event about a row, as after a change that went past the application servers."""
        schema = self.org.object_of_id(record_id)
        if schema is None:
            raise LookupError(record_id)
        self._publish_all([_Draft(schema.name, f"GAP_{action}", [self.org.full_id(record_id)])])

    def overflow(self, object_name: str) -> None:
        """Publish a GAP_OVERFLOW event: too much of an object has changed at once."""
        self._publish_all([_Draft(known(self.org, object_name).name, "GAP_OVERFLOW", [NOBODY])])

    def converted(self, object_name: str) -> None:
        """Publish the event of a field whose type was converted: its record id is a wildcard."""
        schema = known(self.org, object_name)
        self._publish_all([_Draft(schema.name, "GAP_UPDATE", [f"{schema.key_prefix}*"])])

    def _publish(self, changes: Sequence[Change]) -> None:
        drafts = [draft for change in changes for draft in self._drafted(change)]
        kept, rest = drafts[: self.overflow_after], drafts[self.overflow_after :]
        lost = [_Draft(name, "GAP_OVERFLOW", [NOBODY]) for name in dict.fromkeys(one.object_name for one in rest)]
        self._publish_all([*_joined(kept), *lost])

    def _drafted(self, change: Change) -> Iterator["_Draft"]:
        old, new = change.old, change.new
        was, is_ = _lives(old), _lives(new)
        if not was and not is_:
            return
        action = {(False, True): "CREATE", (True, False): "DELETE"}.get((was, is_), "UPDATE")
        if action == "CREATE" and old is not None:
            action = "UNDELETE"
        draft = _Draft(change.object_name, action, [change.record_id], old, new)
        if action == "UPDATE":
            draft.changed = changed_fields(old or {}, new or {}) & self.schema_of(change.object_name).carried
            if not draft.changed:
                return
            draft.changed |= change.written & {"LastModifiedDate"}  # told with every save, however soon
        yield draft

    def _publish_all(self, drafts: Sequence["_Draft"]) -> None:
        origin, now = origins.here(), self.org.clock.now_ms()
        head = {
            "transactionKey": str(uuid.UUID(int=self._random.getrandbits(128))),
            "commitNumber": next(self._commits),
        }
        made = []
        for sequence, draft in enumerate(drafts, 1):
            user = str((draft.new or {}).get("LastModifiedById") or "") if draft.action != "DELETE" else ""
            told = {"commitUser": user or origin.user_id or self.org.user_id, "changeOrigin": origin.text}
            header = {**head, **told, "sequenceNumber": sequence, "commitTimestamp": now}
            made.append(self._encoded(draft, header, now))
        with self.changed:
            if self.mishaps.reorder and not self._held:
                self._held = made
            else:
                self._append([*made, *self._held])
                self._held = []
            self.changed.notify_all()

    def _append(self, events: Iterable[Event]) -> None:
        for event in events:
            self._position += self._random.randint(1, 7)
            self._log.append(
                Event(self._position, event.at_ms, event.object_name, event.schema_id, event.payload, event.id)
            )
        self._forget_old()

    def _encoded(self, draft: "_Draft", header: Mapping[str, Any], now: int) -> Event:
        schema = self.schema_of(draft.object_name)
        action = draft.action
        if self.mishaps.gaps > 0 and not action.startswith("GAP"):
            self.mishaps.gaps -= 1
            action = f"GAP_{action}"
        record = self._record(schema, draft, action, header)
        payload = _binary(schema, record)
        if len(payload) > MAX_EVENT:
            payload = _binary(schema, self._record(schema, draft, f"GAP_{action}", header))
        return Event(0, now, draft.object_name, schema.id, payload, str(uuid.uuid4()))

    def _record(self, schema: EventSchema, draft: "_Draft", action: str, header: Mapping[str, Any]) -> dict[str, Any]:
        told = {"entityName": draft.object_name, "recordIds": draft.ids, "changeType": action, **header}
        told |= {"nulledFields": [], "diffFields": [], "changedFields": []}
        row, names = draft.new or {}, frozenset[str]()
        if action in ("CREATE", "UNDELETE"):
            body = schema.body(row, None, self._shown)
        elif action == "UPDATE":
            differences = self._differences(schema, draft)
            names = draft.changed
            told["nulledFields"] = schema.bitmap(frozenset(name for name in names if row[name] is None))
            told["diffFields"] = schema.bitmap(frozenset(differences))
            told["changedFields"] = schema.bitmap(names - differences.keys())
            body = schema.body(row | differences, names, self._shown)
        else:
            body = schema.body({}, names, self._shown)
        return {"ChangeEventHeader": told, **body}

    def _differences(self, schema: EventSchema, draft: "_Draft") -> dict[str, Value]:
        if not self.send_diffs or draft.old is None or draft.new is None:
            return {}
        pairs = {name: (draft.old[name], draft.new[name]) for name in draft.changed if schema.view.field(name)}
        return {
            name: difference(old, new)
            for name, (old, new) in pairs.items()
            if isinstance(old, str) and isinstance(new, str) and len(new) >= DIFFED and _is_text(schema, name)
        }

    def _shown(self, one: SField, value: Value) -> Value:
        if one.encrypted and isinstance(value, str) and not self.org.permissions.can_view_encrypted:
            return "*" * len(value)
        return value

    # -- reading events

    def latest(self) -> int:
        """Return the newest place on the bus, which is remembered as of now."""
        with self.changed:
            self._forget_old()
            self._position += 1
            self._marks.append(_Mark(self._position, self.org.clock.now_ms()))
            return self._position

    def earliest(self) -> int:
        """Return the place before the oldest event that is kept."""
        with self.changed:
            self._forget_old()
            return self._forgotten

    def place(self, replay: bytes) -> int:
        """Return the place of a replay id, or raise BadReplay."""
        with self.changed:
            self._forget_old()
            if len(replay) != len(replay_id(0)) or replay[8:] != b"\x00\x00" or self.mishaps.refuse_replays:
                raise BadReplay
            position = int(_POSITION.unpack(replay[:8])[0])
            if not max(FIRST_POSITION, self._forgotten + 1) <= position <= self._position:
                raise BadReplay
            return position

    def after(self, position: int, names: frozenset[str], most: int) -> list[Event]:
        """Return the oldest events after a place; the caller holds `changed`."""
        start = bisect_right(self._log, position, key=lambda event: event.position)
        found: list[Event] = []
        while start < len(self._log) and len(found) < most:
            event = self._log[start]
            start += 1
            if event.object_name in names:
                found.append(event)
        return found

    def before(self, position: int, names: frozenset[str], count: int) -> list[Event]:
        """Return the newest events up to a place; the caller holds `changed`."""
        end = bisect_right(self._log, position, key=lambda event: event.position)
        found = [event for event in self._log[max(0, end - 50 * count) : end] if event.object_name in names]
        return found[-count:] if count else []

    def _forget_old(self) -> None:
        oldest = self.org.clock.now_ms() - RETENTION_MS
        logs: tuple[list[Any], ...] = (self._log, self._marks)
        for log in logs:
            gone = next((place for place, one in enumerate(log) if one.at_ms >= oldest), len(log))
            if gone:
                self._forgotten = max(self._forgotten, log[gone - 1].position)
                del log[:gone]

    # -- streams

    def cut(self) -> None:
        """Break every open stream."""
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    def let_go(self) -> None:
        """Publish what `mishaps.reorder` holds back."""
        with self.changed:
            held, self._held = self._held, []
            self._append(held)
            self.changed.notify_all()

    def wake(self) -> None:
        """Let the streams look again."""
        with self.changed:
            self.changed.notify_all()

    def close(self) -> None:
        """Nothing is captured any more."""
        self.org.database.journal = None


@dataclass(slots=True)
class _Draft:
    """An event before it is written: rows with the very same change share one."""

    object_name: str
    action: str
    ids: list[str]
    old: Row | None = None
    new: Row | None = None
    changed: frozenset[str] = frozenset()

    def takes(self, other: "_Draft") -> bool:
        """Whether another row's change is the same, so that one event tells both."""
        if (self.object_name, self.action, self.changed) != (other.object_name, other.action, other.changed):
            return False
        if self.action == "DELETE":
            return True
        if self.action != "UPDATE" or self.new is None or other.new is None:
            return False
        return all(self.new[name] == other.new[name] for name in self.changed)


def _joined(drafts: Sequence[_Draft]) -> list[_Draft]:
    joined: list[_Draft] = []
    for draft in drafts:
        if joined and joined[-1].takes(draft):
            joined[-1].ids += draft.ids
        else:
            joined.append(draft)
    return joined


def _lives(row: Row | None) -> bool:
    return row is not None and not row.get("IsDeleted")


def _is_text(schema: EventSchema, name: str) -> bool:
    one = schema.view.field(name)
    return one is not None and one.type in TEXT_TYPES


_PARSED: dict[str, Any] = {}


def _binary(schema: EventSchema, record: Mapping[str, Any]) -> bytes:
    import json

    from fastavro import parse_schema, schemaless_writer

    parsed = _PARSED.get(schema.id)
    if parsed is None:
        parsed = _PARSED[schema.id] = parse_schema(json.loads(schema.json))
    out = BytesIO()
    schemaless_writer(out, parsed, record)
    return out.getvalue()
