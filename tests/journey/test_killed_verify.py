"""A verify that is killed in the middle of its pages: the next one reads on, and its Bulk job is not paid for twice."""

import signal
import subprocess
import sys
import time

import apsw
import pytest

FEW = """
from salesforce_sync.cli import main
from salesforce_sync.api.route import Route
from tests.torture.pace import paced

choose = lambda probe: Route.BULK if probe.total > 20 else Route.REST
with paced(("salesforce_sync.api.route", "choose", choose), ("salesforce_sync.api.bulk", "RESULT_PAGE_ROWS", 2)):
    main()
"""
"""The command line, to which few rows are many: they come by Bulk, and a listing has eight of them on a result page."""


@pytest.fixture
def many(user, simorg):
    """Somebody who has the org's forty contacts here."""
    user.settle(simorg.url, objects="Contact")
    assert user("sync").code == 0
    return user


def start(user, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", FEW, *arguments],
        cwd=user.folder,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds, seconds=60):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def kill_at_a_page(simorg, command, number):
    """Start the command, and kill it while the org sends this page of a Bulk result."""
    fault = simorg.faults.add(path="/results", nth=number, delay=60)
    running = command()
    until(lambda: simorg.faults.happened(fault))
    running.send_signal(signal.SIGKILL)
    running.communicate()
    simorg.faults.remove(fault)


def calls(simorg, method, end):
    return sum(n for name, n in simorg.usage.counters.items() if name.startswith(method) and name.endswith(end))


def proofs(user):
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        return db.execute("SELECT rows, org_rows, repaired FROM _sync_proof").fetchall()


def test_a_killed_verify_reads_on_in_the_next_one(many, simorg):
    kill_at_a_page(simorg, lambda: start(many, "verify"), 3)
    (changed,), (gone,) = simorg.database.rows('SELECT "Id" FROM "Contact" ORDER BY "Id" LIMIT 2', ())
    simorg.change(changed, LastName="Changed")
    simorg.remove(gone)
    simorg.add("Contact", LastName="New")

    running = start(many, "verify", "--json")
    out, err = running.communicate(timeout=60)

    assert running.returncode == 0, (out, err)
    assert calls(simorg, "POST", "/jobs/query") == 1
    assert proofs(many) == [(40, 40, "[]")]
    # The five pages of forty rows, each once; the second once more, if it was not on the disk yet when the kill came.
    assert calls(simorg, "GET", "/results") in (5, 6)


def test_a_killed_daemon_goes_on_with_its_verify(many, simorg):
    many.settle(simorg.url, objects="Contact", more="  refresh_hours: 0\n")
    with apsw.Connection(str(many.folder / "data/salesforce.db")) as db:
        db.execute("UPDATE _sync_run SET started = '2020-01-01T00:00:00.000Z', finished = '2020-01-01T00:00:01.000Z'")
    kill_at_a_page(simorg, lambda: start(many, "daemon"), 4)

    running = start(many, "daemon")
    until(lambda: proofs(many))
    running.terminate()
    running.communicate(timeout=60)

    assert proofs(many) == [(40, 40, "[]")]
    assert calls(simorg, "POST", "/jobs/query") == 1
