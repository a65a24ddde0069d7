"""What `ports.Org` promises of writing, held by every org and every way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from salesforce_sync.api.write_route import Way
from salesforce_sync.models.outcome import Applied, Conflicted, Lost, Rejected
from salesforce_sync.models.values import Stored
from tests.contract.writing import (
    WIDGET,
    MemoryWriteWorld,
    SocketWriteWorld,
    WriteWorld,
    create,
    delete,
    row,
    undelete,
    update,
    write,
)

WORLDS: dict[str, Callable[[Path], WriteWorld]] = {
    "memory": MemoryWriteWorld,
    "memory, job": lambda folder: MemoryWriteWorld(folder, bulk=True),
    "socket, parts": lambda folder: SocketWriteWorld(folder, way=Way.PARTS),
    "socket, one by one": lambda folder: SocketWriteWorld(folder, way=Way.ALONE),
    "socket, Bulk": lambda folder: SocketWriteWorld(folder, way=Way.BULK),
    "socket, collections": lambda folder: SocketWriteWorld(folder, way=Way.COLLECTIONS),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WriteWorld]:
    made = WORLDS[request.param](tmp_path)
    yield made
    made.close()


VALUES: list[tuple[str, Stored, Stored]] = [
    ("Text__c", "plain", "plain"),
    ("Text__c", None, None),
    ("Text__c", "null", "null"),
    ("Text__c", "#N/A", "#N/A"),
    ("Text__c", "true", "true"),
    ("Text__c", "00123", "00123"),
    ("Text__c", "=1+1", "=1+1"),
    ("Text__c", 'a"b,c', 'a"b,c'),
    ("Text__c", "  both ends  ", "both ends"),
    ("Text__c", "   ", None),
    ("Text__c", "👍🏽 ß İ 日本", "👍🏽 ß İ 日本"),
    ("Text__c", "@{write0.id}", "@{write0.id}"),
    ("Long__c", "one\ntwo\n\nthree", "one\ntwo\n\nthree"),
    ("Long__c", "one\r\ntwo", "one\r\ntwo"),
    ("Long__c", "x" * 30_000, "x" * 30_000),
    ("Active__c", 0, 0),
    ("Active__c", 1, 1),
    ("Count__c", 7.0, 7.0),
    ("Count__c", None, None),
    ("Price__c", 0.1, 0.1),
    ("Price__c", "1234567890123456.78", "1234567890123456.78"),
    ("Big__c", "123456789012345678", "123456789012345678"),
    ("Ratio__c", -0.000001, -0.000001),
    ("Day__c", "2024-02-29", "2024-02-29"),
    ("Day__c", None, None),
    ("Moment__c", "1999-12-31T23:59:59.000Z", "1999-12-31T23:59:59.000Z"),
    ("Clock__c", "10:15:00.000Z", "10:15:00.000Z"),
]


def blind(world: WriteWorld) -> bool:
    return isinstance(world, SocketWriteWorld) and world.way in (Way.ALONE, Way.BULK)


OTHERS: dict[str, Stored] = {
    "Text__c": "was",
    "Long__c": "was",
    "Price__c": 3.0,
    "Day__c": "2000-01-01",
    "Active__c": 1,
}


def test_a_value_means_the_same_by_every_way(world: WriteWorld) -> None:
    changed = [world.add(**OTHERS, Count__c=1.0) for _ in VALUES]
    creates = [create(world, **{field: sent}) for field, sent, _ in VALUES]
    updates = [update(world, each, **{field: sent}) for each, (field, sent, _) in zip(changed, VALUES, strict=True)]

    outcomes = write(world, *creates, *updates)

    assert [type(each) for each in outcomes] == [Applied] * len(outcomes)
    made, edited = outcomes[: len(creates)], outcomes[len(creates) :]
    assert [each.record_id for each in edited if isinstance(each, Applied)] == changed
    for each, (field, sent, kept) in zip(made, VALUES, strict=True):
        assert isinstance(each, Applied)
        assert (field, sent, row(world, each.record_id)[field]) == (field, sent, kept)
    for record_id, (field, sent, kept) in zip(changed, VALUES, strict=True):
        after = row(world, record_id)
        assert (field, sent, after[field]) == (field, sent, kept)
        assert {name: after[name] for name in OTHERS if name != field} == {
            name: value for name, value in OTHERS.items() if name != field
        }


def test_only_what_was_edited_is_sent(world: WriteWorld) -> None:
    record_id = world.add(Text__c="one", Long__c="long")
    order = update(world, record_id, Text__c="two")
    world.tick(0)

    write(world, order)

    assert (row(world, record_id)["Text__c"], row(world, record_id)["Long__c"]) == ("two", "long")


def test_a_record_that_was_changed_since_is_not_overwritten(world: WriteWorld) -> None:
    record_id, other = world.add(Text__c="base"), world.add(Text__c="other")
    orders = [update(world, record_id, Text__c="ours"), update(world, other, Text__c="ours too")]
    world.tick(2)
    world.edit(record_id, Text__c="theirs")

    refused, taken = write(world, *orders)

    assert isinstance(refused, Conflicted)
    assert isinstance(taken, Applied)
    assert row(world, record_id)["Text__c"] == "theirs"
    assert row(world, other)["Text__c"] == "ours too"


def test_a_record_without_a_stamp_is_not_overwritten_either(world: WriteWorld) -> None:
    record_id, other = world.add(Text__c="base", Long__c="base"), world.add(Text__c="base", Long__c="base")
    ours, disjoint = (update(world, each, Text__c="ours") for each in (record_id, other))
    orders = [replace(each, change=replace(each.change, stamp=None)) for each in (ours, disjoint)]
    world.edit(record_id, Text__c="theirs")
    world.edit(other, Long__c="theirs")

    refused, taken = write(world, *orders)

    assert isinstance(refused, Conflicted)
    assert isinstance(taken, Applied)
    assert row(world, record_id)["Text__c"] == "theirs"
    assert (row(world, other)["Text__c"], row(world, other)["Long__c"]) == ("ours", "theirs")


def test_a_change_in_the_very_moment_of_the_stamp_is_told_where_it_is_replaced(world: WriteWorld) -> None:
    record_id = world.add(Text__c="base", Long__c="base")
    order = update(world, record_id, Text__c="ours", Long__c="ours")
    world.edit(record_id, Text__c="theirs")  # the clock stands: the stamp is the same

    (outcome,) = write(world, order)

    assert isinstance(outcome, Applied)
    # Alone and by Bulk, a record is not read in the same call: docs/two-way.md tells of it.
    assert outcome.replaced == (None if blind(world) else {"Text__c": "theirs"})


def test_what_is_replaced_is_told_of_every_record_however_few_rows_the_org_puts_on_a_page(
    world: WriteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simorg.query_http.MAX_BATCH", 1)
    ids = [world.add(Text__c="base") for _ in range(3)]
    orders = [update(world, each, Text__c="ours") for each in ids]
    for each in ids:
        world.edit(each, Text__c="theirs")  # the clock stands: the stamps are the same

    outcomes = write(world, *orders)

    told = [each.replaced for each in outcomes if isinstance(each, Applied)]
    assert told == [None if blind(world) else {"Text__c": "theirs"}] * 3


def test_one_bad_row_stops_no_other(world: WriteWorld) -> None:
    ids = [world.add(Text__c="was") for _ in range(4)]
    orders = [update(world, each, Text__c="now") for each in ids]
    bad = orders[1].change
    orders[1] = replace(orders[1], change=replace(bad, edits=(replace(bad.edits[0], field="CreatedDate"),)))

    outcomes = write(world, *orders)

    assert [type(each) for each in outcomes] == [Applied, Rejected, Applied, Applied]
    assert [row(world, each)["Text__c"] for each in ids] == ["now", "was", "now", "now"]


def test_new_records_come_with_their_ids(world: WriteWorld) -> None:
    orders = [create(world, Text__c=text) for text in ("a", "b", "b", "c")]

    outcomes = write(world, *orders)

    ids = [each.record_id for each in outcomes if isinstance(each, Applied)]
    assert [row(world, each)["Text__c"] for each in ids] == ["a", "b", "b", "c"]
    assert len(set(ids)) == 4


def test_a_record_is_brought_back(world: WriteWorld) -> None:
    ids = [world.add(Text__c=text) for text in "ab"]
    for each in ids:
        world.delete(each)
    orders = [undelete(world, each) for each in ids]

    outcomes = write(world, *orders)

    assert [type(each) for each in outcomes] == [Applied, Applied]
    assert [row(world, each)["IsDeleted"] for each in ids] == [0, 0]


def test_what_the_connected_user_has_made_since_is_found_also_if_it_was_deleted(world: WriteWorld) -> None:
    schema = world.org.describe(WIDGET)
    write(world, create(world, Text__c="before"))
    world.tick(60)
    world.org.objects()  # an answer, that tells the time
    since = world.org.time()
    world.tick(60)
    made = write(world, *(create(world, Text__c=text) for text in "ab"))
    world.delete(made[1].record_id)

    assert since is not None
    place = [field.name for field in schema.columns].index("Text__c")
    found = world.org.created(schema, since)
    assert {(each[0], each[place]) for each in found} == {
        (each.record_id, text) for each, text in zip(made, "ab", strict=True) if isinstance(each, Applied)
    }


def test_a_job_that_is_not_known_leaves_its_orders_lost(world: WriteWorld) -> None:
    order = create(world, Text__c="a")

    (outcome,) = world.org.recover([order], "750000000000001AAA")

    assert isinstance(outcome, Lost)


def test_an_edit_of_a_record_that_is_gone_is_a_conflict(world: WriteWorld) -> None:
    record_id, other = world.add(Text__c="was"), world.add(Text__c="was")
    orders = [update(world, record_id, Text__c="now"), update(world, other, Text__c="now")]
    world.delete(record_id)

    assert [type(each) for each in write(world, *orders)] == [Conflicted, Applied]


def test_a_deletion_is_done_once(world: WriteWorld) -> None:
    record_id, gone = world.add(Text__c="was"), world.add(Text__c="was")
    orders = [delete(world, record_id), delete(world, gone)]
    world.delete(gone)

    outcomes = write(world, *orders)

    assert [type(each) for each in outcomes] == [Applied, Applied]
    assert row(world, record_id)["IsDeleted"] == 1


def test_a_record_that_was_changed_since_is_not_deleted(world: WriteWorld) -> None:
    record_id = world.add(Text__c="was")
    order = delete(world, record_id)
    world.tick(2)
    world.edit(record_id, Text__c="theirs")

    (outcome,) = write(world, order)

    assert isinstance(outcome, Conflicted)
    assert row(world, record_id)["IsDeleted"] == 0


def test_what_is_announced_comes_before_it_is_sent_and_a_refusal_of_ours_stops_it(world: WriteWorld) -> None:
    record_id = world.add(Text__c="was")
    order = update(world, record_id, Text__c="now")

    def announce(*_: object) -> None:
        raise KeyError("no room on the disk")

    with pytest.raises(KeyError):
        list(world.org.write([order], announce))
    assert row(world, record_id)["Text__c"] == "was"


def test_the_org_tells_its_time(world: WriteWorld) -> None:
    first = world.org.time()
    record_id = world.add(Text__c="was")
    stamp = str(row(world, record_id)["CreatedDate"])

    assert first is not None
    assert first.isoformat() <= stamp.replace("Z", "+00:00")


def test_nothing_costs_nothing(world: WriteWorld) -> None:
    assert world.org.cost([]) == 0
    assert write(world) == []


def test_an_order_with_the_id_of_a_record_that_is_made_here_is_refused(world: WriteWorld) -> None:
    order = create(world, Account__c="local-1")

    (outcome,) = write(world, order)

    assert isinstance(outcome, Rejected)
    assert outcome.change.object_name == WIDGET
