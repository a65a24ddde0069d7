"""What an open transaction keeps from others, and what its end may not do."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from simorg.org import OrgError, SimOrg
from simorg.results import Failure

LOCK = "UNABLE_TO_LOCK_ROW"


@pytest.fixture(autouse=True)
def nothing_stays_open(org: SimOrg) -> Iterator[None]:
    """Let every transaction of a test end before the next test."""
    org.clock.freeze()
    yield
    org.clock.advance(7200)
    org.tick()
    assert org.oldest_open_transaction_ms() is None


def code(act: Callable[[], Any]) -> str:
    with pytest.raises(OrgError) as caught:
        act()
    return caught.value.failure.code


def stored(org: SimOrg, record_id: str) -> dict[str, Any]:
    found = org.row(record_id)
    assert found is not None
    return found


def test_a_touched_row_is_locked_until_the_commit(org: SimOrg, client: httpx2.Client) -> None:
    account = org.add("Account", Name="x")
    with org.late_commit(60):
        org.change(account, Site="late")
    patched = client.patch(f"/sobjects/Account/{account}", json={"Site": "early"})
    deleted = client.delete(f"/sobjects/Account/{account}")
    (purged,) = org.purge([account])
    org.clock.advance(61)

    assert [one.json()[0]["errorCode"] for one in (patched, deleted)] == [LOCK, LOCK]
    assert "unable to obtain exclusive access to this record" in patched.json()[0]["message"]
    assert isinstance(purged, Failure) and purged.code == LOCK
    assert stored(org, account)["Site"] == "late"
    org.change(account, Site="free again")


def test_a_second_transaction_cannot_take_the_same_row(org: SimOrg) -> None:
    account = org.add("Account", Name="x")
    with org.late_commit(60):
        org.change(account, Site="first")
    with org.late_commit(600):
        refused = code(lambda: org.change(account, Site="second"))
    org.clock.advance(601)

    assert refused == LOCK
    assert stored(org, account)["Site"] == "first"


def test_rows_that_others_drag_along_are_locked_too(org: SimOrg) -> None:
    account, winner = org.add("Account", Name="x"), org.add("Account", Name="w")
    contact = org.add("Contact", LastName="c", AccountId=account)
    with org.late_commit(60):
        org.change(contact, Title="late")
    results = [code(lambda: org.remove(account)), org.merge(winner, [account])]

    assert results[0] == LOCK
    assert isinstance(results[1], Failure) and results[1].code == LOCK
    assert stored(org, account)["IsDeleted"] == 0


@pytest.mark.parametrize(("first", "second"), [("k1", "K1"), ("straße Ä", "STRASSE Ä"), ("ñandú", "ÑANDÚ")])
def test_unique_keys_of_late_rows_are_reserved(org: SimOrg, first: str, second: str) -> None:
    with org.late_commit(60):
        org.add("Account", Name="late", Ext__c=first)
    taken = first.lower() == second.lower()
    codes = []
    for _ in range(2):
        result = org.create("Account", [{"Name": "early", "Ext__c": second}])[0]
        codes.append(result.code if isinstance(result, Failure) else "")
        org.clock.advance(61)
    org.tick()

    assert codes[0] == ("DUPLICATE_VALUE" if taken else "")
    rows = [row[0] for row in org.database.rows('SELECT "Ext__c" FROM "Account" WHERE "IsDeleted" = 0')]
    folded = [one.lower() for one in rows if one]
    assert len(folded) == len(set(folded)) > 0


def test_an_upsert_does_not_make_a_twin_of_a_late_row(org: SimOrg, client: httpx2.Client) -> None:
    with org.late_commit(60):
        org.add("Account", Name="late", Ext__c="twin")
    early = client.patch("/sobjects/Account/Ext__c/twin", json={"Name": "early"})
    org.clock.advance(61)
    later = client.patch("/sobjects/Account/Ext__c/twin", json={"Name": "later"})

    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "DUPLICATE_VALUE")
    assert (later.status_code, later.json()["created"]) == (200, False)


def test_a_row_that_a_late_row_needs_is_not_deleted(org: SimOrg) -> None:
    account = org.add("Account", Name="x")
    with org.late_commit(60):
        contact = org.add("Contact", LastName="late", AccountId=account)
    refused = code(lambda: org.remove(account))
    org.change(account, Site="may change")
    org.clock.advance(61)

    assert refused == LOCK
    assert stored(org, contact)["AccountId"] == account
    assert stored(org, account)["IsDeleted"] == 0


def test_nothing_refers_to_a_row_that_is_on_its_way_out(org: SimOrg) -> None:
    account = org.add("Account", Name="x")
    with org.late_commit(60):
        org.remove(account)
    refused = code(lambda: org.add("Contact", LastName="x", AccountId=account))
    org.clock.advance(61)

    assert refused == LOCK
    assert stored(org, account)["IsDeleted"] == 1


def test_no_stamp_goes_back_at_a_commit(org: SimOrg) -> None:
    account = org.add("Account", Name="x")
    org.clock.advance(5)
    with org.late_commit(60):
        org.change(account, Site="late")
    ahead = org.now_stamp() + 30_000
    org.db.execute('UPDATE "Account" SET "SystemModstamp" = ? WHERE "Id" = ?', (ahead, account))
    org.clock.advance(61)

    assert (stored(org, account)["SystemModstamp"], stored(org, account)["Site"]) == (ahead, "late")


def test_a_deleted_row_is_never_changed_by_a_late_write(org: SimOrg) -> None:
    account = org.add("Account", Name="x", Site="as it was")
    with org.late_commit(60):
        org.change(account, Site="late")
    org.db.execute('UPDATE "Account" SET "IsDeleted" = 1 WHERE "Id" = ?', (account,))
    org.clock.advance(61)

    assert stored(org, account)["Site"] == "as it was"


def test_a_late_transaction_may_delete_and_undelete(org: SimOrg) -> None:
    first, second = org.add("Account", Name="1"), org.add("Account", Name="2")
    org.remove(second)
    with org.late_commit(60):
        org.change(first, Site="last words")
        org.remove(first)
        org.undelete([second])
    org.clock.advance(61)

    assert (stored(org, first)["IsDeleted"], stored(org, first)["Site"]) == (1, "last words")
    assert stored(org, second)["IsDeleted"] == 0


def test_the_bin_is_emptied_around_a_locked_row(org: SimOrg) -> None:
    locked, other = org.add("Account", Name="1"), org.add("Account", Name="2")
    org.remove(locked)
    org.remove(other)
    org.clock.advance(14.9 * 86_400)
    org.sessions.idle_seconds = 10**9
    with org.late_commit(86_400):
        org.undelete([locked])
    org.clock.advance(43_200)
    gone = org.row(other)
    org.clock.advance(43_201)

    assert gone is None
    assert stored(org, locked)["IsDeleted"] == 0


def test_the_schema_of_open_rows_does_not_change(org: SimOrg) -> None:
    org.add_field("Account", "Drift__c", "string 80")
    with org.late_commit(60):
        account = org.add("Account", Name="late", Drift__c="kept")
        inside = code(lambda: org.remove_field("Account", "Drift__c"))
    told = [
        code(lambda: org.remove_field("Account", "Drift__c")),
        code(lambda: org.rename_field("Account", "Drift__c", "Other__c")),
        code(lambda: org.retype_field("Account", "Drift__c", "double 10,2")),
        code(lambda: org.remove_object("Account")),
    ]
    org.add_field("Account", "Flag__c", "boolean default:true")
    org.clock.advance(61)

    assert [inside, *told[:3]] == [LOCK] * 4
    assert told[3] in (LOCK, "DEPENDENCY_EXISTS")
    assert (stored(org, account)["Drift__c"], stored(org, account)["Flag__c"]) == ("kept", 1)


def test_a_row_does_not_come_back_under_a_key_that_was_given_away(org: SimOrg) -> None:
    first = org.add("Account", Name="1", Ext__c="given")
    org.remove(first)
    org.add("Account", Name="2", Ext__c="GIVEN")
    (result,) = org.undelete([first])

    assert isinstance(result, Failure) and result.code == "DUPLICATE_VALUE"
