"""An org, or a user, without the Bulk API: REST takes its place, is not looked for each time, and is told."""

import json

import apsw
import pytest

from salesforce_sync.api.route import Route
from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.doctor import Level, examine
from salesforce_sync.models.run import RunState
from tests.journey.killing import start
from tests.torture.pace import _price_of, paced

BULK_ALWAYS = (
    ("salesforce_sync.api.route", "choose", lambda probe: Route.BULK),
    ("salesforce_sync.api.write_route", "_price", _price_of("bulk")),
)
BY_BULK = """
from salesforce_sync.api import write_route
from tests.torture.pace import _price_of

write_route._price = _price_of("bulk")
"""
CODES = ("API_DISABLED_FOR_ORG", "FEATURE_NOT_ENABLED", "FUNCTIONALITY_NOT_ENABLED", "FeatureNotEnabled")


@pytest.fixture
def sync(user):
    with paced(*BULK_ALWAYS), SFSync(Config.load(user.folder / "config.yaml")) as sync:
        yield sync


def tried(simorg, path="/jobs/"):
    return sum(count for name, count in simorg.usage.counters.items() if path in name)


@pytest.mark.parametrize("code", CODES)
def test_all_objects_come_by_rest_after_one_try(sync, simorg, code):
    simorg.permissions.no_bulk = code

    run = sync.sync()

    assert run.state is RunState.COMPLETE
    assert {each.object_name: each.counts.rows for each in run.objects} == {
        name: simorg.count(name) for name in sync.config.sync.objects
    }
    assert tried(simorg) <= 4  # the four objects that come side by side
    assert sync.verify()[0].state is RunState.COMPLETE
    assert tried(simorg) <= 4
    (warning,) = sync.warnings()
    assert "no Bulk jobs" in warning
    assert code in warning


def test_an_object_comes_though_a_session_ends_within_each_result(sync, simorg):
    simorg.permissions.no_bulk = CODES[0]
    simorg.add_field("Contact", "Longer__c", "textarea 32000")  # two long texts make pages of 200 rows
    simorg.create("Contact", [{"LastName": f"Many {number}"} for number in range(700)])
    simorg.faults.add(path="/query/0r8", expire=True, times=None)

    run = sync.sync("Contact")
    _, (proof,) = sync.verify("Contact")

    assert (run.state, run.objects[0].counts.inserted) == (RunState.COMPLETE, simorg.count("Contact"))
    assert (proof.org_rows, proof.repaired) == (simorg.count("Contact"), ())


@pytest.mark.parametrize("code", CODES)
def test_edits_go_by_collections_after_one_try(sync, simorg, code):
    sync.sync("Contact", "Lead")
    simorg.usage.counters.clear()
    simorg.permissions.no_bulk = code
    for each in (*sync.contacts.all(), *sync.leads.all()):
        each.phone = "555"
        (sync.contacts if each.api_name == "Contact" else sync.leads).update(each)

    push = sync.push()

    assert push.complete
    assert push.count("applied") == 40 + simorg.count("Lead")
    assert tried(simorg) == 1
    assert {row[0] for row in simorg.database.rows('SELECT "Phone" FROM "Contact"', ())} == {"555"}


def test_a_job_that_was_begun_before_is_given_up(sync, simorg):
    simorg.faults.add(path="/results", status=403, body="a proxy forbids it")  # which says nothing of the job
    assert sync.sync("Contact").state is not RunState.COMPLETE
    simorg.permissions.no_bulk = CODES[0]

    assert sync.sync("Contact").state is RunState.COMPLETE


def test_where_the_org_gives_no_result_of_a_job_the_rows_come_by_rest(sync, simorg):
    simorg.faults.add(path="/results", status=404, body=[{"errorCode": "NOT_FOUND", "message": "no"}], times=None)

    assert sync.sync("Contact").state is RunState.COMPLETE


def test_the_api_as_a_whole_is_another_matter(sync, simorg):
    simorg.faults.add(path="/query", status=403, body=[{"errorCode": CODES[0], "message": "no API"}], times=None)

    (record,) = sync.sync("Contact").objects

    assert record.problem.code == CODES[0]


def test_the_doctor_says_so(sync, simorg):
    assert {each.check: each for each in examine(sync)}["Bulk API"].level is Level.OK
    simorg.permissions.no_bulk = CODES[0]

    found = {each.check: each for each in examine(sync)}["Bulk API"]

    assert found.level is Level.WARN
    assert CODES[0] in found.found


@pytest.mark.parametrize("command", ["sync", "verify"])
def test_the_command_line_says_so_once(user, simorg, command):
    simorg.permissions.no_bulk = CODES[0]
    simorg.faults.add(method="GET", path=r"/query\?", status=414)

    ran = user(command, "Contact")

    assert ran.code == 0
    assert (ran.out + ran.err).count("no Bulk jobs") == 1
    assert "Give the org's edition or the user's profile the Bulk API" in ran.err


def test_a_push_says_so_once(user, simorg):
    assert user("sync", "Contact").code == 0
    simorg.permissions.no_bulk = CODES[0]
    sql = "UPDATE Contact SET Phone = '555'"
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        db.execute(sql)

    running = start(user, "push", "--json", first=BY_BULK)
    out, err = running.communicate(timeout=60)

    assert (running.returncode, json.loads(out)["applied"]) == (0, 40), err
    assert "no Bulk jobs" not in err
    (warning,) = json.loads(out)["warnings"]
    assert "no Bulk jobs" in warning
