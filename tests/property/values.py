"""Random values of every type of field, as Salesforce could hold them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from salesforce_sync.testing import make_schema

THING = make_schema(
    "Thing__c",
    Text__c="textarea",
    Number__c="double",
    Count__c="int",
    Yes__c="boolean",
    Day__c="date",
    At__c="datetime",
    Hour__c="time",
    Ref__c="reference",
)

# No NUL (Salesforce keeps none) and no halves of surrogate pairs (UTF-8 has none).
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
AWKWARD = st.text(st.sampled_from("\",\n\r\t ;\\'é\U0001f44d\u202e"), max_size=12)
TEXTS = st.one_of(AWKWARD, st.text(CHARACTERS, max_size=40), st.sampled_from(["null", "NULL", "#N/A", "true", "00123"]))


def _decimal(digits: int, scale: int, sign: int) -> Decimal:
    return Decimal(sign * digits).scaleb(-scale)


DECIMALS = st.builds(
    _decimal,
    st.one_of(st.integers(0, 10**18 - 1), st.integers(0, 9999), st.sampled_from([10**15, 10**15 - 1, 10**18 - 1])),
    st.integers(0, 17),
    st.sampled_from([1, -1]),
)
"""Up to 18 digits, as Salesforce's number fields hold them."""

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31, 23, 59, 59), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)

VALUES = {
    "Text__c": TEXTS,
    "Number__c": DECIMALS,
    "Count__c": st.integers(-(2**31), 2**31 - 1),
    "Yes__c": st.booleans(),
    "Day__c": st.dates(date(1700, 1, 1), date(4000, 12, 31)),
    "At__c": MOMENTS,
    "Hour__c": st.times().map(lambda each: each.replace(microsecond=each.microsecond // 1000 * 1000)),
    "Ref__c": st.sampled_from(["001000000000001AAA", "0010000000000aAAAA", "0010000000000AaAAA"]),
}

THINGS = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in VALUES.items()})
"""Some fields of a Thing__c, with Python's values."""
