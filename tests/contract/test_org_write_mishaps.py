"""What goes wrong while changes are written, with `SalesforceOrg` and a simulated org over a socket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from salesforce_sync.api.write_route import Way
from salesforce_sync.errors import LimitExceeded, NeedsPerson
from salesforce_sync.models.outbox import Change, Edit, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Match, Outcome, Rejected
from salesforce_sync.ports import Order
from simorg.faults import Fault
from tests.contract.writing import (
    WIDGET,
    SocketWriteWorld,
    calls,
    create,
    delete,
    row,
    undelete,
    update,
    write,
)

WAYS = {"parts": Way.PARTS, "collections": Way.COLLECTIONS, "Bulk": Way.BULK, "one by one": Way.ALONE}


@pytest.fixture(params=WAYS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SocketWriteWorld]:
    """An org that is written to by one way."""
    made = SocketWriteWorld(tmp_path, way=WAYS[request.param])
    yield made
    made.close()


@pytest.fixture
def free(tmp_path: Path) -> Iterator[SocketWriteWorld]:
    """An org that is written to by the way that is cheapest."""
    made = SocketWriteWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[SocketWriteWorld]:
    made = SocketWriteWorld(tmp_path, way=Way.PARTS)
    yield made
    made.close()


@pytest.fixture
def bulk(tmp_path: Path) -> Iterator[SocketWriteWorld]:
    made = SocketWriteWorld(tmp_path, way=Way.BULK)
    yield made
    made.close()


def texts(world: SocketWriteWorld) -> list[object]:
    rows = world.sim.database.rows('SELECT "Text__c" FROM "Widget__c" WHERE "IsDeleted" = 0 ORDER BY "Id"')
    return [each[0] for each in rows]


def kinds(outcomes: Sequence[Outcome]) -> list[type]:
    return [type(each) for each in outcomes]


# ── lost answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST|PATCH", sends="lost", drop="after"),
        Fault(method="POST|PATCH", sends="lost", drop="after", reset=True),
        Fault(method="POST|PATCH", sends="lost", status=500, done=True),
        Fault(method="POST|PATCH", sends="lost", status=502, done=True),
        Fault(method="POST|PATCH", sends="lost", status=503, done=True),
        Fault(method="POST|PATCH", sends="lost", status=504, done=True),
        Fault(method="POST|PATCH", sends="lost", status=408, done=True),
        Fault(method="POST|PATCH", sends="lost", cut_after=1),
    ],
    ids=["no answer", "reset", "500", "502", "503", "504", "408", "cut"],
)
@pytest.mark.parametrize("way", [Way.PARTS, Way.COLLECTIONS, Way.ALONE])
def test_a_create_whose_answer_is_lost_is_not_sent_again(way: Way, fault: Fault, tmp_path: Path) -> None:
    world = SocketWriteWorld(tmp_path, way=way)
    world.sim.faults.add(fault)

    lost, after = write(world, create(world, Text__c="lost"), update(world, world.add(Text__c="x"), Text__c="y"))

    made = texts(world).count("lost")
    world.close()
    assert isinstance(lost, Lost)
    assert made == 1
    assert isinstance(after, (Applied, Lost))


def test_a_call_that_is_lost_before_the_org_is_lost_all_the_same(world: SocketWriteWorld) -> None:
    orders = [create(world, Text__c="lost")]
    world.sim.faults.add(Fault(method="POST", sends="lost", drop="before"))

    # Nothing of a Bulk job is sent by POST but its making, which may be repeated.
    assert kinds(write(world, *orders)) == [Applied if world.way is Way.BULK else Lost]
    assert texts(world) == (["lost"] if world.way is Way.BULK else [])


def test_later_calls_go_on_after_a_lost_one(parts: SocketWriteWorld) -> None:
    orders = [create(parts, Text__c=f"{number:02}") for number in range(30)]
    parts.sim.faults.add(Fault(path="composite$", drop="after"))

    outcomes = write(parts, *orders)

    assert kinds(outcomes) == [Lost] * 12 + [Applied] * 18
    assert texts(parts) == [f"{number:02}" for number in range(30)]


def test_of_a_collection_that_dies_half_way_everything_is_lost(tmp_path: Path) -> None:
    world = SocketWriteWorld(tmp_path, way=Way.COLLECTIONS)
    orders = [create(world, Text__c=f"{number:02}") for number in range(10)]
    world.sim.faults.add(Fault(path="composite$", save_rows=4))

    outcomes = write(world, *orders)

    made = texts(world)
    world.close()
    assert kinds(outcomes) == [Lost] * 10
    assert made == ["00", "01", "02", "03"]


def test_a_call_that_was_turned_away_at_the_door_is_sent_again(world: SocketWriteWorld) -> None:
    order = create(world, Text__c="once")
    world.sim.faults.add(Fault(method="POST", sends="once|insert", status=429))

    assert kinds(write(world, order)) == [Applied]
    assert texts(world) == ["once"]


# ── Bulk, step by step ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_whose_making_or_filling_is_lost_does_nothing_twice(bulk: SocketWriteWorld) -> None:
    for fault in (
        Fault(method="POST", path="jobs/ingest$", drop="after"),
        Fault(method="PUT", path="batches", drop="before"),
        Fault(method="PUT", path="batches", drop="after"),
        Fault(method="PUT", path="batches", drop="after", times=2),
    ):
        bulk.sim.faults.add(fault)
        orders = [create(bulk, Text__c="a"), create(bulk, Text__c="b")]

        assert kinds(write(bulk, *orders)) == [Applied, Applied]
    assert sorted(map(str, texts(bulk))) == ["a"] * 4 + ["b"] * 4


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_job_whose_start_is_lost_is_asked_whether_it_runs(drop: str, bulk: SocketWriteWorld) -> None:
    bulk.sim.faults.add(Fault(method="PATCH", path="jobs/ingest", drop=drop))

    assert kinds(write(bulk, create(bulk, Text__c="a"))) == [Applied]
    assert texts(bulk) == ["a"]


def test_a_look_or_a_result_that_is_lost_is_asked_for_again(bulk: SocketWriteWorld) -> None:
    bulk.sim.faults.add(Fault(method="GET", path="jobs/ingest/[^/]*$", drop="after"))
    bulk.sim.faults.add(Fault(method="GET", path="Results", cut_after=10))

    assert kinds(write(bulk, create(bulk, Text__c="a"), create(bulk, Text__c="b"))) == [Applied, Applied]


def test_a_job_that_cannot_be_followed_is_recovered_by_its_id(bulk: SocketWriteWorld) -> None:
    orders = [create(bulk, Text__c=text) for text in "aab"]
    orders.append(create(bulk, Text__c="x" * 300))
    bulk.sim.faults.add(Fault(method="GET", path="jobs/ingest", times=None, status=500))
    announced: list[tuple[int, str | None]] = []

    outcomes = [
        each
        for some in bulk.org.write(orders, lambda *told: announced.append((len(told[0]), told[1])))
        for each in some
    ]

    assert kinds(outcomes) == [Lost] * 4
    (job,) = {each.job for each in outcomes if isinstance(each, Lost)}
    assert announced == [(4, None), (4, job)]
    assert job is not None
    bulk.sim.faults.clear()
    recovered = bulk.org.recover(orders, job)
    assert kinds(recovered) == [Applied, Applied, Applied, Rejected]
    assert len({each.record_id for each in recovered if isinstance(each, Applied)}) == 3


def test_a_job_that_was_never_started_leaves_its_orders_to_be_sent_again(bulk: SocketWriteWorld) -> None:
    order = create(bulk, Text__c="a")

    class Killed(BaseException):
        pass

    told: list[str] = []

    def announce(changes: Sequence[Change], job: str | None) -> None:
        if job is not None:
            told.append(job)
            raise Killed

    with pytest.raises(Killed):
        list(bulk.org.write([order], announce))

    assert kinds(bulk.org.recover([order], told[0])) == [Deferred]
    assert texts(bulk) == []


def test_what_a_failed_job_did_not_come_to_goes_another_way(bulk: SocketWriteWorld) -> None:
    orders = [create(bulk, Text__c=f"{number:02}") for number in range(20)]
    bulk.sim.faults.add(Fault(job="failed", path=WIDGET))

    assert kinds(write(bulk, *orders)) == [Applied] * 20
    assert sorted(map(str, texts(bulk))) == [f"{number:02}" for number in range(20)]


def test_what_is_changed_while_a_job_is_filled_is_not_overwritten(bulk: SocketWriteWorld) -> None:
    ids = [bulk.add(Text__c="was") for _ in range(3)]
    orders = [update(bulk, each, Text__c="ours") for each in ids]
    bulk.tick(2)
    bulk.edit(ids[1], Text__c="theirs")

    assert kinds(write(bulk, *orders)) == [Applied, Conflicted, Applied]
    assert texts(bulk) == ["ours", "theirs", "ours"]


def test_what_is_changed_while_a_job_is_announced_is_not_overwritten(bulk: SocketWriteWorld) -> None:
    ids = [bulk.add(Text__c="was") for _ in range(3)]
    orders = [update(bulk, each, Text__c="ours") for each in ids]
    bulk.tick(2)

    def announce(changes: Sequence[Change], job: str | None) -> None:
        if len(changes) == 3 and job is not None:
            bulk.edit(ids[1], Text__c="theirs")

    outcomes = {each.change.record_id: each for some in bulk.org.write(orders, announce) for each in some}

    assert kinds([outcomes[each] for each in ids]) == [Applied, Conflicted, Applied]
    assert texts(bulk) == ["ours", "theirs", "ours"]


def test_what_is_changed_while_an_earlier_collection_call_is_sent_is_not_overwritten(free: SocketWriteWorld) -> None:
    ids = [each.id for each in free.sim.create(WIDGET, [{"Account__c": free.account} for _ in range(1201)])]
    orders = update_many(free, ids)
    free.tick(2)
    outcomes: list[Outcome] = []

    def announce(changes: Sequence[Change], job: str | None) -> None:
        if changes[0].record_id == ids[0]:
            for record_id in (ids[700], ids[1200]):
                free.edit(record_id, Text__c="theirs")

    spent = calls(free, lambda: outcomes.extend(each for some in free.org.write(orders, announce) for each in some))

    conflicted = {each.change.record_id for each in outcomes if isinstance(each, Conflicted)}
    assert (conflicted, len(outcomes)) == ({ids[700], ids[1200]}, 1201)
    assert spent == 3  # nothing is left of the third call


@pytest.mark.parametrize("rows", [3, 30])
def test_an_update_tells_the_stamp_that_it_came_upon(free: SocketWriteWorld, rows: int) -> None:
    ids = [each.id for each in free.sim.create(WIDGET, [{"Account__c": free.account} for _ in range(rows)])]
    orders = update_many(free, ids)
    came: dict[str, str] = {}
    free.tick(2)

    def announce(changes: Sequence[Change], job: str | None) -> None:
        if not came:
            for record_id in ids[:2]:
                free.edit(record_id, Area__c="theirs")
                came[record_id] = str(row(free, record_id, orders[0].schema)["SystemModstamp"])
            free.tick(2)

    outcomes = {each.change.record_id: each for some in free.org.write(orders, announce) for each in some}

    applied = {key: each.stamp for key, each in outcomes.items() if isinstance(each, Applied)}
    was = {each.change.record_id: each.change.stamp for each in orders}
    if rows == 3:  # each write holds itself against its stamp
        assert kinds([outcomes[each] for each in ids]) == [Conflicted, Conflicted, Applied]
    assert applied == {key: came.get(key, was[key]) for key in applied}
    assert ids[2] in applied


# ── rows that are refused ────────────────────────────────────────────────────────────────────────────────────────────


def test_refused_rows_have_salesforces_code_message_and_fields(world: SocketWriteWorld) -> None:
    ids = [world.add(Text__c="was") for _ in range(3)]
    orders = [update(world, each, Text__c="now") for each in ids]
    orders[1] = update(world, ids[1], Text__c="x" * 256)

    outcomes = write(world, *orders)

    assert kinds(outcomes) == [Applied, Rejected, Applied]
    refused = outcomes[1]
    assert isinstance(refused, Rejected)
    assert (refused.code, refused.fields, refused.kind) == ("STRING_TOO_LONG", ("Text__c",), Kind.REJECTED)
    assert "data value too large" in refused.message


def test_a_locked_row_is_put_off(world: SocketWriteWorld) -> None:
    ids = [world.add(Text__c="was") for _ in range(2)]
    orders = [update(world, each, Text__c="now") for each in ids]
    world.sim.rules.lock_row(ids[0], times=1)

    outcomes = write(world, *orders)

    assert kinds(outcomes) == [Deferred, Applied]
    assert isinstance(outcomes[0], Deferred)
    assert outcomes[0].code == "UNABLE_TO_LOCK_ROW"


def test_a_duplicate_is_told_with_what_it_is_like_and_may_be_saved_anyway(world: SocketWriteWorld) -> None:
    known = world.add(Text__c="twin")
    world.sim.rules.add_duplicate_rule(WIDGET, ["Text__c"])
    order = create(world, Text__c="twin")

    (refused,) = write(world, order)
    (saved,) = write(world, replace(order, change=replace(order.change, allow_duplicates=True)))

    assert isinstance(refused, Rejected)
    assert (refused.code, refused.kind) == ("DUPLICATES_DETECTED", Kind.DUPLICATE)
    assert refused.matches == (Match(WIDGET, known),)
    assert isinstance(saved, Applied)


# ── limits and sessions ──────────────────────────────────────────────────────────────────────────────────────────────


def test_where_the_days_calls_are_used_up_everything_announced_has_its_outcome(parts: SocketWriteWorld) -> None:
    orders = [create(parts, Text__c=f"{number:02}") for number in range(30)]
    parts.sim.faults.add(
        Fault(path="composite$", nth=2, times=None, status=403, body=[
            {"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}
        ])
    )  # fmt: skip
    announced: list[int] = []
    outcomes: list[Outcome] = []

    with pytest.raises(LimitExceeded):
        for some in parts.org.write(orders, lambda changes, job: announced.extend(each.number for each in changes)):
            outcomes += some

    assert sorted(announced) == sorted(each.change.number for each in outcomes)
    assert kinds(outcomes) == [Applied] * 12 + [Deferred] * 12
    assert len(texts(parts)) == 12


def test_a_session_that_ends_between_is_renewed(world: SocketWriteWorld) -> None:
    orders = [update(world, world.add(Text__c="was"), Text__c="now") for _ in range(3)]
    world.sim.sessions.end_all()

    assert kinds(write(world, *orders)) == [Applied] * 3
    assert texts(world) == ["now"] * 3


def test_a_session_that_ends_before_an_undelete_is_renewed(free: SocketWriteWorld) -> None:
    record_id = free.add(Text__c="was")
    free.delete(record_id)
    order = undelete(free, record_id)
    free.sim.sessions.end_all()

    assert kinds(write(free, order)) == [Applied]


def test_a_user_without_the_right_is_told(free: SocketWriteWorld) -> None:
    order = update(free, free.add(Text__c="was"), Text__c="now")
    free.sim.permissions.deny(WIDGET, "update")

    (outcome,) = write(free, order)

    assert isinstance(outcome, Rejected)
    assert outcome.code.startswith("INSUFFICIENT_ACCESS")


def test_an_org_that_cannot_be_reached_puts_everything_off(free: SocketWriteWorld) -> None:
    orders = [create(free, Text__c=f"{number:02}") for number in range(30)]
    free.sim_server.stop()

    assert kinds(write(free, *orders)) == [Deferred] * 30


def test_an_org_without_composite_is_written_to_one_by_one(free: SocketWriteWorld) -> None:
    ids = [free.add(Text__c="was") for _ in range(3)]
    gone, changed = free.add(Text__c="gone"), free.add(Text__c="changed")
    orders = [update(free, each, Text__c="now") for each in ids]
    orders += [delete(free, gone), delete(free, changed), create(free, Text__c="new")]
    free.tick(2)
    free.edit(changed, Text__c="theirs")
    free.sim.faults.add(Fault(path="/composite", times=None, status=404))

    assert kinds(write(free, *orders)) == [Applied] * 3 + [Applied, Conflicted, Applied]
    assert texts(free) == ["now"] * 3 + ["theirs", "new"]


def test_what_has_no_stamp_is_looked_at_before_also_in_an_org_without_composite(free: SocketWriteWorld) -> None:
    changed, kept = free.add(Text__c="base", Long__c="base"), free.add(Text__c="base", Long__c="base")
    orders = [update(free, each, Text__c="ours") for each in (changed, kept)]
    orders = [replace(each, change=replace(each.change, stamp=None)) for each in orders]
    free.edit(changed, Text__c="theirs")
    free.edit(kept, Long__c="theirs")
    free.sim.faults.add(Fault(path="/composite", times=None, status=404))

    assert kinds(write(free, *orders)) == [Conflicted, Applied]
    assert texts(free) == ["theirs", "ours"]


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("count", "most"), [(1, 1), (20, 1), (23, 1), (24, 2), (600, 2), (1000, 3)])
def test_updates_cost_few_calls_with_being_read_again(count: int, most: int, free: SocketWriteWorld) -> None:
    ids = [each.id for each in free.sim.create(WIDGET, [{"Account__c": free.account} for _ in range(count)])]
    orders = update_many(free, ids)
    outcomes: list[Outcome] = []

    spent = calls(free, lambda: outcomes.extend(write(free, *orders)))

    assert (spent, free.org.cost(orders)) == (most, most)
    assert all(isinstance(each, Applied) and each.row is not None for each in outcomes)


def update_many(world: SocketWriteWorld, ids: Sequence[str]) -> list[Order]:
    schema = world.org.describe(WIDGET)
    stamp = str(row(world, ids[0], schema)["SystemModstamp"])
    edits = (Edit("Text__c", None, "now"),)
    return [
        Order(schema, Change(number, WIDGET, each, Operation.UPDATE, edits, stamp)) for number, each in enumerate(ids)
    ]


def test_wide_and_many_fields_fit_into_a_call(free: SocketWriteWorld) -> None:
    for number in range(150):
        free.sim.add_field(WIDGET, f"A_Rather_Long_Name_Of_A_Field_{number:03}__c", "string 80")
    orders = [update(free, free.add(Text__c="was"), Text__c="now") for _ in range(5)]
    new = create(free, Text__c="new")

    outcomes = write(free, *orders, new, delete(free, free.add(Text__c="gone")))

    assert kinds(outcomes) == [Applied] * 7
    assert all(each.row is not None for each in outcomes[:6] if isinstance(each, Applied))


def test_an_object_without_a_stamp_is_looked_at_before_it_is_written(free: SocketWriteWorld) -> None:
    record_id, gone = free.add(Text__c="base"), free.add(Text__c="gone")
    orders = [update(free, record_id, Text__c="ours"), delete(free, gone)]
    schema = orders[0].schema
    blind = replace(schema, fields=tuple(each for each in schema.fields if each.salesforce_type != "datetime"))
    orders = [Order(blind, replace(each.change, stamp=None)) for each in orders]
    free.tick(2)
    free.edit(record_id, Text__c="theirs")

    refused, removed = write(free, *orders)

    assert isinstance(refused, Conflicted)
    assert row(free, record_id)["Text__c"] == "theirs"
    assert isinstance(removed, Applied)


def test_a_pasted_session_that_ends_stops_everything_with_its_outcomes_told(tmp_path: Path) -> None:
    world = SocketWriteWorld(tmp_path, pasted=True)
    orders = [create(world, Text__c="a")]
    world.sim.sessions.end_all()
    outcomes: list[Outcome] = []

    with pytest.raises(NeedsPerson):
        for some in world.org.write(orders, lambda *_: None):
            outcomes += some

    world.close()
    assert kinds(outcomes) == [Deferred]
