"""Ids of 15 and 18 characters."""

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.models.salesforce_id import from_org, to_18


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("001000000000001", "001000000000001AAA"),
        ("0012800000AbCdE", "0012800000AbCdEAAV"),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555"),
        ("abcdefghijklmno", "abcdefghijklmnoAAA"),
        ("A0000B0000C0000", "A0000B0000C0000BBB"),
        ("0000A0000B0000C", "0000A0000B0000CQQQ"),
    ],
)
def test_the_last_three_characters_hold_the_case_of_the_others(short, full):
    assert to_18(short) == full
    assert to_18(full) == full


def test_ids_that_differ_only_by_case_are_not_the_same():
    assert to_18("0010000000000aA").lower() != to_18("0010000000000Aa").lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "003",
        *("0" * n for n in (14, 16, 17, 19)),
        "00300000000000-",
        "003 00000000001",
        "003000000000001\n",
        "ü" * 15,
    ],
)
def test_anything_else_is_not_an_id(text):
    with pytest.raises(Misuse, match="is not a Salesforce id"):
        to_18(text)


def test_an_id_whose_case_was_lost_is_noticed():
    with pytest.raises(Misuse, match="letter case was changed"):
        to_18("0012800000AbCdEAAV".lower())


def test_the_word_of_the_org_about_its_own_ids_is_taken():
    assert from_org("003ab0e502928654zz") == "003ab0e502928654zz"
    assert from_org("0012800000AbCdE") == "0012800000AbCdEAAV"
    with pytest.raises(Misuse, match="is not a Salesforce id"):
        from_org("003-b0e502928654zz")
