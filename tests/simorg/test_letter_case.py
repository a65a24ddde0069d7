"""Letter case beyond ASCII: unique keys, upserts, look-ups and duplicate rules fold texts as SOQL does."""

import httpx2
import pytest

from simorg.org import SimOrg
from simorg.results import Failure, Saved

SIGMAS = ("\u03a31-\u03a3", "\u03c31-\u03c2")  # capital, small, and small at the end of a word
PAIRS = [("äpfel", "ÄPFEL"), ("Ñandú", "ñANDÚ"), SIGMAS, ("Привет", "ПРИВЕТ"), ("plain", "PLAIN")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_unique_key_is_the_same_in_any_letter_case(
    org: SimOrg, client: httpx2.Client, first: str, second: str
) -> None:
    record_id = org.add("Account", Name="x", Ext__c=first)
    (again,) = org.create("Account", [{"Name": "y", "Ext__c": second}])
    (upserted,) = org.upsert("Account", "Ext__c", [{"Ext__c": second, "Name": "z"}])
    read = client.get(f"/sobjects/Account/Ext__c/{second}")
    (child,) = org.create("Contact", [{"LastName": "c", "Account": {"Ext__c": second}}])
    found = client.get("/query", params={"q": f"SELECT Id FROM Account WHERE Ext__c = '{second}'"}).json()

    assert isinstance(again, Failure) and again.code == "DUPLICATE_VALUE" and record_id[:15] in again.message
    assert upserted == Saved(record_id)
    assert read.json()["Id"] == record_id
    assert isinstance(child, Saved)
    assert [one["Id"] for one in found["records"]] == [record_id]
    org.remove(record_id)


def test_a_case_sensitive_key_is_not_folded(org: SimOrg) -> None:
    account = org.add("Account", Name="x")
    made = org.create("Widget__c", [{"Account__c": account, "Code__c": code} for code in ("ä", "Ä", "ä")])

    assert [isinstance(one, Saved) for one in made] == [True, True, False]


def test_a_duplicate_rule_folds_too(org: SimOrg) -> None:
    org.rules.add_duplicate_rule("Account", ["Name"])
    org.add("Account", Name="Žluťoučký")
    (second,) = org.create("Account", [{"Name": "ŽLUŤOUČKÝ"}])

    assert isinstance(second, Failure) and second.code == "DUPLICATES_DETECTED"


def test_the_index_for_other_alphabets_is_used(org: SimOrg) -> None:
    from simorg.folding import equals

    plan = org.database.rows(
        f'EXPLAIN QUERY PLAN SELECT "Id" FROM "Account" WHERE {equals(chr(34) + "Ext__c" + chr(34))}', {"folded": "ä"}
    )
    told = " ".join(str(row[-1]) for row in plan)

    assert "_Account_Ext__c_wide" in told and "SCAN" not in told
