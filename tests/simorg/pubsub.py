"""A subscriber of the Pub/Sub API that knows nothing of the product: gRPC, Avro, and bits."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import fastavro
import grpc

from simorg.event_server import EventServer
from simorg.org import SimOrg
from simorg.pubsub import pubsub_api_pb2 as pb

SERVICE = "/eventbus.v1.PubSub"


class Client:
    """One user's calls."""

    def __init__(self, org: SimOrg, server: EventServer) -> None:
        self.org = org
        self.token = org.sessions.open(org.user_id).token
        self.channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
        self.calls: list[Any] = []

    def metadata(self, **other: str) -> tuple[tuple[str, str], ...]:
        given = {"accesstoken": self.token, "instanceurl": self.org.url, "tenantid": self.org.org_id} | other
        return tuple(given.items())

    def topic(self, name: str, **metadata: str) -> pb.TopicInfo:
        call = self.channel.unary_unary(
            f"{SERVICE}/GetTopic", pb.TopicRequest.SerializeToString, pb.TopicInfo.FromString
        )
        return call(pb.TopicRequest(topic_name=name), metadata=self.metadata(**metadata), timeout=5)

    def schema(self, schema_id: str) -> dict[str, Any]:
        call = self.channel.unary_unary(
            f"{SERVICE}/GetSchema", pb.SchemaRequest.SerializeToString, pb.SchemaInfo.FromString
        )
        info = call(pb.SchemaRequest(schema_id=schema_id), metadata=self.metadata(), timeout=5)
        return json.loads(info.schema_json)

    def subscribe(self, topic: str, wanted: int = 100, after: bytes | None = None, preset: int | None = None) -> Stream:
        preset = preset if preset is not None else (pb.LATEST if after is None else pb.CUSTOM)
        first = pb.FetchRequest(topic_name=topic, replay_preset=preset, replay_id=after or b"", num_requested=wanted)
        return Stream(self, "Subscribe", pb.FetchRequest, pb.FetchResponse, first)

    def managed(self, name: str, wanted: int = 100) -> Stream:
        first = pb.ManagedFetchRequest(developer_name=name, num_requested=wanted)
        return Stream(self, "ManagedSubscribe", pb.ManagedFetchRequest, pb.ManagedFetchResponse, first)

    def close(self) -> None:
        for call in self.calls:
            call.cancel()
        self.channel.close()


class Stream:
    """One subscription; `events` reads so many."""

    def __init__(self, client: Client, method: str, asks: Any, answers: Any, first: Any) -> None:
        self.client = client
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.requests.put(first)
        call = client.channel.stream_stream(f"{SERVICE}/{method}", asks.SerializeToString, answers.FromString)
        self.call = call(iter(self.requests.get, None), metadata=client.metadata(), timeout=20)
        client.calls.append(self.call)
        self.pages: Iterator[Any] = iter(self.call)
        self.latest = b""

    def page(self) -> Any:
        return next(self.pages)

    def events(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            for event in self.page().events:
                self.latest = event.replay_id
                found.append(read(self.client.schema(event.event.schema_id), event.event.payload))
        assert len(found) == count
        return found


def read(schema: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """The event, with the names that its bitmaps mean in place of them."""
    record: Any = fastavro.schemaless_reader(BytesIO(payload), fastavro.parse_schema(schema), None)
    header = record["ChangeEventHeader"]
    for name in ("changedFields", "nulledFields", "diffFields"):
        header[name] = sorted(field for element in header[name] for field in _names(schema, element))
    return record


def _names(schema: dict[str, Any], element: str) -> list[str]:
    place, dash, bits = element.partition("-")
    if not dash:
        return [schema["fields"][bit]["name"] for bit in range(200) if int(place, 16) >> bit & 1]
    compound = schema["fields"][int(place)]
    parts = next(each["fields"] for each in _declared(schema, compound) if isinstance(each, dict))
    return [f"{compound['name']}.{parts[bit]['name']}" for bit in range(50) if int(bits, 16) >> bit & 1]


def _declared(schema: dict[str, Any], compound: dict[str, Any]) -> list[Any]:
    """The compound's type, which may have been declared by an earlier field."""
    own = [each for each in compound["type"] if isinstance(each, dict)]
    named = [each for field in schema["fields"] for each in field["type"] if isinstance(each, dict)]
    return own or [each for each in named if each["name"] in compound["type"]]
