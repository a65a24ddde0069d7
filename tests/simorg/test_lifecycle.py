"""Delete, undelete, purge, merge, lead conversion and late commits."""

import pytest

from simorg.database import Row
from simorg.org import OrgError, SimOrg
from simorg.results import Failure, Saved


def row(org: SimOrg, record_id: str) -> Row:
    found = org.row(record_id)
    assert found is not None
    return found


@pytest.fixture
def family(org: SimOrg) -> dict[str, str]:
    """An account with a contact (goes along), a widget (master-detail), and an account below it (look-up)."""
    account = org.add("Account", Name="Family")
    contact = org.add("Contact", LastName="Member", AccountId=account)
    widget = org.add("Widget__c", Account__c=account, Contact__c=contact)
    below = org.add("Account", Name="Branch", ParentId=account)
    return {"account": account, "contact": contact, "widget": widget, "below": below}


def test_a_delete_flags_the_row_and_moves_only_the_system_stamp(org: SimOrg) -> None:
    record_id = org.add("Account", Name="x")
    before = row(org, record_id)
    org.clock.advance(60)
    org.remove(record_id)
    after = row(org, record_id)

    assert after["IsDeleted"] == 1
    assert int(str(after["SystemModstamp"])) > int(str(before["SystemModstamp"]))
    assert after["LastModifiedDate"] == before["LastModifiedDate"]


def test_master_detail_children_go_along_and_lookups_become_null(org: SimOrg, family: dict[str, str]) -> None:
    before = row(org, family["below"])
    org.clock.advance(60)
    org.remove(family["account"])
    below = row(org, family["below"])

    assert row(org, family["widget"])["IsDeleted"] == 1
    assert (below["IsDeleted"], below["ParentId"]) == (0, None)
    assert below["LastModifiedDate"] == before["LastModifiedDate"]
    assert below["SystemModstamp"] != before["SystemModstamp"]


def test_an_account_takes_along_what_only_its_own_describe_tells_of(org: SimOrg, family: dict[str, str]) -> None:
    account = family["account"]
    deal = org.add("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account)
    contract, asset = org.add("Contract", AccountId=account), org.add("Asset", Name="Pump", AccountId=account)
    order = org.add("Order", AccountId=account, EffectiveDate="2026-12-01", Status="Draft")
    gone = [family["contact"], deal, contract, asset, order]
    org.remove(account)
    after = [row(org, one) for one in gone]
    org.undelete([account])

    assert [(one["IsDeleted"], one["AccountId"]) for one in after] == [(1, account)] * 5
    assert [row(org, one)["IsDeleted"] for one in gone] == [0] * 5


def test_nulled_lookups_may_keep_their_stamp(org: SimOrg, family: dict[str, str]) -> None:
    before = row(org, family["below"])
    org.clock.advance(60)
    org.rules.move_stamp_of_nulled_lookups = False
    org.remove(family["account"])
    org.rules.move_stamp_of_nulled_lookups = True

    assert row(org, family["below"])["SystemModstamp"] == before["SystemModstamp"]


def test_an_undelete_brings_everything_back(org: SimOrg, family: dict[str, str]) -> None:
    org.remove(family["account"])
    org.clock.advance(60)
    (result,) = org.undelete([family["account"]])

    assert isinstance(result, Saved)
    assert [row(org, one)["IsDeleted"] for one in family.values()] == [0, 0, 0, 0]
    assert row(org, family["below"])["ParentId"] == family["account"]
    assert row(org, family["widget"])["Contact__c"] == family["contact"]
    assert row(org, family["account"])["SystemModstamp"] == org.now_stamp()


def test_what_was_deleted_before_its_parent_stays_deleted(org: SimOrg, family: dict[str, str]) -> None:
    org.remove(family["widget"])
    org.remove(family["account"])
    org.undelete([family["account"]])

    assert row(org, family["widget"])["IsDeleted"] == 1


def test_a_living_row_cannot_be_undeleted(org: SimOrg) -> None:
    (result,) = org.undelete([org.add("Account", Name="x")])

    assert isinstance(result, Failure) and result.code == "UNDELETE_FAILED"


def test_a_purge_leaves_nothing(org: SimOrg, family: dict[str, str]) -> None:
    org.remove(family["account"])
    org.purge([family["account"]])

    assert org.row(family["account"]) is None
    assert org.row(family["widget"]) is None
    assert org.row(family["contact"]) is None
    assert org.row(family["below"]) is not None


def test_a_hard_delete_takes_a_living_row(org: SimOrg, family: dict[str, str]) -> None:
    org.purge([family["account"]])

    assert org.row(family["account"]) is None
    assert row(org, family["below"])["ParentId"] is None


def test_the_bin_is_emptied_after_fifteen_days(org: SimOrg) -> None:
    record_id = org.add("Account", Name="x")
    org.remove(record_id)
    org.clock.advance(14 * 86_400)
    kept = org.row(record_id)
    org.clock.advance(2 * 86_400)

    assert kept is not None
    assert org.row(record_id) is None


def test_users_cannot_be_deleted(org: SimOrg) -> None:
    (result,) = org.delete(["0055e0000000002AAA"])

    assert isinstance(result, Failure) and result.code == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_a_merge_deletes_the_losers_and_moves_their_children(org: SimOrg) -> None:
    master, loser = (org.add("Account", Name=name) for name in ("master", "loser"))
    contact = org.add("Contact", LastName="x", AccountId=loser)
    widget = org.add("Widget__c", Account__c=loser)
    result = org.merge(master, [loser], {"Phone": "1"})

    assert result == Saved(master)
    assert (row(org, loser)["IsDeleted"], row(org, loser)["MasterRecordId"]) == (1, master)
    assert row(org, contact)["AccountId"] == row(org, widget)["Account__c"] == master
    assert row(org, master)["Phone"] == "1"


def test_merges_have_limits(org: SimOrg) -> None:
    account, contact = org.add("Account", Name="x"), org.add("Contact", LastName="x")
    wrong = [org.merge(account, []), org.merge(account, [account]), org.merge(account, [contact])]

    assert [type(one) for one in wrong] == [Failure, Failure, Failure]
    assert isinstance(org.merge(org.add("Product2", Name="x"), [org.add("Product2", Name="y")]), Failure)


def test_a_converted_lead_points_to_what_it_became_and_is_closed(org: SimOrg) -> None:
    lead = org.add("Lead", LastName="Doe", FirstName="Jane", Company="Acme", Email="jane@lead.example")
    made = org.convert_lead(lead, opportunity_name="Deal")
    after = row(org, lead)

    assert (after["IsConverted"], after["Status"]) == (1, "Closed - Converted")
    assert row(org, str(made["ConvertedContactId"]))["AccountId"] == made["ConvertedAccountId"]
    assert row(org, str(made["ConvertedOpportunityId"]))["Name"] == "Deal"
    with pytest.raises(OrgError, match="CANNOT_UPDATE_CONVERTED_LEAD"):
        org.change(lead, Phone="1")


class TestLateCommits:
    """Rows whose stamp is older than the moment when they can be seen."""

    def test_they_are_invisible_until_then(self, org: SimOrg) -> None:
        org.clock.freeze()
        old = org.add("Account", Name="old")
        with org.late_commit(600):
            new = org.add("Account", Name="new")
            org.change(old, Site="late")
        stamp = org.now_stamp()
        hidden = (org.row(new), row(org, old)["Site"])
        org.clock.advance(599)
        still = org.row(new)
        org.clock.advance(1)

        assert hidden == (None, None)
        assert still is None
        assert row(org, new)["SystemModstamp"] == row(org, old)["SystemModstamp"] == stamp
        assert row(org, old)["Site"] == "late"

    def test_deletes_can_be_late_too(self, org: SimOrg) -> None:
        org.clock.freeze()
        record_id = org.add("Account", Name="x")
        with org.late_commit(60):
            org.remove(record_id)

        assert row(org, record_id)["IsDeleted"] == 0
        org.clock.advance(60)
        assert row(org, record_id)["IsDeleted"] == 1

    def test_an_error_in_the_block_takes_it_all_back(self, org: SimOrg) -> None:
        count = org.count("Account")
        with pytest.raises(OrgError), org.late_commit(1):
            org.add("Account", Name="x")
            org.add("Account")
        org.clock.advance(2)

        assert org.count("Account") == count
