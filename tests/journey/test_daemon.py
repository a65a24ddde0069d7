"""The daemon: it syncs, waits, and ends when it is told to."""

import json
import signal
import time

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
    out, err = running.communicate(timeout=3)

    assert "✔️ FND → OS : sync_complete" in told
    assert running.returncode == 0
    assert "Traceback" not in out + err
    assert user("status", "--json").json["objects"]


def test_with_json_each_run_is_one_line(user):
    running = user.start("daemon", "--json")
    first = read_until(running.stdout, "run_id")
    running.terminate()
    running.communicate(timeout=3)

    assert '"state": "complete"' in first


def test_it_goes_on_when_a_run_fails(user, simorg):
    simorg.faults.add(path="/sobjects/Lead/describe", status=500, times=None)
    running = user.start("daemon")
    told = read_until(running.stdout, "partial: ")
    still_there = running.poll() is None
    running.terminate()
    running.communicate(timeout=3)

    assert "❌ FND → OS : sync_failed" in told
    assert still_there


def test_without_credentials_it_does_not_begin(cli):
    done = cli("daemon")

    assert done.code == 4
    assert "NOT_CONNECTED" in done.err


def test_a_second_ctrl_c_cuts_a_sync_at_once_and_the_next_one_ends_it(user, simorg):
    simorg.faults.add(path="/describe", delay=20.0, times=None)
    running = user.start("sync", "Contact")
    while not simorg.sessions._by_token:  # until it has logged in
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    read_until(running.stderr, "Stopping at the next whole page")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=5)
    simorg.faults.clear()

    assert running.returncode == 130
    assert err.splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in err
    again = user("sync", "Contact", "--json")
    assert (again.code, again.json["objects"][0]["inserted"]) == (0, simorg.count("Contact"))


def test_sigterm_lets_a_run_that_has_begun_end(user, simorg):
    simorg.faults.add(path="/sobjects/Lead/describe", delay=1.5)
    running = user.start("daemon", "--json")
    while not simorg.usage.counters:
        time.sleep(0.02)
    running.terminate()
    out, _ = running.communicate(timeout=30)

    assert running.returncode == 0
    assert json.loads(out)["state"] == "complete"


def test_ctrl_c_does_not_wait_for_the_orgs_job_and_the_next_sync_goes_on_with_it(user, simorg):
    simorg.faults.add(path="/query\\?", status=414, times=None)  # so that it goes by Bulk
    simorg.faults.add(job="stuck", path="Contact", times=None)
    for _ in range(2):
        running = user.start("sync", "Contact")
        told = read_until(running.stderr, "waiting for the org's job")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=5)

        assert "Contact: waiting for the org's job, " in told
        assert running.returncode == 130
        assert "Stopping at the next whole page. Ctrl-C again ends it at once." in err
        assert "STOPPED: Contact: Stopped on request." in err
        assert "partial: " in out
    jobs = [calls for what, calls in simorg.usage.counters.items() if what.startswith("POST ") and "jobs/query" in what]
    assert jobs == [1]
