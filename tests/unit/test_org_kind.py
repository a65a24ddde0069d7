"""Which orgs a business runs on, and which are there to try things in."""

import pytest

from salesforce_sync.api.about import kind_without_asking
from salesforce_sync.models.org_kind import OrgFacts, OrgKind, is_salesforces, kind_by_host, kind_by_row


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("acme.my.salesforce.com", None),
        ("login.salesforce.com", None),
        ("na139.salesforce.com", None),
        ("org.example", None),
        ("acme.my.salesforce.com.evil.example", None),
        ("test.salesforce.com", OrgKind.SANDBOX),
        ("cs42.salesforce.com", OrgKind.SANDBOX),
        ("acme--uat.sandbox.my.salesforce.com", OrgKind.SANDBOX),
        ("ACME--UAT.Sandbox.my.salesforce.com", OrgKind.SANDBOX),
        ("acme--uat.my.salesforce.com", OrgKind.SANDBOX),
        ("acme--uat.cs42.my.salesforce.com", OrgKind.SANDBOX),
        ("able-fox-1.scratch.my.salesforce.com", OrgKind.SCRATCH),
        ("acme-dev-ed.develop.my.salesforce.com", OrgKind.DEVELOPER),
        ("acme-dev-ed.my.salesforce.com", OrgKind.DEVELOPER),
        ("able-fox-1.trailblaze.my.salesforce.com", OrgKind.DEVELOPER),
        ("acme.demo.my.salesforce.com", OrgKind.TRIAL),
        ("sandbox.my.salesforce.com", None),
        ("develop.my.salesforce.com", None),
    ],
)
def test_what_an_address_tells(host, kind):
    assert kind_by_host(host) is kind


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80", "https://127.9.9.9"])
def test_an_org_on_this_machine_is_a_simulated_one(url):
    assert kind_without_asking(url) is OrgKind.SIMULATED


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ((False, "Enterprise Edition", None), OrgKind.PRODUCTION),
        ((None, None, None), OrgKind.PRODUCTION),
        ((False, "Unlimited Edition", "2024-02-01T00:00:00.000+0000"), OrgKind.TRIAL),
        ((True, "Enterprise Edition", None), OrgKind.SANDBOX),
        ((True, "Developer Edition", "2024-02-01T00:00:00.000+0000"), OrgKind.SANDBOX),
        ((False, "Developer Edition", None), OrgKind.DEVELOPER),
    ],
)
def test_what_an_org_tells(row, kind):
    assert kind_by_row(*row) is kind


def test_whose_address_it_is():
    assert is_salesforces("acme.my.salesforce.com")
    assert not is_salesforces("acme.my.salesforce.com.evil.example")
    assert not is_salesforces("notsalesforce.com")


def test_an_org_is_named_by_what_it_has_said():
    named = OrgFacts("acme.my.salesforce.com", "00D5e000001N20Q", "Acme", "Enterprise Edition", OrgKind.PRODUCTION)
    silent = OrgFacts("acme.my.salesforce.com", "", "", "", OrgKind.PRODUCTION)

    assert str(named) == "Acme, Enterprise Edition, acme.my.salesforce.com (org 00D5e000001N20Q)"
    assert str(silent) == "acme.my.salesforce.com"
