from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from salesforce_sync.api.write_route import MAX_WEIGHT, Way, collection_calls, cost, plan, weight
from salesforce_sync.models.outbox import Operation
from salesforce_sync.ports import Order
from salesforce_sync.testing import make_field
from tests.unit.api.write_orders import create, delete, order, undelete, update


@pytest.mark.parametrize(
    ("make", "count", "way", "calls"),
    [
        (update, 1, Way.PARTS, 1),
        (update, 23, Way.PARTS, 1),
        (update, 46, Way.PARTS, 2),  # as many calls as by collections, and each on its own condition
        (update, 47, Way.COLLECTIONS, 2),
        (update, 600, Way.COLLECTIONS, 2),
        (update, 1000, Way.COLLECTIONS, 3),
        (update, 4000, Way.COLLECTIONS, 8),
        (update, 5000, Way.BULK, 8),
        (create, 12, Way.PARTS, 1),
        (create, 24, Way.PARTS, 2),
        (create, 25, Way.COLLECTIONS, 2),
        (create, 1000, Way.COLLECTIONS, 2),
        (create, 10_000, Way.BULK, 8),
        (delete, 5, Way.PARTS, 1),
        (delete, 10, Way.PARTS, 2),
        (delete, 11, Way.COLLECTIONS, 2),
        (delete, 1000, Way.COLLECTIONS, 2),
        (delete, 10_000, Way.BULK, 7),
        (undelete, 200, Way.UNDELETE, 2),
        (undelete, 201, Way.UNDELETE, 3),
    ],
)
def test_the_cheapest_safe_way_is_taken(make: Callable[[], Order], count: int, way: Way, calls: int) -> None:
    orders = [make() for _ in range(count)]

    assert {step.way for step in plan(orders)} == {way}
    assert cost(orders) == calls


@pytest.mark.parametrize(
    ("make", "count", "rows", "parts", "calls"),
    [
        (update, 600, 200, [200, 200, 200], 2),
        (update, 600, 2000, [200, 200, 200], 2),
        (update, 600, 100, [100] * 6, 3),
        (create, 100, 40, [40, 40, 20], 2),
        (delete, 100, 40, [40, 40, 20], 2),
        (update, 6000, 150, [150] * 40, 15),  # a Bulk job would save 200 at a time
    ],
)
def test_no_collection_has_more_rows_than_are_to_be_saved_together(
    make: Callable[[], Order], count: int, rows: int, parts: list[int], calls: int
) -> None:
    orders = [make() for _ in range(count)]

    (step,) = plan(orders, rows)

    assert step.way is Way.COLLECTIONS
    assert [len(part) for call in collection_calls(step.orders, step.rows) for part in call] == parts
    assert cost(orders, rows) == calls


def test_an_undelete_brings_as_many_back_at_a_time() -> None:
    orders = [undelete() for _ in range(100)]

    assert [(step.way, step.rows) for step in plan(orders, 40)] == [(Way.UNDELETE, 40)]
    assert cost(orders, 40) == cost(orders) + 2


def test_to_look_before_costs_a_call_where_no_stamp_can_be_a_condition() -> None:
    stampless = [order(Operation.UPDATE, stamp=None, Text="x") for _ in range(3)]

    assert {step.way for step in plan(stampless)} == {Way.PARTS}
    assert (cost(stampless), cost([*stampless, update()])) == (2, 2)


def test_records_with_two_long_texts_cost_more_calls_to_be_read_again() -> None:
    orders = [create() for _ in range(7500)]
    fields = (
        *orders[0].schema.fields,
        *(make_field(f"{name}__c", "textarea", length=32_000) for name in ("One", "Two")),
    )
    wide = [replace(each, schema=replace(each.schema, fields=fields)) for each in orders]

    assert (cost(orders), cost(wide)) == (8, 14)


def test_what_goes_by_two_ways_is_read_again_together() -> None:
    orders = [create(Text=text) for text in ["x"] * 40 + ["@{x}"]]

    assert {step.way for step in plan(orders)} == {Way.COLLECTIONS, Way.ALONE}
    assert cost(orders) == 3


def test_every_order_goes_once() -> None:
    orders = [make(name) for _ in range(7) for make in (update, create, delete, undelete) for name in ("Lead", "Case")]

    sent = [order.change.number for step in plan(orders) for order in step.orders]

    assert sorted(sent) == [order.change.number for order in orders]


def test_one_object_keeps_its_order_and_nothing_passes_a_deletion() -> None:
    orders = [update("Lead"), create("Case"), create("Lead"), update("Lead"), delete("Lead"), create("Lead")]

    sent = [order for step in plan(orders) for order in step.orders]

    numbers = [order.change.number for order in sent]
    leads = [each for each in orders if each.schema.name == "Lead"]
    assert [each for each in sent if each in leads] == leads
    assert numbers.index(orders[4].change.number) > numbers.index(orders[1].change.number)


def test_objects_that_alternate_share_calls() -> None:
    orders = [update(name) for _ in range(300) for name in ("Lead", "Case")]

    assert cost(orders) == 4


def test_a_call_of_parts_has_no_more_than_salesforce_takes() -> None:
    orders = [update(name) for _ in range(4) for name in ("Account", "Contact", "Lead", "Case")]

    steps = plan(orders)

    assert [step.way for step in steps] == [Way.PARTS] * 2  # four objects would need eight queries
    assert sum(len(step.orders) for step in steps) == 16


def test_what_allows_duplicates_goes_in_calls_of_its_own() -> None:
    first, second = create(), create()
    second = replace(second, change=replace(second.change, allow_duplicates=True))

    assert [len(step.orders) for step in plan([first, second])] == [1, 1]


def test_what_bulk_would_keep_otherwise_goes_beside_it() -> None:
    orders = [update(Text=text) for text in ["x"] * 6000 + ["#N/A", " blank", "a\rb", "@{x}"]]

    steps = plan(orders)

    assert [(step.way, len(step.orders)) for step in steps] == [(Way.BULK, 6001), (Way.PARTS, 3)]


def test_a_text_that_composite_would_read_as_a_reference_goes_alone() -> None:
    orders = [update(Text="@{write0.id}"), update(Text="@ {x}")]

    assert [step.way for step in plan(orders)] == [Way.PARTS, Way.ALONE]


def test_no_body_is_larger_than_it_may_be() -> None:
    orders = [update(Text="x" * 100_000) for _ in range(200)]

    calls = [[order for part in call for order in part] for call in collection_calls(orders)]

    assert all(sum(map(weight, call)) <= MAX_WEIGHT for call in calls)
    assert sum(map(len, calls)) == 200


def test_deletions_of_several_objects_share_a_collection_until_they_change_too_often() -> None:
    orders = [delete(name) for _ in range(20) for name in ("Lead", "Case")]

    calls = collection_calls(orders)

    assert [[len(part) for part in call] for call in calls] == [[10, 10, 10, 10]]
