"""A database is a replica of one org."""

import json
import time

import pytest

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.storage.vault import Vault
from salesforce_sync.testing import FrozenClock
from simorg.id_tokens import give_jwts
from simorg.org import SimOrg
from tests.journey.test_daemon import read_until


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


OTHER = "00D000000000002AAA"
HERS = "Of another org"


@pytest.fixture
def edited(simorg, cli):
    """A replica with an edit; its login gives tokens that do not begin with the org's id."""
    give_jwts(simorg)
    cli.settle(simorg.url, objects="Contact")
    assert cli("sync").code == 0
    assert cli("new", "Contact", "LastName=Roe").code == 0
    return cli


def refreshed(simorg):
    simorg.refresh_sandbox(OTHER)
    simorg.create("Contact", [{"LastName": HERS}])


def mixed(simorg, cli):
    """What of one org is in the other one's place."""
    here = cli("query", f"SELECT Id FROM Contact WHERE LastName = '{HERS}'", "--json").json["rows"]
    return here, list(simorg.db.execute("SELECT Id FROM Contact WHERE LastName = 'Roe'"))


@pytest.mark.parametrize("command", ["sync", "push", "verify"])
def test_another_org_is_noticed_where_its_tokens_do_not_name_it(simorg, edited, command):
    refreshed(simorg)

    for _ in range(2):
        ran = edited(command, "--json")

        assert ran.code == 2, ran.out
        assert "WRONG_ORG" in ran.out
        assert OTHER[:15] in ran.out
    assert mixed(simorg, edited) == ([], [])


def test_the_org_is_known_from_the_first_login_on(simorg, edited):
    store = SqliteStore(edited.folder / "data" / "salesforce.db", FrozenClock())

    assert store.org() == (simorg.org_id[:15], simorg.url)
    store.close()


def test_another_org_is_not_met_by_a_run_that_could_not_ask_before(simorg, edited):
    """No session is kept, and the login works only once the run has begun."""
    refreshed(simorg)
    vault = Vault(edited.folder / "data" / "salesforce.db")
    vault.save_session(None)
    simorg.faults.add(path="/oauth2/token", status=503, times=5)

    ran = edited("sync", "--json")

    assert "WRONG_ORG" in ran.out
    assert mixed(simorg, edited) == ([], [])


def test_a_daemon_whose_org_becomes_another_one_says_so_and_takes_nothing_of_it(simorg, edited):
    running = edited.start("daemon")
    read_until(running.stdout, "complete: ")
    before = edited("query", "SELECT count(*) AS n FROM Contact", "--json").json
    refreshed(simorg)

    some = edited("query", "SELECT Id FROM Contact WHERE Id LIKE '003%' LIMIT 1", "--json").json["rows"][0]
    assert edited("edit", "Contact", some["Id"], "Phone=1").code == 0
    until = time.monotonic() + 30
    while "WRONG_ORG" not in str(edited("status", "--json").json) and time.monotonic() < until:
        time.sleep(0.2)
    told = edited("status", "--json").json
    running.terminate()
    running.communicate(timeout=20)

    assert "WRONG_ORG" in str(told)
    assert mixed(simorg, edited)[0] == []
    assert edited("query", "SELECT count(*) AS n FROM Contact", "--json").json == before
    assert told["outbox"] == 1
    assert list(simorg.db.execute("SELECT Id FROM Contact WHERE Phone = '1'")) == []
