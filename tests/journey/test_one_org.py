"""A database is a replica of one org."""

import json

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from simorg.org import SimOrg


def test_another_org_is_not_mixed_into_a_replica(simorg, cli):
    cli.settle(simorg.url, objects="Contact")
    assert cli("sync").code == 0
    store = SqliteStore(cli.folder / "data" / "salesforce.db", FrozenClock())
    recognised = store.org()
    before = store.count("Contact")
    store.remember_org("00D000000000002", "https://sandbox.example")
    store.close()

    ran = cli("sync", "--json")

    assert recognised is not None
    assert recognised[0] == simorg.org_id[:15]
    assert ran.code == 2
    assert json.loads(ran.out)["error"] == "WRONG_ORG"
    assert "00D000000000002" in json.loads(ran.out)["message"]
    assert cli("status", "--json").json["objects"][0]["rows"] == before


def test_edits_are_not_sent_to_an_address_where_another_org_may_be(simorg, cli):
    cli.settle(simorg.url, objects="Contact")
    assert cli("sync").code == 0
    assert cli("new", "Contact", "LastName=Roe").code == 0
    with SimOrg(records=1, seed=8) as other, other.serve():
        cli.settle(other.url, objects="Contact")

    ran = [cli(command, "--json") for command in ("push", "sync")]

    # Not a run that goes on all the same: somebody may answer by then.
    assert [(each.code, each.json["error"]) for each in ran] == [(1, "UNREACHABLE")] * 2
    assert cli("status", "--json").json["outbox"] == 1


def test_a_sandbox_that_was_made_anew_is_noticed_by_the_run_that_meets_it(simorg, cli):
    """Its address and its app are as before, and the kept session names the old org until it is renewed."""
    cli.settle(simorg.url, objects="Contact")
    assert cli("sync").code == 0
    assert cli("new", "Contact", "LastName=Roe").code == 0
    before = cli("query", "SELECT count(*) AS n FROM Contact", "--json").json
    simorg.refresh_sandbox("00D000000000002AAA")
    simorg.create("Contact", [{"LastName": "Of another org"}])

    first = cli("sync", "--json")
    later = [cli(command, "--json") for command in ("sync", "push")]
    doctor = cli("doctor", "--json")

    assert (first.code, first.json["objects"][0]["problem"]["code"]) == (2, "WRONG_ORG")
    assert [(each.code, each.json["error"]) for each in later] == [(2, "WRONG_ORG")] * 2
    assert "00D000000000002" in later[0].json["message"]
    assert [each["check"] for each in doctor.json["checks"] if each["level"] == "fail"] == ["replica"]
    assert cli("query", "SELECT count(*) AS n FROM Contact", "--json").json == before
    assert list(simorg.db.execute("SELECT Id FROM Contact WHERE LastName = 'Roe'")) == []
