"""What the org's automation changes in other records, in the name of whoever pushes, holds none of its deletions up."""

import pytest

from salesforce_sync import SFSync
from simorg import ids, triggers

SOMEBODY = ids.make("005", 2)


@pytest.fixture
def replica(user, simorg):
    """The command line of somebody who syncs contacts and accounts."""
    user.settle(simorg.url, objects="Contact, Account")
    return user


@pytest.fixture
def acme(simorg, replica):
    """An account with two contacts, whose number the org keeps in it."""
    triggers.count_on_parent(simorg, "Contact", "AccountId", "NumberOfEmployees")
    made = simorg.add("Account", Name="Acme")
    for name in ("Doe", "Roe"):
        simorg.add("Contact", LastName=name, AccountId=made)
    simorg.clock.advance(60)
    assert replica("sync", "Account", "Contact").code == 0
    simorg.clock.advance(60)
    return made


def delete_all(replica, account):
    with SFSync(replica.folder / "config.yaml") as sync:
        for each in list(sync.contacts.search(account_id=account)):
            sync.contacts.delete(each.id)
        sync.accounts.delete(account)


def test_children_and_their_parent_go_in_one_push(replica, simorg, acme):
    delete_all(replica, acme)

    pushed = replica("push", "--json")

    assert (pushed.code, pushed.json["state"]) == (0, "complete")
    assert replica("inbox", "--json").json["items"] == []
    assert simorg.row(acme)["IsDeleted"]
    assert simorg.row(acme)["NumberOfEmployees"] in (0, 1)
    assert replica("sync").code == 0


def test_what_somebody_else_changes_meanwhile_is_asked_about_all_the_same(replica, simorg, acme):
    def also(org, operation, row, old):
        if operation == "delete":
            org.update("Account", [{"Id": acme, "Phone": "555-9999"}], user=SOMEBODY)

    simorg.rules.on_save("Contact", "after", also, frozenset({"delete"}))
    delete_all(replica, acme)

    replica("push")

    (item,) = replica("inbox", "--json").json["items"]
    assert (item["kind"], item["id"]) == ("changed there", acme)
    assert not simorg.row(acme)["IsDeleted"]


@pytest.mark.parametrize("editor", [None, SOMEBODY])
def test_what_was_changed_before_the_push_is_asked_about(replica, simorg, acme, editor):
    simorg.update("Account", [{"Id": acme, "Phone": "555-9999"}], user=editor)
    simorg.clock.advance(60)
    delete_all(replica, acme)

    replica("push")

    (item,) = replica("inbox", "--json").json["items"]
    assert (item["kind"], item["id"]) == ("changed there", acme)


def test_the_dry_run_foretells_the_calls_for_children_and_their_parent(replica, simorg, acme):
    simorg.rules.clear()
    delete_all(replica, acme)

    dry, real = replica("push", "--dry-run", "--json"), replica("push", "--json")

    assert dry.json["api_calls"] == real.json["api_calls"]
    assert real.json["state"] == "complete"


@pytest.fixture
def nut(replica, simorg, acme):
    """The id of an account that was made here with two contacts, and the push's."""
    with SFSync(replica.folder / "config.yaml") as sync:
        made = sync.accounts.create(name="Nut")
        for name in ("Loe", "Poe"):
            sync.contacts.create(last_name=name, account_id=made.id)
        pushed = sync.push()
        there = sync.accounts.get(made.id).id
    simorg.clock.advance(60)
    return there, pushed.push_id


@pytest.mark.parametrize("between", [(), ("sync",)])
def test_a_push_that_made_parent_and_children_is_undone(replica, simorg, nut, between):
    for command in between:
        assert replica(command).code == 0

    undone = replica("undo", nut[1], "--json")

    assert (undone.code, undone.json["state"]) == (0, "complete"), undone
    assert simorg.row(nut[0])["IsDeleted"]
    assert replica("inbox", "--json").json["items"] == []


@pytest.mark.parametrize("between", [(), ("sync",)])
@pytest.mark.parametrize("editor", [None, SOMEBODY])
def test_what_was_changed_after_the_push_is_not_undone(replica, simorg, nut, between, editor):
    simorg.update("Account", [{"Id": nut[0], "Phone": "555-9999"}], user=editor)
    simorg.clock.advance(60)
    for command in between:
        assert replica(command).code == 0

    undone = replica("undo", nut[1], "--json")

    assert undone.json["state"] == "partial", undone
    assert not simorg.row(nut[0])["IsDeleted"]
    assert simorg.row(nut[0])["Phone"] == "555-9999"
