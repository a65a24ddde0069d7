"""The rules of the three-way merge, one by one."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from salesforce_sync.models.inbox import Conflict, Contested, Verdict
from salesforce_sync.models.outbox import Edit, Kind, Operation
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.resolve import ASK_ALWAYS, Policies, Policy, arrived, judge
from salesforce_sync.testing import make_field, make_schema

STREET = make_field("MailingStreet", "textarea", compoundFieldName="MailingAddress")
CITY = make_field("MailingCity", compoundFieldName="MailingAddress")
FIRST = make_field("FirstName", compoundFieldName="Name")
LAST = make_field("LastName", compoundFieldName="Name")
SUM = make_field("Sum__c", "currency", calculated=True, updateable=False)
DEAL = make_schema(
    "Deal__c",
    STREET,
    CITY,
    FIRST,
    LAST,
    SUM,
    Name="string",
    Phone="phone",
    Amount="currency",
    Fee__c="currency",
    CurrencyIsoCode="picklist",
    AccountId="reference",
    Stage__c="picklist",
)
LATER, EARLIER = "2026-03-02T00:00:00.000Z", "2026-03-01T00:00:00.000Z"
BETWEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROW = {
    "Id": "a00000000000001AAA",
    "IsDeleted": 0,
    "Phone": "1",
    "Amount": 10.0,
    "Fee__c": 1.0,
    "Sum__c": 11.0,
    "CurrencyIsoCode": "EUR",
    "MailingStreet": "A street",
    "MailingCity": "A town",
    "FirstName": "Ann",
    "LastName": "Lee",
    "Stage__c": "Open",
    "LastModifiedDate": EARLIER,
    "SystemModstamp": EARLIER,
}


def held(
    *edits, operation=Operation.UPDATE, disputed=(), policies=ASK_ALWAYS, gone=False, base=None, times=None, **org
) -> Verdict:
    before = {**ROW, **(base or {}), **{edit.field: edit.base for edit in edits}}
    now = None if gone else {**before, "SystemModstamp": LATER, "LastModifiedDate": LATER, **org}
    when = {edit.field: BETWEEN for edit in edits} if times is None else times
    contested = Contested("Deal__c", ROW["Id"], operation, edits, before, now, frozenset(disputed), BETWEEN, times=when)
    return judge(contested, DEAL, policies)


def always(policy: Policy) -> Policies:
    return Policies(policy)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_goes_on_where_the_org_still_has_its_base():
    assert held(Edit("Phone", "1", "2"), FirstName="Eve") == Verdict(keep=(Edit("Phone", "1", "2"),))


def test_an_edit_is_done_where_the_org_has_the_same_new_value():
    assert held(Edit("Phone", "1", "2"), Phone="2") == Verdict(done=("Phone",))


def test_an_edit_is_done_where_it_is_back_at_its_base():
    assert held(Edit("Phone", "1", "1")) == Verdict(done=("Phone",))


def test_two_different_new_values_are_a_conflict():
    assert held(Edit("Phone", "1", "2"), Phone="3") == Verdict(conflicts=(Conflict("Phone", "1", "2", "3"),))


@pytest.mark.parametrize(
    ("field", "base", "shown"),
    [("Amount", 10.0, "10.00"), ("Amount", "10", 10.0), ("Phone", None, ""), ("Amount", 1, 1.0)],
)
def test_a_value_in_another_form_is_no_change(field, base, shown):
    assert held(Edit(field, base, None if base else "9"), **{field: shown}).conflicts == ()


@pytest.mark.parametrize(("base", "shown"), [("1", "1 "), ("1", "01"), (None, "0"), ("a", "A")])
def test_texts_that_differ_only_a_little_are_different(base, shown):
    assert held(Edit("Phone", base, "2"), Phone=shown).conflicts == (Conflict("Phone", base, "2", shown),)


def test_digits_beyond_a_float_are_compared():
    verdict = held(Edit("Amount", "12345678901234567.8", 1.0), Amount="12345678901234567.9")

    assert [each.field for each in verdict.conflicts] == ["Amount"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy.ORG, Verdict(done=("Phone",))),
        (Policy.LOCAL, Verdict(keep=(Edit("Phone", "3", "2"),))),
        (Policy.NEWEST, Verdict(done=("Phone",))),
    ],
)
def test_a_policy_decides_a_conflict(policy, expected):
    assert held(Edit("Phone", "1", "2"), policies=always(policy), Phone="3") == expected


def test_newest_is_the_edit_that_was_made_after_the_org_row():
    verdict = held(Edit("Phone", "1", "2"), policies=always(Policy.NEWEST), Phone="3", LastModifiedDate=EARLIER)

    assert verdict == Verdict(keep=(Edit("Phone", "3", "2"),))


def test_newest_asks_where_a_time_is_missing():
    verdict = held(
        Edit("Phone", "1", "2"), policies=always(Policy.NEWEST), Phone="3", LastModifiedDate=None, SystemModstamp=None
    )

    assert [each.field for each in verdict.conflicts] == ["Phone"]


@pytest.mark.parametrize(
    ("phone", "kept"), [(parse_datetime(LATER), ["Phone"]), (parse_datetime(EARLIER), [])], ids=["after", "before"]
)
def test_newest_looks_at_the_time_of_the_field_s_own_edit(phone, kept):
    noon = "2026-03-01T12:00:00.000Z"

    verdict = held(
        Edit("Phone", "1", "2"),
        Edit("Stage__c", "Open", "Won"),
        policies=always(Policy.NEWEST),
        times={"Phone": phone, "Stage__c": parse_datetime(LATER)},
        Phone="3",
        LastModifiedDate=noon,
    )

    assert [each.field for each in verdict.keep] == [*kept, "Stage__c"]
    assert verdict.conflicts == ()


def test_of_fields_that_belong_together_the_last_edit_counts():
    verdict = held(
        Edit("MailingStreet", "A street", "B street"),
        Edit("MailingCity", "A town", "B town"),
        policies=always(Policy.NEWEST),
        times={"MailingStreet": parse_datetime(EARLIER), "MailingCity": parse_datetime(LATER)},
        MailingCity="C town",
        LastModifiedDate="2026-03-01T12:00:00.000Z",
    )

    assert sorted(each.field for each in verdict.keep) == ["MailingCity", "MailingStreet"]


@pytest.mark.parametrize("times", [{}, {"Phone": parse_datetime("2026-03-02T00:00:02.000Z")}], ids=["none", "close"])
def test_newest_asks_where_the_order_cannot_be_told(times):
    verdict = held(Edit("Phone", "1", "2"), policies=always(Policy.NEWEST), times=times, Phone="3")

    assert [each.field for each in verdict.conflicts] == ["Phone"]


def test_a_field_s_own_policy_goes_before_its_object_s():
    policies = Policies(named={"deal__c": Policy.ORG, "deal__c.phone": Policy.LOCAL})

    verdict = held(
        Edit("Phone", "1", "2"), Edit("FirstName", "Ann", "Eve"), policies=policies, Phone="3", FirstName="X"
    )

    assert (verdict.keep, verdict.done) == ((Edit("Phone", "3", "2"),), ("FirstName",))


def test_a_dispute_shows_the_org_s_newest_value():
    verdict = held(Edit("Phone", "1", "2"), disputed=["Phone"], Phone="4")

    assert verdict.conflicts == (Conflict("Phone", "1", "2", "4"),)


@pytest.mark.parametrize(
    ("shown", "expected"), [("2", Verdict(done=("Phone",))), ("1", Verdict((Edit("Phone", "1", "2"),)))]
)
def test_a_dispute_ends_where_the_org_agrees_or_goes_back(shown, expected):
    assert held(Edit("Phone", "1", "2"), disputed=["Phone"], Phone=shown) == expected


def test_an_edit_whose_column_did_not_come_stays_as_it_is():
    edits = (Edit("Phone", "1", "2"), Edit("FirstName", "Ann", "Eve"))
    contested = Contested(
        "Deal__c", ROW["Id"], Operation.UPDATE, edits, ROW, {"Sum__c": 12.0}, frozenset(["FirstName"])
    )

    verdict = judge(contested, DEAL, always(Policy.ORG))

    assert (verdict.keep, [each.field for each in verdict.conflicts]) == ((edits[0],), ["FirstName"])


# ── in flight ────────────────────────────────────────────────────────────────────────────────────────────────────


def sent(value: str, newer: str | None = None) -> Edit:
    return Edit("Phone", "1", newer or value, in_flight=True, sent=value)


def test_what_was_sent_has_arrived():
    assert held(sent("2"), Phone="2") == Verdict(done=("Phone",))


def test_what_was_sent_has_arrived_and_the_org_has_trimmed_it():
    assert held(sent(" 2 "), Phone="2") == Verdict(done=("Phone",))


@pytest.mark.parametrize("value", [2.25, -2.25])
def test_decimals_beyond_the_scale_are_rounded_or_dropped_by_the_org(value):
    schema = make_schema("Deal__c", make_field("Rate__c", "percent", precision=5, scale=1))
    up, down = math.copysign(2.3, value), math.copysign(2.2, value)

    assert all(arrived(schema, "Rate__c", value, shown) for shown in (value, up, down))
    assert not any(arrived(schema, "Rate__c", value, shown) for shown in (-up, 2.4, 2.1, None))


def test_a_newer_edit_goes_on_where_the_one_before_has_arrived():
    verdict = held(sent("2", newer="3"), Phone="2")

    assert [(each.base, each.value) for each in verdict.keep] == [("2", "3")]


def test_an_edit_back_to_the_base_goes_on_while_another_value_may_still_arrive():
    verdict = held(sent("2", newer="1"), Phone="1")

    assert [(each.base, each.value, each.in_flight) for each in verdict.keep] == [("1", "1", True)]


def test_what_neither_side_had_is_a_conflict_in_flight_too():
    assert held(sent("2"), Phone="5").conflicts == (Conflict("Phone", "1", "2", "5"),)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_parts_of_an_address_merge_as_one():
    verdict = held(Edit("MailingStreet", "A street", "B street"), MailingCity="C town")

    assert verdict == Verdict(conflicts=(Conflict("MailingStreet", "A street", "B street", "A street"),))


def test_an_address_that_was_changed_to_the_same_is_no_conflict():
    verdict = held(
        Edit("MailingStreet", "A street", "B street"),
        Edit("MailingCity", "A town", "B town"),
        MailingStreet="B street",
        MailingCity="B town",
    )

    assert set(verdict.done) == {"MailingStreet", "MailingCity"}


def test_in_an_address_only_what_differs_is_asked():
    verdict = held(
        Edit("MailingStreet", "A street", "B street"),
        Edit("MailingCity", "A town", "B town"),
        MailingStreet="C street",
        MailingCity="B town",
    )

    assert (verdict.done, [each.field for each in verdict.conflicts]) == (("MailingCity",), ["MailingStreet"])


def test_a_dispute_in_an_address_stays_though_the_field_itself_is_at_its_base():
    verdict = held(Edit("MailingStreet", "A street", "B street"), disputed=["MailingStreet"])

    assert [each.field for each in verdict.conflicts] == ["MailingStreet"]


def test_the_parts_of_a_name_merge_by_themselves():
    assert held(Edit("FirstName", "Ann", "Eve"), LastName="Ray").keep == (Edit("FirstName", "Ann", "Eve"),)


def test_an_amount_and_its_currency_merge_as_one():
    assert [each.field for each in held(Edit("Amount", 10.0, 12.0), CurrencyIsoCode="USD").conflicts] == ["Amount"]
    assert [each.field for each in held(Edit("CurrencyIsoCode", "EUR", "USD"), Amount=12.0).conflicts] == [
        "CurrencyIsoCode"
    ]


def test_two_amounts_in_one_currency_merge_by_themselves():
    assert held(Edit("Amount", 10.0, 12.0), Fee__c=2.0, Sum__c=12.0).keep == (Edit("Amount", 10.0, 12.0),)


def test_what_is_edited_with_the_currency_waits_with_it():
    verdict = held(Edit("Amount", 10.0, 12.0), Edit("CurrencyIsoCode", "EUR", "USD"), Fee__c=2.0)

    assert {each.field for each in verdict.conflicts} == {"Amount", "CurrencyIsoCode"}


def test_a_group_with_two_policies_is_asked():
    policies = Policies(named={"deal__c.mailingstreet": Policy.ORG, "deal__c.mailingcity": Policy.LOCAL})

    verdict = held(
        Edit("MailingStreet", "A street", "B"), Edit("MailingCity", "A town", "B"), policies=policies, MailingCity="C"
    )

    assert {each.field for each in verdict.conflicts} == {"MailingStreet", "MailingCity"}


def test_amounts_whose_currency_is_settled_have_policies_of_their_own():
    """One that was asked about with them had followed its own policy the next time it was looked at."""
    policies = Policies(named={"deal__c.amount": Policy.ORG})
    currency = Edit("CurrencyIsoCode", "EUR", "USD")

    verdict = held(
        Edit("Amount", 10.0, 12.0),
        Edit("Fee__c", 1.0, 2.0),
        currency,
        policies=policies,
        Amount=13.0,
        CurrencyIsoCode="USD",
    )

    assert set(verdict.done) == {"Amount", "CurrencyIsoCode"}
    assert [each.field for each in verdict.conflicts] == ["Fee__c"]


# ── whole records ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_of_a_record_that_was_deleted_there_waits():
    verdict = held(Edit("Phone", "1", "2"), IsDeleted=1)

    assert (verdict.kind, verdict.message) == (Kind.DELETED_THERE, "It was deleted in the org.")


def test_an_edit_of_a_merged_record_says_into_which():
    verdict = held(Edit("Phone", "1", "2"), IsDeleted=1, MasterRecordId="a00000000000002AAA")

    assert verdict.kind is Kind.DELETED_THERE
    assert "merged into a00000000000002AAA" in verdict.message


def test_an_edit_of_a_purged_record_waits():
    assert held(Edit("Phone", "1", "2"), gone=True).kind is Kind.DELETED_THERE


def test_under_the_policy_org_the_edit_of_a_deleted_record_ends():
    assert held(Edit("Phone", "1", "2"), IsDeleted=1, policies=always(Policy.ORG)).revert


@pytest.mark.parametrize("policy", [Policy.LOCAL, Policy.NEWEST])
def test_no_policy_creates_a_record_again(policy):
    verdict = held(Edit("Phone", "1", "2"), IsDeleted=1, policies=always(policy))

    assert verdict.kind is Kind.DELETED_THERE
    assert "nothing is created again" in verdict.message


def test_a_deletion_waits_where_the_record_was_changed_there():
    verdict = held(operation=Operation.DELETE, Phone="9")

    assert (verdict.kind, verdict.message) == (Kind.CHANGED_THERE, "Changed in the org since: Phone.")


def test_a_deletion_goes_on_where_only_the_stamp_or_a_formula_moved():
    assert held(operation=Operation.DELETE, Sum__c=99.0) == Verdict()


@pytest.mark.parametrize(
    ("policy", "modified", "expected"),
    [
        (Policy.ORG, EARLIER, True),
        (Policy.LOCAL, LATER, False),
        (Policy.NEWEST, LATER, True),
        (Policy.NEWEST, EARLIER, False),
    ],
)
def test_a_policy_decides_a_deletion(policy, modified, expected):
    verdict = held(operation=Operation.DELETE, policies=always(policy), Phone="9", LastModifiedDate=modified)

    assert (verdict.kind, verdict.revert) == (None, expected)


def test_edits_beneath_a_deletion_are_judged_for_the_day_on_which_it_is_taken_back():
    verdict = held(Edit("Phone", "1", "2"), Edit("FirstName", "Ann", "Eve"), operation=Operation.DELETE, Phone="3")

    assert verdict.kind is Kind.CHANGED_THERE
    assert (verdict.keep, verdict.conflicts) == (
        (Edit("FirstName", "Ann", "Eve"),),
        (Conflict("Phone", "1", "2", "3"),),
    )


def test_a_deletion_goes_on_where_only_our_own_edit_has_arrived():
    assert held(sent("2"), operation=Operation.DELETE, Phone="2") == Verdict(done=("Phone",))
    assert held(sent("2"), operation=Operation.DELETE, Phone="3").kind is Kind.CHANGED_THERE


@pytest.mark.parametrize("gone", [True, False])
def test_what_is_deleted_on_both_sides_is_done(gone):
    assert held(operation=Operation.DELETE, gone=gone, IsDeleted=1).revert


def test_an_undeletion_goes_on_while_the_record_is_deleted_and_is_done_where_it_lives():
    assert held(operation=Operation.UNDELETE, IsDeleted=1) == Verdict()
    assert held(operation=Operation.UNDELETE, IsDeleted=0).revert


def test_an_undeletion_of_a_purged_record_waits():
    assert held(operation=Operation.UNDELETE, gone=True).kind is Kind.DELETED_THERE
