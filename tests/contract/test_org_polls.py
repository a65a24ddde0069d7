"""What `ports.Org` promises of polls, of records by id and of deletions, held by every org."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import ObjectTrouble, SchemaChanged, Transient
from salesforce_sync.models.page import Page, Poll, Polled, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.testing import MemoryOrg, make_schema
from salesforce_sync.testing.forms import from_rest
from tests.contract.orgs import PRODUCT, MemoryWorld, OrgWorld, SocketWorld, records

WORLDS: dict[str, Callable[[Path], OrgWorld]] = {
    "memory": MemoryWorld,
    "memory, files": lambda folder: MemoryWorld(folder, csv=True),
    "socket": SocketWorld,
}
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrgWorld]:
    made = WORLDS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def schema(world: OrgWorld) -> ObjectSchema:
    return world.org.describe(PRODUCT)


def poll(world: OrgWorld, schema: ObjectSchema, since: datetime, described_as: str | None = None) -> Polled:
    (answer,) = world.org.poll([Poll(schema, since, described_as)])
    return answer


def known(world: OrgWorld, schema: ObjectSchema) -> str | None:
    """What a second poll sends, when the describe is no news any more."""
    world.tick(3600)
    return poll(world, schema, world.now()).described_as


def rows_of(answer: Polled, schema: ObjectSchema) -> list[dict[str, object]]:
    names = [field.name for field in schema.columns]
    return [dict(zip(names, from_rest(schema.columns, row), strict=True)) for row in answer.rows.values]


def names_of(answer: Polled, schema: ObjectSchema) -> list[object]:
    return [row["Name"] for row in rows_of(answer, schema)]


# ── polls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_poll_brings_what_is_new_the_newest_first_deleted_ones_too(world: OrgWorld, schema: ObjectSchema) -> None:
    world.add("old")
    gone = world.add("gone")
    world.tick(60)
    since = world.now().replace(microsecond=0)
    world.add("first")
    world.tick(60)
    world.delete(gone)
    world.tick(60)
    world.add("last")

    answer = poll(world, schema, since)

    assert names_of(answer, schema) == ["last", "gone", "first"]
    assert [row["IsDeleted"] for row in rows_of(answer, schema)] == [0, 1, 0]
    assert (answer.object_name, answer.total, answer.problem) == (PRODUCT, 3, None)


def test_rows_of_one_stamp_come_by_descending_id(world: OrgWorld, schema: ObjectSchema) -> None:
    world.tick(60)
    since = world.now().replace(microsecond=0)
    ids = [world.add(f"P{number}") for number in range(4)]

    got = [row["Id"] for row in rows_of(poll(world, schema, since), schema)]

    assert got == sorted(ids, reverse=True)


def test_a_poll_of_much_that_is_new_is_small(world: OrgWorld, schema: ObjectSchema) -> None:
    world.tick(60)
    since = world.now().replace(microsecond=0)
    for number in range(230):
        world.add(f"P{number}")

    answer = poll(world, schema, since)

    assert answer.total == 230
    assert len(answer.rows.values) == 200


def test_a_quiet_poll_has_no_rows_and_the_orgs_time(world: OrgWorld, schema: ObjectSchema) -> None:
    world.add("old")
    world.tick(60)

    answer = poll(world, schema, world.now())

    assert (list(answer.rows.values), answer.total) == ([], 0)
    assert answer.server_time is not None
    assert abs(answer.server_time - world.now()) < timedelta(seconds=30)


def test_up_to_five_objects_share_a_call_and_answers_keep_their_order(world: OrgWorld, schema: ObjectSchema) -> None:
    polls = [Poll(schema, world.now() - MINUTE * number) for number in range(7)]
    world.tick(1)
    world.add("new")
    before = world.org.usage.spent

    five = world.org.poll(polls[:5])
    between = world.org.usage.spent
    seven = world.org.poll(polls)

    assert (between - before, world.org.usage.spent - between) == (1, 2)
    assert [answer.total for answer in five] == [1] * 5
    assert len(seven) == 7


def test_asking_nothing_costs_nothing(world: OrgWorld) -> None:
    before = world.org.usage.spent

    assert world.org.poll([]) == ()
    assert world.org.usage.spent == before


def test_an_unchanged_describe_is_not_told(world: OrgWorld, schema: ObjectSchema) -> None:
    described_as = known(world, schema)

    answer = poll(world, schema, world.now(), described_as)

    assert described_as is not None
    assert (answer.schema, answer.described_as) == (None, described_as)


def test_a_describe_that_was_not_asked_before_but_is_the_same_is_no_news(world: OrgWorld, schema: ObjectSchema) -> None:
    assert poll(world, schema, world.now()).schema is None


def test_a_new_field_is_told_and_then_known(world: OrgWorld, schema: ObjectSchema) -> None:
    described_as = known(world, schema)
    world.tick(60)
    world.add_field("Extra__c")

    answer = poll(world, schema, world.now(), described_as)

    assert answer.schema is not None
    assert answer.schema.has("Extra__c")
    assert answer.problem is None
    assert poll(world, answer.schema, world.now(), answer.described_as).schema is None


def test_two_changes_in_one_second_are_both_told(world: OrgWorld, schema: ObjectSchema) -> None:
    described_as = known(world, schema)
    world.tick(60)
    world.add_field("One__c")
    first = poll(world, schema, world.now(), described_as)
    world.add_field("Two__c")
    assert first.schema is not None

    second = poll(world, first.schema, world.now(), first.described_as)

    assert second.schema is not None
    assert second.schema.has("Two__c")


def test_a_removed_field_is_a_problem_of_its_object_and_the_describe_comes_with_it(
    world: OrgWorld, schema: ObjectSchema
) -> None:
    world.add_field("Extra__c")
    wide = world.org.describe(PRODUCT)
    described_as = known(world, wide)
    world.tick(60)
    world.drop_field("Extra__c")

    answer, fine = world.org.poll([Poll(wide, world.now(), described_as), Poll(schema, world.now())])

    assert isinstance(answer.problem, SchemaChanged)
    assert (list(answer.rows.values), answer.total) == ([], 0)
    assert answer.schema is not None
    assert not answer.schema.has("Extra__c")
    assert fine.problem is None


def test_an_object_that_is_not_there_is_a_problem_of_its_own(world: OrgWorld, schema: ObjectSchema) -> None:
    gone, fine = world.org.poll([Poll(make_schema("Nope__c"), world.now()), Poll(schema, world.now())])

    assert isinstance(gone.problem, ObjectTrouble)
    assert gone.schema is None
    assert fine.problem is None


def test_an_object_without_a_stamp_cannot_be_polled(world: OrgWorld, schema: ObjectSchema) -> None:
    answer = poll(world, schema.only("Name"), world.now())

    assert answer.problem is not None
    assert answer.problem.code == "NO_STAMP"


def test_a_poll_may_ask_fewer_columns(world: OrgWorld, schema: ObjectSchema) -> None:
    world.tick(60)
    since = world.now().replace(microsecond=0)
    made = world.add("new")

    narrow = schema.only("SystemModstamp")
    (row,) = rows_of(poll(world, narrow, since), narrow)

    assert set(row) == {"Id", "SystemModstamp"}
    assert row["Id"] == made


# ── records by id ────────────────────────────────────────────────────────────────────────────────────────────────────


def pull_ids(world: OrgWorld, schema: ObjectSchema, *ids: str) -> list[Page]:
    return list(world.org.pull(PullRequest(schema, ids=ids)))


def test_records_come_by_id_deleted_ones_too_and_unknown_ones_are_left_out(
    world: OrgWorld, schema: ObjectSchema
) -> None:
    one, gone, purged, _other = (world.add(name) for name in ("one", "gone", "purged", "other"))
    world.delete(gone)
    world.delete(purged)
    world.purge(purged)

    pages = pull_ids(world, schema, one, gone, purged, "01t000000000zzzAAA", one[:15])

    got = {row["Name"]: row["IsDeleted"] for page in pages for row in records(page)}
    assert got == {"one": 0, "gone": 1}
    assert all(isinstance(page.body, Rows) for page in pages)
    assert sum(len(records(page)) for page in pages) == 2
    assert [page.last for page in pages] == [*[False] * (len(pages) - 1), True]
    assert pages[-1].total == 2


def test_nothing_by_id_is_one_empty_last_page_at_the_end(world: OrgWorld, schema: ObjectSchema) -> None:
    pages = pull_ids(world, schema, "01t000000000zzzAAA")

    assert [row for page in pages for row in records(page)] == []
    assert (pages[-1].last, pages[-1].total) == (True, 0)


def test_records_by_id_may_have_fewer_columns(world: OrgWorld, schema: ObjectSchema) -> None:
    made = world.add("one")

    pages = pull_ids(world, schema.only("Name"), made)

    assert [row for page in pages for row in records(page)] == [{"Id": made, "Name": "one"}]


def test_a_pull_by_id_goes_on_after_every_durable_point(world: OrgWorld, schema: ObjectSchema) -> None:
    ids = tuple(world.add(f"P{number}") for number in range(5))
    request = PullRequest(schema, ids=ids)
    whole = list(world.org.pull(request))

    points = [(done, page.resume) for done, page in enumerate(whole, 1) if page.resume is not None]

    assert points
    for done, resume in points:
        rest = list(world.org.pull(replace(request, resume=resume)))
        assert rest[-1].last
        assert sorted(str(row["Id"]) for page in (*whole[:done], *rest) for row in records(page)) == sorted(ids)


# ── deletions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deletions_are_told_purged_ones_too_and_undeleted_ones_not(world: OrgWorld) -> None:
    gone, purged, back, _alive = (world.add(name) for name in ("gone", "purged", "back", "alive"))
    start = world.now()
    world.tick(120)
    for each in (gone, purged, back):
        world.delete(each)
    world.purge(purged)
    world.undelete(back)
    world.tick(120)

    told = world.org.deletions(PRODUCT, start, world.now())

    assert told.ids == {gone, purged}
    assert world.now() - MINUTE < told.covered <= world.now()


def test_only_the_deletions_of_the_window_are_told(world: OrgWorld) -> None:
    early, late = world.add("early"), world.add("late")
    world.delete(early)
    world.tick(300)
    middle = world.now()
    world.delete(late)
    world.tick(300)

    assert world.org.deletions(PRODUCT, middle - 10 * MINUTE, middle).ids == {early}
    assert world.org.deletions(PRODUCT, middle, world.now()).ids == {late}


def test_what_is_covered_is_not_later_than_the_end_that_was_asked(world: OrgWorld) -> None:
    world.tick(600)
    end = world.now() - 5 * MINUTE

    covered = world.org.deletions(PRODUCT, end - 2 * MINUTE, end).covered

    assert end - MINUTE < covered <= end


def test_the_future_is_not_covered(world: OrgWorld) -> None:
    covered = world.org.deletions(PRODUCT, world.now() - 5 * MINUTE, world.now() + 60 * MINUTE).covered

    assert covered <= world.now()


@pytest.mark.parametrize(("start", "end"), [(-40 * 24 * 60, 0), (0, 0), (0, -10)])
def test_a_window_that_the_org_does_not_take_keeps_the_orgs_code(world: OrgWorld, start: int, end: int) -> None:
    with pytest.raises(ObjectTrouble) as caught:
        world.org.deletions(PRODUCT, world.now() + start * MINUTE, world.now() + end * MINUTE)

    assert caught.value.code == "INVALID_REPLICATION_DATE"


def test_deletions_of_an_object_that_is_not_there_are_trouble_of_that_object(world: OrgWorld) -> None:
    with pytest.raises(ObjectTrouble) as caught:
        world.org.deletions("Nope__c", world.now() - 5 * MINUTE, world.now())

    assert caught.value.code == "NOT_FOUND"


def test_deletions_cost_one_call(world: OrgWorld) -> None:
    before = world.org.usage.spent
    world.org.deletions(PRODUCT, world.now() - 5 * MINUTE, world.now())

    assert world.org.usage.spent == before + 1


# ── what only the org in memory can be told to do ────────────────────────────────────────────────────────────────────


def test_a_scripted_trouble_is_of_one_object_or_of_the_whole_poll() -> None:
    org = MemoryOrg(make_schema("A__c"), make_schema("B__c"))
    polls = [Poll(org.describe(name), org.clock.now()) for name in ("A__c", "B__c")]
    org.fail(Transient("busy"), "B__c", call="poll")

    good, bad = org.poll(polls)

    assert (good.problem, type(bad.problem)) == (None, Transient)
    org.fail(Transient("busy"), call="poll")
    with pytest.raises(Transient):
        org.poll(polls)
    assert [answer.problem for answer in org.poll(polls)] == [None, None]


def test_an_open_transaction_holds_back_what_deletions_cover() -> None:
    org = MemoryOrg(make_schema("A__c"))
    start, key = org.clock.now(), org.put("A__c")
    with org.late_commit() as commit:
        org.delete("A__c", key)
        org.tick(600)

        held = org.deletions("A__c", start - MINUTE, org.clock.now())
        commit()
        free = org.deletions("A__c", start - MINUTE, org.clock.now())

    assert (held.ids, held.covered) == (frozenset(), start)
    assert (free.ids, free.covered) == ({key}, org.clock.now())


def test_too_many_deletions_and_objects_without_a_log_are_refused() -> None:
    org = MemoryOrg(make_schema("A__c"), replace(make_schema("B__c"), replicateable=False))
    start = org.clock.now()
    for _ in range(2):
        org.delete("A__c", org.put("A__c"))
    org.tick(120)
    org.deletion_log.most_ids = 1

    for name, code in (("A__c", "EXCEEDED_ID_LIMIT"), ("B__c", "INVALID_TYPE")):
        with pytest.raises(ObjectTrouble) as caught:
            org.deletions(name, start, org.clock.now())
        assert caught.value.code == code
