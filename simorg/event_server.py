"""The Pub/Sub API (gRPC service `eventbus.v1.PubSub`) of an org. Needs grpcio, protobuf and fastavro: an extra.

Errors carry their code in the trailer `error-code`. Not sure are the codes of an unknown topic, schema and managed
subscription, and the gRPC status of spent allocations (here RESOURCE_EXHAUSTED).
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import grpc

from simorg.events import BadReplay, Event, Managed, replay_id
from simorg.pubsub import pubsub_api_pb2 as pb

if TYPE_CHECKING:
    from simorg.org import SimOrg

CODES = "sfdc.platform.eventbus.grpc."
MOST = 100
"""Events that may be asked for ahead; more is taken as this."""
THREADS = 64
LOOK_SECONDS = 0.5


class EventServer:
    """Serves an org's events on a port of its own; use it as a context manager, or call `start` and `stop`."""

    def __init__(self, org: "SimOrg", port: int = 0, host: str = "127.0.0.1") -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="simorg-events")
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self._door = _Door(org)
        self._server.add_generic_rpc_handlers((_handlers(self._door),))
        self.port = self._server.add_insecure_port(f"{host}:{port}")
        self.url = f"http://{host}:{self.port}"
        self._org = org

    def start(self) -> Self:
        """Begin to serve."""
        self._server.start()
        self._org.events.url = self.url
        return self

    def stop(self) -> None:
        """Stop serving: open streams break."""
        self._door.closed = True
        self._org.events.cut()
        self._server.stop(0.2).wait(2)
        self._pool.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _handlers(door: "_Door") -> "grpc.GenericRpcHandler[Any, Any]":
    def one(handler: Callable[..., Any], request: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(handler, request.FromString, _serialized)

    def stream(handler: Callable[..., Any], request: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(handler, request.FromString, _serialized)

    methods = {
        "GetTopic": one(door.topic, pb.TopicRequest),
        "GetSchema": one(door.schema, pb.SchemaRequest),
        "Subscribe": stream(door.subscribe, pb.FetchRequest),
        "ManagedSubscribe": stream(door.managed, pb.ManagedFetchRequest),
    }
    return grpc.method_handlers_generic_handler("eventbus.v1.PubSub", methods)


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def refuse(context: grpc.ServicerContext, status: grpc.StatusCode, code: str, text: str) -> NoReturn:
    """End a call with a status, and Salesforce's own code in the trailers."""
    rpc_id = str(uuid.uuid4())
    context.set_trailing_metadata((("error-code", CODES + code), ("rpc-id", rpc_id)))
    context.abort(status, f"{text} rpcId: {rpc_id}")
    raise AssertionError("abort raises")


class _Door:
    """The handlers of one org."""

    def __init__(self, org: "SimOrg") -> None:
        self.org = org
        self.closed = False

    def topic(self, request: pb.TopicRequest, context: grpc.ServicerContext) -> pb.TopicInfo:
        """What a topic is."""
        self.user(context)
        self.names(request.topic_name, context)
        events, schema_id = self.org.events, ""
        single = events.objects_of(request.topic_name) or frozenset()
        if len(single) == 1 and request.topic_name not in events.channels:
            schema_id = events.schema_of(next(iter(single))).id
        return pb.TopicInfo(
            topic_name=request.topic_name,
            tenant_guid=f"core/sim/{self.org.org_id}",
            can_publish=False,
            can_subscribe=True,
            schema_id=schema_id,
            rpc_id=str(uuid.uuid4()),
        )

    def schema(self, request: pb.SchemaRequest, context: grpc.ServicerContext) -> pb.SchemaInfo:
        """The Avro schema of an id, also of one that events of the past have."""
        self.user(context)
        found = self.org.events.schema(request.schema_id)
        if found is None:
            refuse(context, grpc.StatusCode.NOT_FOUND, "schema.not.found", "There is no such schema.")
        return pb.SchemaInfo(schema_json=found.json, schema_id=found.id, rpc_id=str(uuid.uuid4()))

    def user(self, context: grpc.ServicerContext, token: str | None = None) -> str:
        """The session's token, checked together with the org's address and id."""
        given = {str(key): str(value) for key, value in context.invocation_metadata()}
        token = token or given.get("accesstoken", "")
        known = given.get("instanceurl", "").rstrip("/") == self.org.url and given.get("tenantid") == self.org.org_id
        if not known or self.org.sessions.use(token) is None:
            text = "An authentication exception occurred. Provide valid authentication via metadata headers."
            refuse(context, grpc.StatusCode.UNAUTHENTICATED, "service.auth.error", text)
        return token

    def names(self, topic: str, context: grpc.ServicerContext) -> frozenset[str]:
        """The objects of a topic."""
        names = self.org.events.objects_of(topic)
        if names is None:
            refuse(context, grpc.StatusCode.NOT_FOUND, "topic.not.found", f"There is no topic {topic}.")
        return names

    def subscribe(self, requests: Iterator[pb.FetchRequest], context: grpc.ServicerContext) -> Iterator[Any]:
        """Events as they are asked for; without any, a keep-alive with the newest replay id."""
        token = self.user(context)
        first = next(requests, None)
        if first is None:
            return
        self.names(first.topic_name, context)
        place = self._place(first, context)
        stream = _Stream(self, context, token, first.topic_name)
        context.send_initial_metadata(())  # who waits for it knows that what comes from now on is told
        stream.listen(first, requests)
        yield from stream.pages(place, first.replay_preset != pb.LATEST, _page)

    def _place(self, first: pb.FetchRequest, context: grpc.ServicerContext) -> int:
        events = self.org.events
        if first.replay_preset == pb.LATEST:
            return events.latest()
        if first.replay_preset == pb.EARLIEST:
            return events.earliest()
        return self.place(first.replay_id, context)

    def place(self, replay: bytes, context: grpc.ServicerContext) -> int:
        """The place of a replay id."""
        if not replay:
            text = "A replay id is required for the CUSTOM preset."
            code = "subscription.fetch.replayid.validation.failed"
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, code, text)
        try:
            return self.org.events.place(replay)
        except BadReplay:
            text = "The Replay ID validation failed. Ensure that the Replay ID is valid."
            code = "subscription.fetch.replayid.corrupted"
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, code, text)

    def managed(self, requests: Iterator[pb.ManagedFetchRequest], context: grpc.ServicerContext) -> Iterator[Any]:
        """The same, of a subscription whose replay id the org keeps and the subscriber commits."""
        token = self.user(context)
        first = next(requests, None)
        if first is None:
            return
        found = self.org.events.managed.get(first.developer_name or first.subscription_id)
        if found is None:
            refuse(context, grpc.StatusCode.NOT_FOUND, "subscription.not.found", "There is no such subscription.")
        self.names(found.topic, context)
        place = self.org.events.latest() if found.replay is None else self.place(found.replay, context)
        stream = _Stream(self, context, token, found.topic, found)
        context.send_initial_metadata(())
        stream.listen(first, requests)
        yield from stream.pages(place, found.replay is not None, _managed_page)


def _page(events: list[Event], latest: int, pending: int) -> Any:
    told = [_consumed(event) for event in events]
    return pb.FetchResponse(
        events=told, latest_replay_id=replay_id(latest), rpc_id=str(uuid.uuid4()), pending_num_requested=pending
    )


def _managed_page(events: list[Event], latest: int, pending: int) -> Any:
    told = [_consumed(event) for event in events]
    return pb.ManagedFetchResponse(
        events=told, latest_replay_id=replay_id(latest), rpc_id=str(uuid.uuid4()), pending_num_requested=pending
    )


def _consumed(event: Event) -> Any:
    made = pb.ProducerEvent(id=event.id, schema_id=event.schema_id, payload=event.payload)
    return pb.ConsumerEvent(event=made, replay_id=event.replay_id)


class _Stream:
    """One subscription: what was asked for and not sent yet, and what ends it."""

    def __init__(
        self,
        door: _Door,
        context: grpc.ServicerContext,
        token: str,
        topic: str,
        managed: Managed | None = None,
    ) -> None:
        self._door = door
        self._org = door.org
        self._events = door.org.events
        self._context = context
        self._token = token
        self._topic = topic
        self._managed = managed
        self._wanted = 0
        self._problem: tuple[str, str] | None = None
        self._mistake: Exception | None = None
        self._commits: list[Any] = []
        self._cuts = self._events.cuts
        self._sent = 0
        context.add_callback(self._events.wake)

    def listen(self, first: Any, requests: Iterator[Any]) -> None:
        """Take the requests in, in a thread of their own."""
        self._take(first)
        threading.Thread(target=self._listen, args=(requests,), name="simorg-fetches", daemon=True).start()

    def _listen(self, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                self._take(request)
        except grpc.RpcError:  # the caller is gone
            pass
        except Exception as mistake:  # ours: the stream ends by it (`_check`), and does not wait for ever
            self._mistake = mistake
        self._events.wake()

    def _take(self, request: Any) -> None:
        with self._events.changed:
            topic = getattr(request, "topic_name", "")
            if topic not in ("", self._topic):
                self._problem = "subscription.topic.invalid", "A subscription's topic cannot be changed."
            if self._managed is not None and request.commit_replay_id_request.replay_id:
                self._commit(request.commit_replay_id_request)
            elif request.num_requested <= 0 and not request.auth_refresh:
                text = "The number of requested events must be positive."
                self._problem = "subscription.fetch.requested.events.invalid", text
            if request.auth_refresh:
                self._token = request.auth_refresh
            self._wanted = min(MOST, self._wanted + max(0, request.num_requested))
            self._events.changed.notify_all()

    def _commit(self, asked: Any) -> None:
        assert self._managed is not None
        self._managed.replay = asked.replay_id
        now = self._org.clock.now_ms()
        self._commits.append(
            pb.CommitReplayResponse(
                commit_request_id=asked.commit_request_id, replay_id=asked.replay_id, process_time=now
            )
        )

    def pages(self, place: int, resumed: bool, page: Callable[[list[Event], int, int], Any]) -> Iterator[Any]:
        """What is sent, until the stream ends."""
        mishaps, names = self._events.mishaps, self._door.names(self._topic, self._context)
        again = resumed and mishaps.repeat > 0
        while self._context.is_active():
            if again:
                with self._events.changed:
                    found = self._events.before(place, names, mishaps.repeat)
                again = False
            else:
                found = self._next(place, names)
            if mishaps.slow:
                time.sleep(mishaps.slow)
            self._check()
            if self._commits:
                response = pb.ManagedFetchResponse(commit_response=self._commits.pop(0))
                yield response
                continue
            if not found:
                place = self._quiet_place(place, names)
                yield page([], place, self._wanted)
                continue
            fresh = [event for event in found if event.position > place]
            place = max(place, found[-1].position)
            self._sent += len(fresh)
            yield page(found, place, self._wanted)

    def _quiet_place(self, place: int, names: frozenset[str]) -> int:
        """The newest place, unless there are events before it that were not asked for yet, or have come just now."""
        with self._events.changed:
            return place if self._events.after(place, names, 1) else self._events.latest()

    def _next(self, place: int, names: frozenset[str]) -> list[Event]:
        """Wait for events that may be sent; none after the time of a keep-alive, or when there is something to say."""
        events, began = self._events, time.monotonic()
        with events.changed:
            while self._context.is_active() and not self._must_look():
                names = events.objects_of(self._topic) or names
                mishaps = events.mishaps
                if not mishaps.silent:
                    most = min(self._wanted, mishaps.page, self._left())
                    found = events.after(place, names, most) if most > 0 else []
                    if found:
                        self._wanted -= len(found)
                        repeated = events.before(found[0].position - 1, names, mishaps.repeat)
                        return [*repeated, *found]
                    if time.monotonic() - began >= events.ping_seconds or self._commits:
                        return []
                events.changed.wait(LOOK_SECONDS)
        return []

    def _left(self) -> int:
        most = self._events.mishaps.cut_after
        return MOST if most is None else max(0, most - self._sent)

    def _must_look(self) -> bool:
        cut = self._events.cuts != self._cuts or self._left() == 0
        dead = self._org.sessions.find(self._token) is None
        wrong = self._problem is not None or self._mistake is not None
        return cut or dead or wrong or self._events.mishaps.limit or self._door.closed

    def _check(self) -> None:
        context = self._context
        if self._mistake is not None:
            raise self._mistake
        if self._problem is not None:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, *self._problem)
        if self._events.mishaps.limit:
            text = "You have exceeded the event delivery limit for your org."
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "subscription.limit.exceeded", text)
        if self._events.cuts != self._cuts or (self._left() == 0 and self._sent):
            refuse(
                context, grpc.StatusCode.UNAVAILABLE, "service.unavailable", "The Pub/Sub API service is unavailable."
            )
        self._door.user(context, self._token)
