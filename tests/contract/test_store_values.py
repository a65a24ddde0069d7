"""Store: every value is kept exactly, and the same by whichever route it came."""

import pytest

from salesforce_sync.collection import Collection
from salesforce_sync.models.base import record_type_for
from salesforce_sync.models.page import PullRequest
from salesforce_sync.testing import make_field, make_schema
from tests.contract.nasty import NASTY
from tests.contract.stores import NOON, csv_page, id_of, page


def bring(store, tmp_path, kind, form):
    """Let every nasty value of this type enter by this form, in a column between two others."""
    schema = make_schema("Nasty__c", Before__c="string", Value__c=kind, After__c="string")
    store.adopt(schema)
    store.begin(PullRequest(schema))
    values = [getattr(each, form if form == "rest" else "csv") for each in NASTY[kind]]
    rows = [(id_of(at), False, NOON, NOON, NOON, "b", value, "a") for at, value in enumerate(values)]
    more = {"resume": "end", "expected": len(rows), "last": True}
    by_csv = form != "rest"
    whole = csv_page(tmp_path / "p.csv", rows, schema, **more) if by_csv else page(*rows, schema=schema, **more)
    store.stage(store.prepare(whole) if form == "prepared" else whole)
    store.merge("Nasty__c", None)
    return schema


@pytest.mark.parametrize("form", ["csv", "prepared", "rest"])
@pytest.mark.parametrize("kind", NASTY)
def test_values_are_stored_exactly_by_every_route(world, tmp_path, kind, form):
    bring(world.store, tmp_path, kind, form)

    got = {row[0]: row[5:] for row in world.store.scan("Nasty__c")}

    for at, each in enumerate(NASTY[kind]):
        before, value, after = got[id_of(at)]
        assert (before, after) == ("b", "a")
        assert value == each.stored, f"{each.csv!r} by {form}"
        assert type(value) is type(each.stored), f"{each.csv!r} by {form}"


@pytest.mark.parametrize("form", ["csv", "rest"])
@pytest.mark.parametrize("kind", NASTY)
def test_values_are_shown_exactly(world, tmp_path, kind, form):
    schema = bring(world.store, tmp_path, kind, form)
    records = Collection(world.store, "Nasty__c", record_type_for(schema))

    shown = [records.get(id_of(at))["Value__c"] for at in range(len(NASTY[kind]))]

    assert shown == [each.shown for each in NASTY[kind]]
    assert [type(each) for each in shown] == [type(each.shown) for each in NASTY[kind]]


@pytest.mark.parametrize("kind", NASTY)
def test_the_same_values_by_the_other_route_are_nothing_new(world, tmp_path, kind):
    bring(world.store, tmp_path, kind, "csv")
    schema = make_schema("Nasty__c", Before__c="string", Value__c=kind, After__c="string")
    rows = [(id_of(at), False, NOON, NOON, NOON, "b", each.rest, "a") for at, each in enumerate(NASTY[kind])]
    world.store.begin(PullRequest(schema))
    world.store.stage(page(*rows, schema=schema, resume="end", last=True))

    assert world.store.merge("Nasty__c", None).changed == 0


@pytest.mark.parametrize("kind", NASTY)
def test_values_survive_a_second_merge(world, tmp_path, kind):
    # The first load takes the staging table over; every later one is merged row by row.
    bring(world.store, tmp_path, kind, "rest")
    schema = make_schema("Nasty__c", Before__c="string", Value__c=kind, After__c="string")
    rows = [(id_of(at), False, NOON, NOON, NOON, "c", each.csv, "a") for at, each in enumerate(NASTY[kind])]
    world.store.begin(PullRequest(schema))
    world.store.stage(csv_page(tmp_path / "p.csv", rows, schema, resume="end", last=True))

    assert world.store.merge("Nasty__c", None).updated == len(rows)

    got = {row[0]: row[6] for row in world.store.scan("Nasty__c")}
    assert got == {id_of(at): each.stored for at, each in enumerate(NASTY[kind])}


@pytest.mark.parametrize("form", ["csv", "prepared"])
def test_ids_of_a_file_that_have_15_characters_are_kept_with_18(world, tmp_path, form):
    schema = make_schema("Odd__c", make_field("Parent__c", "reference", referenceTo=["Odd__c"]), Name="string")
    short = id_of(7)[:15]
    texts = {"Id": short, "Parent__c": short, "Name": short, "IsDeleted": False}
    world.store.adopt(schema)
    world.store.begin(PullRequest(schema))

    rows = [tuple(texts.get(each.name, NOON) for each in schema.columns)]
    whole = csv_page(tmp_path / "p.csv", rows, schema, resume="end", last=True)
    world.store.stage(world.store.prepare(whole) if form == "prepared" else whole)
    world.store.merge("Odd__c", None)

    kept = dict(zip((each.name for each in schema.columns), next(iter(world.store.scan("Odd__c"))), strict=True))
    assert (kept["Id"], kept["Parent__c"], kept["Name"]) == (id_of(7), id_of(7), short)
