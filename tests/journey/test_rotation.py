"""Refresh tokens that are good once: refreshed by one process for all, durable before they are used."""

import json
import signal
import time

import httpx2
import pytest

from salesforce_sync.storage.vault import Vault
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from tests.plain import PLAIN


@pytest.fixture
def rotating(user, simorg):
    """The command line of somebody whose refresh token the org replaces each time, and the list of what it gave."""
    simorg.clients.first.rotate_refresh_tokens = True
    given, grant = [], simorg.sessions.grant

    def noted(*arguments):
        given.append(grant(*arguments))
        return given[-1]

    simorg.sessions.grant = noted
    (user.folder / ".env").unlink()
    connect(user, simorg)
    given.clear()
    return user, given


def connect(user, simorg):
    token = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    done = user(
        *("connect", "--method", "refresh-token", "--client-id", CLIENT_ID, "--secret-stdin"),
        stdin=f"{token}\n",
        SF_CLIENT_SECRET=CLIENT_SECRET,
    )
    assert done.code == 0


def test_several_programs_at_once_refresh_once(rotating, simorg):
    user, given = rotating
    server = user.start("serve", "--port", "0", "--json")
    came = json.loads(server.stdout.readline())
    simorg.sessions.end_all()

    programs = [user.start("sync", name, "--json") for name in ("Lead", "Contact")]
    daemon = user.start("daemon", "--json", SF_SYNC_OBJECTS="Opportunity")
    header = {"Authorization": f"Bearer {came['token']}"}
    served = httpx2.post(f"{came['url']}/api/sync/Account", headers=header, timeout=120, verify=PLAIN)
    codes = [(each.communicate(timeout=120), each.returncode)[1] for each in programs]
    first = daemon.stdout.readline()
    for each in (daemon, server):
        each.terminate()
        each.communicate(timeout=60)

    assert codes == [0, 0]
    assert served.json()["success"] is True
    assert '"failed"' not in first
    assert len(given) == 1
    simorg.sessions.end_all()
    assert user("sync", "Lead").code == 0  # and what was kept is the one that is good


def test_one_that_is_killed_between_the_answer_and_the_store_has_to_log_in_again(rotating, simorg):
    user, given = rotating
    simorg.sessions.end_all()
    fault = simorg.faults.add(path="/oauth2/token", done=True, delay=20.0)
    killed = user.start("sync", "Lead")
    until = time.monotonic() + 60
    while not given and time.monotonic() < until:
        time.sleep(0.02)

    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    simorg.faults.remove(fault)
    after = user("sync", "Lead")

    assert len(given) == 1  # the org gave a new token, and nobody has it
    assert after.code == 4
    assert "salesforce-sync connect" in after.err
    connect(user, simorg)
    assert user("sync", "Lead").code == 0


def test_a_daemon_whose_login_has_ended_goes_on_with_the_next_one(rotating, simorg):
    """It is a service: who runs `connect` again need not know that it has to be started anew."""
    user, _ = rotating
    running = user.start("daemon", "--json")
    assert json.loads(running.stdout.readline())["state"] == "complete"
    simorg.sessions.kill_family(1)
    assert user("sync", "--daemon", "Lead").code == 0
    refused = json.loads(running.stdout.readline())

    connect(user, simorg)
    assert user("sync", "--daemon", "Lead").code == 0
    taken = json.loads(running.stdout.readline())
    running.terminate()
    running.communicate(timeout=30)

    assert refused["objects"][0]["problem"]["code"] == "INVALID_SESSION_ID"
    assert taken["state"] == "complete"
    assert running.returncode == 0


def test_a_daemon_whose_connection_was_forgotten_does_not_bring_it_back(user, simorg):
    (user.folder / ".env").unlink()
    secret = ("--client-id", CLIENT_ID, "--secret-stdin")
    assert user("connect", "--method", "client-credentials", *secret, stdin=f"{CLIENT_SECRET}\n").code == 0
    running = user.start("daemon", "--json")
    assert json.loads(running.stdout.readline())["state"] == "complete"
    kept = user.folder / "data" / "salesforce.db"

    Vault(kept).forget()
    assert user("sync", "--daemon", "Lead").code == 0
    told = running.stderr.readline()  # nothing was begun, so there is no run to tell of
    running.terminate()
    running.communicate(timeout=30)

    assert "NOT_CONNECTED" in told
    assert not kept.with_name("salesforce.db.connection").exists()
