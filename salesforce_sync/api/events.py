"""The subscriber of Salesforce's Pub/Sub API: one object's change events as they come, over gRPC.

Section 9.1 of the API facts. grpcio and protobuf are an extra (`pip install 'salesforce-sync[cdc]'`).
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from msgspec import Struct

from salesforce_sync.api.change_events import BAD_EVENT, Decoded, EventDecoder
from salesforce_sync.api.events_line import Line, libraries
from salesforce_sync.errors import (
    EventsSpent,
    NotSynced,
    ReplayRefused,
    RequestRefused,
    SyncError,
    Unreachable,
)
from salesforce_sync.models.connection import Session
from salesforce_sync.models.event import EventPage, RecordEvent
from salesforce_sync.models.schema import ObjectSchema

log = logging.getLogger("salesforce_sync.api")

AHEAD = 100
"""Events that are asked for ahead; the org takes more as this."""
CALL_SECONDS = 30.0
ASKED_AGAIN = 2
"""How often a call is made again with another session."""

RENEWED_SECONDS = 5.0
"""A connection is not replaced sooner than so many seconds after it was made."""

_CODES = "sfdc.platform.eventbus.grpc."
_REPLAY = f"{_CODES}subscription.fetch.replayid."
"""What the codes of refused replay ids begin with: corrupted, validation.failed."""


def topic(object_name: str) -> str:
    """The channel of an object's change events; its letter case counts."""
    if object_name.endswith("__c"):
        return f"/data/{object_name.removesuffix('c')}ChangeEvent"
    return f"/data/{object_name}ChangeEvent"


class Login(Protocol):
    """Where the session comes from (`api.auth.Sessions`)."""

    def current(self) -> Session: ...

    def renew(self, stale: Session) -> bool: ...


class Caller(Struct, frozen=True):
    """Who subscribes: with which session, in which org (asked for when it is needed), and under which name."""

    login: Login
    org_id: Callable[[], str]
    name: str


class PubSub:
    """The org's change events (`ports.Events`). `schemas` gives what the store has adopted."""

    def __init__(self, endpoint: str, caller: Caller, schemas: Callable[[str], ObjectSchema | None]) -> None:
        """`endpoint` is https://host:port; plain http only to this machine, as the settings see to."""
        self._grpc, self._messages = libraries()
        self._endpoint = endpoint
        self._line = Line(endpoint)
        self._left: list[Line] = []
        self._caller = caller
        self._schemas = schemas
        self._avro: dict[str, str] = {}
        self._open: set[GrpcSubscription] = set()
        self._lock = threading.Lock()

    def subscribe(self, object_name: str, after: bytes | None) -> GrpcSubscription:
        """Follow one object (`ports.Events.subscribe`)."""
        schema = self._schemas(object_name)
        if schema is None:
            raise NotSynced.named(object_name, ())
        with self._lock:
            made = GrpcSubscription(self, self._line, schema.name, after)
            self._open.add(made)
        return made

    def renew(self) -> None:
        """Take another connection from now on (`ports.Events.renew`); the old one ends with its last stream."""
        with self._lock:
            if time.monotonic() - self._line.stamp < RENEWED_SECONDS:
                return  # several streams have met the same
            self._left.append(self._line)
            self._line = Line(self._endpoint)

    def close(self) -> None:
        """End all subscriptions and the connection."""
        with self._lock:
            ending = list(self._open)
        for each in ending:
            each.close()
        for line in (self._line, *self._left):
            line.close()

    # ── what subscriptions need ──────────────────────────────────────────────────────────────────────────────────

    def _ended(self, subscription: GrpcSubscription) -> None:
        with self._lock:
            self._open.discard(subscription)
            used = {each.line for each in self._open}
            ended = [each for each in self._left if each not in used]
            self._left = [each for each in self._left if each in used]
        for line in ended:
            line.close()

    def _call(self, line: Line, requests: Iterator[Any]) -> tuple[Any, Session]:
        session = self._caller.login.current()
        return line.subscribe(requests, metadata=self._metadata(session), wait_for_ready=False), session

    def _metadata(self, session: Session) -> tuple[tuple[str, str], ...]:
        return (
            ("accesstoken", session.access_token),
            ("instanceurl", session.instance_url),
            ("tenantid", self._caller.org_id()),
        )

    def _fetch(self, object_name: str, replay: bytes | None, wanted: int) -> Any:
        custom, latest = self._messages.ReplayPreset.CUSTOM, self._messages.ReplayPreset.LATEST
        return self._messages.FetchRequest(
            topic_name=topic(object_name),
            replay_preset=latest if replay is None else custom,
            replay_id=replay or b"",
            num_requested=wanted,
        )

    def _decoder(self, schema: ObjectSchema, schema_id: str) -> EventDecoder:
        avro = self._avro.get(schema_id)
        if avro is None:
            avro = self._asked_schema(schema_id)
            with self._lock:
                if len(self._avro) > 200:  # each is another state of an object; they do not come in numbers
                    self._avro.clear()
                self._avro[schema_id] = avro
        return EventDecoder(schema, avro, self._caller.name)

    def _asked_schema(self, schema_id: str) -> str:
        doing = f"read the schema {schema_id} of events"
        for _ in range(ASKED_AGAIN + 1):
            session = self._caller.login.current()
            try:
                request = self._messages.SchemaRequest(schema_id=schema_id)
                info = self._line.get_schema(request, metadata=self._metadata(session), timeout=CALL_SECONDS)
                return str(info.schema_json)
            except self._grpc.RpcError as error:
                problem = self._problem(error, session, doing)
                if not isinstance(problem, SessionEnded):
                    raise problem from error
        raise problem

    def _problem(self, error: Any, session: Session, doing: str) -> SyncError:
        """What a status means. A session that has ended is renewed, so that the next call has another one."""
        status, codes = error.code(), self._grpc.StatusCode
        told = {str(key): str(value) for key, value in (error.trailing_metadata() or ())}
        code = told.get("error-code", "")
        text = f"To {doing}: {code or status.name}: {str(error.details() or '')[:300]}"
        if code.startswith(_REPLAY):
            return replay_refused(text)
        if status is codes.UNAUTHENTICATED:
            self._caller.login.renew(session)
            return SessionEnded(text)
        if status is codes.RESOURCE_EXHAUSTED or code.endswith("limit.exceeded"):
            return EventsSpent(text, hint="Until it is free again, syncs bring what changes.")
        if status in (codes.NOT_FOUND, codes.PERMISSION_DENIED, codes.INVALID_ARGUMENT, codes.UNIMPLEMENTED):
            hint = "Select the object in Salesforce's setup, under Change Data Capture; the user needs View All on it."
            return RequestRefused(text, code=code or status.name, hint=hint)
        return Unreachable(text, hint="It is tried again.")


def replay_refused(text: str) -> ReplayRefused:
    return ReplayRefused(text, hint="The events are followed anew, after a sync.")


class SessionEnded(Unreachable):
    """The session had ended; there is a new one by now."""


class GrpcSubscription:
    """One stream (`ports.Subscription`)."""

    def __init__(self, hub: PubSub, line: Line, object_name: str, after: bytes | None) -> None:
        self._hub = hub
        self.line = line
        self._object = object_name
        self._after = after
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._decoders: dict[str, tuple[ObjectSchema, EventDecoder]] = {}
        self._unreadable: set[str] = set()
        self._call: Any = None
        self._closed = threading.Event()

    def close(self) -> None:
        """End the stream; whoever waits for a page gets none."""
        self._closed.set()
        self._requests.put(None)
        call = self._call
        if call is not None:
            call.cancel()
        self._hub._ended(self)

    def __iter__(self) -> Iterator[EventPage]:
        doing = f"follow the events of {self._object}"
        self._requests.put(self._hub._fetch(self._object, self._after, AHEAD))
        self._call, session = self._hub._call(self.line, iter(self._requests.get, None))
        heard = False
        try:
            if self._closed.is_set():
                return
            for response in self._call:
                # Before this page is merged: the org can make the next one meanwhile.
                if response.pending_num_requested <= AHEAD // 2:
                    wanted = AHEAD - response.pending_num_requested
                    self._requests.put(self._hub._fetch(self._object, None, wanted))
                told = self._page(response)
                self._after, heard = told.replay, True
                yield told
                if self._closed.is_set():
                    return
            if not self._closed.is_set():
                raise Unreachable(f"To {doing}: the org has ended the stream.", hint="It is tried again.")
        except self._hub._grpc.RpcError as error:
            if self._closed.is_set():
                return
            raise self._problem(error, session, doing, heard) from error
        finally:
            self.close()

    def _problem(self, error: Any, session: Session, doing: str, heard: bool) -> SyncError:
        """What ended the stream. An org that refuses the very first request refuses its replay id, if it had one.

        Codes for that have come and gone. If it was something else, the org will say so again, without a replay id.
        """
        problem = self._hub._problem(error, session, doing)
        codes = self._hub._grpc.StatusCode
        first = self._after is not None and not heard
        if first and error.code() in (codes.INVALID_ARGUMENT, codes.OUT_OF_RANGE):
            return problem if isinstance(problem, EventsSpent) else replay_refused(problem.message)
        return problem

    def _page(self, response: Any) -> EventPage:
        schema = self._hub._schemas(self._object)
        if schema is None:
            raise NotSynced.named(self._object, ())
        told: list[RecordEvent] = []
        unsure = False
        replay = bytes(response.latest_replay_id)
        for each in response.events:
            decoded = self._decoded(schema, each.event)
            told += decoded.records
            unsure = unsure or decoded.unsure
            replay = bytes(each.replay_id)
        return EventPage(schema.name, tuple(told), replay or self._after or b"", unsure)

    def _decoded(self, schema: ObjectSchema, event: Any) -> Decoded:
        """The event. One that cannot be read is not met again: what it would have told is polled."""
        if event.schema_id in self._unreadable:
            return Decoded((), unsure=True)
        try:
            return self._decoder(schema, event.schema_id).decode(event.payload)
        except RequestRefused as refused:
            if refused.code != BAD_EVENT:
                self._unreadable.add(event.schema_id)
            log.warning("%s The object is polled.", refused.message)
            return Decoded((), unsure=True)

    def _decoder(self, schema: ObjectSchema, schema_id: str) -> EventDecoder:
        known = self._decoders.get(schema_id)
        if known is None or known[0] is not schema:
            known = self._decoders[schema_id] = schema, self._hub._decoder(schema, schema_id)
            if len(self._decoders) > 50:
                self._decoders = {schema_id: known}
        return known[1]
