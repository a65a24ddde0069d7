"""An org that answers for an object's rows, and does not describe it: what comes is kept, and no run is complete."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from salesforce_sync.models.run import RunState

REFUSALS = [(500, "UNKNOWN_EXCEPTION"), (403, "INSUFFICIENT_ACCESS"), (404, "NOT_FOUND")]


@pytest.fixture
def sync(synced, clock):
    """A replica whose fields were described an hour ago."""
    clock.advance(timedelta(hours=1))
    return synced


def age(folder):
    """What is known of the fields is an hour old for a command, too."""
    with closing(sqlite3.connect(folder / "data" / "salesforce.db")) as db, db:
        db.execute("UPDATE _sync_object SET described_at = '2024-01-01T00:00:00.000Z'")


def of(run, name="Contact"):
    (record,) = (each for each in run.objects if each.object_name == name)
    return record


def described(simorg):
    return sum(count for name, count in simorg.usage.counters.items() if name.endswith("/describe"))


def refuse(simorg, status=500, code="UNKNOWN_EXCEPTION", name="Contact"):
    simorg.clock.advance(3600)
    simorg.permissions.refuse_describe(name, status, code)
    simorg.usage.counters.clear()


@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_a_run_that_does_not_learn_the_fields_is_partial_and_brings_the_rows(sync, simorg, status, code):
    refuse(simorg, status, code)
    simorg.add("Contact", LastName="New")

    tries = 5 if status == 500 else 1
    for calls in (1 + tries, 1):  # the poll's refusal is asked about once
        run = sync.sync()

        assert (run.state, run.calls, described(simorg)) == (RunState.PARTIAL, calls, tries)
        problem = of(run).problem
        assert (of(run).state, problem.code) == (RunState.PARTIAL, "DESCRIBE_REFUSED")
        assert code in problem.message
        assert "Contact" in problem.message
        assert "new and changed fields are not seen" in problem.hint
        assert {each.state for each in run.objects if each is not of(run)} == {RunState.COMPLETE}
    assert sync.contacts.search(last_name="New")
    assert of(run).counts.rows > 0
    assert of(run).came  # so that events do not have it polled again and again


def test_while_the_fields_are_known_well_enough_nothing_is_said(synced, simorg):
    refuse(simorg)

    assert (synced.sync().state, described(simorg)) == (RunState.COMPLETE, 0)


def test_an_org_that_describes_but_not_within_a_composite_call_costs_a_call_an_hour(sync, simorg, clock):
    simorg.clock.advance(3600)
    simorg.permissions.refuse_describe("Contact", 404, "NOT_FOUND", alone=False)
    simorg.usage.counters.clear()

    runs = [sync.sync() for _ in range(2)]
    clock.advance(timedelta(hours=1))
    runs.append(sync.sync())

    assert [(run.state, run.calls) for run in runs] == [(RunState.COMPLETE, calls) for calls in (2, 1, 2)]


def test_the_fields_come_once_the_org_describes_again(sync, simorg, clock):
    refuse(simorg)
    simorg.add_field("Contact", "Colour__c", "string 40")
    simorg.add("Contact", LastName="New", Colour__c="red")
    for _ in range(3):
        clock.advance(timedelta(minutes=15))
        assert sync.sync().state is RunState.PARTIAL
    simorg.permissions.describe_again("Contact")

    assert sync.sync().state is RunState.COMPLETE

    (new,) = sync.contacts.search(last_name="New")
    assert new["Colour__c"] == "red"


def test_many_new_rows_are_brought_by_the_known_fields_and_describe_is_asked_once(sync, simorg, clock):
    refuse(simorg, 403, "INSUFFICIENT_ACCESS")
    simorg.create("Contact", [{"LastName": f"Many {number}"} for number in range(300)])
    clock.advance(timedelta(hours=7))  # and formulas are due, too

    run = sync.sync()

    assert of(run).problem.code == "DESCRIBE_REFUSED"
    assert len(sync.contacts.all()) == 340
    assert described(simorg) == 1


def test_an_object_without_a_stamp_is_read_all_the_same(user, simorg):
    declaration = {"label": "Mark", "plural": "Marks", "prefix": "a0Q", "fields": {"Name": "string 80 name"}}
    simorg.add_object("Mark__c", declaration)
    for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        simorg.permissions.hide_field("Mark__c", name)
    simorg.add("Mark__c", Name="One")
    user("sync", "Mark__c")
    refuse(simorg, 403, "INSUFFICIENT_ACCESS", "Mark__c")
    simorg.add("Mark__c", Name="Two")

    ran = user("sync", "Mark__c")

    assert ran.code == 3
    assert "DESCRIBE_REFUSED: Mark__c" in ran.err
    assert user("query", "--json", "SELECT count(*) AS n FROM Mark__c").json["rows"] == [{"n": 2}]
    assert described(simorg) == 1


@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_without_composite_calls_it_is_the_same(sync, simorg, status, code):
    simorg.faults.add(path="/composite", status=404, body=[{"errorCode": "NOT_FOUND", "message": "no"}], times=None)
    refuse(simorg, status, code)
    simorg.add("Contact", LastName="New")

    runs = [sync.sync() for _ in range(3)]

    assert [of(run).problem.code for run in runs] == ["DESCRIBE_REFUSED"] * 3
    assert {each.state for each in runs[-1].objects if each is not of(runs[-1])} == {RunState.COMPLETE}
    assert sync.contacts.search(last_name="New")
    assert runs[-1].calls <= 8  # two for each of the four


def test_it_is_proved_all_the_same(sync, simorg):
    refuse(simorg)

    run, proofs = sync.verify("Contact")

    assert (run.state, of(run).problem.code) == (RunState.PARTIAL, "DESCRIBE_REFUSED")
    assert [(each.object_name, each.rows) for each in proofs] == [("Contact", 40)]


def test_the_command_line_and_status_say_so(user, simorg):
    user("sync")
    age(user.folder)
    refuse(simorg, 403, "INSUFFICIENT_ACCESS")

    ran = user("sync")

    assert ran.code == 3
    assert ran.err.count("DESCRIBE_REFUSED: Contact: The org does not describe Contact") == 1
    assert "Give the connected user read access" in ran.err
    status = user("status")
    assert "partial: DESCRIBE_REFUSED" in status.out
    assert "The org does not describe Contact" in status.out + status.err
    shown = {each["object"]: each for each in user("status", "--json").json["objects"]}
    assert shown["Contact"]["last_run"]["problem"]["code"] == "DESCRIBE_REFUSED"


def test_an_object_that_is_gone_is_told_as_gone(sync, simorg):
    simorg.permissions.deny("Contact", "read")

    assert of(sync.sync()).problem.code == "OBJECT_NOT_FOUND"
