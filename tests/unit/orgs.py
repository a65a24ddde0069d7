"""Orgs in memory for the tests of the engine, and a comparison with the replica."""

from __future__ import annotations

from collections.abc import Callable, Generator
from decimal import Decimal
from pathlib import Path

from salesforce_sync.models.base import record_type_for
from salesforce_sync.models.page import Page, PullRequest
from salesforce_sync.ports import Store
from salesforce_sync.testing import MemoryOrg, make_schema
from tests.contract.stores import MemoryWorld, SqliteWorld

World = MemoryWorld | SqliteWorld

ACCOUNT = make_schema("Account", Name="string", AnnualRevenue="currency")
CONTACT = make_schema("Contact", LastName="string", Email="email", Birthdate="date", Active__c="boolean")

FORMS: dict[str, Callable[[Path], MemoryOrg]] = {
    "rest": lambda folder: MemoryOrg(ACCOUNT, CONTACT, page_rows=3),
    "bulk": lambda folder: MemoryOrg(ACCOUNT, CONTACT, page_rows=4, csv_folder=folder, segments=2),
}
"""REST brings a durable page at a time, Bulk files of which only the last of a result page is a durable point."""


def fill(org: MemoryOrg, count: int = 10) -> list[str]:
    """Put accounts into the org, a second apart."""
    made = []
    for number in range(count):
        made.append(org.put("Account", Name=f"Account {number}", AnnualRevenue=Decimal(number) / 4))
        org.tick()
    return made


def replica(store: Store, object_name: str) -> dict[str, dict[str, object]]:
    """What the replica holds of an object, in the form of `MemoryOrg.live`."""
    schema = store.schema(object_name)
    assert schema is not None
    records = map(record_type_for(schema).of, store.scan(object_name))
    return {record["Id"]: record.to_dict() for record in records}


class Asked:
    """An org with accounts, a world with its replica, and what was asked of the org."""

    def __init__(self, org: MemoryOrg, world: World) -> None:
        self.org, self.world = org, world
        self.asked: list[PullRequest] = []
        pull = org.pull

        def noted(request: PullRequest) -> Generator[Page, None, None]:
            self.asked.append(request)
            return pull(request)

        org.pull = noted  # type: ignore[method-assign]
        org.pull_together = lambda requests: tuple(map(org.pull, requests))  # type: ignore[method-assign]

    @property
    def equal(self) -> bool:
        """Whether the replica has what the org has."""
        return replica(self.world.store, "Account") == self.org.live("Account")
