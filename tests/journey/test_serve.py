"""`serve`: a person starts it, is let in by what it prints, and ends it."""

import json
import re
import signal
import socket
import subprocess
import time

import httpx2
import pytest

from tests.journey.test_daemon import read_until
from tests.plain import PLAIN


def started(user, *options):
    """The server, once it answers, and what it has said by then."""
    running = user.start("serve", "--port", "0", *options)
    told = read_until(running.stdout, "curl" if "--json" not in options else "url")
    return running, told


def end(running, number=signal.SIGTERM):
    """End it; gives the seconds that it took, and what it said meanwhile."""
    began = time.monotonic()
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    return time.monotonic() - began, out + err


def test_the_printed_command_works_as_it_stands(user, simorg):
    running, told = started(user)
    curl = next(line.strip() for line in told.splitlines() if line.strip().startswith("curl"))

    done = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=60)

    answer = json.loads(done.stdout)
    assert (answer["success"], answer["recordCount"]) == (True, simorg.count("Contact"))
    seconds, said = end(running)
    assert running.returncode == 0
    assert (seconds < 3, said) == (True, "")


def test_the_first_start_tells_how_to_come_in_and_the_second_does_not(user):
    running, told = started(user, "--json")
    first = json.loads(told)
    end(running)

    running, told = started(user, "--json")
    second = json.loads(told)
    with httpx2.Client(base_url=second["url"], trust_env=False, verify=PLAIN) as client:
        known = client.get("/api/me", headers={"Authorization": f"Bearer {first['token']}"})
        link = client.post("/api/login", json={"token": first["link"].partition("#")[2]})
        again = client.post("/api/login", json={"token": first["link"].partition("#")[2]})
        log = client.get("/api/audit", headers={"Authorization": f"Bearer {first['token']}"}).json()["entries"]
    end(running, signal.SIGINT)

    made = next(each for each in reversed(log) if each["outcome"] == "done")
    assert (made["action"], made["subject"], made["origin"]) == ("user add", "admin", "cli")
    assert made["who"].startswith("os:")
    assert (second["token"], second["link"]) == (None, None)
    assert known.json()["role"] == "admin"
    assert link.json()["user"] == "admin"
    assert again.status_code == 401


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_three_seconds_with_a_stream_that_is_open_and_a_sync_that_goes_on(user, simorg, number):
    simorg.faults.add(path="/sobjects/Lead/describe", delay=30.0, times=None)
    running, told = started(user, "--json")
    first = json.loads(told)
    headers = {"Authorization": f"Bearer {first['token']}"}
    with httpx2.Client(base_url=first["url"], headers=headers, trust_env=False, timeout=10, verify=PLAIN) as client:
        begun = client.post("/api/sync", json={"objects": ["Lead"]}).json()
        with client.stream("GET", f"/api/sync/{begun['sessionId']}/events") as stream:
            lines = stream.iter_lines()
            next(line for line in lines if "syncing" in line)
            seconds, said = end(running, number)
            rest = list(lines)

    assert seconds < 3
    assert any("INTERRUPTED" in line for line in rest)
    assert "Traceback" not in said


def test_what_is_no_certificate_is_named(user):
    file = user.folder / "server.pem"
    file.write_text("not PEM\n", encoding="ascii")

    done = user("serve", "--port", "0", "--tls-cert", str(file), "--tls-key", str(file))

    assert done.code == 2
    assert "CONFIG_ERROR" in done.err and str(file) in done.err


def test_bodies_that_are_still_coming_do_not_keep_it_and_are_no_error(user):
    running, told = started(user, "--json")
    first = json.loads(told)
    host, port = first["url"].removeprefix("http://").split(":")
    request = (
        f"POST /api/sync HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {first['token']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    slow = [socket.create_connection((host, int(port)), timeout=10) for _ in range(3)]
    for each in slow:
        each.sendall(request.encode())
    time.sleep(0.5)

    seconds, said = end(running, signal.SIGTERM)
    for each in slow:
        each.close()

    assert seconds < 3
    assert "Traceback" not in said


def test_without_tls_it_does_not_listen_for_other_machines(user):
    done = user("serve", "--host", "0.0.0.0", "--port", "0")

    assert done.code == 2
    assert "--tls-cert" in done.err


def test_an_address_that_is_taken_is_told(user):
    running, told = started(user)
    port = re.search(r":(\d+)", told).group(1)

    done = user("serve", "--port", port)
    end(running)

    assert done.code == 1
    assert f"127.0.0.1:{port}" in done.err
