"""A command that is killed around a Bulk job: whose id it has heard is gone on with, and no other is made for the rows.

A job whose answer never arrived is the one that is made twice: the org lists its jobs without their queries, so that it
cannot be told from another program's.
"""

import signal
from collections import Counter

import apsw
import pytest

from simorg.bulk_jobs import QUERY, jobs_of
from tests.journey.killing import start, until

MADE = "/jobs/query$"
ONE = "/jobs/query/[^/]+$"
RESULTS = "/results"
DIE = """
import os, signal
from {module} import {thing}

def dying(self, *arguments):
    done = doing(self, *arguments)
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

doing, {thing}.{name} = {thing}.{name}, dying
"""
"""The process dies right after it has done this."""

ASKED = DIE.format(module="salesforce_sync.api.bulk", thing="Bulk", name="create", when="True")
DURABLE = DIE.format(
    module="salesforce_sync.storage.sqlite",
    thing="SqliteStore",
    name="stage",
    when="(arguments[0].resume or '').startswith('bulk:')",
)
WAITED = DIE.format(module="salesforce_sync.api.bulk", thing="Bulk", name="wait", when="True")


@pytest.fixture(params=["sync", "verify"])
def command(request, user, simorg):
    """What brings the org's forty contacts, or lists them."""
    user.settle(simorg.url, objects="Contact")
    if request.param == "verify":
        assert user("sync").code == 0
    return request.param


def jobs(simorg):
    """How many jobs the org has made for each query."""
    made = Counter((each.operation, each.plan.query.text) for each in jobs_of(simorg).listed(QUERY))
    return sorted(made.values())


def killed_at(user, simorg, command, **fault):
    """The command, killed while the org does this."""
    number = simorg.faults.add(**fault, delay=60)
    running = start(user, command)
    until(lambda: simorg.faults.happened(number))
    if fault.get("done"):
        until(lambda: jobs(simorg))
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    running.communicate()
    simorg.faults.remove(number)


def died(user, command, first):
    running = start(user, command, first=first)
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL


def finish(user, command, rows=40):
    running = start(user, command, "--json")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, (out, err)
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        assert db.execute("SELECT count(*) FROM Contact").get == rows
        assert db.execute("SELECT count(*) FROM _sync_proof").get == (command == "verify")


def test_before_the_request_there_is_no_job(user, simorg, command):
    killed_at(user, simorg, command, path="/query\\?" if command == "sync" else "/composite|/query\\?")
    assert jobs(simorg) == []

    finish(user, command)

    assert jobs(simorg) == [1]


@pytest.mark.parametrize("first", [DURABLE, WAITED], ids=["durable", "waited"])
def test_a_job_whose_id_is_durable_is_gone_on_with(user, simorg, command, first):
    died(user, command, first)
    assert jobs(simorg) == [1]

    finish(user, command)

    assert jobs(simorg) == [1]


def test_a_job_that_was_waited_for_is_gone_on_with(user, simorg, command):
    jobs_of(simorg).processing_seconds = 3600
    killed_at(user, simorg, command, path=ONE, nth=3)
    simorg.clock.advance(3600)

    finish(user, command)

    assert jobs(simorg) == [1]


@pytest.mark.parametrize("page", [1, 2, 5])
def test_a_job_is_gone_on_with_in_whatever_page(user, simorg, command, page):
    killed_at(user, simorg, command, path=RESULTS, nth=page)

    finish(user, command)

    assert jobs(simorg) == [1]


def test_a_job_of_changes_is_gone_on_with(user, simorg):
    user.settle(simorg.url, objects="Contact")
    assert user("sync").code == 0
    simorg.clock.advance(3600)
    simorg.create("Contact", [{"LastName": f"Many {number}"} for number in range(220)])  # more than a poll brings
    killed_at(user, simorg, "sync", path=RESULTS, nth=2)

    finish(user, "sync", rows=260)

    assert set(jobs(simorg)) == {1}  # what has changed since is another query


def test_a_job_whose_answer_never_came_is_made_again(user, simorg, command):
    killed_at(user, simorg, command, path=MADE, done=True)

    finish(user, command)

    assert jobs(simorg) == [2]


def test_a_job_whose_answer_was_not_kept_yet_is_made_again(user, simorg, command):
    died(user, command, ASKED)
    assert jobs(simorg) == [1]

    finish(user, command)

    assert jobs(simorg) == [2]
