"""The lines that were promised, their JSON form, and the bus."""

import json
import logging
from datetime import datetime, timedelta, timezone

import pytest

from salesforce_sync.signals import (
    ApiLimitWarning,
    Bus,
    Progress,
    RecordsUpdated,
    SyncComplete,
    SyncFailed,
    SyncStarted,
)
from salesforce_sync.testing import capture_signals

AT = datetime(2024, 1, 15, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("signal", "line"),
    [
        (SyncComplete(), "✔️ FND → OS : sync_complete"),
        (RecordsUpdated(42, (("Contact", 42),)), "📊 FND → OS : records_updated, count=42"),
        (SyncFailed("INVALID_SESSION_ID", ("Contact",)), "❌ FND → OS : sync_failed"),
        (ApiLimitWarning(12_000, 15_000), "⚠️ FND → OS : api_limit_warning"),
        (SyncStarted(("Contact",)), "🔄 FND → OS : sync_started"),
        (Progress("Contact", 2_000, 10_000, 3), "⏳ FND → OS : sync_progress, contacts=2000/10000"),
        (Progress("Contact", 2_000, None, 3), "⏳ FND → OS : sync_progress, contacts=2000/?"),
    ],
)
def test_a_signal_is_the_line_that_was_promised(signal, line):
    assert signal.line() == line


def test_the_target_of_a_line_can_be_another():
    assert SyncComplete().line("MESH") == "✔️ FND → MESH : sync_complete"


def test_a_signal_in_json_has_the_line_and_the_typed_values():
    told = json.loads(json.dumps(RecordsUpdated(3, (("Contact", 2), ("Lead", 1))).to_json(AT)))

    assert told == {
        "ts": "2024-01-15T10:30:00Z",
        "signal": "records_updated",
        "from": "FND",
        "to": "OS",
        "msg": "📊 FND → OS : records_updated, count=3",
        "data": {"count": 3, "objects": [["Contact", 2], ["Lead", 1]]},
    }


def test_a_failure_tells_the_code_and_the_objects():
    assert SyncFailed("REQUEST_LIMIT_EXCEEDED", ("Contact", "Lead")).to_json(AT)["data"] == {
        "error": "REQUEST_LIMIT_EXCEEDED",
        "objects": ("Contact", "Lead"),
    }


def test_a_listener_hears_what_it_asked_for():
    bus = Bus()
    heard = []
    bus.on("sync_complete", heard.append)

    bus.emit(SyncStarted(("Contact",)))
    bus.emit(SyncComplete())

    assert heard == [SyncComplete()]


def test_a_listener_for_everything_hears_everything_in_order():
    bus = Bus()
    captured = capture_signals(bus)

    bus.emit(SyncStarted(("Contact",)))
    bus.emit(Progress("Contact", 1, 1, 1))
    bus.emit(SyncComplete())

    assert captured.names == ["sync_started", "sync_complete"]
    assert captured.of(Progress) == [Progress("Contact", 1, 1, 1)]


def test_a_listener_can_be_ended():
    bus = Bus()
    heard = []
    off = bus.on("sync_complete", heard.append)
    bus.emit(SyncComplete())

    off()
    off()
    bus.emit(SyncComplete())

    assert len(heard) == 1


def test_ending_one_listener_leaves_its_twin():
    bus = Bus()
    heard = []
    first = bus.on("sync_complete", heard.append)
    bus.on("sync_complete", heard.append)

    first()
    bus.emit(SyncComplete())

    assert len(heard) == 1


def test_a_listener_that_fails_is_logged_and_the_others_hear(caplog):
    bus = Bus()
    heard = []

    def broken(signal):
        raise RuntimeError("my fault")

    bus.on("sync_complete", broken)
    bus.on("sync_complete", heard.append)
    with caplog.at_level(logging.ERROR, "salesforce_sync.signals"):
        bus.emit(SyncComplete())

    assert heard == [SyncComplete()]
    assert "my fault" in caplog.text


def test_a_listener_may_listen_and_emit():
    bus = Bus()
    heard = []
    bus.on("sync_started", lambda _: (bus.on("sync_complete", heard.append), bus.emit(SyncComplete())))

    bus.emit(SyncStarted(()))

    assert heard == [SyncComplete()]
