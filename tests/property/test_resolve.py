"""Whatever both sides did: no edit is lost, nobody is overwritten, and asking twice changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from salesforce_sync.models.inbox import Contested, Verdict
from salesforce_sync.models.outbox import Edit, Operation
from salesforce_sync.models.values import same
from salesforce_sync.resolve import Policies, Policy, judge
from salesforce_sync.testing import make_field, make_schema

SCHEMA = make_schema(
    "Deal__c",
    make_field("Street", compoundFieldName="Address"),
    make_field("City", compoundFieldName="Address"),
    Phone="phone",
    Amount="currency",
    Fee__c="currency",
    CurrencyIsoCode="picklist",
)
FIELDS = ("Street", "City", "Phone", "Amount", "Fee__c", "CurrencyIsoCode")
NUMBERS = ("Amount", "Fee__c")
STAMPS = ("2026-03-01T00:00:00.000Z", "2026-03-03T00:00:00.000Z")


def values(name: str) -> st.SearchStrategy[str | float | None]:
    few: list[str | float | None] = [None, 1.0, "1.00", 2.0] if name in NUMBERS else [None, "", "a", "a ", "b", "A"]
    return st.sampled_from(few)


ROWS = st.fixed_dictionaries({name: values(name) for name in FIELDS})


@st.composite
def contests(draw: st.DrawFn) -> Contested:
    base, local, org = draw(ROWS), draw(ROWS), draw(ROWS)
    sent = draw(st.dictionaries(st.sampled_from(FIELDS), st.none()))
    edited = draw(st.permutations(draw(st.lists(st.sampled_from(FIELDS), unique=True))))
    edits = tuple(
        Edit(each, base[each], local[each], each in sent, draw(values(each)) if each in sent else None)
        for each in edited
    )
    disputed = frozenset(draw(st.lists(st.sampled_from(edited))) if edited else ())
    shown = {**org, "LastModifiedDate": draw(st.sampled_from(STAMPS)), "IsDeleted": draw(st.sampled_from([0, 0, 0, 1]))}
    operation = draw(st.sampled_from([Operation.UPDATE, Operation.UPDATE, Operation.CREATE, Operation.UNDELETE]))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    times = {each: now for each in edited if draw(st.booleans())}
    came = draw(st.sampled_from([shown, shown, None]))
    return Contested("Deal__c", "x", operation, edits, base, came, disputed, now, times=times)


POLICIES = st.builds(
    Policies,
    st.sampled_from(Policy),
    st.dictionaries(st.sampled_from(["deal__c.phone", "deal__c.street", "deal__c.amount"]), st.sampled_from(Policy)),
)


def policy_may_be_the_org_s(policies: Policies) -> bool:
    return {policies.default, *policies.named.values()} & {Policy.ORG, Policy.NEWEST} != set()


def as_sets(verdict: Verdict) -> tuple[object, ...]:
    return (set(verdict.keep), set(verdict.done), set(verdict.conflicts), verdict.kind, verdict.revert)


@given(contests(), POLICIES)
def test_no_edit_is_lost(contested: Contested, policies: Policies):
    verdict = judge(contested, SCHEMA, policies)

    if verdict.kind is not None:
        return  # the whole record waits, with all its edits
    if verdict.revert:
        assert not contested.edits or policy_may_be_the_org_s(policies)
        return
    fates = [*(each.field for each in verdict.keep), *verdict.done, *(each.field for each in verdict.conflicts)]
    assert sorted(fates) == sorted(each.field for each in contested.edits)
    for edit in contested.edits:
        shown = (contested.org or {}).get(edit.field)
        if edit.field in verdict.done and not policy_may_be_the_org_s(policies) and not edit.in_flight:
            kind = SCHEMA.field(edit.field).type
            assert same(kind, shown if contested.org is not None else edit.base, edit.value)
    local = {edit.field: edit.value for edit in contested.edits}
    assert all(each.value == local[each.field] for each in verdict.keep)
    assert all(each.local == local[each.field] for each in verdict.conflicts)


@given(contests(), POLICIES)
def test_nobody_is_overwritten(contested: Contested, policies: Policies):
    verdict = judge(contested, SCHEMA, policies)

    bases = {edit.field: edit.base for edit in contested.edits}
    for kept in verdict.keep:
        assert kept.base == (bases[kept.field] if contested.org is None else contested.org[kept.field])
    if contested.org is not None:
        for conflict in verdict.conflicts:
            assert conflict.org == contested.org[conflict.field]


@given(contests(), POLICIES)
def test_asking_twice_changes_nothing(contested: Contested, policies: Policies):
    first = judge(contested, SCHEMA, policies)
    if first.kind is not None or first.revert or contested.org is None:
        assert judge(contested, SCHEMA, policies) == first
        return
    by_field = {edit.field: edit for edit in contested.edits}
    left = (*first.keep, *(replace(by_field[each.field], base=each.base) for each in first.conflicts))
    base = {**contested.org, **{edit.field: edit.base for edit in left}}
    again = replace(
        contested, edits=left, base=base, disputed=frozenset(conflict.field for conflict in first.conflicts)
    )

    second = judge(again, SCHEMA, policies)

    assert (set(second.conflicts), set(second.keep)) == (set(first.conflicts), set(first.keep))
    assert second.done == ()


@given(contests(), POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_edits_does_not_matter(contested: Contested, policies: Policies, random):
    shuffled = list(contested.edits)
    random.shuffle(shuffled)

    other = judge(replace(contested, edits=tuple(shuffled)), SCHEMA, policies)

    assert as_sets(other) == as_sets(judge(contested, SCHEMA, policies))
