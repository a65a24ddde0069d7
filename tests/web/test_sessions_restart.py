"""Sessions outlive their server: one that has ended is told as before, one that was running as interrupted."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx2
import pytest

from salesforce_sync.config import Config
from tests.plain import PLAIN
from tests.web.conftest import events_of, settle, start
from tests.web.test_promise import ended
from tests.web.test_sessions_http import statuses, until


@pytest.fixture
def again(tmp_path, simorg):
    """Starts a server over the same files, as often as it is called; the one before has ended."""
    config, running, tokens = settle(tmp_path, simorg.url), [], {}

    def start_one():
        stop()
        running.append(start(config, simorg))
        site = next(running[-1])
        site.tokens.update(tokens)
        client = site.client()
        tokens.update(site.tokens)
        return client

    def stop():
        for each in running:
            next(each, None)
        running.clear()

    yield start_one
    stop()


def test_a_session_that_has_ended_is_told_as_before(again):
    api = again()
    session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]
    before = ended(api, session_id)
    with api.stream("GET", f"/api/sync/{session_id}/events") as stream:
        told = list(events_of(stream))

    api = again()

    assert api.get(f"/api/sync/{session_id}").json() == before
    assert [each["sessionId"] for each in api.get("/api/sync").json()["sessions"]] == [session_id]
    with api.stream("GET", f"/api/sync/{session_id}/events", headers={"Last-Event-ID": str(told[2].id)}) as stream:
        assert list(events_of(stream)) == told[3:]
    at_the_end = {"Last-Event-ID": str(told[-1].id)}
    assert api.get(f"/api/sync/{session_id}/events", headers=at_the_end).status_code == 204
    assert api.post("/api/sync/Contact", json={"sessionId": session_id}).json()["recordCount"] == 40


@contextmanager
def served(folder, number=signal.SIGKILL):
    """A server in a process of its own, which gets this signal in the end."""
    command = [sys.executable, "-m", "salesforce_sync.cli", "serve", "--json", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(number)
        process.wait(20)
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_session_whose_server_has_ended_says_what_was_done_and_what_to_do(tmp_path, simorg, number):
    settle(tmp_path, simorg.url)
    simorg.faults.add(path="/sobjects/Lead/describe", delay=20.0)
    with served(tmp_path, number) as welcome:
        token = welcome["token"]
        api = httpx2.Client(
            base_url=welcome["url"], headers={"Authorization": f"Bearer {token}"}, trust_env=False, verify=PLAIN
        )
        session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]
        until(lambda: statuses(api, session_id) == {"Contact": "synced", "Lead": "syncing"})
        with api.stream("GET", f"/api/sync/{session_id}/events") as stream:
            last = next(each for each in events_of(stream) if each.data.get("status") == "synced")
        kept = Config.load(tmp_path / "config.yaml", environ={}).storage.path
        until(lambda: '"status":"synced"' in kept_of(kept))
        api.close()
    simorg.faults.clear()

    with served(tmp_path) as welcome:
        api = httpx2.Client(
            base_url=welcome["url"], headers={"Authorization": f"Bearer {token}"}, trust_env=False, verify=PLAIN
        )
        after = api.get(f"/api/sync/{session_id}").json()
        with api.stream("GET", f"/api/sync/{session_id}/events", headers={"Last-Event-ID": str(last.id)}) as stream:
            told = list(events_of(stream))
        left = api.get("/api/objects/Lead").json()
        further = api.post("/api/sync/Lead", json={"sessionId": session_id}, timeout=60).json()
        whole = api.get("/api/objects/Lead").json()
        audited = api.get("/api/audit").json()["entries"]
        api.close()

    contact, lead = after["objects"]
    assert (after["state"], after["finished"] is not None) == ("partial", True)
    assert (contact["status"], contact["recordCount"]) == ("synced", 40)
    assert (lead["status"], lead["error"]) == ("error", "INTERRUPTED")
    assert "sync it again" in lead["details"]
    assert [(each.event, each.data.get("error")) for each in told] == [
        *([("progress", None)] * (len(told) - 2)),
        ("progress", "INTERRUPTED"),
        ("session", None),
    ]
    assert all(each.data.get("status") != "synced" for each in told)
    assert min(each.id for each in told) > last.id
    assert (left["status"], left["synced"], left["problem"]["error"]) == ("error", False, "INTERRUPTED")
    assert further["success"] is True
    assert (whole["status"], whole["problem"]) == ("synced", None)
    begun = next(each["number"] for each in audited if each["subject"] == "default/Contact,Lead" and not each["begun"])
    assert [each["outcome"] for each in audited if each["begun"] == begun] == ["interrupted"]


def test_a_stream_that_ends_with_its_server_says_how_each_object_was_left(site, api):
    site.org.faults.add(path="/sobjects/Lead/describe", delay=20.0)
    session_id = api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"]
    until(lambda: statuses(api, session_id) == {"Contact": "synced", "Lead": "syncing"})

    with api.stream("GET", f"/api/sync/{session_id}/events") as stream:
        events = events_of(stream)
        next(events)
        site.running.stop()
        last = list(events)[-1]

    assert last.event == "session"
    left = {each["objectApiName"]: (each["status"], each["error"]) for each in last.data["objects"]}
    assert left == {"Contact": ("synced", None), "Lead": ("error", "INTERRUPTED")}


def kept_of(path):
    """What is kept of sessions in this database."""
    read = "import apsw, sys; print(apsw.Connection(sys.argv[1]).execute('SELECT told FROM _sync_session').fetchall())"
    return subprocess.run([sys.executable, "-c", read, str(path)], check=True, capture_output=True, text=True).stdout
