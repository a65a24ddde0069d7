"""Write rules: what is refused with which code and text, and what is stored."""

from decimal import Decimal
from typing import Any

import httpx2
import pytest

from simorg.database import Row
from simorg.org import SimOrg
from simorg.results import Failure, Refused

LONG = "x" * 256


def refusal(org: SimOrg, object_name: str, **values: Any) -> Failure:
    """Return why a create was refused."""
    result = org.create(object_name, [values])[0]
    assert isinstance(result, Failure)
    return result


def stored(org: SimOrg, object_name: str, **values: Any) -> Row:
    """Create a row and return it as stored."""
    row = org.row(org.add(object_name, **values))
    assert row is not None
    return row


@pytest.fixture
def account(org: SimOrg) -> str:
    """An account to hang things on."""
    return org.add("Account", Name="Parent")


def widget(org: SimOrg, account: str, **values: Any) -> Row:
    return stored(org, "Widget__c", Account__c=account, **values)


@pytest.mark.parametrize(
    ("object_name", "values", "code", "message", "fields"),
    [
        ("Account", {}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",)),
        (
            "Account",
            {"Name": LONG},
            "STRING_TOO_LONG",
            f"Account Name: data value too large: {LONG} (max length=255)",
            ("Name",),
        ),
        (
            "Account",
            {"Name": "x", "foo": 1},
            "INVALID_FIELD",
            "No such column 'foo' on sobject of type Account",
            (),
        ),
        (
            "Account",
            {"Name": "x", "Id": "0015e0000000001AAA"},
            "INVALID_FIELD",
            "The Id field should not be specified in the sobject data.",
            (),
        ),
        (
            "Account",
            {"Name": "x", "CreatedDate": "2024-01-01T00:00:00Z"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify "
            "that it is read/write for your profile or permission set.",
            ("CreatedDate",),
        ),
        (
            "Contact",
            {"LastName": "x", "Email": "foo"},
            "INVALID_EMAIL_ADDRESS",
            "Email: invalid email address: foo",
            ("Email",),
        ),
        (
            "Account",
            {"Name": "x", "CleanStatus": "Dirty"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Clean Status: bad value for restricted picklist field: Dirty",
            ("CleanStatus",),
        ),
        (
            "Opportunity",
            {"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-01-01", "Amount": Decimal("1e16")},
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Amount: value outside of valid range on numeric field: 1E+16",
            ("Amount",),
        ),
        (
            "Contact",
            {"LastName": "x", "AccountId": "0015e00000zzzzzAAA"},
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            ("AccountId",),
        ),
        (
            "Contact",
            {"LastName": "x", "AccountId": "0055e0000000001AAA"},
            "MALFORMED_ID",
            "Account ID: id value of incorrect type: 0055e0000000001AAA",
            ("AccountId",),
        ),
        (
            "Account",
            {"Name": "x", "RecordTypeId": "0125e0000000009AAA"},
            "INVALID_CROSS_REFERENCE_KEY",
            "Record Type ID: this ID value isn't valid for the user: 0125e0000000009AAA",
            ("RecordTypeId",),
        ),
        (
            "Contact",
            {"LastName": "x", "Account": {"Ext__c": "K1"}},
            "INVALID_FIELD",
            "Foreign key external ID: k1 not found for field Ext__c in entity Account",
            (),
        ),
        ("Nothing__c", {}, "INVALID_TYPE", "sObject type 'Nothing__c' is not supported.", ()),
    ],
)
def test_refusals_have_salesforces_code_and_text(
    org: SimOrg, object_name: str, values: dict[str, Any], code: str, message: str, fields: tuple[str, ...]
) -> None:
    why = refusal(org, object_name, **values)

    assert (why.code, why.message, why.fields) == (code, message, fields)


def test_a_refusal_on_the_wire(client: httpx2.Client) -> None:
    answer = client.post("/sobjects/Contact", json={"FirstName": "x"})

    assert answer.status_code == 400
    assert answer.text == (
        '[{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING",'
        '"fields":["LastName"]}]'
    )


def test_blanks_are_trimmed_and_the_empty_text_is_null(org: SimOrg) -> None:
    row = stored(org, "Contact", LastName="  Bell \n", FirstName="", Title="   ", Description=" a \r\n b ")

    assert (row["LastName"], row["FirstName"], row["Title"]) == ("Bell", None, None)
    assert row["Description"] == "a \r\n b"


def test_a_required_field_of_blanks_is_missing(org: SimOrg) -> None:
    assert refusal(org, "Account", Name="   ").code == "REQUIRED_FIELD_MISSING"


def test_a_required_field_cannot_be_cleared(org: SimOrg, account: str) -> None:
    result = org.update("Account", [{"Id": account, "Name": None}])[0]

    assert isinstance(result, Failure)
    assert (result.code, result.fields) == ("REQUIRED_FIELD_MISSING", ("Name",))


@pytest.mark.parametrize(
    "text", ["null", "NULL", "#N/A", "true", "00123", "=1+1", "0", "a\r\nb", "👩‍👩‍👧‍👦", "محمد", '"']
)
def test_texts_that_look_like_something_else_stay(org: SimOrg, text: str) -> None:
    assert stored(org, "Account", Name=text)["Name"] == text


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Big__c", 123456789012345678, "123456789012345678.0"),
        ("Big__c", Decimal("999999999999999999"), "999999999999999999.0"),
        ("Price__c", Decimal("1234567890123456.78"), "1234567890123456.78"),
        ("Price__c", "0.005", "0.01"),
        ("Price__c", -0.004, "0.0"),
        ("Price__c", "1e3", "1000.0"),
        ("Ratio__c", Decimal("0.1234567"), "0.123457"),
        ("Percent__c", 10, "10.0"),
        ("Day__c", "1700-01-01", "1700-01-01"),
        ("Day__c", "4000-12-31T10:00:00Z", "4000-12-31"),
        ("Moment__c", "1700-01-01T00:00:00Z", -8520336000000),
        ("Moment__c", "2024-01-15T10:30:00.999+02:00", 1705307400000),
        ("Moment__c", "2024-01-15T10:30:00.000+0000", 1705314600000),
        ("Clock__c", "10:15", "10:15:00.000Z"),
        ("Clock__c", "23:59:59.999Z", "23:59:59.999Z"),
        ("Active__c", "FALSE", 0),
        ("Active__c", True, 1),
        ("Tags__c", "c;A; a", "A;C"),
        ("Size__c", "large", "Large"),
        ("Color__c", "Chartreuse", "Chartreuse"),
        ("Color__c", "red", "Red"),
        ("Place__Latitude__s", Decimal("47.123456789"), "47.12345679"),
    ],
)
def test_values_are_stored_exactly(org: SimOrg, account: str, field: str, value: Any, expected: Any) -> None:
    assert widget(org, account, **{field: value})[field] == expected


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("Big__c", "1234567890123456789", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Price__c", "10000000000000000", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Price__c", Decimal("1E+999999"), "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Price__c", "NaN", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Price__c", "abc", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Day__c", "1699-12-31", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Day__c", "4001-01-01", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Day__c", "2023-02-29", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Moment__c", "tomorrow", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Clock__c", "25:00", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Active__c", "maybe", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Tags__c", "A;Z", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Long__c", "x" * 32769, "STRING_TOO_LONG"),
        ("Double_Price__c", 1, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Place__c", {}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Name", "W-1", "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_values_that_do_not_fit_are_refused(org: SimOrg, account: str, field: str, value: Any, code: str) -> None:
    assert refusal(org, "Widget__c", Account__c=account, **{field: value}).code == code


def test_a_text_of_full_length_fits(org: SimOrg, account: str) -> None:
    assert widget(org, account, Long__c="x" * 32768)["Long__c"] == "x" * 32768


def test_big_amounts_survive_json_both_ways(client: httpx2.Client, account: str) -> None:
    sent = f'{{"Account__c":"{account}","Price__c":1234567890123456.78,"Big__c":123456789012345678}}'
    record_id = client.post("/sobjects/Widget__c", content=sent).json()["id"]
    text = client.get(f"/sobjects/Widget__c/{record_id}?fields=Price__c,Big__c,Double_Price__c").text

    assert '"Price__c":1234567890123456.78,"Big__c":123456789012345678.0' in text
    assert '"Double_Price__c":2469135780246913.56' in text


def test_auto_numbers_count_up(org: SimOrg, account: str) -> None:
    first, second = (str(widget(org, account)["Name"]) for _ in range(2))

    assert first.startswith("W-") and len(first) == 8
    assert int(second[2:]) == int(first[2:]) + 1


def test_defaults_are_filled_in(org: SimOrg, account: str) -> None:
    row = widget(org, account, Size__c=None, OwnerId=None)

    assert (row["Size__c"], row["Active__c"], row["OwnerId"]) == ("Small", 1, org.user_id)
    lead = stored(org, "Lead", LastName="x", Company="y")
    assert (lead["Status"], lead["IsConverted"], lead["IsUnreadByOwner"]) == ("Open - Not Contacted", 0, 1)


def test_a_persons_name_is_made_of_its_parts(org: SimOrg) -> None:
    row = stored(org, "Contact", FirstName="Ann", LastName="Bell")
    org.change(str(row["Id"]), LastName="Cole")

    assert row["Name"] == "Ann Bell"
    assert (org.row(str(row["Id"])) or {})["Name"] == "Ann Cole"


def test_the_stage_brings_probability_and_forecast(org: SimOrg) -> None:
    row = stored(org, "Opportunity", Name="x", StageName="Proposal/Price Quote", CloseDate="2026-05-01", Amount=100)
    assert (row["Probability"], row["ForecastCategory"], row["ForecastCategoryName"]) == (
        "75.0",
        "BestCase",
        "Best Case",
    )
    assert (row["FiscalYear"], row["FiscalQuarter"], row["Fiscal"], row["IsClosed"]) == (2026, 2, "2026 2", 0)

    org.change(str(row["Id"]), StageName="Closed Won")
    won = org.row(str(row["Id"])) or {}

    assert (won["Probability"], won["IsClosed"], won["IsWon"]) == ("100.0", 1, 1)


def test_a_probability_that_was_sent_stays(org: SimOrg) -> None:
    row = stored(org, "Opportunity", Name="x", StageName="Prospecting", CloseDate="2026-05-01", Probability=33)

    assert row["Probability"] == "33.0"


def test_a_custom_price_needs_a_standard_price(org: SimOrg) -> None:
    product = org.add("Product2", Name="Thing")
    standard, custom = "01s5e0000000001AAA", "01s5e0000000002AAA"
    early = refusal(org, "PricebookEntry", Product2Id=product, Pricebook2Id=custom, UnitPrice=1)
    org.add("PricebookEntry", Product2Id=product, Pricebook2Id=standard, UnitPrice=2)
    late = stored(org, "PricebookEntry", Product2Id=product, Pricebook2Id=custom, UnitPrice=1)

    assert early.code == "STANDARD_PRICE_NOT_DEFINED"
    assert late["UnitPrice"] == "1.0"


def test_unique_keys_are_compared_by_their_case_rule(org: SimOrg, account: str) -> None:
    first = widget(org, account, Ext__c="Key", Code__c="Code")
    same = refusal(org, "Widget__c", Account__c=account, Ext__c="KEY")
    other = widget(org, account, Code__c="CODE")

    assert same.code == "DUPLICATE_VALUE"
    found = str(first["Id"])[:15]
    assert same.message == f"duplicate value found: Ext__c duplicates value on record with id: {found}"
    assert same.fields == ()
    assert other["Code__c"] == "CODE"


def test_a_key_is_free_again_when_its_row_is_deleted(org: SimOrg) -> None:
    org.remove(org.add("Account", Name="x", Ext__c="FREE"))

    assert stored(org, "Account", Name="y", Ext__c="FREE")["Ext__c"] == "FREE"


def test_a_parent_can_be_named_by_its_key(org: SimOrg) -> None:
    parent = org.add("Account", Name="x", Ext__c="PARENT")

    assert stored(org, "Widget__c", Account__r={"Ext__c": "parent"})["Account__c"] == parent
    by_user = stored(
        org,
        "Lead",
        LastName="x",
        Company="y",
        Owner={"attributes": {"type": "User"}, "Username": "ADMIN@simorg.example"},
    )
    assert by_user["OwnerId"] == org.user_id


def test_a_reference_to_a_deleted_row_is_refused(org: SimOrg, account: str) -> None:
    org.remove(account)

    assert refusal(org, "Contact", LastName="x", AccountId=account).code == "ENTITY_IS_DELETED"


def test_a_master_cannot_be_changed(org: SimOrg, account: str) -> None:
    made = widget(org, account)
    other = org.add("Account", Name="Other")
    result = org.update("Widget__c", [{"Id": made["Id"], "Account__c": other}])[0]

    assert isinstance(result, Failure)
    assert result.code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_roll_ups_and_formulas_follow_without_a_stamp(client: httpx2.Client, org: SimOrg, account: str) -> None:
    widget(org, account, Price__c="10.50")
    before = client.get(f"/sobjects/Account/{account}").json()
    widget(org, account, Price__c="0.25")
    after = client.get(f"/sobjects/Account/{account}").json()

    assert (before["Widget_Count__c"], before["Widget_Total__c"]) == (1.0, 10.5)
    assert (after["Widget_Count__c"], after["Widget_Total__c"]) == (2.0, 10.75)
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_secrets_are_shown_as_asterisks(client: httpx2.Client, org: SimOrg, account: str) -> None:
    record_id = widget(org, account, Secret__c="hush")["Id"]
    hidden = client.get(f"/sobjects/Widget__c/{record_id}").json()["Secret__c"]
    org.permissions.can_view_encrypted = True

    assert hidden == "****"
    assert client.get(f"/sobjects/Widget__c/{record_id}").json()["Secret__c"] == "hush"


def test_every_update_moves_the_stamps_and_names_the_user(org: SimOrg, account: str) -> None:
    org.clock.freeze()
    org.clock.advance(90)
    other = "0055e0000000002AAA"
    org.update("Account", [{"Id": account, "Name": "Parent"}], user=other)
    row = org.row(account) or {}

    assert row["SystemModstamp"] == row["LastModifiedDate"] == org.now_stamp()
    assert row["SystemModstamp"] != row["CreatedDate"]
    assert (row["LastModifiedById"], row["CreatedById"]) == (other, org.user_id)


def test_stamps_are_whole_seconds(org: SimOrg) -> None:
    row = stored(org, "Account", Name="x")

    assert int(str(row["SystemModstamp"])) % 1000 == 0


def test_audit_fields_may_be_set_with_the_permission(org: SimOrg) -> None:
    org.permissions.can_set_audit_fields = True
    row = stored(org, "Account", Name="x", CreatedDate="2001-02-03T04:05:06Z", CreatedById="0055e0000000002AAA")

    assert (row["CreatedDate"], row["CreatedById"]) == (981173106000, "0055e0000000002AAA")


class TestRules:
    """Rules that a test or an administrator adds."""

    def test_a_validation_rule_in_sql(self, org: SimOrg, account: str) -> None:
        org.rules.add_validation("Account", "\"Rating\" = 'Cold'", "No cold accounts.", "Rating")
        why = refusal(org, "Account", Name="x", Rating="Cold")
        result = org.update("Account", [{"Id": account, "Rating": "cold"}])[0]

        assert (why.code, why.message, why.fields) == (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "No cold accounts.",
            ("Rating",),
        )
        assert isinstance(result, Failure)
        assert (org.row(account) or {})["Rating"] is None

    def test_a_validation_rule_in_python(self, org: SimOrg) -> None:
        org.rules.add_validation("Contact", lambda row: row["Phone"] is None, "Phone, please.")

        assert refusal(org, "Contact", LastName="x").message == "Phone, please."

    def test_duplicates_are_told_in_salesforces_shape(self, client: httpx2.Client, org: SimOrg) -> None:
        twin = org.add("Contact", LastName="x", Email="twin@rule.example")
        org.rules.add_duplicate_rule("Contact", ["Email"], name="Standard_Contact_Duplicate_Rule")
        sent = {"LastName": "y", "Email": "TWIN@rule.example"}
        (error,) = client.post("/sobjects/Contact", json=sent).json()

        assert (error["errorCode"], error["message"]) == ("DUPLICATES_DETECTED", "Use one of these records?")
        result = error["duplicateResut"]
        assert (result["allowSave"], result["duplicateRule"]) == (True, "Standard_Contact_Duplicate_Rule")
        assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == twin

    def test_allow_save_passes_rules_that_only_alert(self, client: httpx2.Client, org: SimOrg) -> None:
        org.add("Lead", LastName="x", Company="y", Email="l@rule.example")
        sent, headers = (
            {"LastName": "z", "Company": "y", "Email": "l@rule.example"},
            {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true"},
        )
        rule = org.rules.add_duplicate_rule("Lead", ["Email"], allow_save=False)
        blocked = client.post("/sobjects/Lead", json=sent, headers=headers)
        org.rules.duplicate_rules.remove(rule)
        org.rules.add_duplicate_rule("Lead", ["Email"])

        assert blocked.status_code == 400
        assert client.post("/sobjects/Lead", json=sent).status_code == 400
        assert client.post("/sobjects/Lead", json=sent, headers=headers).status_code == 201

    def test_a_locked_row_refuses_itself_and_its_children(self, org: SimOrg, account: str) -> None:
        org.rules.lock_row(account, times=2)
        direct = org.update("Account", [{"Id": account, "Site": "1"}])[0]
        child = org.create("Contact", [{"LastName": "x", "AccountId": account}])[0]

        assert isinstance(direct, Failure) and isinstance(child, Failure)
        assert direct.code == child.code == "UNABLE_TO_LOCK_ROW"
        assert org.change(account, Site="1") == account

    def test_triggers_may_change_and_refuse(self, org: SimOrg, account: str) -> None:
        def shout(org: SimOrg, operation: str, row: Row, old: Row | None) -> None:
            row["Site"] = f"{operation}!"

        def refuse(org: SimOrg, operation: str, row: Row, old: Row | None) -> None:
            if row["Name"] == "bad":
                raise Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Shout: execution of AfterInsert")

        org.rules.on_save("Account", "before", shout)
        org.rules.on_save("Account", "after", refuse)
        org.change(account, Phone="1")

        assert (org.row(account) or {})["Site"] == "update!"
        assert refusal(org, "Account", Name="bad").code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        assert org.database.value('SELECT COUNT(*) FROM "Account" WHERE "Name" = \'bad\'') == 0
