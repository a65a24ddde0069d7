"""The daemon: it syncs, waits, and ends when it is told to."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import apsw
import pytest


def read_until(stream, text):
    """The lines up to and including the first that has `text`; the stream's end ends it too."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_while_it_waits(user, number):
    running = user.start("daemon")
    told = read_until(running.stdout, "complete: ")
    running.send_signal(number)
    out, err = running.communicate(timeout=10)

    # Listeners have a thread of their own: on a busy machine the run's line may come first.
    assert "✔️ FND → OS : sync_complete" in told + out
    assert running.returncode == 0
    assert "Traceback" not in out + err
    assert user("status", "--json").json["objects"]


def test_a_signal_in_the_middle_of_its_start_ends_it_too(user, tmp_path):
    assert user("user", "add", "ada").code == 0
    path = tmp_path / "data/access.db"
    holding = apsw.Connection(str(path))
    holding.execute("BEGIN IMMEDIATE")  # the daemon's first entry in the audit log waits for it
    running = user.start("daemon")
    until = time.monotonic() + 30
    while not _has_open(running.pid, path) and time.monotonic() < until:
        time.sleep(0.01)
    asked_at = time.monotonic()
    running.terminate()
    out, err = running.communicate(timeout=20)
    holding.close()

    assert (running.returncode, out, err) == (0, "", "")
    assert time.monotonic() - asked_at < 3


def _has_open(pid, path):
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for each in os.listdir(folder):
            with suppress(OSError):
                if os.readlink(f"{folder}/{each}") == str(path):
                    return True
    return False


def test_with_json_each_run_is_one_line(user):
    running = user.start("daemon", "--json")
    first = read_until(running.stdout, "run_id")
    running.terminate()
    running.communicate(timeout=10)

    assert '"state": "complete"' in first


def test_it_goes_on_when_a_run_fails(user, simorg):
    simorg.faults.add(path="/sobjects/Lead/describe", status=500, times=None)
    running = user.start("daemon")
    told = read_until(running.stdout, "sync_failed")
    still_there = running.poll() is None
    running.terminate()
    out, _ = running.communicate(timeout=10)

    assert "❌ FND → OS : sync_failed" in told + out
    assert still_there


def test_without_credentials_it_does_not_begin(cli):
    done = cli("daemon")

    assert done.code == 4
    assert "NOT_CONNECTED" in done.err


def test_a_service_that_cannot_begin_says_why_in_its_log_and_in_one_line(cli):
    lines, document = (cli("daemon", "--log-format", form) for form in ("lines", "json"))

    (line,) = lines.err.splitlines()
    told = json.loads(document.err)
    assert (lines.code, document.code, lines.out, document.out) == (4, 4, "", "")
    assert re.fullmatch(r"\S+Z ERROR salesforce_sync.cli: NOT_CONNECTED: .+ run 'salesforce-sync connect'\.", line)
    assert (told["level"], told["message"]) == ("ERROR", line.partition("cli: ")[2])


def test_a_second_ctrl_c_cuts_a_sync_at_once_and_the_next_one_ends_it(user, simorg):
    simorg.faults.add(path="/describe", delay=20.0, times=None)
    running = user.start("sync", "Contact")
    while not simorg.sessions._by_token:  # until it has logged in
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    read_until(running.stderr, "Stopping at the next whole page")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=10)
    simorg.faults.clear()

    assert running.returncode == 130
    assert err.splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in err
    again = user("sync", "Contact", "--json")
    assert (again.code, again.json["objects"][0]["inserted"]) == (0, simorg.count("Contact"))


def test_sigterm_gives_up_what_is_under_way_and_the_next_daemon_goes_on_with_it(user, simorg):
    simorg.faults.add(path="/sobjects/Lead/describe", delay=20.0)
    running = user.start("daemon")
    while not simorg.usage.counters:
        time.sleep(0.02)
    asked_at = time.monotonic()
    running.terminate()
    running.communicate(timeout=10)

    assert running.returncode == 0
    assert time.monotonic() - asked_at < 5.0  # two seconds of grace, and a machine that has other things to do
    again = user("sync", "--json")
    assert (again.code, again.json["state"]) == (0, "complete")
    told = [each["signal"] for each in user("signals", "list", "--json").json["signals"]]
    runs = [each for each in told if each.startswith("sync_") and each != "sync_progress"]
    assert runs == ["sync_started", "sync_failed", "sync_started", "sync_complete"]


def test_a_second_sigterm_ends_it_at_once(user, simorg):
    simorg.faults.add(path="/services/data/", delay=20.0)
    running = user.start("daemon")
    read_until(running.stdout, "Ctrl-C ends it")  # from here on it knows the signal
    while not simorg.usage.counters:
        time.sleep(0.02)
    running.terminate()
    time.sleep(0.3)
    asked_at = time.monotonic()
    running.terminate()
    running.communicate(timeout=10)

    assert running.returncode == 130
    assert time.monotonic() - asked_at < 2.0


def test_what_plain_sql_of_another_process_writes_is_in_the_org_within_seconds(user, simorg):
    running = user.start("daemon")
    read_until(running.stdout, "complete: ")
    contact = first_contact(user)
    waits = []
    for phone in ("555-0001", "555-0002", "555-0003"):
        edited_at = time.monotonic()
        sql = f"UPDATE Contact SET Phone = '{phone}' WHERE Id = '{contact}'"
        subprocess.run([sys.executable, "-c", PLAIN_SQL, str(user.folder / "data/salesforce.db"), sql], check=True)
        wait_until(lambda phone=phone: simorg.row(contact)["Phone"] == phone)
        waits.append(time.monotonic() - edited_at)
    running.terminate()
    running.communicate(timeout=10)

    assert sorted(waits)[1] < 5.0


def test_a_long_pull_of_one_object_keeps_no_edit_of_another_back(user, simorg):
    user("sync")
    user.settle(simorg.url, objects="Contact, Lead, Account, Opportunity, Product2")
    slow = simorg.faults.add(path="Product2", delay=60.0)
    contact = first_contact(user)
    running = user.start("daemon")
    wait_until(lambda: simorg.faults.happened(slow))
    edited_at = time.monotonic()
    user("edit", "Contact", contact, "Phone=555-0009")
    wait_until(lambda: simorg.row(contact)["Phone"] == "555-0009")
    waited = time.monotonic() - edited_at
    doing = user("status", "--json").json["daemon"]["doing"]
    running.terminate()
    running.communicate(timeout=10)

    assert waited < 10.0  # five seconds, and a machine that has other things to do
    assert doing == "syncing Product2"


def first_contact(user):
    return user("query", "SELECT min(Id) AS id FROM Contact", "--json").json["rows"][0]["id"]


def wait_until(happened, seconds=20):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


PLAIN_SQL = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(5000)
connection.execute(sys.argv[2])
"""


def test_one_replica_has_one_daemon_and_the_commands_work_beside_it(user):
    running = user.start("daemon")
    read_until(running.stdout, "complete: ")

    second = user("daemon")
    status = user("status", "--json").json["daemon"]
    beside = user("sync", "Contact", "--json")
    running.terminate()
    running.communicate(timeout=10)

    assert second.code == 1
    assert "RUNS_ALREADY" in second.err
    assert f"process {running.pid} of " in second.err
    assert (status["running"], status["pid"], status["doing"]) == (True, running.pid, "waiting")
    assert set(status["next"]) == {"Contact", "Lead", "Account", "Opportunity"}
    assert beside.code == 0
    assert user("status", "--json").json["daemon"]["running"] is False


def test_a_killed_daemon_is_followed_by_one_that_goes_on_where_it_was(user, simorg):
    running = user.start("daemon")
    read_until(running.stdout, "complete: ")
    running.kill()
    running.communicate(timeout=10)
    contact = first_contact(user)
    user("edit", "Contact", contact, "Phone=555-7777")

    again = user.start("daemon")
    wait_until(lambda: simorg.row(contact)["Phone"] == "555-7777")
    again.terminate()
    out, _ = again.communicate(timeout=10)

    # Every object was synced a moment ago, so only the edit is sent.
    assert "sync_complete" not in out
    runs = user("query", "SELECT count(*) AS runs FROM _sync_run", "--json").json["rows"]
    assert runs == [{"runs": 4}]


def test_a_sync_can_be_asked_of_the_daemon(user):
    nobody = user("sync", "--daemon")
    losing = user("sync", "--daemon", "--accept-loss", "Lead")
    running = user.start("daemon", "--json")
    read_until(running.stdout, "run_id")

    asked = user("sync", "--daemon", "Lead", "--json")
    told = json.loads(read_until(running.stdout, "run_id"))
    running.terminate()
    running.communicate(timeout=10)

    assert nobody.code == 2
    assert "No daemon is running" in nobody.err
    assert (losing.code, "--accept-loss" in losing.err) == (2, True)
    assert asked.json["objects"] == ["Lead"]
    assert [each["object"] for each in told["objects"]] == ["Lead"]


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The socket of a service manager, and what it has been told."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have a hundred characters, and this folder's may be longer
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("notify")
        listener.settimeout(20)
        yield listener


def told_until(manager, wanted):
    told = []
    while not told or not told[-1].startswith(wanted):
        told.append(manager.recv(4096).decode())
    return told


def test_it_tells_the_service_manager_how_it_is(user, manager, tmp_path):
    service = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    running = user.start("daemon", "--log-format", "json", **service)
    told = told_until(manager, "STATUS=waiting")
    told += told_until(manager, "WATCHDOG=1")
    running.terminate()
    told += told_until(manager, "STOPPING=1")
    out, err = running.communicate(timeout=10)

    assert told[0] == "READY=1"
    assert "STATUS=syncing Contact, Lead, Account, Opportunity" in told
    assert running.returncode == 0
    assert out == ""
    runs = [line for line in map(json.loads, err.splitlines()) if line["message"].startswith("run ")]
    assert [(line["level"], line["logger"]) for line in runs] == [("INFO", "salesforce_sync.daemon")]
    assert " complete: Contact " in runs[0]["message"]


def test_a_manager_in_the_abstract_namespace_is_told_too(user):
    name = f"salesforce-sync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(20)
        running = user.start("daemon", NOTIFY_SOCKET=f"@{name}")
        told = manager.recv(4096).decode()
        running.terminate()
        running.communicate(timeout=10)

    assert told == "READY=1"


def test_ctrl_c_does_not_wait_for_the_orgs_job_and_the_next_sync_goes_on_with_it(user, simorg):
    simorg.faults.add(path="/query\\?", status=414, times=None)  # so that it goes by Bulk
    simorg.faults.add(job="stuck", path="Contact", times=None)
    for _ in range(2):
        running = user.start("sync", "Contact")
        told = read_until(running.stderr, "waiting for the org's job")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=10)

        assert "Contact: waiting for the org's job, " in told
        assert running.returncode == 130
        assert "Stopping at the next whole page. Ctrl-C again ends it at once." in err
        assert "STOPPED: Contact: Stopped on request." in err
        assert "partial: " in out
    jobs = [calls for what, calls in simorg.usage.counters.items() if what.startswith("POST ") and "jobs/query" in what]
    assert jobs == [1]


def post(url, token, body):
    request = urllib.request.Request(url, body.encode(), {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_service_that_serves_logs_where(user):
    running = user.start("daemon", "--serve", "--port", "0", "--log-format", "lines")

    told = read_until(running.stderr, "serving at http://127.0.0.1:")
    running.terminate()
    running.communicate(timeout=10)

    assert re.search(r"Z INFO salesforce_sync\S+: serving at http://127\.0\.0\.1:\d+\n$", told)
    assert running.returncode == 0


def test_it_serves_too_and_takes_signals_by_http(user):
    running = user.start("daemon", "--serve", "--port", "0", "--json")
    lines = iter(running.stdout.readline, "")
    told = {}
    while not {"url", "run_id"} <= told.keys():
        told |= json.loads(next(lines))
    signals = f"{told['url']}/api/signals"
    status, taken = post(signals, told["token"], "🔄 OS → FND : sync, object=Lead")
    run = json.loads(next(lines))
    unknown, refused = post(signals, told["token"], '{"signal": "burn"}')
    nobody, _ = post(signals, "wrong", "🔄 OS → FND")
    request = urllib.request.Request(f"{signals}?after=0", headers={"Authorization": f"Bearer {told['token']}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        listed = [each["signal"] for each in json.load(answer)["signals"]]
    stream = urllib.request.Request(f"{signals}/stream?after=0", headers={"Authorization": f"Bearer {told['token']}"})
    with urllib.request.urlopen(stream, timeout=20) as events:
        heard = [line for line in (events.readline().decode() for _ in range(8)) if line.startswith("event: ")]
        asked_at = time.monotonic()
        running.terminate()
        running.communicate(timeout=10)

    assert (status, taken["accepted"], taken["number"]) == (202, True, 1)
    assert [each["object"] for each in run["objects"]] == ["Lead"]
    assert (unknown, refused["error"]) == (400, "UNKNOWN_SIGNAL")
    assert nobody == 401
    assert {"sync_started", "sync_complete", "sync_requested"} <= set(listed)
    assert heard[0] == "event: sync_started\n"
    assert running.returncode == 0
    assert time.monotonic() - asked_at < 5.0  # two seconds of grace, and a machine that has other things to do


def test_a_unit_that_is_only_printed_leaves_nothing_behind(user):
    before = sorted(user.folder.rglob("*"))

    shown = user("service", "install", "--print")

    assert shown.code == 0
    assert sorted(user.folder.rglob("*")) == before


def test_a_service_is_written_for_these_settings(user):
    written = user("service", "install", "--user", "--json")
    shown = user("service", "install", "--user", "--print")
    as_json = user("service", "install", "--user", "--print", "--json")

    path = user.folder / ".config/systemd/user/salesforce-sync.service"
    assert written.json == {"unit": str(path)}
    assert path.read_text() == shown.out
    assert as_json.json == {"unit": str(path), "text": shown.out}
    assert f'"--config" "{user.folder}/config.yaml" "daemon" "--log-format" "lines"' in shown.out


def test_calls_that_another_command_has_found_free_are_used_by_the_daemon(user, simorg):
    running = user.start("daemon", "--json")
    assert json.loads(running.stdout.readline())["state"] == "complete"
    used = simorg.usage.used
    simorg.usage.reset(used=simorg.usage.limit)
    assert user("sync", "--daemon", "Lead").code == 0
    refused = json.loads(running.stdout.readline())
    simorg.usage.reset(used=used)

    assert user("sync", "Contact").code == 0
    assert user("sync", "--daemon", "Lead").code == 0
    taken = json.loads(running.stdout.readline())
    waits = user("status", "--json").json["daemon"]["not_before"]
    running.terminate()
    running.communicate(timeout=30)

    assert (refused["state"], refused["objects"][0]["problem"]["code"]) == ("partial", "REQUEST_LIMIT_EXCEEDED")
    assert taken["state"] == "complete"
    assert waits is None
