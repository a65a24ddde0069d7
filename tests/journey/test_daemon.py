"""The daemon: it syncs, waits, and ends when it is told to."""

import signal

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
