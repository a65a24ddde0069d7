"""A signal as bytes for others: its JSON form, by itself or as a CloudEvent."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from salesforce_sync.signals import SOURCE, TARGET, Told, stamp

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"


class Envelope(Struct, frozen=True):
    """From whom to whom a replica's signals are; `form` is "json" or "cloudevents"."""

    replica: str
    source: str = SOURCE
    target: str = TARGET
    form: str = "json"

    @property
    def content_type(self) -> str:
        return CLOUDEVENT if self.form == "cloudevents" else JSON

    def id_of(self, told: Told) -> str:
        """The same for each delivery of one signal, and another for every other signal of any replica."""
        return f"msg_{self.replica}_{told.number}"

    def line(self, told: Told) -> str:
        """The signal's line, with the time in front."""
        return told.signal.log_line(told.at, self.target, self.source)

    def document(self, told: Told) -> dict[str, Any]:
        """The signal as a JSON object."""
        plain = told.signal.to_json(told.at, self.target, self.source)
        return plain if self.form == "json" else self._cloudevent(told, plain)

    def body(self, told: Told) -> bytes:
        """The same as bytes."""
        return msgspec.json.encode(self.document(told))

    def _cloudevent(self, told: Told, plain: dict[str, Any]) -> dict[str, Any]:
        """CloudEvents 1.0, structured mode."""
        concerned = plain["data"].get("object")
        return {
            "specversion": "1.0",
            "id": self.id_of(told),
            "source": f"/salesforce-sync/{self.replica}",
            "type": f"salesforce-sync.{told.signal.name}",
            "time": stamp(told.at),
            "datacontenttype": JSON,
            **({"subject": concerned} if concerned else {}),
            "data": plain,
        }
