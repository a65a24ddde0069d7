"""One connection to Salesforce's Pub/Sub API: HTTP/2 with gRPC, kept alive by pings."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlsplit

from salesforce_sync.errors import ConfigError

MOST_BYTES: Final = 32 * 1024 * 1024
"""The largest answer that is taken: an event has at most 1 MB, and answers are some MB."""

PING_SECONDS = 60.0
PING_ANSWER_SECONDS = 20.0
"""A connection that brings nothing is pinged so often, and is dead where no answer comes in time. Pings cost no API
call and no event. A server that finds it too often says so (`too_many_pings`): gRPC then pings half as often."""

_SERVICE: Final = "/eventbus.v1.PubSub"


class Line:
    """Carries any number of streams. `stamp` is when it was made, in seconds of `time.monotonic`."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is https://host:port; plain http only to this machine, as the settings see to."""
        self.grpc, messages = libraries()
        self.stamp = time.monotonic()
        self._channel = self._connected(endpoint)
        self.subscribe = self._channel.stream_stream(
            f"{_SERVICE}/Subscribe", messages.FetchRequest.SerializeToString, messages.FetchResponse.FromString
        )
        self.get_schema = self._channel.unary_unary(
            f"{_SERVICE}/GetSchema", messages.SchemaRequest.SerializeToString, messages.SchemaInfo.FromString
        )

    def _connected(self, endpoint: str) -> Any:
        parts = urlsplit(endpoint)
        host = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        answer = int(PING_ANSWER_SECONDS * 1000)
        options = [
            ("grpc.max_receive_message_length", MOST_BYTES),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.keepalive_time_ms", int(PING_SECONDS * 1000)),
            ("grpc.keepalive_timeout_ms", answer),  # of what is written, by TCP
            ("grpc.http2.ping_timeout_ms", answer),  # else it is a minute at least
            ("grpc.http2.max_pings_without_data", 0),  # else there would be two, and no more
        ]
        if parts.scheme == "https":
            return self.grpc.secure_channel(host, self.grpc.ssl_channel_credentials(), options)
        return self.grpc.insecure_channel(host, options)

    def close(self) -> None:
        """End it, and all that goes over it."""
        self._channel.close()


def libraries() -> tuple[Any, Any]:
    """grpc, and the messages of the API; `ConfigError` where they are not installed."""
    try:
        import grpc

        from salesforce_sync.api.pubsub import pubsub_api_pb2
    except ImportError as error:
        raise ConfigError(
            f"Change events need packages that are not installed ({error.name}).",
            hint="pip install 'salesforce-sync[cdc]', or set sync.events to false.",
        ) from error
    return grpc, pubsub_api_pb2
