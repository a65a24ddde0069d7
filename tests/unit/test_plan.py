"""What is sent in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, ChangeState, Edit, Operation, is_local
from salesforce_sync.sync.needs import parents
from salesforce_sync.sync.plan import CIRCULAR_REFERENCE, LOCAL_REFERENCE_GONE, Plan, plan
from salesforce_sync.testing import make_field, make_schema

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = make_schema(
    "Account",
    make_field("Key__c", unique=True, externalId=True),
    Name="string",
    ParentId="reference",
    Main__c="reference",
)
CONTACT = make_schema(
    "Contact",
    make_field("OwnerId", "reference", referenceTo=["User"]),
    make_field("AccountId", "reference", referenceTo=["Account"]),
    LastName="string",
    ReportsToId="reference",
)
LINE = make_schema("Line__c", make_field("Of__c", "reference", nillable=False), make_field("Also__c", "reference"))
PRICE = make_schema("PricebookEntry", Pricebook2Id="reference", Product2Id="reference", CurrencyIsoCode="picklist")
SCHEMAS = {each.name: each for each in (ACCOUNT, CONTACT, LINE, PRICE)}


def create(number: int, name: str, object_name: str = "Account", **values) -> Change:
    edits = tuple(Edit(field, None, value) for field, value in values.items())
    return Change(number, object_name, f"local-{name}", Operation.CREATE, edits)


def update(number: int, record_id: str, object_name: str = "Account", **values) -> Change:
    edits = tuple(Edit(field, *pair) for field, pair in values.items())
    return Change(number, object_name, record_id, Operation.UPDATE, edits)


def delete(number: int, record_id: str, object_name: str = "Account") -> Change:
    return Change(number, object_name, record_id, Operation.DELETE)


def waves(planned: Plan) -> list[list[int]]:
    return [[order.change.number for order in wave.orders] for wave in planned.waves]


def of(*changes: Change, **more) -> list[list[int]]:
    return waves(plan(changes, SCHEMAS, NOW, **more))


# ── what is sent at all ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_depends_on_nothing_goes_at_once_in_the_order_of_the_outbox():
    assert of(update(2, "a", Name=("1", "2")), create(1, "x", Name="X"), delete(3, "b")) == [[1, 2, 3]]


@pytest.mark.parametrize(
    "kept",
    [
        {"state": ChangeState.PARKED},
        {"state": ChangeState.SENDING},
        {"not_before": NOW + timedelta(seconds=1)},
        {"edits": ()},
    ],
)
def test_what_is_parked_sending_not_due_or_wholly_in_conflict_is_not_sent(kept):
    assert of(replace(update(1, "a", Name=("1", "2")), **kept)) == []


def test_what_is_due_is_sent():
    assert of(replace(update(1, "a", Name=("1", "2")), not_before=NOW)) == [[1]]


def test_a_change_that_is_left_out_is_not_sent():
    assert of(update(1, "a", Name=("1", "2")), update(2, "b", Name=("1", "2")), without=[1]) == [[2]]


# ── parents before children ──────────────────────────────────────────────────────────────────────────────────────


def test_parents_go_before_children_at_any_depth():
    chain = [create(9 - each, str(each), ParentId=f"local-{each - 1}" if each else None) for each in range(9)]

    assert of(*chain) == [[9], [8], [7], [6], [5], [4], [3], [2], [1]]


def test_a_very_long_chain_is_no_trouble():
    chain = [create(each, str(each), ParentId=f"local-{each + 1}") for each in range(5000)]

    assert len(of(*chain, create(5000, "5000"))) == 5001


def test_an_update_that_refers_to_a_new_record_goes_after_it():
    assert of(update(1, "c", "Contact", AccountId=("a", "local-x")), create(2, "x", Name="X")) == [[2], [1]]


def test_siblings_follow_their_eldest():
    lines = [
        create(1, "1", "Line__c", Of__c="p"),
        create(2, "2", "Line__c", Of__c="q"),
        create(3, "3", "Line__c", Of__c="p"),
        update(4, "z", Name=("1", "2")),
        create(5, "5", "Line__c", Of__c="q"),
    ]

    assert of(*lines) == [[1, 3, 2, 5, 4]]


def test_a_required_reference_is_the_parent_and_an_owner_is_none():
    values = {"OwnerId": "u", "AccountId": "a", "Also__c": "x", "Of__c": "y"}

    assert parents(CONTACT, values) == ("a",)
    assert parents(LINE, values) == ("y", "x")


# ── circles ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_refers_to_itself_is_created_without_and_patched():
    planned = plan([create(1, "x", Name="X", ParentId="local-x")], SCHEMAS, NOW)

    first, second = (wave.orders[0].change for wave in planned.waves)
    assert (first.operation, first.values) == (Operation.CREATE, {"Name": "X"})
    assert (second.operation, second.values) == (Operation.UPDATE, {"ParentId": "local-x"})


def test_records_that_refer_to_each_other_are_created_and_patched():
    planned = plan(
        [
            create(1, "a", Name="A", Main__c="local-c"),
            create(2, "c", "Contact", LastName="C", AccountId="local-a"),
        ],
        SCHEMAS,
        NOW,
    )

    sent = [[(each.change.number, each.change.values) for each in wave.orders] for wave in planned.waves]
    assert sent == [
        [(1, {"Name": "A"})],
        [(2, {"LastName": "C", "AccountId": "local-a"})],
        [(1, {"Main__c": "local-c"})],
    ]


def test_a_circle_is_cut_where_a_field_need_not_have_a_value():
    planned = plan(
        [create(1, "l", "Line__c", Of__c="local-a"), create(2, "a", Name="A", Main__c="local-l")], SCHEMAS, NOW
    )

    assert waves(planned) == [[2], [1], [2]]


def test_a_circle_of_required_fields_is_told_and_what_waits_for_it_is_blocked():
    planned = plan(
        [
            create(1, "k", "Line__c", Of__c="local-l"),
            create(2, "l", "Line__c", Of__c="local-k"),
            create(3, "m", "Line__c", Of__c="local-l"),
        ],
        SCHEMAS,
        NOW,
    )

    assert [(each.change.number, each.code) for each in planned.rejected] == [(1, CIRCULAR_REFERENCE)]
    assert [(each.change.number, each.by) for each in planned.blocked] == [(2, "local-k"), (3, "local-l")]
    assert planned.waves == ()


# ── blocked and lost ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("parent", [{"state": ChangeState.PARKED}, {"not_before": NOW + timedelta(hours=1)}])
def test_children_of_what_cannot_be_sent_are_blocked_at_any_depth(parent):
    planned = plan(
        [
            replace(create(1, "a", Name="A"), **parent),
            create(2, "b", ParentId="local-a"),
            create(3, "c", ParentId="local-b"),
            create(4, "d", Name="D"),
        ],
        SCHEMAS,
        NOW,
    )

    assert [(each.change.number, each.by) for each in planned.blocked] == [(2, "local-a"), (3, "local-b")]
    assert waves(planned) == [[4]]


def test_a_reference_to_a_local_record_that_is_nowhere_is_rejected():
    planned = plan(
        [create(1, "c", "Contact", AccountId="local-x"), create(2, "d", "Contact", ReportsToId="local-c")], SCHEMAS, NOW
    )

    assert [(each.code, each.fields) for each in planned.rejected] == [(LOCAL_REFERENCE_GONE, ("AccountId",))]
    assert "local-x" in planned.rejected[0].message
    assert [each.change.number for each in planned.blocked] == [2]


# ── deletions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_children_are_deleted_before_their_parents():
    assert of(delete(1, "p"), delete(2, "c", "Contact"), references={"c": ("p", "u")}) == [[2], [1]]


def test_a_parent_is_not_deleted_while_its_child_s_deletion_waits_for_a_person():
    parked = replace(delete(2, "c", "Contact"), state=ChangeState.PARKED)

    planned = plan([delete(1, "p"), parked], SCHEMAS, NOW, {"c": ("p",)})

    assert [(each.change.number, each.by) for each in planned.blocked] == [(1, "c")]


def test_a_record_goes_to_its_new_parent_before_the_old_one_is_deleted():
    assert of(delete(1, "p"), update(2, "c", "Contact", AccountId=("p", "q"))) == [[2], [1]]


def test_records_that_refer_to_each_other_can_be_deleted():
    assert of(delete(1, "p"), delete(2, "q"), references={"p": ("q",), "q": ("p",)}) == [[1], [2]]


def test_a_new_record_with_a_unique_value_waits_for_older_deletions():
    assert of(delete(1, "p"), create(2, "x", Key__c="k"), create(3, "y", Name="Y")) == [[1, 3], [2]]
    assert of(create(1, "x", Key__c="k"), delete(2, "p")) == [[1, 2]]


def test_an_undeletion_of_a_parent_goes_first():
    changes = [
        Change(1, "Contact", "c", Operation.UNDELETE),
        Change(2, "Account", "p", Operation.UNDELETE),
        create(3, "d", "Contact", AccountId="p"),
    ]

    assert of(*changes, references={"c": ("p",)}) == [[2], [1, 3]]


# ── the dry run is the real run ──────────────────────────────────────────────────────────────────────────────────


@st.composite
def outboxes(draw: st.DrawFn) -> list[Change]:
    size = draw(st.integers(1, 9))
    names = [f"local-{each}" for each in range(size)]
    targets = st.sampled_from([None, "001x", *names])
    made = []
    for number, name in enumerate(names):
        if draw(st.integers(0, 3)):
            chosen = {"ParentId": draw(targets), "Main__c": draw(targets), "Name": "N"}
            edits = tuple(Edit(field, None, value) for field, value in chosen.items() if value)
            made.append(Change(number, "Account", name, Operation.CREATE, edits))
        elif draw(st.booleans()):
            edit = Edit("AccountId", draw(st.sampled_from(["r1", "r2", None])), draw(targets))
            made.append(Change(number, "Contact", f"003{number}", Operation.UPDATE, (edit,)))
        else:
            made.append(Change(number, "Account", f"r{number}", Operation.DELETE))
    return made


def after(changes: list[Change], sent: list[Change]) -> list[Change]:
    """The outbox once the org has taken these: references to what was created hold real ids."""
    real = {each.record_id: f"real-{each.record_id[6:]}" for each in sent if each.operation is Operation.CREATE}
    gone = {each.number: {edit.field for edit in each.edits} for each in sent}
    left = []
    for change in changes:
        edits = tuple(edit for edit in change.edits if edit.field not in gone.get(change.number, ()))
        if change.number in gone and not edits:
            continue
        edits = tuple(replace(edit, value=real.get(str(edit.value), edit.value)) for edit in edits)
        operation = Operation.UPDATE if change.number in gone else change.operation
        left.append(
            replace(change, record_id=real.get(change.record_id, change.record_id), operation=operation, edits=edits)
        )
    return left


@given(outboxes())
def test_the_real_run_sends_what_the_dry_run_says(changes: list[Change]):
    references = {each.record_id: ("r1", "r2") for each in changes if each.operation is Operation.DELETE}
    foretold = plan(changes, SCHEMAS, NOW, references)

    ran = []
    outbox = changes
    while (now := plan(outbox, SCHEMAS, NOW, references)).waves:
        orders = now.waves[0].orders
        for order in orders:
            kinds = {each.name: each.type for each in order.schema.columns}
            assert not any(
                is_local(str(edit.value)) for edit in order.change.edits if kinds[edit.field].value == "reference"
            )
        ran.append([(order.change.number, [edit.field for edit in order.change.edits]) for order in orders])
        outbox = after(outbox, [order.change for order in orders])
        assert len(ran) <= 30

    assert ran == [
        [(order.change.number, [edit.field for edit in order.change.edits]) for order in wave.orders]
        for wave in foretold.waves
    ]
    assert {each.number for each in outbox} == {each.change.number for each in (*now.blocked, *now.rejected)}


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────────────────


def price(number, book, product, **values):
    return create(number, f"p{number}", "PricebookEntry", Pricebook2Id=book, Product2Id=product, **values)


def test_a_products_standard_price_goes_before_its_others():
    changes = price(1, "own", "bolt"), price(2, "own", "nut"), price(3, "standard", "bolt"), price(4, "other", "bolt")

    assert of(*changes, standard_books={"standard"}) == [[2, 3], [1, 4]]
    assert of(*changes) == [[1, 2, 3, 4]]


def test_each_currency_has_a_standard_price_of_its_own():
    dollars, euros = {"CurrencyIsoCode": "USD"}, {"CurrencyIsoCode": "EUR"}
    changes = price(1, "own", "bolt", **euros), price(2, "standard", "bolt", **dollars)

    assert of(*changes, standard_books={"standard"}) == [[1, 2]]


def test_other_prices_wait_for_a_standard_price_that_was_refused():
    refused = replace(price(2, "standard", "bolt"), state=ChangeState.PARKED)

    planned = plan([price(1, "own", "bolt"), refused], SCHEMAS, NOW, standard_books={"standard"})

    assert not planned.waves
    assert [(each.change.number, each.by) for each in planned.blocked] == [(1, "local-p2")]
