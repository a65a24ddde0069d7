"""The orgs that changes are written to: one in memory, and a simulated one behind a socket by each way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, groupby
from pathlib import Path
from typing import Any, Protocol

from salesforce_sync.api import write_route
from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.api.write_route import Step, Way
from salesforce_sync.api.write_values import fits_bulk
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Outcome
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, decode
from salesforce_sync.ports import Order, Org
from salesforce_sync.storage.vault import Vault
from salesforce_sync.testing import MemoryOrg, make_field, make_schema
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.contract.orgs import ShortClock, records

WIDGET = "Widget__c"
TYPES = {
    "Text__c": "string",
    "Long__c": "textarea",
    "Active__c": "boolean",
    "Count__c": "double",
    "Ratio__c": "double",
    "Price__c": "currency",
    "Big__c": "currency",
    "Day__c": "date",
    "Moment__c": "datetime",
    "Clock__c": "time",
    "Ext__c": "string",
}

_numbers = count(1)


class WriteWorld(Protocol):
    """An org with widgets, and what other people do to it."""

    org: Org

    def add(self, **values: Any) -> str: ...

    def edit(self, record_id: str, **values: Any) -> None: ...

    def delete(self, record_id: str) -> None: ...

    def tick(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class MemoryWriteWorld:
    """A MemoryOrg."""

    def __init__(self, folder: Path, *, bulk: bool = False) -> None:
        account = make_field("Account__c", "reference", nillable=False)
        self._memory = MemoryOrg(make_schema(WIDGET, account, **TYPES))
        self._memory.bulk_from = 1 if bulk else None
        self.org: Org = self._memory
        self.account = "001000000000001AAA"

    def add(self, **values: Any) -> str:
        return self._memory.put(WIDGET, Account__c=self.account, **_typed(self._memory, values))

    def edit(self, record_id: str, **values: Any) -> None:
        self._memory.put(WIDGET, record_id, **_typed(self._memory, values))

    def delete(self, record_id: str) -> None:
        self._memory.delete(WIDGET, record_id)

    def tick(self, seconds: float) -> None:
        self._memory.tick(seconds)

    def close(self) -> None:
        self.org.close()


def _typed(org: MemoryOrg, stored: Mapping[str, Any]) -> dict[str, object]:
    schema = org.describe(WIDGET)
    return {name: decode(schema.field(name).type, value) for name, value in stored.items()}


class SocketWriteWorld:
    """A SalesforceOrg connected to a simulated org; with `way` all goes that way, however little it is."""

    def __init__(self, folder: Path, *, way: Way | None = None, pasted: bool = False) -> None:
        self.way = way
        self.sim = SimOrg(0)
        self.sim.clock.freeze()
        self.sim_server = self.sim.serve().start()
        self.account = self.sim.add("Account", Name="A")
        connection = Connection(
            LoginMethod.CLIENT_CREDENTIALS, self.sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        if pasted:
            token = self.sim.sessions.open(self.sim.user_id).token
            connection = Connection(LoginMethod.PASTED_SESSION, self.sim.url, access_token=token)
        keys = Vault(folder / "replica.db")
        plan = write_route.plan if way is None else forced(way)
        self.org: Org = SalesforceOrg(
            connection, api_version="58.0", work_dir=folder, keys=keys, clock=ShortClock(), plan=plan
        )

    def add(self, **values: Any) -> str:
        return self.sim.add(WIDGET, Account__c=self.account, **values)

    def edit(self, record_id: str, **values: Any) -> None:
        self.sim.change(record_id, **values)

    def delete(self, record_id: str) -> None:
        self.sim.remove(record_id)

    def tick(self, seconds: float) -> None:
        self.sim.clock.advance(seconds)

    def close(self) -> None:
        self.org.close()
        self.sim_server.stop()
        self.sim.close()


def forced(way: Way) -> Callable[[Sequence[Order]], tuple[Step, ...]]:
    """A plan that goes this way, but for what cannot."""

    def way_of(step: Step, order: Order) -> Way:
        if step.way in (Way.UNDELETE, Way.ALONE):
            return step.way
        return Way.PARTS if way is Way.BULK and not fits_bulk(order) else way

    def plan(orders: Sequence[Order]) -> tuple[Step, ...]:
        runs = [
            (key, tuple(run))
            for step in write_route.plan(orders)
            for key, run in groupby(step.orders, key=lambda order: (way_of(step, order), order.change.operation))
        ]
        return tuple(
            piece
            for (chosen, _), run in runs
            for piece in ((Step(chosen, run),) if chosen is not Way.PARTS else write_route.calls_of_parts(run))
        )

    return plan


# ── orders and rows ──────────────────────────────────────────────────────────────────────────────────────────────


def row(world: WriteWorld, record_id: str, schema: ObjectSchema | None = None) -> dict[str, Stored]:
    """The record as the org shows it, in the stored form; empty if it shows none."""
    schema = schema or world.org.describe(WIDGET)
    pages = list(world.org.pull(PullRequest(schema, ids=(record_id,))))
    found: list[dict[str, Any]] = [each for page in pages for each in records(page)]
    return found[0] if found else {}


def update(world: WriteWorld, record_id: str, **values: Stored) -> Order:
    """An edit of the record as it is now."""
    schema = world.org.describe(WIDGET)
    now = row(world, record_id, schema)
    edits = tuple(Edit(name, now[name], value) for name, value in values.items())
    stamp = str(now["SystemModstamp"])
    return Order(schema, Change(next(_numbers), WIDGET, record_id, Operation.UPDATE, edits, stamp))


def create(world: WriteWorld, **values: Stored) -> Order:
    schema = world.org.describe(WIDGET)
    given = {"Account__c": world.account, **values}  # type: ignore[attr-defined]
    number = next(_numbers)
    edits = tuple(Edit(name, None, value) for name, value in given.items())
    return Order(schema, Change(number, WIDGET, f"local-{number}", Operation.CREATE, edits))


def delete(world: WriteWorld, record_id: str) -> Order:
    schema = world.org.describe(WIDGET)
    stamp = str(row(world, record_id, schema)["SystemModstamp"])
    return Order(schema, Change(next(_numbers), WIDGET, record_id, Operation.DELETE, stamp=stamp))


def undelete(world: WriteWorld, record_id: str) -> Order:
    schema = world.org.describe(WIDGET)
    stamp = str(row(world, record_id, schema)["SystemModstamp"])
    return Order(schema, Change(next(_numbers), WIDGET, record_id, Operation.UNDELETE, stamp=stamp))


def write(world: WriteWorld, *orders: Order) -> list[Outcome]:
    """Write and give the outcomes in the order of the orders."""
    announced: list[int] = []

    def announce(changes: Sequence[Change], job: str | None) -> None:
        announced.extend(each.number for each in changes)

    by_number = {each.change.number: each for some in world.org.write(orders, announce) for each in some}
    return [by_number[order.change.number] for order in orders]


def calls(world: WriteWorld, action: Callable[[], object]) -> int:
    before = world.org.usage.spent
    action()
    return world.org.usage.spent - before


def shown(outcome: Any, schema: ObjectSchema) -> dict[str, object]:
    """The row that came with an outcome, by names; decimals as numbers."""
    pairs = zip(schema.columns, outcome.row, strict=True)
    return {field.name: _plain(field.type, value) for field, value in pairs}


def _plain(kind: FieldType, value: object) -> object:
    return Decimal(str(value)) if kind is FieldType.DECIMAL and value is not None else value


def stamp_of(world: WriteWorld, record_id: str) -> datetime:
    return datetime.fromisoformat(str(row(world, record_id)["SystemModstamp"])).astimezone(UTC)
