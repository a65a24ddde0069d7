"""A production org is named and asked for before the first write; nothing else is ever asked about.

The org has the address of a real one: a proxy of our own leads there, with a certificate that these tests trust.
"""

import pytest

from salesforce_sync import SFSync
from tests.real_address import Proxy, certificate

HOST = "acme.my.salesforce.com"


def at(cli, simorg, tmp_path, host):
    """The command line of somebody whose org has this address."""
    pem = certificate(tmp_path, [host])
    proxy = Proxy(pem, int(simorg.url.rsplit(":", 1)[1]))
    (cli.folder / "config.yaml").write_text(f"salesforce:\n  instance_url: https://{host}\nsync:\n  objects: [Lead]\n")
    (cli.folder / ".env").write_text(f"SF_ACCESS_TOKEN={simorg.sessions.open(simorg.user_id).token}\n")
    cli.environment |= {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(pem)}
    return proxy


@pytest.fixture
def production(cli, simorg, tmp_path, organization, monkeypatch):
    """The command line of somebody whose org is a production org, with a lead that was edited."""
    organization(Name="Acme Rockets", IsSandbox=False, OrganizationType="Enterprise Edition")
    proxy = at(cli, simorg, tmp_path, HOST)
    with opened(cli, monkeypatch) as sync:
        assert sync.sync().pushed is None
        edit_a_lead(sync)
    yield cli
    proxy.close()


def opened(cli, monkeypatch, **environment):
    """The same replica in this process, which costs less than a process of its own."""
    for name, value in (cli.environment | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(cli.folder)
    return SFSync()


def edit_a_lead(sync, place=0):
    sync.leads.update(sync.leads.all()[place].id, phone="555-9999")


def edited(simorg):
    return simorg.database.value("SELECT count(*) FROM Lead WHERE Phone = '555-9999'", ())


def test_a_script_without_a_yes_sends_nothing_loses_nothing_and_says_so(production, simorg):
    pushed = production("push")
    synced = production("sync", "--json")

    assert (pushed.code, synced.code) == (7, 3)
    assert "PRODUCTION_UNCONFIRMED" in pushed.err and "Acme Rockets, Enterprise Edition" in pushed.err
    assert "push --yes" in pushed.err
    assert synced.json["objects"][0]["state"] == "complete"
    assert synced.json["pushed"]["problem"]["code"] == "PRODUCTION_UNCONFIRMED"
    assert edited(simorg) == 0
    assert production("status", "--json").json["outbox"] == 1


def test_a_yes_is_remembered_and_stands_in_the_audit_log(production, simorg, monkeypatch):
    assert production("push", "--yes").code == 0
    assert edited(simorg) == 1

    with opened(production, monkeypatch) as sync:
        edit_a_lead(sync, 1)
    later = production("sync")

    assert later.code == 0
    assert edited(simorg) == 2
    allowed = [each for each in production("audit", "show", "--json").json["entries"] if "production" in each["action"]]
    assert "Acme Rockets" in allowed[0]["subject"]


def test_the_setting_says_yes_too(production, simorg, monkeypatch):
    with opened(production, monkeypatch, SF_PRODUCTION_WRITES="true") as sync:
        pushed = sync.push()

    assert pushed.complete
    assert edited(simorg) == 1


def test_connect_says_beforehand_that_edits_will_wait_and_takes_a_yes(production, simorg):
    told = production("connect")
    said = production("connect", "--yes")

    assert (told.code, said.code) == (0, 0)
    assert "Acme Rockets" in told.err and "push --yes" in told.err
    assert said.err == ""
    assert production("push").code == 0
    assert edited(simorg) == 1


@pytest.mark.parametrize(("answer", "code", "sent"), [("y", 0, 1), ("n", 7, 0)])
def test_a_person_is_asked_once(production, simorg, answer, code, sent):
    shown, ended = production.typed(["push"], [("production org", answer)])

    assert ended == code
    assert "Acme Rockets" in shown and HOST in shown
    assert edited(simorg) == sent


def test_a_daemon_goes_on_bringing_and_sends_once_somebody_has_said_yes(production, simorg):
    daemon = production.start("daemon", "--json", SF_SYNC_INTERVAL_MINUTES="1")
    first = daemon.stdout.readline()
    waiting = edited(simorg)
    yes = production("push", "--yes")
    daemon.terminate()
    daemon.communicate(timeout=30)
    told = {(each["action"], each["outcome"]) for each in production("audit", "show", "--json").json["entries"]}

    assert '"PRODUCTION_UNCONFIRMED"' in first
    assert (waiting, yes.code, edited(simorg)) == (0, 0, 1)
    assert {("daemon", "begun"), ("daemon", "done"), ("push", "failed"), ("push", "complete")} <= told


@pytest.mark.parametrize("host", ["acme--uat.sandbox.my.salesforce.com", HOST])
def test_a_sandbox_is_not_asked_about(cli, simorg, tmp_path, host, monkeypatch, organization):
    organization(Name="Acme", IsSandbox=True, OrganizationType="Enterprise Edition")
    proxy = at(cli, simorg, tmp_path, host)
    with opened(cli, monkeypatch) as sync:
        sync.sync()
        edit_a_lead(sync)

        pushed = sync.sync().pushed
    proxy.close()

    assert pushed.complete
    assert edited(simorg) == 1


def test_an_org_on_this_machine_costs_no_call_more(user, simorg, monkeypatch):
    with opened(user, monkeypatch) as sync:
        sync.sync("Lead")
        edit_a_lead(sync)
        before = simorg.usage.counters.copy()

        assert sync.push().complete
    spent = {call: count - before.get(call, 0) for call, count in simorg.usage.counters.items()}

    assert [call for call, count in spent.items() if count and "query" in call] == []
