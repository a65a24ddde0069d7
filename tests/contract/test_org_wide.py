"""An object with 800 fields of long names: by every way in its rows are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salesforce_sync.api import query, rest
from salesforce_sync.app import SFSync
from salesforce_sync.models.run import RunState
from simorg.faults import Fault
from simorg.org import SimOrg
from tests.contract.orgs import ShortClock
from tests.torture.replica import config_of

NAMES = [f"A_rather_long_name_of_a_field_{number:03d}_abcdef__c" for number in range(800)]
NO_BULK = [{"errorCode": "INVALIDENTITY", "message": "Entity 'Account' is not supported by the Bulk API."}]


@pytest.fixture(scope="module")
def org() -> Iterator[SimOrg]:
    with SimOrg(12) as made, made.serve():
        for name in NAMES:
            made.add_field("Account", name, "string 80")
        yield made


@pytest.fixture
def sync(org: SimOrg, tmp_path: Path) -> Iterator[SFSync]:
    org.faults.clear()
    with SFSync(config_of(org.url, tmp_path / "replica.db", ("Account",)), clock=ShortClock()) as opened:
        yield opened


def fill(org: SimOrg, text: str) -> None:
    org.update("Account", [{"Id": key, **{name: f"{text} {name[29:33]}" for name in NAMES}} for key in ids(org)])


def ids(org: SimOrg) -> list[str]:
    return [key for (key,) in org.database.rows('SELECT "Id" FROM Account WHERE "IsDeleted" = 0')]


def by_bulk(org: SimOrg) -> None:
    """Nothing is in its way."""


def without_bulk(org: SimOrg) -> None:
    org.faults.add(Fault(path="/jobs/query", method="POST", status=400, body=NO_BULK, times=None))


WAYS = [by_bulk, without_bulk]


@pytest.mark.parametrize("way", WAYS)
def test_every_row_comes_whole_at_first_and_when_it_changes(
    way: Callable[[SimOrg], None], org: SimOrg, sync: SFSync
) -> None:
    fill(org, "before")
    way(org)
    assert sync.sync().state is RunState.COMPLETE
    assert whole(sync, org)
    assert not query_fits(sync)

    org.clock.advance(60)
    fill(org, "after")
    assert sync.sync().state is RunState.COMPLETE

    assert whole(sync, org)


def test_when_no_way_is_open_the_object_fails_and_no_row_is_half(org: SimOrg, sync: SFSync) -> None:
    org.faults.add(Fault(path="/jobs/query", method="POST", status=400, body=NO_BULK, times=None))
    org.faults.add(Fault(path="/composite", status=400, body=NO_BULK, times=None))

    run = sync.sync()

    assert run.state is not RunState.COMPLETE
    assert "too wide" in str(run.objects[0].problem)
    assert list(sync.objects["Account"].all()) == []


def whole(sync: SFSync, org: SimOrg) -> bool:
    rows = {str(record["Id"]): record.to_dict() for record in sync.objects["Account"].all()}
    there = {key: org.row(key) or {} for key in ids(org)}
    return rows.keys() == there.keys() and all(
        rows[key][name] == there[key][name] for key in there for name in (*NAMES, "Name")
    )


def query_fits(sync: SFSync) -> bool:
    return len(rest.query_path(query.everything(sync.objects["Account"].schema))) < 16_384
