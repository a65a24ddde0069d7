"""The Revenue Cloud objects: declared, seeded with references that hold, and with the platform's own rules."""

import re
from typing import Any

import httpx2
import pytest

from simorg.catalog import ORDER, read_toml
from simorg.org import SimOrg
from simorg.server import Server
from tests.plain import PLAIN

BEFORE = ORDER[: ORDER.index("TaxEngineProvider")]
REVENUE = ORDER[ORDER.index("TaxEngineProvider") :]
READ_ONLY = ("AssetAction", "AssetActionSource")
# object: what it refers to; `!` marks what a create needs
GRAPH = {
    "TaxPolicy": "DefaultTaxTreatmentId",
    "TaxTreatment": "TaxPolicyId TaxEngineId LegalEntityId ProductId",
    "BillingTreatmentItem": "BillingTreatmentId!",
    "CostBookEntry": "CostBookId! ProductId!",
    "ProductCategory": "CatalogId! ParentCategoryId",
    "ProductClassificationAttr": "ProductClassificationId! AttributeDefinitionId! AttributeCategoryId UnitOfMeasureId "
    "OverriddenInheritedAttributeId",
    "ProductRelatedComponent": "ParentProductId! ChildProductId ChildProductClassificationId "
    "ProductRelationshipTypeId! ProductComponentGroupId ParentSellingModelId ChildSellingModelId UnitOfMeasureId",
    "ProductSellingModelOption": "Product2Id! ProductSellingModelId! ProrationPolicyId",
    "ProductAttributeDefinition": "Product2Id! AttributeDefinitionId! AttributeCategoryId "
    "ProductClassificationAttributeId OverrideContextId OverriddenProductAttributeDefinitionId UnitOfMeasureId",
    "UnitOfMeasureClass": "BaseUnitOfMeasureId DefaultUnitOfMeasureId",
    "AttributeBasedAdjustment": "AttributeBasedAdjRuleId! PriceAdjustmentScheduleId! ProductId! ProductSellingModelId",
    "PriceAdjustmentTier": "PriceAdjustmentScheduleId! Product2Id ProductSellingModelId",
    "Asset": "AccountId ContactId Product2Id AssetProvidedById AssetServicedById LocationId ParentId RootAssetId",
    "AssetActionSource": "AssetActionId ReferenceEntityItemId PricebookEntryId ProductSellingModelId "
    "ProrationPolicyId TaxTreatmentId LegalEntityId",
}
SYSTEM = {"CreatedById", "LastModifiedById", "OwnerId"}


@pytest.mark.parametrize("name", REVENUE)
def test_each_object_can_be_described_and_read(name: str, client: httpx2.Client) -> None:
    told = client.get(f"/sobjects/{name}/describe").json()
    names = ", ".join(one["name"] for one in told["fields"])
    rows = client.get("/query", params={"q": f"SELECT {names} FROM {name}"})

    assert rows.status_code == 200, rows.text
    assert (told["name"], told["custom"], len(told["keyPrefix"])) == (name, False, 3)
    assert told["createable"] is (name not in READ_ONLY)
    assert [one["name"] for one in told["fields"] if one["nameField"]] != []


@pytest.mark.parametrize("name", GRAPH)
def test_the_graph_of_references(name: str, client: httpx2.Client) -> None:
    fields = client.get(f"/sobjects/{name}/describe").json()["fields"]
    found = {
        one["name"] + ("!" if one["createable"] and not one["nillable"] else "")
        for one in fields
        if one["type"] == "reference" and one["name"] not in SYSTEM
    }

    assert found == set(GRAPH[name].split())


def test_prefixes_are_each_objects_own(org: SimOrg) -> None:
    prefixes = [one.key_prefix for one in org.objects.values()]
    known = {"ProductCatalog": "0ZS", "UnitOfMeasure": "0hE", "Asset": "02i", "AssetAction": "4nL", "CostBook": "zr4"}

    assert len(set(prefixes)) == len(prefixes)
    assert {name: org.objects[name].key_prefix for name in known} == known


class TestSeeded:
    """A seeded org has a few rows of each object."""

    def test_every_object_has_rows(self, seeded: Server) -> None:
        counts = {name: seeded.org.count(name) for name in REVENUE}

        assert all(1 <= count <= 5 for count in counts.values()), counts

    def test_every_reference_leads_to_a_row(self, seeded: Server) -> None:
        org, broken = seeded.org, []
        for name in REVENUE:
            schema = org.objects[name]
            for one in (one for one in schema.stored_fields if one.type == "reference"):
                for (target,) in org.database.rows(f'SELECT "{one.name}" FROM "{name}" WHERE "{one.name}" NOT NULL'):
                    parent = org.object_of_id(target)
                    if parent is None or parent.name not in one.reference_to or org.row(target) is None:
                        broken.append((name, one.name, target))

        assert broken == []

    def test_required_fields_and_picklists_hold(self, seeded: Server) -> None:
        org, broken = seeded.org, []
        for name in REVENUE:
            schema = org.objects[name]
            for (record_id,) in org.database.rows(f'SELECT "Id" FROM "{name}"'):
                row = org.row(record_id) or {}
                for one in schema.stored_fields:
                    value, values = row[one.name], {choice.value for choice in one.picklist}
                    if (value is None and not one.nillable) or (
                        one.restricted_picklist and value not in {None, *values}
                    ):
                        broken.append((name, one.name, value))

        assert broken == []

    def test_the_rows_name_only_fields_that_there_are(self, org: SimOrg) -> None:
        known = {name: {one.name for one in schema.stored_fields} for name, schema in org.objects.items()}

        for kind, rows in read_toml("revenue_rows").items():
            for row in rows:
                assert set(row) - {"as"} <= known[kind]

    def test_the_other_objects_are_seeded_as_before(self) -> None:
        with SimOrg(200, 3) as org:
            counts = {name: org.count(name) for name in BEFORE}

        assert counts == {
            "User": 12,
            "Group": 2,
            "Profile": 2,
            "RecordType": 2,
            "Account": 20,
            "Contact": 200,
            "Lead": 40,
            "Opportunity": 40,
            "Product2": 8,
            "Pricebook2": 2,
            "PricebookEntry": 16,
            "LegalEntity": 3,
            "Contract": 4,
            "Order": 4,
            "OrderItem": 8,
            "ContentVersion": 3,
            "Widget__c": 20,
        }

    def test_an_org_without_records_has_none(self, org: SimOrg) -> None:
        with SimOrg(0, 1) as empty:
            assert sum(empty.count(name) for name in REVENUE) == 0


class TestRules:
    """What the platform itself does to these objects."""

    def chain(self, org: SimOrg) -> dict[str, str]:
        """Make a tax policy and its treatment, which refer to each other."""
        policy = org.add("TaxPolicy", Name="p", Status="Draft", TreatmentSelection="Default")
        treatment = org.add("TaxTreatment", Name="t", Status="Draft", TaxPolicyId=policy)
        org.change(policy, DefaultTaxTreatmentId=treatment)
        return {"policy": policy, "treatment": treatment}

    def test_an_active_policy_is_never_a_draft_again(self, client: httpx2.Client, org: SimOrg) -> None:
        path = f"/sobjects/TaxPolicy/{self.chain(org)['policy']}"
        codes = [client.patch(path, json={"Status": status}).status_code for status in ("Active", "Draft", "Inactive")]

        assert codes == [204, 400, 204]

    def test_a_category_product_learns_its_catalog(self, client: httpx2.Client, org: SimOrg) -> None:
        catalog = org.add("ProductCatalog", Name="c")
        category = org.add("ProductCategory", Name="k", CatalogId=catalog)
        product = org.add("Product2", Name="p")
        row: dict[str, Any] = {"ProductCategoryId": category, "ProductId": product}
        made = client.post("/sobjects/ProductCategoryProduct", json=row).json()["id"]
        refused = client.post("/sobjects/ProductCategoryProduct", json=row | {"CatalogId": catalog})

        assert (org.row(made) or {})["CatalogId"] == catalog
        assert refused.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"

    def test_a_master_takes_its_details_along(self, org: SimOrg) -> None:
        treatment = org.add("BillingTreatment", Name="t", Status="Draft")
        words = {"BillingType": "None", "Controller": "None", "Sequencing": "None", "Handling0Amount": "None"}
        values = {"Name": "i", "Status": "Draft", "Type": "Remainder", "ProcessingOrder": 1, **words}
        item = org.add("BillingTreatmentItem", BillingTreatmentId=treatment, **values)
        org.remove(treatment)

        assert (org.row(item) or {})["IsDeleted"] == 1

    @pytest.mark.parametrize("name", READ_ONLY)
    def test_the_platforms_own_rows_cannot_be_made(self, client: httpx2.Client, name: str) -> None:
        (alone,) = client.post(f"/sobjects/{name}", json={}).json()
        records = [{"attributes": {"type": name}}]
        (many,) = client.post("/composite/sobjects", json={"records": records}).json()

        assert alone["errorCode"] == many["errors"][0]["statusCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"

    @pytest.mark.parametrize("name", READ_ONLY)
    def test_nor_changed_nor_deleted(self, seeded: Server, name: str) -> None:
        org = seeded.org
        record_id = org.database.value(f'SELECT "Id" FROM "{name}"')
        headers = {"Authorization": f"Bearer {org.sessions.open(org.user_id).token}"}
        url = f"{org.url}/services/data/v58.0/sobjects/{name}/{record_id}"
        changed = httpx2.patch(url, json={}, headers=headers, verify=PLAIN)
        deleted = httpx2.delete(url, headers=headers, verify=PLAIN)

        assert (changed.status_code, deleted.status_code) == (400, 403)

    def test_declared_lines_are_plain(self) -> None:
        for name in REVENUE:
            for field, line in read_toml(name)["fields"].items():
                word = line if isinstance(line, str) else line["is"]
                assert re.match(r"[a-z0-9]+( \S+)*$", word), (name, field)
