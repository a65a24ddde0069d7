"""Versions, describe and limits, as bytes on the wire."""

import httpx2
import pytest

from simorg.org import SimOrg

_FIELD_KEYS = """
aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive
compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate
dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable
filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText
label length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey
precision queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete
restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead
"""
FIELD_KEYS = set(_FIELD_KEYS.split())
_OBJECT_KEYS = """
actionOverrides activateable associateEntityType associateParentEntity childRelationships compactLayoutable
createable custom customSetting dataTranslationEnabled deepCloneable defaultImplementation deletable
deprecatedAndHidden extendedBy extendsInterfaces feedEnabled fields hasSubtypes implementedBy implementsInterfaces
isInterface isSubtype keyPrefix label labelPlural layoutable listviewable lookupLayoutable mergeable mruEnabled name
namedLayoutInfos networkScopeFieldName queryable recordTypeInfos replicateable retrieveable searchLayoutable
searchable sobjectDescribeOption supportedScopes triggerable undeletable updateable urls
"""
OBJECT_KEYS = set(_OBJECT_KEYS.split())
OBJECTS = [
    "User",
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "Product2",
    "Pricebook2",
    "PricebookEntry",
    "LegalEntity",
    "Order",
    "OrderItem",
    "Contract",
    "RecordType",
    "ContentVersion",
    "Widget__c",
]


def fields_of(client: httpx2.Client, name: str) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in client.get(f"/sobjects/{name}/describe").json()["fields"]}


def test_the_version_list_needs_no_login_and_costs_nothing(outside: httpx2.Client, org: SimOrg) -> None:
    answer = outside.get("/services/data/")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert "sforce-limit-info" not in answer.headers
    assert answer.json()[0] == {"label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0"}
    assert {"label": "Summer '23", "url": "/services/data/v58.0", "version": "58.0"} in answer.json()
    assert org.usage.used == 0


def test_a_version_lists_its_resources(client: httpx2.Client, org: SimOrg) -> None:
    body = client.get("/").json()

    assert body["query"] == "/services/data/v58.0/query"
    assert body["identity"] == f"{org.url}/id/{org.org_id}/{org.user_id}"
    assert len(body) > 40


def test_an_unknown_version_is_not_found(client: httpx2.Client, org: SimOrg) -> None:
    answer = client.get(f"{org.url}/services/data/v99.0/sobjects")

    assert answer.status_code == 404
    assert answer.text == '[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]'


def test_global_describe_lists_every_object(client: httpx2.Client) -> None:
    body = client.get("/sobjects").json()

    assert (body["encoding"], body["maxBatchSize"]) == ("UTF-8", 200)
    assert set(OBJECTS) <= {one["name"] for one in body["sobjects"]}
    account = next(one for one in body["sobjects"] if one["name"] == "Account")
    assert account["urls"]["rowTemplate"] == "/services/data/v58.0/sobjects/Account/{ID}"
    assert account["keyPrefix"] == "001"


@pytest.mark.parametrize("name", OBJECTS)
def test_a_describe_has_exactly_salesforces_keys(client: httpx2.Client, name: str) -> None:
    body = client.get(f"/sobjects/{name}/describe").json()

    assert set(body) == OBJECT_KEYS
    assert {frozenset(one) for one in body["fields"]} == {frozenset(FIELD_KEYS)}


def test_the_flags_follow_the_type(client: httpx2.Client) -> None:
    fields = fields_of(client, "Widget__c") | fields_of(client, "Account")

    def flags(name: str) -> str:
        known = {"f": "filterable", "g": "groupable", "s": "sortable", "a": "aggregatable"}
        return "".join(letter for letter, key in known.items() if fields[name][key])

    assert flags("Text__c") == "fgsa"
    assert flags("Day__c") == "fgsa"
    assert flags("Price__c") == flags("Moment__c") == flags("Ratio__c") == "fsa"
    assert flags("Active__c") == "fgs"
    assert flags("Long__c") == flags("Rich__c") == ""
    assert flags("BillingAddress") == "f"
    assert flags("Account__c") == flags("Id") == "fgsa"


def test_sizes_and_soap_types_are_salesforces(client: httpx2.Client) -> None:
    fields = fields_of(client, "Account")

    city = fields["BillingCity"]
    assert (city["length"], city["byteLength"], city["soapType"]) == (40, 120, "xsd:string")
    assert city["compoundFieldName"] == "BillingAddress"
    assert (fields["Id"]["length"], fields["Id"]["byteLength"], fields["Id"]["soapType"]) == (18, 18, "tns:ID")
    assert fields["NumberOfEmployees"]["digits"] == 8
    assert fields["BillingAddress"]["createable"] is False
    assert fields["Name"]["extraTypeInfo"] == "switchablepersonname"


def test_required_means_createable_and_neither_nillable_nor_defaulted(client: httpx2.Client) -> None:
    def required(name: str) -> set[str]:
        return {
            field
            for field, one in fields_of(client, name).items()
            if one["createable"] and not one["nillable"] and not one["defaultedOnCreate"]
        }

    assert required("Account") == {"Name"}
    assert required("Contact") == {"LastName"}
    assert required("Lead") == {"LastName", "Company"}
    assert required("Opportunity") == {"Name", "StageName", "CloseDate"}
    assert required("PricebookEntry") == {"Pricebook2Id", "Product2Id", "UnitPrice"}
    assert required("Widget__c") == {"Account__c"}


def test_relationships_are_told_from_both_sides(client: httpx2.Client) -> None:
    body = client.get("/sobjects/Account/describe").json()
    contacts = next(one for one in body["childRelationships"] if one["relationshipName"] == "Contacts")
    widgets = next(one for one in body["childRelationships"] if one["relationshipName"] == "Widgets__r")

    assert (contacts["childSObject"], contacts["field"]) == ("Contact", "AccountId")
    assert (widgets["cascadeDelete"], fields_of(client, "Widget__c")["Account__c"]["cascadeDelete"]) == (True, True)
    assert fields_of(client, "Lead")["OwnerId"]["referenceTo"] == ["Group", "User"]


def test_only_an_account_tells_what_of_the_standard_objects_goes_with_it(client: httpx2.Client) -> None:
    told = client.get("/sobjects/Account/describe").json()["childRelationships"]
    along = {(one["childSObject"], one["field"]) for one in told if one["cascadeDelete"]}
    standard = {(name, "AccountId") for name in ("Asset", "Contact", "Contract", "Opportunity", "Order")}

    assert along == standard | {("Widget__c", "Account__c")}
    assert [fields_of(client, name)[field]["cascadeDelete"] for name, field in standard] == [False] * 5


def test_record_types_end_with_the_master(client: httpx2.Client) -> None:
    infos = client.get("/sobjects/Account/describe").json()["recordTypeInfos"]

    assert infos[-1]["recordTypeId"] == "012000000000000AAA"
    assert infos[-1]["master"] is True
    assert [one["developerName"] for one in infos] == ["Customer", "Partner", "Master"]


def test_a_describe_that_did_not_change_is_304(client: httpx2.Client, org: SimOrg) -> None:
    stamp = client.get("/sobjects/Account/describe").headers["last-modified"]

    again = client.get("/sobjects/Account/describe", headers={"If-Modified-Since": stamp})
    org.clock.advance(5)
    org.permissions.hide_field("Account", "Site")
    changed = client.get("/sobjects/Account/describe", headers={"If-Modified-Since": stamp})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


def test_an_unknown_object_is_not_found(client: httpx2.Client) -> None:
    answer = client.get("/sobjects/Contakt/describe")

    assert answer.status_code == 404
    assert answer.json() == [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]


def test_limits_tell_the_calls_left(client: httpx2.Client) -> None:
    answer = client.get("/limits")

    assert answer.json()["DailyApiRequests"] == {"Max": 15000, "Remaining": 14999}
    assert answer.headers["sforce-limit-info"] == "api-usage=1/15000"


def test_record_counts_are_by_object(client: httpx2.Client, org: SimOrg) -> None:
    org.add("Product2", Name="One")
    body = client.get("/limits/recordCount?sObjects=Product2,User,Nothing").json()

    assert body == {"sObjects": [{"count": org.count("Product2"), "name": "Product2"}, {"count": 12, "name": "User"}]}


def test_a_retired_version_is_gone(client: httpx2.Client, org: SimOrg) -> None:
    assert client.get(f"{org.url}/services/data/v30.0/sobjects").status_code == 410
