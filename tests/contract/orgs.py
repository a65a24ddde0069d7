"""The orgs that the suite runs over: one in memory, and a simulated one behind a socket, each by both routes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import CsvFile, Page
from salesforce_sync.ports import Org
from salesforce_sync.storage.vault import Vault
from salesforce_sync.testing import FrozenClock, MemoryOrg, make_field, make_schema
from salesforce_sync.testing.forms import from_rest, read_csv
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.faults import Fault
from simorg.org import SimOrg

PRODUCT = "Product2"


class ShortClock(FrozenClock):
    """Waits a moment for other threads of this machine, however long it is asked to."""

    def sleep(self, seconds: float) -> None:
        time.sleep(0.02)
        super().sleep(seconds)


class OrgWorld(Protocol):
    """An org, and what people and time do to it."""

    org: Org

    def add(self, name: str) -> str: ...

    def rename(self, record_id: str, name: str) -> None: ...

    def delete(self, record_id: str) -> None: ...

    def undelete(self, record_id: str) -> None: ...

    def purge(self, record_id: str) -> None: ...

    def add_field(self, name: str) -> None: ...

    def drop_field(self, name: str) -> None: ...

    def tick(self, seconds: float) -> None: ...

    def now(self) -> datetime: ...

    def forget(self) -> None:
        """Lose all results that are not read to their end."""

    def ready(self) -> None:
        """Called before each pull."""

    def close(self) -> None: ...


class MemoryWorld:
    """A MemoryOrg with pages of two rows."""

    def __init__(self, folder: Path, *, csv: bool = False) -> None:
        self._memory = MemoryOrg(
            make_schema(PRODUCT, Name="string"), page_rows=2, csv_folder=folder if csv else None, segments=2
        )
        self.org: Org = self._memory

    def add(self, name: str) -> str:
        return self._memory.put(PRODUCT, Name=name)

    def rename(self, record_id: str, name: str) -> None:
        self._memory.put(PRODUCT, record_id, Name=name)

    def delete(self, record_id: str) -> None:
        self._memory.delete(PRODUCT, record_id)

    def undelete(self, record_id: str) -> None:
        self._memory.undelete(PRODUCT, record_id)

    def purge(self, record_id: str) -> None:
        self._memory.purge(PRODUCT, record_id)

    def add_field(self, name: str) -> None:
        schema = self._memory.describe(PRODUCT)
        self._memory.define(replace(schema, fields=(*schema.fields, make_field(name))))

    def drop_field(self, name: str) -> None:
        schema = self._memory.describe(PRODUCT)
        self._memory.define(replace(schema, fields=tuple(each for each in schema.fields if each.name != name)))

    def tick(self, seconds: float) -> None:
        self._memory.tick(seconds)

    def now(self) -> datetime:
        return self._memory.clock.now()

    def forget(self) -> None:
        self._memory.expire_locators()

    def ready(self) -> None:
        pass

    def close(self) -> None:
        self.org.close()


class SocketWorld:
    """A SalesforceOrg connected to a simulated org; with `bulk` every query is too long for REST."""

    def __init__(self, folder: Path, *, bulk: bool = False) -> None:
        self._sim = SimOrg(0)
        self._sim.delete([row[0] for row in self._sim.db.execute(f'SELECT "Id" FROM "{PRODUCT}"')])
        self._sim.empty_bin()
        self._sim.clock.freeze()
        self._server = self._sim.serve().start()
        self._bulk = bulk
        connection = Connection(
            LoginMethod.CLIENT_CREDENTIALS, self._sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        keys = Vault(folder / "replica.db")
        self.org: Org = SalesforceOrg(connection, api_version="58.0", work_dir=folder, keys=keys, clock=ShortClock())

    def add(self, name: str) -> str:
        return self._sim.add(PRODUCT, Name=name)

    def rename(self, record_id: str, name: str) -> None:
        self._sim.change(record_id, Name=name)

    def delete(self, record_id: str) -> None:
        self._sim.remove(record_id)

    def undelete(self, record_id: str) -> None:
        self._sim.undelete([record_id])

    def purge(self, record_id: str) -> None:
        self._sim.purge([record_id])

    def add_field(self, name: str) -> None:
        self._sim.add_field(PRODUCT, name, "string 80")

    def drop_field(self, name: str) -> None:
        self._sim.remove_field(PRODUCT, name)

    def tick(self, seconds: float) -> None:
        self._sim.clock.advance(seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._sim.clock.now_ms() / 1000, UTC)

    def forget(self) -> None:
        self._sim.faults.add(Fault(path="/query/|/results", status=404, times=None))

    def ready(self) -> None:
        if self._bulk:
            self._sim.faults.add(Fault(method="GET", path="/query(All)?\\?", status=414))

    def close(self) -> None:
        self.org.close()
        self._server.stop()
        self._sim.close()


def records(page: Page) -> list[dict[str, object]]:
    """The page's rows: name → stored value."""
    columns = page.schema.columns
    if isinstance(page.body, CsvFile):
        rows = read_csv(page.body.path, columns)
    else:
        rows = (from_rest(columns, row) for row in page.body.values)
    return [{field.name: value for field, value in zip(columns, row, strict=True)} for row in rows]
