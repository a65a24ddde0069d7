"""The log of a service: lines for a person, or one JSON object a line, on standard error."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from salesforce_sync.signals import stamp

LogForm = Literal["lines", "json"]
FORMS: Final = ("lines", "json")


def log_as(form: LogForm) -> None:
    """Write everything from INFO on in this form."""
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setFormatter(_Json() if form == "json" else _Lines())
    logging.getLogger("salesforce_sync").setLevel(logging.INFO)


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _stamp(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "ts": _stamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        signal = getattr(record, "signal", None)
        if signal is not None:
            document["signal"] = signal
        return msgspec.json.encode(document).decode()


def _stamp(record: logging.LogRecord) -> str:
    return stamp(datetime.fromtimestamp(record.created, UTC))
