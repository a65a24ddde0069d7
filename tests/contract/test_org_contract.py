"""What `ports.Org` promises, held by every org and every route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import LocatorExpired, ObjectNotFound, SchemaChanged
from salesforce_sync.models.page import CsvFile, Page, PullRequest
from salesforce_sync.testing import make_field
from tests.contract.orgs import PRODUCT, MemoryWorld, OrgWorld, SocketWorld, records

GONE = "/services/data/v58.0/query/0r8000000000000AAA-2"

WORLDS: dict[str, Callable[[Path], OrgWorld]] = {
    "memory": MemoryWorld,
    "memory, files": lambda folder: MemoryWorld(folder, csv=True),
    "socket, REST": SocketWorld,
    "socket, Bulk": lambda folder: SocketWorld(folder, bulk=True),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrgWorld]:
    made = WORLDS[request.param](tmp_path)
    yield made
    made.close()


def pull(world: OrgWorld, since: datetime | None = None, resume: str | None = None) -> list[Page]:
    schema = world.org.describe(PRODUCT)
    world.ready()
    return list(world.org.pull(PullRequest(schema, since, resume)))


def rows(pages: list[Page]) -> list[dict[str, object]]:
    return [row for page in pages for row in records(page)]


def names(pages: list[Page]) -> list[object]:
    return [row["Name"] for row in rows(pages)]


def test_everything_is_all_that_lives(world: OrgWorld) -> None:
    ids = [world.add(f"P{number}") for number in range(5)]
    world.delete(ids[3])

    assert sorted(map(str, names(pull(world)))) == ["P0", "P1", "P2", "P4"]


def test_nothing_is_one_last_page(world: OrgWorld) -> None:
    pages = pull(world)

    assert rows(pages) == []
    assert [page.last for page in pages] == [*[False] * (len(pages) - 1), True]


def test_only_the_final_page_is_the_last_and_the_total_is_told(world: OrgWorld) -> None:
    for number in range(5):
        world.add(f"P{number}")

    pages = pull(world)

    assert [page.last for page in pages] == [*[False] * (len(pages) - 1), True]
    assert pages[-1].total == 5
    assert all(page.schema.name == PRODUCT for page in pages)


def test_a_durable_point_tells_how_many_rows_it_completes(world: OrgWorld) -> None:
    for number in range(5):
        world.add(f"P{number}")

    waiting = 0
    for page in pull(world):
        waiting += len(records(page))
        if page.resume is not None:
            assert page.expected in (None, waiting)
            waiting = 0
    assert waiting == 0


def test_changes_are_those_at_or_after_the_stamp(world: OrgWorld) -> None:
    old, changed, gone = world.add("old"), world.add("changed"), world.add("gone")
    world.tick(10)
    since = world.now().replace(microsecond=0)
    world.rename(changed, "changed now")  # in the very second of `since`
    world.tick(10)
    world.delete(gone)
    world.add("new")

    got = rows(pull(world, since))

    assert {row["Name"]: row["IsDeleted"] for row in got} == {"changed now": 0, "gone": 1, "new": 0}
    assert old not in {row["Id"] for row in got}


def test_changes_without_any_are_one_last_page(world: OrgWorld) -> None:
    world.add("old")
    world.tick(60)

    pages = pull(world, world.now())

    assert rows(pages) == []
    assert pages[-1].last


def test_what_is_written_after_the_pull_is_not_older_than_its_time(world: OrgWorld) -> None:
    world.add("before")
    times = {page.server_time for page in pull(world)} - {None}
    world.tick(1)
    world.add("after")

    stamps = {row["Name"]: datetime.fromisoformat(str(row["SystemModstamp"])) for row in rows(pull(world))}
    assert times
    assert all(time is not None and time <= stamps["after"] for time in times)


def test_a_pull_goes_on_after_every_durable_point(world: OrgWorld) -> None:
    for number in range(5):
        world.add(f"P{number}")
    whole = pull(world)
    everything = sorted(map(str, names(whole)))

    points = [(done, page.resume) for done, page in enumerate(whole, 1) if page.resume is not None]

    assert points
    for done, resume in points:
        rest = pull(world, resume=resume)
        assert rest[-1].last
        assert sorted(map(str, names(whole[:done]) + names(rest))) == everything


def test_a_result_that_was_forgotten_has_to_be_asked_anew(world: OrgWorld) -> None:
    for number in range(5):
        world.add(f"P{number}")
    point = next(page.resume for page in pull(world) if page.resume is not None)
    world.forget()

    with pytest.raises(LocatorExpired):
        pull(world, resume=f"rest:2:{GONE}" if point.startswith("rest:") else point)


@pytest.mark.parametrize("point", ["polled", "", "junk:x"])
def test_a_point_that_nothing_goes_on_from_is_refused_as_an_expired_one(world: OrgWorld, point: str) -> None:
    """The rows of a poll have such a one: where a loss was refused, they wait for the next run."""
    with pytest.raises(LocatorExpired):
        pull(world, resume=point)


def test_an_object_that_is_not_there_is_not_found(world: OrgWorld) -> None:
    with pytest.raises(ObjectNotFound):
        world.org.describe("Nope__c")


def test_the_objects_are_listed(world: OrgWorld) -> None:
    assert PRODUCT in {each.name for each in world.org.objects()}


def test_calls_are_counted(world: OrgWorld) -> None:
    before = world.org.usage.spent
    world.org.objects()
    world.org.describe(PRODUCT)

    assert world.org.usage.spent == before + 2
    assert (world.org.usage.used or 0) >= 2
    assert world.org.usage.limit == 15_000


def test_pulls_that_begin_together_are_as_each_would_be_alone(world: OrgWorld) -> None:
    ids = [world.add(f"P{number}") for number in range(5)]
    world.delete(ids[3])
    schema = world.org.describe(PRODUCT)
    world.ready()
    requests = [PullRequest(schema), PullRequest(schema.only("IsDeleted", "Name"))]

    together = [list(pages) for pages in world.org.pull_together(requests)]

    assert [sorted(map(str, names(pages))) for pages in together] == [["P0", "P1", "P2", "P4"]] * 2
    assert all(pages[-1].last for pages in together)


def test_what_one_of_several_pulls_meets_is_its_own(world: OrgWorld) -> None:
    world.add("P0")
    schema = world.org.describe(PRODUCT)
    unknown = replace(schema, fields=(*schema.fields, make_field("Gone__c")))
    world.ready()

    whole, broken = world.org.pull_together([PullRequest(schema), PullRequest(unknown)])

    assert names(list(whole)) == ["P0"]
    with pytest.raises(SchemaChanged):
        list(broken)


def test_a_pull_may_be_left_at_any_page(world: OrgWorld, tmp_path: Path) -> None:
    for number in range(5):
        world.add(f"P{number}")
    schema = world.org.describe(PRODUCT)
    world.ready()

    pages: Any = world.org.pull(PullRequest(schema))
    with closing(pages):
        first = next(pages)

    assert first.schema.name == PRODUCT
    if isinstance(first.body, CsvFile):
        first.body.path.unlink()
    assert sorted(map(str, names(pull(world)))) == ["P0", "P1", "P2", "P3", "P4"]


def test_objects_are_described_and_counted_together(world: OrgWorld) -> None:
    for number in range(3):
        world.add(f"P{number}")
    world.delete(world.add("gone"))

    product, nothing = world.org.describe_together([PRODUCT, "Nope__c"])

    assert product is not None
    assert product.schema == world.org.describe(PRODUCT)
    assert product.rows == 3
    assert nothing is None
