"""simple-salesforce, a client that is not ours, against the org."""

from datetime import timedelta

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from simorg.org import SimOrg
from simorg.times import from_ms


def test_it_creates_reads_changes_and_deletes(real: Salesforce, org: SimOrg) -> None:
    made = real.Contact.create({"LastName": "Doe", "FirstName": "Jane", "Email": "jane@real.example"})
    read = real.Contact.get(made["id"])
    changed = real.Contact.update(made["id"], {"Title": "CEO"})
    deleted = real.Contact.delete(made["id"])

    assert made["success"] is True
    assert (read["Name"], read["attributes"]["type"]) == ("Jane Doe", "Contact")
    assert (changed, deleted) == (204, 204)
    assert (org.row(made["id"]) or {})["IsDeleted"] == 1
    with pytest.raises(SalesforceResourceNotFound):
        real.Contact.get(made["id"])


def test_it_upserts_and_reads_by_key(real: Salesforce) -> None:
    codes = [real.Account.upsert("Ext__c/REAL1", {"Name": name}) for name in ("one", "two")]

    assert codes == [201, 200]
    assert real.Account.get_by_custom_id("Ext__c", "REAL1")["Name"] == "two"


def test_it_describes(real: Salesforce) -> None:
    described = real.Widget__c.describe()

    assert described["keyPrefix"] == "a00"
    assert "Account" in {one["name"] for one in real.describe()["sobjects"]}
    assert real.limits()["DailyApiRequests"]["Max"] == 15_000


def test_errors_arrive_as_its_exceptions(real: Salesforce, org: SimOrg) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        real.Contact.create({"FirstName": "x"})
    org.sessions.end_all()
    with pytest.raises(SalesforceExpiredSession):
        real.Contact.metadata()

    assert caught.value.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"


def test_it_sends_collections(real: Salesforce, org: SimOrg) -> None:
    before = org.count("Account")
    records = [{"attributes": {"type": "Account"}, "Name": f"c{number}"} for number in range(200)]
    body = {"allOrNone": True, "records": records}
    results = real.restful("composite/sobjects", method="POST", json=body)
    ids = ",".join(one["id"] for one in results[:3])
    gone = real.restful(f"composite/sobjects?ids={ids}", method="DELETE")

    assert [one["success"] for one in results] == [True] * 200
    assert [one["success"] for one in gone] == [True, True, True]
    assert org.count("Account") == before + 197


def test_it_asks_for_what_changed(real: Salesforce, org: SimOrg) -> None:
    org.clock.advance(600)
    record_id = org.add("Product2", Name="x")
    now = from_ms(org.clock.now_ms())
    changed = real.Product2.updated(now - timedelta(minutes=5), now + timedelta(minutes=5))

    assert changed["ids"] == [record_id]


def test_query_all_reads_every_row_once(real_seeded: Salesforce) -> None:
    rows = real_seeded.query_all("SELECT Id, Name, Account.Name FROM Contact")

    assert rows["totalSize"] == len(rows["records"]) == 1000
    assert len({one["Id"] for one in rows["records"]}) == 1000
    assert rows["done"] is True
