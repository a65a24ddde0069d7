"""Names as the API has them."""

import pytest

from salesforce_sync.errors import ObjectNotFound
from salesforce_sync.models.api_names import check_api_name, snake_case


@pytest.mark.parametrize(
    ("api_name", "python_name"),
    [
        ("Id", "id"),
        ("FirstName", "first_name"),
        ("AccountId", "account_id"),
        ("SystemModstamp", "system_modstamp"),
        ("MailingPostalCode", "mailing_postal_code"),
        ("Pricebook2Id", "pricebook2_id"),
        ("IsEmailBounced", "is_email_bounced"),
        ("Loyalty_Level__c", "loyalty_level__c"),
        ("LoyaltyLevel__c", "loyalty_level__c"),
        ("ns__My_Field__c", "ns__my_field__c"),
        ("SICCode", "sic_code"),
        ("NaicsDesc", "naics_desc"),
        ("URL__c", "url__c"),
    ],
)
def test_a_python_name_is(api_name, python_name):
    assert snake_case(api_name) == python_name


@pytest.mark.parametrize("name", ["Contact", "Widget__c", "ns__Widget__c", "X1"])
def test_an_api_name_is(name):
    assert check_api_name(name) == name


@pytest.mark.parametrize("name", ["", "1X", "_x", "a b", "a-b", "a.b", "../x", "a'b", "Kontäkt", "x\n", "x" * 81])
def test_an_api_name_is_not(name):
    with pytest.raises(ObjectNotFound, match="not an API name"):
        check_api_name(name)
