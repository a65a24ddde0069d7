"""Signals on their way out of a running daemon, whatever becomes of those who are to get them; and on their way in."""

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import apsw
import pytest
from standardwebhooks import Webhook

from salesforce_sync import SFSync
from salesforce_sync.errors import StoreBusy
from salesforce_sync.signals import PushComplete, Told
from salesforce_sync.sink_settings import SinkSettings
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.mqtt import Mqtt
from tests.journey.mosquitto import Broker, Listener, wait_until

SECRET, OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def hurried(user, happened, seconds=30):
    """Wait until it has happened, and let no sink rest after its failures meanwhile."""

    def looked():
        if not happened():
            rest_no_more(user)
        return happened()

    wait_until(looked, seconds)


def rest_no_more(user):
    """Let every sink be tried again now."""
    database = apsw.Connection(str(user.folder / "data/salesforce.db"))
    database.set_busy_timeout(5000)
    database.execute("UPDATE _sync_sink SET retry_at = NULL WHERE retry_at IS NOT NULL")
    database.close()


def names_in(path):
    return [json.loads(line)["signal"] for line in path.read_text().splitlines()]


@contextmanager
def running(user, *arguments):
    """The daemon, after its first sync, until the block ends."""
    daemon = user.start("daemon", *arguments)
    for line in daemon.stdout:
        if "complete: " in line:
            break
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.communicate(timeout=10)


def sinks(user, url, *listed):
    """Settings with these sinks."""
    user.settle(url, more="signals:\n  sinks:\n" + "".join(f"    - {json.dumps(each)}\n" for each in listed))


# ── a file ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sync_leaves_its_signals_in_a_file_of_json_lines(user, simorg):
    sinks(user, simorg.url, {"type": "jsonl", "path": "out/signals.jsonl"}, {"type": "log"})
    done = user("sync", "Contact", "-v")

    path = user.folder / "out/signals.jsonl"
    told = [json.loads(line) for line in path.read_text().splitlines()]
    complete = next(each for each in told if each["signal"] == "sync_complete")
    assert [each["signal"] for each in told] == ["sync_started", "records_updated", "sync_complete"]
    assert list(complete) == ["ts", "signal", "from", "to", "msg", "data"]
    assert (complete["from"], complete["to"], complete["msg"]) == ("FND", "OS", "✔️ FND → OS : sync_complete")
    assert complete["data"]["objects"] == [["Contact", simorg.count("Contact")]]
    assert path.stat().st_mode & 0o777 == 0o600
    line = next(line for line in done.err.splitlines() if "sync_complete" in line)
    assert "Z ✔️ FND → OS : sync_complete, object=Contact, records=40, duration=" in line


def test_what_a_killed_daemon_had_not_delivered_is_delivered_by_the_next(user, simorg):
    blocked = user.folder / "out"
    blocked.write_text("no folder")
    sinks(user, simorg.url, {"type": "jsonl", "path": "out/signals.jsonl"})
    with running(user) as daemon:
        daemon.kill()
    blocked.unlink()
    assert user("signals", "sinks", "--json").json["sinks"][0]["failures"] >= 1
    rest_no_more(user)

    user("sync", "Lead")

    assert names_in(blocked / "signals.jsonl")[:3] == ["sync_started", "records_updated", "sync_complete"]


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Receiver(ThreadingHTTPServer):
    """Answers as it is told to, and keeps what it has taken; `tried` counts every request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.delay, self.tried, self.taken = 200, 0.0, 0, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook?k=1"

    @property
    def names(self):
        return [json.loads(body)["signal"] for _, body in self.taken]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tried += 1
        time.sleep(self.server.delay)
        if self.server.status == 200:
            self.server.taken.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made
        made.shutdown()


@pytest.fixture
def hooked(user, simorg, receiver):
    """Somebody whose daemon tells the receiver everything."""
    sinks(user, simorg.url, {"type": "webhook", "name": "ops", "url": receiver.url, "allow_private": True})
    user.environment["SF_WEBHOOK_SECRETS"] = f"ops:{SECRET},ops:{OLD_SECRET}"
    return user


def test_a_webhook_that_fails_for_a_while_gets_everything_in_order_and_delays_no_sync(hooked, receiver):
    receiver.status, receiver.delay = 503, 0.5
    with running(hooked):
        wait_until(lambda: receiver.tried >= 2)
        beside = hooked("sync", "--daemon", "Lead", "--json")
        wait_until(lambda: names_of_runs(hooked) >= 5)
        receiver.status, receiver.delay = 200, 0.0
        hurried(hooked, lambda: receiver.names.count("sync_complete") >= 2)

    assert beside.code == 0
    told = hooked("signals", "list", "--limit", "1000", "--json").json["signals"]
    expected = [each["signal"] for each in told if each["signal"] != "sync_progress"]
    assert receiver.names == expected[: len(receiver.names)]


def names_of_runs(user):
    return user("query", "SELECT count(*) AS runs FROM _sync_run", "--json").json["rows"][0]["runs"]


def test_each_webhook_is_signed_with_both_secrets_while_one_is_replaced(hooked, receiver):
    hooked("sync", "Lead")

    headers, body = receiver.taken[-1]
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(body, headers)["signal"] == "sync_complete"
    ids = [each["webhook-id"] for each, _ in receiver.taken]
    assert len(set(ids)) == len(ids)


def test_what_is_refused_for_good_is_a_dead_letter_and_can_be_sent_again(hooked, receiver):
    receiver.status = 400
    with running(hooked):
        hurried(hooked, lambda: receiver.tried > 5)
        letter = hooked("signals", "dead", "ops", "--json").json["dead"][0]
        receiver.status = 200
        hurried(hooked, lambda: "sync_complete" in receiver.names)
        retried = hooked("signals", "retry", "ops", "--json").json["retried"]
        hurried(hooked, lambda: "sync_started" in receiver.names)

    assert (letter["sink"], letter["signal"]["signal"]) == ("ops", "sync_started")
    assert letter["problem"] == "127.0.0.1 answered 400."
    assert retried == 1
    assert hooked("signals", "dead", "--json").json["dead"] == []


def test_a_redirect_is_not_followed(hooked, receiver):
    receiver.status = 302
    hooked("sync", "Lead")
    sink = hooked("signals", "sinks", "--json").json["sinks"][0]

    assert sink["problem"] == "127.0.0.1 answered 302."


def test_a_private_address_is_not_connected_to_unless_it_is_allowed(user, simorg, receiver):
    url = receiver.url.replace("http://127.0.0.1", "https://localhost")
    sinks(user, simorg.url, {"type": "webhook", "url": url})
    user.environment["SF_WEBHOOK_SECRETS"] = SECRET
    user("sync", "Lead")

    assert "which is not public: allow_private is not set" in user("signals", "sinks").out
    assert receiver.tried == 0


def test_a_webhook_without_a_secret_is_a_mistake_in_the_settings(user, simorg, receiver):
    sinks(user, simorg.url, {"type": "webhook", "url": receiver.url, "allow_private": True})
    done = user("sync", "Lead")

    assert done.code == 2
    assert "SF_WEBHOOK_SECRETS has no secret" in done.err


# ── MQTT ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def broker(tmp_path_factory):
    made = Broker(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def listener(broker):
    made = Listener(broker.port)
    yield made
    made.close()


@pytest.fixture
def meshed(user, simorg, broker):
    """Somebody whose daemon is at the broker."""
    sinks(user, simorg.url, {"type": "mqtt", "host": "127.0.0.1", "port": broker.port})
    return user


def test_signals_come_by_mqtt_and_a_last_will_tells_that_nobody_is_there(meshed, listener):
    with running(meshed) as daemon:
        wait_until(lambda: listener.of("signals/sync_complete"))
        online = listener.retained["status"]
        daemon.kill()
        wait_until(lambda: listener.retained["status"] == "offline")

    assert online == "online"
    assert json.loads(listener.of("signals/sync_complete")[0])["msg"] == "✔️ FND → OS : sync_complete"


def test_a_signal_that_comes_in_forces_a_sync_and_an_unknown_one_is_answered(meshed, listener):
    with running(meshed):
        wait_until(lambda: listener.retained.get("status") == "online")
        listener.say("🔄 OS → FND : sync, object=Lead")
        wait_until(lambda: len(listener.of("signals/sync_complete")) >= 2)
        listener.say("🔥 OS → FND : burn")
        wait_until(lambda: len(listener.of("answers")) >= 2)
    accepted, refused = map(json.loads, listener.of("answers"))

    assert (accepted["accepted"], accepted["msg"]) == (True, "🔄 FND → OS : sync_requested, number=1, objects=Lead")
    assert refused["accepted"] is False
    assert "there is no signal 🔥 burn" in refused["msg"]
    assert json.loads(listener.of("signals/sync_complete")[1])["data"]["objects"][0][0] == "Lead"
    assert listener.retained["status"] == "offline"


def test_a_signal_that_cannot_be_taken_is_answered_and_the_connection_lives(broker, listener, tmp_path):
    settings = SinkSettings("mqtt", "mesh", host="127.0.0.1", port=broker.port)

    def ask(text):
        if text == b"busy":
            raise StoreBusy("Another program has held the database locked for 30 s.")
        raise ZeroDivisionError

    sink = Mqtt(settings, None, Envelope("abc"), ask)
    sink.look()
    wait_until(lambda: listener.retained.get("status") == "online")
    listener.say("busy")
    listener.say("a mistake of ours")
    wait_until(lambda: len(listener.of("answers")) == 2)
    sink.take((Told(1, datetime(2026, 1, 27, tzinfo=UTC), PushComplete(1, 0)),))
    wait_until(lambda: listener.of("signals/push_complete"))
    sink.close()
    busy, mistake = map(json.loads, listener.of("answers"))

    assert (busy["accepted"], busy["signal"]) == (False, "signal_refused")
    assert "has held the database locked" in busy["msg"]
    assert "the log says why" in mistake["msg"]


def test_a_broker_that_was_away_gets_what_happened_meanwhile(meshed, broker, listener):
    with running(meshed):
        wait_until(lambda: listener.of("signals/sync_complete"))
        broker.stop()
        with SFSync(meshed.folder / "config.yaml") as sync:
            sync.sync("Lead")
            sync.sync("Account")
        broker.start()
        hurried(meshed, lambda: len(set(listener.of("signals/sync_complete"))) >= 3, 60)
    told = [json.loads(each)["data"]["objects"] for each in dict.fromkeys(listener.of("signals/sync_complete"))]

    assert [[name for name, _ in each] for each in told[1:]] == [["Lead"], ["Account"]]


# ── functions with a name ────────────────────────────────────────────────────────────────────────────────────────

_LISTENS = """
import sys
from salesforce_sync import SFSync

with SFSync() as sync:
    sync.on("records_updated", lambda signal: print(signal.count, flush=True), name="reports")
    print("listening", flush=True)
    sys.stdin.read()
"""


@contextmanager
def listening(user):
    """A program that listens, from when it does until its standard input ends."""
    command, pipe = [sys.executable, "-c", _LISTENS], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=user.folder, env=user.environment, stdin=pipe, stdout=pipe, text=True
    ) as program:
        assert program.stdout.readline() == "listening\n"
        yield program.stdout
        program.stdin.close()
        program.wait(20)


def test_a_program_hears_what_others_told_while_it_did_not_run(user, simorg):
    user.settle(simorg.url)
    with listening(user) as heard:
        user("sync", "Contact")
        while_it_ran = heard.readline()
    user("sync", "Lead")
    with listening(user) as heard:
        afterwards = heard.readline()

    assert int(while_it_ran) == simorg.count("Contact")
    assert int(afterwards) == simorg.count("Lead")
    (sink,) = user("signals", "sinks", "--json").json["sinks"]
    assert (sink["sink"], sink["failures"]) == ("on:reports", 0)
