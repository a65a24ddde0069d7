"""A Pub/Sub server that plays a script: gRPC, Avro and bits written here anew, with other habits than simorg's.

Each subscription to a topic is answered by the next of its acts; the last act is played again as often as it is asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, NoReturn

import fastavro
import grpc

from simorg.pubsub import pubsub_api_pb2 as pb

CODES = "sfdc.platform.eventbus.grpc."
_TEXTS = {"type": "array", "items": "string"}
_KINDS = "CREATE UPDATE DELETE UNDELETE GAP_CREATE GAP_UPDATE GAP_DELETE GAP_UNDELETE GAP_OVERFLOW SNAPSHOT"
HEADER = {
    "name": "ChangeEventHeader",
    "type": {
        "type": "record",
        "name": "ChangeEventHeader",
        "namespace": "com.sforce.eventbus",
        "fields": [
            {"name": "entityName", "type": "string"},
            {"name": "recordIds", "type": _TEXTS},
            {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": _KINDS.split()}},
            {"name": "changeOrigin", "type": "string"},
            {"name": "transactionKey", "type": "string"},
            {"name": "sequenceNumber", "type": "int"},
            {"name": "commitTimestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "commitNumber", "type": "long"},
            {"name": "commitUser", "type": "string"},
            {"name": "nulledFields", "type": _TEXTS},
            {"name": "diffFields", "type": _TEXTS},
            {"name": "changedFields", "type": _TEXTS},
        ],
    },
}

Act = Callable[["Call"], Iterator[Any]]


class Schema:
    """The Avro schema of an object's events: fields by name and type, after the header."""

    def __init__(self, schema_id: str, object_name: str, *fields: tuple[str, Any]) -> None:
        self.id, self.object_name = schema_id, object_name
        self.names = [name for name, _ in fields]
        body = [HEADER, *({"name": name, "type": kind} for name, kind in fields)]
        record = {"type": "record", "name": f"{object_name}ChangeEvent", "namespace": "com.sforce.eventbus"}
        self.json = json.dumps({**record, "fields": body})
        self._parsed = fastavro.parse_schema(json.loads(self.json))

    def bits(self, *names: str) -> list[str]:
        """The bitmap of plain fields."""
        bits = sum(1 << (self.names.index(name) + 1) for name in names)
        return [f"0x{bits:X}"] if bits else []

    def event(
        self, replay: bytes, kind: str, ids: Sequence[str], place: tuple[int, int] = (1, 1), **given: Any
    ) -> pb.ConsumerEvent:
        """One event; `given` are header fields (changedFields as bitmaps, commitTimestamp) and values."""
        header = {
            "entityName": self.object_name,
            "recordIds": list(ids),
            "changeType": kind,
            "changeOrigin": "",
            "transactionKey": f"{place[0]:08x}",
            "sequenceNumber": place[1],
            "commitTimestamp": 1_700_000_000_000,
            "commitNumber": place[0],
            "commitUser": "005000000000001AAA",
            "nulledFields": [],
            "diffFields": [],
            "changedFields": [],
        }
        header |= {name: given.pop(name) for name in list(given) if name in header}
        record = {"ChangeEventHeader": header, **dict.fromkeys(self.names), **given}
        out = BytesIO()
        fastavro.schemaless_writer(out, self._parsed, record)
        return consumer(replay, self.id, out.getvalue())


def consumer(replay: bytes, schema_id: str, payload: bytes) -> pb.ConsumerEvent:
    """An event from its bytes."""
    return pb.ConsumerEvent(event=pb.ProducerEvent(schema_id=schema_id, payload=payload), replay_id=replay)


def page(*events: pb.ConsumerEvent, latest: bytes = b"", pending: int = 0) -> pb.FetchResponse:
    """What a subscriber gets at once."""
    return pb.FetchResponse(events=events, latest_replay_id=latest, pending_num_requested=pending)


class Call:
    """One subscription: its first request, what it asks for, and its end."""

    def __init__(self, server: Server, first: pb.FetchRequest, context: grpc.ServicerContext) -> None:
        self.server, self.first, self.context = server, first, context
        self.asked = [first.num_requested]
        self.more = threading.Condition()

    def wait_for(self, count: int) -> int:
        """Wait until so many events have been asked for in all; gives how many have."""
        with self.more:
            assert self.more.wait_for(lambda: sum(self.asked) >= count, 10)
            return sum(self.asked)

    def stay(self) -> Iterator[Any]:
        """Say nothing more until the subscriber goes, or the server."""
        while self.context.is_active() and not self.server.ended.wait(0.02):
            pass
        yield from ()

    def fail(self, status: grpc.StatusCode, code: str = "", text: str = "No.") -> NoReturn:
        """End it with a status, and Salesforce's code in the trailers."""
        if code:
            self.context.set_trailing_metadata((("error-code", code),))
        self.context.abort(status, text)
        raise AssertionError("abort raises")


class Server:
    """Serves on a free port between `with` and its end; `calls` are the subscriptions that came, by topic."""

    def __init__(self, acts: Mapping[str, Sequence[Act]], schemas: Sequence[Schema] = ()) -> None:
        self.acts = {topic: list(each) for topic, each in acts.items()}
        self.schemas = {each.id: each.json for each in schemas}
        self.calls: dict[str, list[Call]] = {topic: [] for topic in acts}
        self.metadata: list[dict[str, str]] = []
        self.ended = threading.Event()
        self._pool = ThreadPoolExecutor(32)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Server:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.stop(0).wait(2)
        self._pool.shutdown(wait=False)

    def _handlers(self) -> Any:
        subscribe = grpc.stream_stream_rpc_method_handler(
            self._subscribe, pb.FetchRequest.FromString, pb.FetchResponse.SerializeToString
        )
        schema = grpc.unary_unary_rpc_method_handler(
            self._schema, pb.SchemaRequest.FromString, pb.SchemaInfo.SerializeToString
        )
        return grpc.method_handlers_generic_handler("eventbus.v1.PubSub", {"Subscribe": subscribe, "GetSchema": schema})

    def _schema(self, request: pb.SchemaRequest, context: grpc.ServicerContext) -> pb.SchemaInfo:
        if request.schema_id not in self.schemas:
            context.set_trailing_metadata((("error-code", f"{CODES}schema.not.found"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "No such schema.")
        return pb.SchemaInfo(schema_id=request.schema_id, schema_json=self.schemas[request.schema_id])

    def _subscribe(self, requests: Iterator[pb.FetchRequest], context: grpc.ServicerContext) -> Iterator[Any]:
        self.metadata.append({str(key): str(value) for key, value in context.invocation_metadata()})
        first = next(requests)
        call = Call(self, first, context)
        acts, calls = self.acts[first.topic_name], self.calls[first.topic_name]
        act = acts[min(len(calls), len(acts) - 1)]
        calls.append(call)
        threading.Thread(target=self._listen, args=(call, requests), daemon=True).start()
        yield from act(call)

    def _listen(self, call: Call, requests: Iterator[pb.FetchRequest]) -> None:
        try:
            for request in requests:
                with call.more:
                    call.asked.append(request.num_requested)
                    call.more.notify_all()
        except Exception:  # the subscriber has gone: gRPC raises a bare Exception
            return
