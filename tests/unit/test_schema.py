"""What describe says, as data."""

import pytest

from salesforce_sync.errors import FieldNotFound
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.testing import make_field, make_schema


@pytest.mark.parametrize(
    ("salesforce_type", "kind"),
    [
        ("id", FieldType.ID),
        ("reference", FieldType.REFERENCE),
        ("boolean", FieldType.BOOLEAN),
        ("int", FieldType.INTEGER),
        ("long", FieldType.INTEGER),
        ("double", FieldType.DECIMAL),
        ("currency", FieldType.DECIMAL),
        ("percent", FieldType.DECIMAL),
        ("date", FieldType.DATE),
        ("datetime", FieldType.DATETIME),
        ("time", FieldType.TIME),
        ("address", FieldType.COMPOUND),
        ("location", FieldType.COMPOUND),
        ("base64", FieldType.BLOB),
        *((each, FieldType.TEXT) for each in ("string", "textarea", "picklist", "multipicklist", "combobox", "email")),
        *((each, FieldType.TEXT) for each in ("phone", "url", "encryptedstring", "anyType", "not known yet")),
    ],
)
def test_a_salesforce_type_is_kept_as(salesforce_type, kind):
    field = make_field("X__c", salesforce_type)

    assert field.type is kind
    assert field.salesforce_type == salesforce_type
    assert field.synced is (kind not in (FieldType.COMPOUND, FieldType.BLOB))


def test_a_field_of_an_old_version_may_lack_keys():
    field = Field.from_describe({"name": "X__c", "type": "string"})

    assert (field.label, field.nillable, field.filterable, field.picklist) == ("X__c", True, True, ())


def test_where_describe_is_silent_about_rights_the_org_decides_at_the_push():
    names = ("LastName", "Name", "OwnerId", "CreatedDate", "SystemModstamp", "Id")
    told = [{"name": each, "type": "string", "nillable": False} for each in names]
    more = [{"name": "Sum__c", "type": "double", "calculated": True}, {"name": "Address", "type": "address"}]

    schema = ObjectSchema.from_describe({"name": "Contact", "fields": [*told, *more], "updateable": None})

    assert (schema.createable, schema.updateable, schema.deletable) == (True, True, True)
    assert {each.name for each in schema.fields if each.createable} == {"LastName", "OwnerId"}
    assert {each.name for each in schema.fields if each.updateable} == {"LastName", "OwnerId"}
    assert not any(each.required for each in schema.fields)


@pytest.mark.parametrize("last_name_may_be_null", [True, False])
def test_an_account_that_may_be_a_person_has_a_name_or_a_last_name(last_name_may_be_null):
    rights = {"createable": True, "updateable": True, "nillable": False, "defaultedOnCreate": False}
    name = {"name": "Name", "type": "string", "compoundFieldName": "Name", **rights}
    last_name = {"name": "LastName", "type": "string", "compoundFieldName": "Name", **rights}
    code = {"name": "Code__c", "type": "string", **rights}
    fields = [name, {**last_name, "nillable": last_name_may_be_null}, code]

    account = ObjectSchema.from_describe({"name": "Account", "fields": fields})
    contact = ObjectSchema.from_describe({"name": "Contact", "fields": [{**name, "createable": False}, last_name]})

    assert [each.name for each in account.fields if each.required] == ["Code__c"]
    assert not account.field("Name").nillable  # nor can it be emptied
    assert [each.name for each in contact.fields if each.required] == ["LastName"]


def test_a_field_that_describe_calls_not_queryable_is_not_asked_for():
    fields = [{"name": "Id", "type": "id"}, {"name": "Secret__c", "type": "string", "queryable": False}]

    assert [each.name for each in ObjectSchema.from_describe({"name": "X", "fields": fields}).columns] == ["Id"]


def test_a_field_takes_every_key_that_matters():
    field = Field.from_describe(
        {
            "name": "Stage__c",
            "label": "Stage",
            "type": "picklist",
            "length": 255,
            "precision": 0,
            "digits": 9,
            "scale": 2,
            "nillable": False,
            "createable": True,
            "updateable": True,
            "defaultedOnCreate": True,
            "calculated": True,
            "restrictedPicklist": True,
            "picklistValues": [{"value": "A", "active": True}, {"value": "B", "active": False}, {"value": None}],
            "referenceTo": ["Account", "Contact"],
            "relationshipName": "What",
            "compoundFieldName": "Home",
        }
    )

    assert field.picklist == (("A", True), ("B", False))
    assert (field.precision, field.scale, field.length) == (9, 2, 255)
    assert field.reference_to == ("Account", "Contact")
    assert not field.required


@pytest.mark.parametrize(
    ("createable", "nillable", "defaulted", "required"),
    [(True, False, False, True), (False, False, False, False), (True, True, False, False), (True, False, True, False)],
)
def test_required_is_what_a_create_must_give(createable, nillable, defaulted, required):
    field = make_field("X__c", createable=createable, nillable=nillable, defaultedOnCreate=defaulted)

    assert field.required is required


def test_columns_are_the_synced_fields_with_the_id_first():
    schema = ObjectSchema("X", "X", (make_field("Name"), make_field("Home", "address"), make_field("Id", "id")))

    assert [each.name for each in schema.columns] == ["Id", "Name"]
    assert schema.has("Name")
    assert not schema.has("Home")
    assert not schema.has("name")


@pytest.mark.parametrize("name", ["FirstName__c", "firstname__C", "first_name__c", "FIRST_NAME__C"])
def test_a_field_is_found_by_any_spelling(name):
    assert make_schema("X", FirstName__c="string").field(name).name == "FirstName__c"


def test_an_unknown_field_hints_at_near_names():
    with pytest.raises(FieldNotFound, match="X has no field 'Frst_Name'") as caught:
        make_schema("X", First_Name__c="string").field("Frst_Name")

    assert "first_name__c" in caught.value.hint.lower()
    assert caught.value.code == "FIELD_NOT_FOUND"


@pytest.mark.parametrize(
    ("left_out", "stamp"),
    [
        ((), "SystemModstamp"),
        (("SystemModstamp",), "LastModifiedDate"),
        (("SystemModstamp", "LastModifiedDate"), None),
        (("SystemModstamp", "LastModifiedDate", "CreatedDate"), None),
    ],
)
def test_the_stamp_is_the_best_field_that_there_is(left_out, stamp):
    schema = make_schema("X")
    fields = tuple(each for each in schema.fields if each.name not in left_out)

    assert ObjectSchema("X", "X", fields).stamp == stamp


@pytest.mark.parametrize("name", ["AccountHistory", "Widget__History"])
def test_rows_that_never_change_are_ordered_by_their_creation(name):
    assert (
        ObjectSchema(name, name, (make_field("Id", "id"), make_field("CreatedDate", "datetime"))).stamp == "CreatedDate"
    )


def test_a_stamp_that_cannot_be_filtered_has_no_stand_in():
    fields = (make_field("SystemModstamp", "datetime", filterable=False), make_field("LastModifiedDate", "datetime"))

    assert ObjectSchema("X", "X", fields).stamp is None


def test_names_that_differ_by_case_only_are_told():
    fields = (make_field("Id", "id"), make_field("Code__c"), make_field("CODE__c"), make_field("Other__c"))

    assert ObjectSchema("X", "X", fields).ambiguous == ("Code__c", "CODE__c")
    assert ObjectSchema("X", "X", fields[:2]).ambiguous == ()


def test_a_stamp_that_cannot_be_filtered_is_none():
    hidden = make_field("SystemModstamp", "datetime", filterable=False)

    assert ObjectSchema("X", "X", (make_field("Id", "id"), hidden)).stamp is None


def test_an_object_is_read_from_describe():
    schema = ObjectSchema.from_describe(
        {
            "name": "Widget__c",
            "label": "Widget",
            "labelPlural": "Widgets",
            "keyPrefix": "a00",
            "custom": True,
            "fields": [{"name": "Id", "type": "id"}, {"name": "Name", "type": "string", "nameField": True}],
        }
    )

    assert (schema.name, schema.label_plural, schema.key_prefix, schema.custom) == ("Widget__c", "Widgets", "a00", True)
    assert schema.name_field.name == "Name"


def describe_of(name, *fields, children=()):
    """A describe; each of the children is its object, its field, and whether its records go with this object's."""
    keys = ("childSObject", "field", "cascadeDelete")
    told = [
        {**dict(zip(keys, each, strict=True)), "relationshipName": None, "restrictedDelete": False} for each in children
    ]
    listed = [{"name": "Id", "type": "id"}, *({"type": "reference", **each} for each in fields)]
    return {"name": name, "fields": listed, "childRelationships": told}


ACCOUNT = ObjectSchema.from_describe(
    describe_of(
        "Account",
        {"name": "ParentId", "referenceTo": ["Account"], "cascadeDelete": False},
        children=[
            ("Account", "ParentId", False),
            ("Widget__c", "Account__c", True),
            ("Asset", "AccountId", True),
            ("Asset", "AssetProvidedById", False),
            ("ContactChangeEvent", "AccountId", False),
            ("Contact", "AccountId", True),
            ("Task", "AccountId", False),
            ("Task", "WhatId", True),
            ("Task", "WhatId", True),
        ],
    )
)
"""As a real org describes it: of standard objects, only the parent tells what goes with it."""


def test_of_the_child_relationships_those_are_kept_whose_records_go_along():
    assert ACCOUNT.takes_along == (
        ("Asset", "AccountId"),
        ("Contact", "AccountId"),
        ("Task", "WhatId"),
        ("Widget__c", "Account__c"),
    )


@pytest.mark.parametrize("told", [{}, {"childRelationships": None}])
def test_a_describe_may_lack_the_child_relationships(told):
    body = describe_of("Account")
    del body["childRelationships"]

    assert ObjectSchema.from_describe(body | told).takes_along == ()


@pytest.mark.parametrize(
    ("child", "fields", "by"),
    [
        ("Account", {"ParentId": ["Account"]}, ()),
        ("Asset", {"AssetProvidedById": ["Account"], "AccountId": ["Account"]}, ("AccountId",)),
        ("Contact", {"AccountId": ["Account"], "ReportsToId": ["Contact"]}, ("AccountId",)),
        ("Contact", {"ReportsToId": ["Contact"]}, ()),
        ("Task", {"WhatId": ["Account", "Opportunity"], "AccountId": ["Account"]}, ("WhatId",)),
    ],
    ids=["look-up", "one of two", "contact", "field hidden", "one of many objects"],
)
def test_a_master_alone_may_tell_what_it_takes_along(child, fields, by):
    told = [{"name": name, "referenceTo": to, "cascadeDelete": False} for name, to in fields.items()]

    assert ObjectSchema.from_describe(describe_of(child, *told)).masters(ACCOUNT) == by


def test_a_detail_s_own_field_tells_its_master_too():
    master = ObjectSchema.from_describe(describe_of("Master__c"))
    told = {"name": "Master__c", "referenceTo": ["Master__c"], "cascadeDelete": True}
    detail = ObjectSchema.from_describe(describe_of("Detail__c", told))

    assert (detail.masters(master), detail.masters(ACCOUNT)) == (("Master__c",), ())


@pytest.mark.parametrize(
    ("before", "now", "another"),
    [
        (make_field("A__c", length=80), make_field("a__C", length=80, label="Other", unique=True), False),
        (make_field("A__c", length=80), make_field("A__c", "url", length=80), True),
        (make_field("A__c", length=80), make_field("A__c", length=255), True),
        (
            make_field("A__c", "double", precision=18, scale=4),
            make_field("A__c", "double", precision=18, scale=2),
            True,
        ),
        (make_field("A__c", "double"), make_field("A__c", "double", calculated=True), True),
        (make_field("A__c", "reference", referenceTo=["X"]), make_field("A__c", "reference", referenceTo=["Y"]), True),
        (
            make_field("A__c", "reference", referenceTo=["X"]),
            make_field("A__c", "reference", referenceTo=["Y", "X"]),
            False,
        ),
        (make_field("A__pc", length=80), make_field("A__pc", length=40), True),
        (make_field("At__Latitude__s", "double", scale=5), make_field("At__Latitude__s", "double", scale=2), True),
        (make_field("Type", length=40), make_field("Type", "picklist", length=255), False),
        (make_field("Type", length=40), make_field("Type", "double"), True),
    ],
)
def test_a_field_of_the_same_name_may_be_another_one(before, now, another):
    assert now.may_be_another(before) is another
