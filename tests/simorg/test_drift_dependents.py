"""Schema drift where something depends on what changes: nothing else may become unreadable."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from simorg.catalog import SYSTEM_FIELDS
from simorg.org import OrgError, SimOrg
from tests.plain import PLAIN


class Drifting:
    """An org of its own whose schema may change, with a client."""

    def __init__(self, org: SimOrg, client: httpx2.Client) -> None:
        self.org = org
        self.client = client

    def described(self, object_name: str) -> dict[str, Any]:
        answer = self.client.get(f"/sobjects/{object_name}/describe")
        assert answer.status_code == 200
        return dict(answer.json())

    def names(self, object_name: str) -> set[str]:
        return {one["name"] for one in self.described(object_name)["fields"]}

    def field(self, object_name: str, name: str) -> dict[str, Any]:
        return next(one for one in self.described(object_name)["fields"] if one["name"] == name)

    def everything_is_readable(self) -> None:
        listed = [one["name"] for one in self.client.get("/sobjects").json()["sobjects"]]
        assert len(listed) > 10
        known = set(listed)
        every = dict(zip(listed, self.all_of(f"/sobjects/{name}/describe" for name in listed), strict=True))
        fields = {name: [one["name"] for one in described["fields"]] for name, described in every.items()}
        found = self.answers(f"SELECT FIELDS(ALL) FROM {name} LIMIT 200" for name in listed)
        rows = [(name, row["Id"]) for name, each in zip(listed, found, strict=True) for row in each["records"][:2]]
        read = self.all_of(f"/sobjects/{name}/{record_id}" for name, record_id in rows)
        for (name, _), record in zip(rows, read, strict=True):
            assert set(record) == {"attributes", *fields[name]}
        parents = {
            name: [one["relationshipName"] for one in described["fields"] if set(one["referenceTo"]) & known]
            for name, described in every.items()
        }
        self.answers(
            f"SELECT Id, {', '.join(f'{parent}.Id' for parent in names[:50])} FROM {name} LIMIT 5"
            for name, names in parents.items()
            if names
        )
        for name, described in every.items():
            for link in described["childRelationships"]:
                assert link["childSObject"] in known
                child = every[link["childSObject"]]["fields"]
                assert [name in one["referenceTo"] for one in child if one["name"] == link["field"]] == [True]

    def answers(self, queries: Iterable[str]) -> list[Any]:
        return self.all_of((f"/query?q={quote(each, safe='')}" for each in queries), 5)

    def all_of(self, urls: Iterable[str], most: int = 25) -> list[Any]:
        """The bodies of these resources, so many a call. Each has to be there."""
        bodies = []
        for some in batched(urls, most):
            parts = [
                {"method": "GET", "url": f"/services/data/v58.0{url}", "referenceId": f"r{at}"}
                for at, url in enumerate(some)
            ]
            answer = self.client.post("/composite", json={"compositeRequest": parts}).json()["compositeResponse"]
            read = list(zip(some, answer, strict=True))
            refused = [(url, one["body"]) for url, one in read if one["httpStatusCode"] != 200]
            assert refused == []
            bodies += [one["body"] for one in answer]
        return bodies


def batched(urls: Iterable[str], size: int) -> Iterator[list[str]]:
    """The URLs, so many at a time."""
    left = iter(urls)
    while some := list(islice(left, size)):
        yield some


@pytest.fixture
def drifting() -> Iterator[Drifting]:
    """A seeded org whose schema may change."""
    with SimOrg(20, 3) as org, org.serve() as server:
        org.sessions.idle_seconds = 10**9
        token = org.sessions.open(org.user_id).token
        base = f"{server.url}/services/data/v58.0"
        with httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, verify=PLAIN) as client:
            yield Drifting(org, client)


def refusal(act: Any) -> str:
    with pytest.raises(OrgError) as caught:
        act()
    return f"{caught.value.failure.code}: {caught.value.failure.message}"


@pytest.mark.parametrize(
    ("object_name", "field", "user"),
    [
        ("Widget__c", "Price__c", "roll-up Account.Widget_Total__c"),
        ("Widget__c", "Price__c", "formula Widget__c.Double_Price__c"),
        ("Widget__c", "Account__c", "roll-up Account.Widget_Count__c"),
        ("Account", "Industry", "formula Contact.Account_Industry__c"),
        ("OrderItem", "Quantity", "roll-up Order.TotalAmount"),
    ],
)
def test_a_field_in_use_is_not_removed(drifting: Drifting, object_name: str, field: str, user: str) -> None:
    told = refusal(lambda: drifting.org.remove_field(object_name, field))

    assert told.startswith("DEPENDENCY_EXISTS: ") and user in told and "first" in told
    assert field in drifting.names(object_name)
    drifting.everything_is_readable()


def test_a_field_goes_once_nothing_uses_it(drifting: Drifting) -> None:
    org = drifting.org
    for name in ("Double_Price__c", "Is_Costly__c"):
        org.remove_field("Widget__c", name)
    org.remove_field("Account", "Widget_Total__c")
    org.remove_field("Widget__c", "Price__c")

    assert not {"Price__c", "Double_Price__c"} & drifting.names("Widget__c")
    drifting.everything_is_readable()


def test_a_rename_is_followed_by_formulas_and_rollups(drifting: Drifting) -> None:
    org = drifting.org
    account = org.add("Account", Name="Firm", Industry="Energy")
    widget = org.add("Widget__c", Account__c=account, Price__c=1200)
    contact = org.add("Contact", LastName="x", AccountId=account)
    org.rename_field("Widget__c", "Price__c", "Cost__c")
    org.rename_field("Widget__c", "Account__c", "Firm__c")
    org.rename_field("Account", "Industry", "Branch__c")

    row = drifting.client.get(f"/sobjects/Widget__c/{widget}").json()
    assert (row["Double_Price__c"], row["Is_Costly__c"], row["Account_Name__c"]) == (2400.0, True, "Firm")
    assert drifting.client.get(f"/sobjects/Account/{account}").json()["Widget_Total__c"] == 1200.0
    assert drifting.client.get(f"/sobjects/Contact/{contact}").json()["Account_Industry__c"] == "Energy"
    shown = {name: drifting.field("Widget__c", name)["calculatedFormula"] for name in ("Double_Price__c",)}
    assert shown == {"Double_Price__c": "Cost__c * 2"}
    assert drifting.field("Widget__c", "Account_Name__c")["calculatedFormula"] == "Firm__r.Name"
    links = [one for one in drifting.described("Account")["childRelationships"] if one["childSObject"] == "Widget__c"]
    assert [(one["field"], one["relationshipName"]) for one in links] == [("Firm__c", "Widgets__r")]
    drifting.everything_is_readable()


def test_a_renamed_field_keeps_its_rules_numbers_and_permissions(drifting: Drifting) -> None:
    org = drifting.org
    org.add_field("Account", "Serial__c", "string 30 auto:S-{000}")
    account = org.add("Account", Name="x")
    first = (org.row(account) or {})["Serial__c"]
    org.rules.add_validation("Widget__c", "\"Text__c\" = 'bad'", "no", "Text__c")
    org.rules.add_duplicate_rule("Widget__c", ["Text__c"])
    org.permissions.make_read_only("Account", "Site")
    for object_name, name, new in (
        ("Widget__c", "Text__c", "Words__c"),
        ("Account", "Serial__c", "Number__c"),
        ("Account", "Site", "Place__c"),
    ):
        org.rename_field(object_name, name, new)
    org.add("Widget__c", Account__c=account, Words__c="same")

    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in refusal(
        lambda: org.add("Widget__c", Account__c=account, Words__c="bad")
    )
    assert "DUPLICATES_DETECTED" in refusal(lambda: org.add("Widget__c", Account__c=account, Words__c="SAME"))
    assert drifting.field("Account", "Place__c")["updateable"] is False
    assert (first, (org.row(org.add("Account", Name="y")) or {})["Number__c"]) == ("S-001", "S-002")


def test_a_location_comes_moves_and_goes_with_its_parts(drifting: Drifting) -> None:
    org = drifting.org
    parts = {"Place__c", "Place__Latitude__s", "Place__Longitude__s"}
    refused = refusal(lambda: org.remove_field("Widget__c", "Place__Latitude__s"))
    org.rename_field("Widget__c", "Place__c", "Spot__c")
    account = org.add("Account", Name="x")
    widget = org.add("Widget__c", Account__c=account, Spot__Latitude__s=1.5, Spot__Longitude__s=2)
    spot = drifting.client.get(f"/sobjects/Widget__c/{widget}").json()["Spot__c"]
    between = drifting.names("Widget__c")
    drifting.everything_is_readable()
    org.remove_field("Widget__c", "Spot__c")

    assert "Place__c" in refused
    assert spot == {"latitude": 1.5, "longitude": 2.0}
    assert not parts & between and {"Spot__c", "Spot__Latitude__s", "Spot__Longitude__s"} <= between
    assert not any(name.startswith(("Spot", "Place")) for name in drifting.names("Widget__c"))
    drifting.everything_is_readable()


def test_system_fields_stay_as_they_are(drifting: Drifting) -> None:
    org = drifting.org
    told = [
        (name, refusal(act))
        for name in SYSTEM_FIELDS
        for act in (
            lambda name=name: org.remove_field("Account", name),
            lambda name=name: org.rename_field("Account", name, "Other__c"),
            lambda name=name: org.retype_field("Account", name, "string 80"),
        )
    ]

    assert len(told) == 3 * len(SYSTEM_FIELDS) > 0
    assert all(text.startswith(f"INVALID_OPERATION: Account.{name} is a system field") for name, text in told)


def test_whatever_may_be_removed_leaves_an_org_that_works(drifting: Drifting) -> None:
    org = drifting.org
    removed = 0
    for _ in range(3):  # formulas first, then what they used
        for schema in list(org.objects.values()):
            for one in schema.fields:
                try:
                    org.remove_field(schema.name, one.name)
                except (OrgError, LookupError):  # Lookup: it went as a part of another
                    continue
                removed += 1
    account = org.add("Account", Name="x")
    lead = org.add("Lead", LastName="x", Company="y", Status="Working - Contacted")
    org.add("Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-01-01")
    converted = org.convert_lead(lead, None, "deal")
    other = org.add("Account", Name="z")
    org.merge(account, [other])
    org.remove(account)
    org.undelete([account])
    org.purge([account])

    assert removed > 150
    assert org.row(str(converted["ConvertedContactId"])) is not None
    drifting.everything_is_readable()


def test_an_object_goes_with_what_cannot_be_without_it(drifting: Drifting) -> None:
    org = drifting.org
    account = org.add("Account", Name="x")
    widget = org.add("Widget__c", Account__c=account)
    org.remove(account)
    org.remove_object("Widget__c")
    org.undelete([account])

    assert not {"Widget_Count__c", "Widget_Total__c"} & drifting.names("Account")
    assert drifting.client.get("/sobjects/Widget__c/describe").status_code == 404
    assert "Widget__c" not in drifting.client.get("/sobjects/Account/describe").text
    assert org.row(widget) is None
    drifting.everything_is_readable()
    org.clock.advance(40 * 86_400)
    drifting.everything_is_readable()


def test_removing_an_account_object_takes_look_ups_along_or_is_refused(drifting: Drifting) -> None:
    told = refusal(lambda: drifting.org.remove_object("Account"))

    assert "Contact.AccountId is needed by the platform" in told
    drifting.everything_is_readable()


@pytest.mark.parametrize("name", ["User", "Product2", "Pricebook2"])
def test_objects_that_the_platform_needs_stay(drifting: Drifting, name: str) -> None:
    assert refusal(lambda: drifting.org.remove_object(name)).startswith(f"DEPENDENCY_EXISTS: {name} cannot be removed")
    drifting.everything_is_readable()


def test_a_polymorphic_owner_loses_only_the_object_that_went(drifting: Drifting) -> None:
    org = drifting.org
    queue = org.database.value('SELECT "Id" FROM "Group"')
    lead = org.add("Lead", LastName="x", Company="y", OwnerId=queue)
    org.remove_object("Group")

    assert drifting.field("Lead", "OwnerId")["referenceTo"] == ["User"]
    assert (org.row(lead) or {})["OwnerId"] == org.user_id
    drifting.everything_is_readable()


def test_rows_that_fell_with_a_removed_object_s_row_can_still_come_back(drifting: Drifting) -> None:
    org = drifting.org
    fields = {"Name": "string 80 name required", "Top__c": "reference ->Top__c master child:Lower__r"}
    org.add_object(
        "Top__c", {"label": "Top", "plural": "Tops", "prefix": "a02", "fields": {"Name": "string 80 name required"}}
    )
    org.add_object("Lower__c", {"label": "Lower", "plural": "Lowers", "prefix": "a03", "fields": fields})
    top = org.add("Top__c", Name="t")
    lower = org.add("Lower__c", Name="l", Top__c=top)
    org.remove(top)
    org.remove_object("Top__c")
    org.undelete([lower])

    assert (org.row(lower) or {})["IsDeleted"] == 0
    assert "Top__c" not in drifting.names("Lower__c")


def test_a_retype_that_a_formula_could_not_read_is_refused(drifting: Drifting) -> None:
    org = drifting.org
    told = refusal(lambda: org.retype_field("Widget__c", "Price__c", "string 80"))
    org.retype_field("Widget__c", "Price__c", "double 18,4")

    assert "Account.Widget_Total__c" in told
    assert drifting.field("Widget__c", "Price__c")["type"] == "double"
    drifting.everything_is_readable()


def test_a_lookup_that_is_retyped_keeps_describe_consistent(drifting: Drifting) -> None:
    org = drifting.org
    widget = org.add("Widget__c", Account__c=org.add("Account", Name="x"), Contact__c=org.add("Contact", LastName="y"))
    org.retype_field("Widget__c", "Contact__c", "reference ->Account child:Customers__r")
    children = {one["relationshipName"] for one in drifting.described("Account")["childRelationships"]}

    assert (org.row(widget) or {})["Contact__c"] is None
    assert "Customers__r" in children
    drifting.everything_is_readable()


def test_a_rule_keeps_its_field(drifting: Drifting) -> None:
    org = drifting.org
    org.rules.add_validation("Contact", "\"Title\" = 'bad'", "no")
    told = refusal(lambda: org.remove_field("Contact", "Title"))
    org.rules.clear()
    org.remove_field("Contact", "Title")

    assert "validation rule of Contact" in told
    assert org.add("Contact", LastName="x")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Bad__c", {"is": "double 18,2", "sql": '{alias}."Nothing__c" * 2'}),
        ("Bad__c", {"is": "double 18,2", "sql": "SELECT FROM"}),
        ('Bad"; DROP TABLE x', "string 80"),
        ("Bad__c", "strange 80 nonsense:1"),
    ],
)
def test_what_cannot_be_a_field_is_not_added(drifting: Drifting, name: str, line: Any) -> None:
    with pytest.raises((OrgError, ValueError)):
        drifting.org.add_field("Account", name, line)
    drifting.everything_is_readable()


def test_names_that_are_taken_are_refused(drifting: Drifting) -> None:
    org = drifting.org
    told = [
        refusal(lambda: org.add_field("Account", "name", "string 80")),
        refusal(lambda: org.rename_field("Contact", "Title", "Department")),
        refusal(lambda: org.add_field("Contact", "Firm__c", "reference ->Account child:Contacts")),
        refusal(lambda: org.add_object("widget__c", {"label": "W", "plural": "W", "prefix": "a09", "fields": {}})),
    ]

    assert [text.partition(":")[0] for text in told] == ["DUPLICATE_DEVELOPER_NAME"] * 4
    drifting.everything_is_readable()


@pytest.mark.parametrize("drift", ["removed", "retyped"])
def test_a_locator_of_the_old_schema_ends_plainly(drifting: Drifting, drift: str) -> None:
    org = drifting.org
    for number in range(300):
        org.add("Lead", LastName=f"l{number}", Company="x", Title=f"0{number}")
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = drifting.client.get("/query", params={"q": "SELECT Id, Title FROM Lead"}, headers=headers).json()
    org.remove_field("Lead", "Title") if drift == "removed" else org.retype_field("Lead", "Title", "double 10,0")
    answer = drifting.client.get(page["nextRecordsUrl"].removeprefix("/services/data/v58.0"))

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
