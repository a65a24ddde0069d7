"""The simulated org against simple-salesforce, a client that is not ours: queries and Bulk 2.0."""

import csv
import io
from pathlib import Path

import pytest
from simple_salesforce import Salesforce, SalesforceMalformedRequest

from simorg.org import SimOrg
from simorg.server import Server


@pytest.fixture(scope="module")
def org(seeded: Server) -> SimOrg:
    """The seeded org with more contacts than fit one page."""
    seeded.org.create("Contact", [{"LastName": f"more {number}"} for number in range(1_500)])
    return seeded.org


@pytest.fixture
def sf(org: SimOrg, real_seeded: Salesforce) -> Salesforce:
    """simple-salesforce, logged in to that org."""
    return real_seeded


def test_query_all_follows_every_page(sf: Salesforce, org: SimOrg) -> None:
    result = sf.query_all("SELECT Id, LastName, Account.Name FROM Contact")

    assert result["done"] is True
    assert result["totalSize"] == len(result["records"]) == len({row["Id"] for row in result["records"]})
    assert result["totalSize"] == org.database.value('SELECT count(*) FROM Contact WHERE NOT "IsDeleted"') > 2000


def test_query_all_iter_and_deleted_rows(sf: Salesforce, org: SimOrg) -> None:
    org.remove(org.add("Contact", LastName="simple and gone"))

    rows = list(sf.query_all_iter("SELECT Id FROM Contact WHERE LastName = 'simple and gone'", include_deleted=True))

    assert len(rows) == 1
    assert sf.query("SELECT Id FROM Contact WHERE LastName = 'simple and gone'")["totalSize"] == 0


def test_a_bad_query_is_the_client_s_malformed_request(sf: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.query("SELECT Bacon__c FROM Account")

    assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_bulk2_query_gives_the_rows_page_by_page(sf: Salesforce) -> None:
    pages = list(sf.bulk2.Contact.query("SELECT Id, Name, Description FROM Contact", max_records=1000, wait=0))

    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))]
    assert len(pages) == -(-len(rows) // 1000) > 2
    assert len({row["Id"] for row in rows}) == len(rows) == sf.query("SELECT COUNT() FROM Contact")["totalSize"]


def test_bulk2_download_writes_files(sf: Salesforce, tmp_path: Path) -> None:
    found = sf.bulk2.Account.download("SELECT Id, Name FROM Account", path=str(tmp_path), max_records=100_000, wait=0)

    assert sum(one["number_of_records"] for one in found) == sf.query("SELECT COUNT() FROM Account")["totalSize"] > 0
    assert Path(found[0]["file"]).read_text("utf-8").startswith('"Id","Name"\n"001')


def test_bulk2_insert_update_upsert_and_delete(sf: Salesforce) -> None:
    rows = [{"LastName": f"Simple {number}", "Ext__c": f"SS-{number}"} for number in range(3)]
    made = sf.bulk2.Contact.insert(records=rows, wait=0)[0]
    assert (made["numberRecordsProcessed"], made["numberRecordsFailed"]) == (3, 0)
    text = sf.bulk2.Contact.get_successful_records(made["job_id"])
    ids = [row["sf__Id"] for row in csv.DictReader(io.StringIO(text))]

    changed = sf.bulk2.Contact.update(records=[{"Id": one, "Title": "T"} for one in ids], wait=0)[0]
    put = sf.bulk2.Contact.upsert(
        records=[{"Ext__c": "SS-0", "Title": "U"}, {"Ext__c": "SS-9"}], external_id_field="Ext__c", wait=0
    )[0]
    gone = sf.bulk2.Contact.delete(records=[{"Id": one} for one in ids[1:]], wait=0)[0]

    left = sf.query("SELECT Title, Ext__c FROM Contact WHERE Ext__c LIKE 'SS-%'")["records"]
    assert (changed["numberRecordsFailed"], put["numberRecordsFailed"], gone["numberRecordsFailed"]) == (0, 1, 0)
    assert [(row["Title"], row["Ext__c"]) for row in left] == [("U", "SS-0")]
    failed = list(csv.DictReader(io.StringIO(sf.bulk2.Contact.get_failed_records(put["job_id"]))))
    assert failed[0]["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    unprocessed = sf.bulk2.Contact.get_unprocessed_records(put["job_id"])
    assert sorted(unprocessed.strip().split(",")) == ['"Ext__c"', '"Title"']
