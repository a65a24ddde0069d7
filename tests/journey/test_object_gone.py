"""An object that the org has no longer, or hides: it is named with what to do, and stops nothing else."""

import pytest


@pytest.fixture
def gone(user, simorg):
    """Somebody who has contacts, accounts and widgets here; the org's widgets are no more, and the settings never named
    them."""
    user.settle(simorg.url, objects="Contact, Account")
    assert user("sync", "Contact", "Account", "Widget__c").code == 0
    simorg.remove_object("Widget__c")
    return user


def test_a_verify_of_all_names_it_with_what_to_do_and_proves_the_rest(gone):
    ran = gone("verify")

    assert ran.code == 3
    assert "Contact 40 = 40, proved" in ran.out
    assert "Account 5 = 5, proved" in ran.out
    assert "OBJECT_NOT_FOUND: Widget__c: Widget__c is not in the org any more, or is hidden" in ran.err
    assert "its 20 rows stay here" in ran.err
    assert "SELECT" not in ran.err


def test_from_then_on_a_verify_of_all_leaves_it_out_and_says_so(gone):
    gone("verify")

    later, status = gone("verify"), gone("status")

    assert later.code == 0
    assert "complete: " in later.out
    for told in (later.err, status.err):
        assert "Warning: Widget__c is not in the org any more, or is hidden" in told
        assert "salesforce-sync sync Widget__c" in told
    assert "Widget__c 20 = 20, proved" not in later.out
    assert "Widget__c" in gone("verify", "--json").json["warnings"][0]


def test_it_is_tried_when_it_is_named(gone):
    gone("verify")

    assert gone("verify", "Widget__c").code == 6


def test_it_is_compared_again_once_it_is_back(user, simorg):
    user.settle(simorg.url, objects="Contact")
    assert user("sync", "Contact", "Lead").code == 0
    assert user("verify").code == 0
    simorg.permissions.deny("Lead", "read")
    assert user("verify").code == 3
    assert "the org knows it no more" in user("status").out
    simorg.permissions.allow("Lead")
    assert user("sync", "Lead").code == 0

    ran = user("verify")

    assert ran.code == 0
    assert "Lead 8 = 8" in ran.out
    assert ran.err.count("Warning") == 0


def test_one_that_the_settings_name_fails_every_day_until_they_do_not(user, simorg):
    user.settle(simorg.url, objects="Contact, Lead")
    assert user("sync").code == 0
    simorg.permissions.deny("Lead", "read")

    for command in ("sync", "verify", "sync", "verify"):
        ran = user(command)
        assert ran.code == 3
        assert "OBJECT_NOT_FOUND: Lead: Lead is not in the org any more, or is hidden" in ran.err
        assert "take it out of sync.objects" in ran.err
    user.settle(simorg.url, objects="Contact")

    assert user("sync").code == 0
    assert user("verify").code == 0
    assert user("query", "SELECT count(*) AS n FROM Lead", "--json").json["rows"] == [{"n": 8}]
