"""Texts that are one value in two forms."""

import pytest

from salesforce_sync.models.forms import same_text
from salesforce_sync.testing import make_field


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "555-1234", "(555) 1234"),
        ("phone", "5551234567", "+1 (555) 123-4567"),
        ("phone", "030 123456", "+49 30 123456"),
        ("phone", "555-1234 x12", "5551234 ext. 12"),
        ("phone", "112", "112 "),
        ("phone", "1-800-FLOWERS", "1-800-FLOWERS"),
        ("url", "acme.example", "https://acme.example/"),
        ("url", "HTTP://Acme.example/En", "acme.example/En"),
        ("email", "Jane@Acme.example", "jane@acme.example"),
        ("string", " Acme ", "Acme"),
        ("multipicklist", "Red;Blue", "blue;Red"),
        ("multipicklist", "Red;Red; Blue;", "Red;Blue"),
    ],
)
def test_one_value_in_two_forms(kind, one, other):
    assert same_text(make_field("Some__c", kind), one, other)
    assert same_text(make_field("Some__c", kind), other, one)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "555-1234", "555-1235"),
        ("phone", "12", "112"),
        ("phone", "123456", "9999123456"),
        ("phone", "1-800-FLOWERS", "1-800"),
        ("phone", "", "1"),
        ("phone", "", "0"),
        ("phone", "none", "nobody"),
        ("url", "acme.example/En", "acme.example/en"),
        ("url", "acme.example", "acme.example.org"),
        ("multipicklist", "Red;Blue", "Red"),
        ("picklist", "Red;Blue", "Blue;Red"),
        ("string", "555-1234", "(555) 1234"),
        ("string", "Acme", "ACME"),
    ],
)
def test_two_values(kind, one, other):
    assert not same_text(make_field("Some__c", kind), one, other)
    assert not same_text(make_field("Some__c", kind), other, one)
