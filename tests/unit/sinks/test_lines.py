"""A file of JSON lines, and the forms in which signals go out."""

import json
import logging
import resource
from datetime import UTC, datetime

import pytest

from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError, SinkDown
from salesforce_sync.process.logs import log_as
from salesforce_sync.signals import ChangeRejected, PushComplete, SyncComplete, Told
from salesforce_sync.sinks.build import build
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.inbound import Reply
from salesforce_sync.sinks.lines import JsonLines, LogLines
from salesforce_sync.sinks.signing import secrets_for

AT = datetime(2026, 1, 27, 14, 30, tzinfo=UTC)
PLAIN = Envelope("abc")


def told(number, signal=None):
    return Told(number, AT, signal or PushComplete(number, 0))


def counts(path):
    return [json.loads(line)["data"]["count"] for line in path.read_text().splitlines() if line.endswith("}")]


def test_lines_are_added_to_a_file_that_only_its_owner_reads(tmp_path):
    path = tmp_path / "new/signals.jsonl"
    sink = JsonLines(path, PLAIN, 1_000_000)
    sink.take([told(1), told(2)])
    sink.take([told(3)])

    assert counts(path) == [1, 2, 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_kill_has_cut_spoils_no_other(tmp_path):
    path = tmp_path / "signals.jsonl"
    sink = JsonLines(path, PLAIN, 1_000_000)
    sink.take([told(1)])
    path.write_bytes(path.read_bytes() + b'{"ts": "2026-')
    sink.take([told(2)])

    assert counts(path) == [1, 2]


def test_a_file_that_has_grown_makes_room_for_a_new_one(tmp_path):
    path = tmp_path / "signals.jsonl"
    sink = JsonLines(path, PLAIN, 400)
    for number in range(10):
        sink.take([told(number)])

    older = path.with_name("signals.jsonl.1")
    assert path.stat().st_size + older.stat().st_size < 1200
    assert counts(older) + counts(path) == [6, 7, 8, 9]


def test_a_file_that_cannot_be_written_is_told_and_tried_again(tmp_path):
    (tmp_path / "folder").write_text("no folder")

    with pytest.raises(SinkDown, match="cannot be written"):
        JsonLines(tmp_path / "folder/signals.jsonl", PLAIN, 1000).take([told(1)])


def test_a_disk_that_is_full_for_a_while_leaves_whole_lines_and_each_once(tmp_path):
    path = tmp_path / "signals.jsonl"
    sink = JsonLines(path, PLAIN, 1_000_000)
    sink.take([told(1)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
    try:
        for _ in range(2):
            with pytest.raises(SinkDown):
                sink.take([told(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    sink.take([told(2)])

    assert [json.loads(line)["data"]["count"] for line in path.read_text().splitlines()] == [1, 2]


def test_a_file_that_cannot_be_moved_away_has_nothing_twice(tmp_path):
    path = tmp_path / "signals.jsonl"
    path.with_name("signals.jsonl.1").mkdir()
    sink = JsonLines(path, PLAIN, 100)
    sink.take([told(1)])
    for _ in range(2):
        with pytest.raises(SinkDown):
            sink.take([told(2)])

    assert counts(path) == [1]


def test_a_line_of_the_log_has_the_time_in_front_and_all_details(caplog):
    caplog.set_level(logging.INFO)
    LogLines(PLAIN).take([told(1, SyncComplete((("Contact", 42),), 1.234))])

    assert caplog.messages == [
        "2026-01-27T14:30:00Z ✔️ FND → OS : sync_complete, object=Contact, records=42, duration=1.2s"
    ]


def test_a_log_in_json_has_one_object_a_line():
    handler = logging.StreamHandler()
    root = logging.getLogger()
    before, level = root.handlers[:], logging.getLogger("salesforce_sync").level
    root.handlers[:] = [handler]
    try:
        log_as("json")
        record = logging.LogRecord("x", logging.INFO, "x.py", 1, "run %s\nended", ("a",), None)
        document = json.loads(handler.format(record))
    finally:
        root.handlers[:] = before
        logging.getLogger("salesforce_sync").setLevel(level)

    assert (document["level"], document["logger"], document["message"]) == ("INFO", "x", "run a\nended")


def test_a_cloudevent_has_what_the_specification_asks_for():
    event = json.loads(
        Envelope("abc", "HUB", "MESH", "cloudevents").body(told(7, ChangeRejected("Contact", "003A", "BAD")))
    )

    assert event == {
        "specversion": "1.0",
        "id": "msg_abc_7",
        "source": "/salesforce-sync/abc",
        "type": "salesforce-sync.rejected",
        "time": "2026-01-27T14:30:00Z",
        "datacontenttype": "application/json",
        "subject": "Contact",
        "data": {
            "ts": "2026-01-27T14:30:00Z",
            "signal": "rejected",
            "from": "HUB",
            "to": "MESH",
            "msg": "⛔ HUB → MESH : rejected, object=Contact, id=003A, code=BAD",
            "data": {"object": "Contact", "id": "003A", "code": "BAD"},
        },
    }


GOOD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    ("given", "number"), [(GOOD, 1), (f"{GOOD},{GOOD}", 2), (f"ops:{GOOD}", 1), (f"{GOOD},ops:{GOOD}, ops:{GOOD}", 2)]
)
def test_a_sink_signs_with_its_own_secrets_or_those_of_all(given, number):
    assert len(secrets_for("ops", given)) == number


@pytest.mark.parametrize("given", [None, "", f"other:{GOOD}", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "secret text"])
def test_a_secret_that_is_none_is_refused_and_not_shown(given):
    with pytest.raises(ConfigError, match="SF_WEBHOOK_SECRETS") as refused:
        secrets_for("ops", given)

    assert not given or given.rpartition(":")[2] not in str(refused.value) or given == "whsec_"


def test_a_sink_that_wants_a_signal_that_there_is_not_is_a_mistake_in_the_settings():
    def built(*signals):
        given = [{"type": "log", "signals": list(signals)}]
        return build(Config.load(signals_sinks=given, environ={}), "abc", lambda text: Reply(True, "", ""))

    assert len(built("sync_failed", "*")) == 1
    with pytest.raises(ConfigError, match="log wants sync_fail, and there is no such signal"):
        built("sync_failed", "sync_fail")
