"""What child processes do with the store: `python -m benchmarks.ratios.store_tasks TASK …`, started by `loads`."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw

from benchmarks.columns import NAMES, describe
from benchmarks.ratios.telling import perform

GETS = 20_000


def load_csv(database: str, folder: str) -> dict[str, float]:
    """A first load of the CSV files."""
    from salesforce_sync.models.page import PullRequest
    from salesforce_sync.models.schema import ObjectSchema

    store, schema = _store(database), ObjectSchema.from_describe(describe())
    store.adopt(schema)
    store.begin(PullRequest(schema))
    rows = _stage(store, schema, folder)
    store.merge("Contact", None)
    store.close()
    return {"rows": rows}


def merge(database: str, first: str, second: str) -> dict[str, float]:
    """Load the first files, index two columns, stage the second files; measured is their merge."""
    from salesforce_sync.models.page import PullRequest
    from salesforce_sync.models.schema import ObjectSchema

    load_csv(database, first)
    with apsw.Connection(database) as other:
        other.execute(
            'CREATE INDEX by_name ON "Contact" ("LastName"); CREATE INDEX by_account ON "Contact" ("AccountId")'
        )
    other.close()
    store, schema = _store(database), ObjectSchema.from_describe(describe())
    store.begin(PullRequest(schema, since=datetime(2025, 12, 31, tzinfo=UTC)))
    rows = _stage(store, schema, second)
    began = time.process_time()
    merged = store.merge("Contact", datetime.now(UTC))
    used = time.process_time() - began
    store.close()
    if merged.updated != rows:
        raise RuntimeError(f"{merged.updated} of {rows} rows were updated")
    return {"us_a_row": used / rows * 1e6}


def load_rest(database: str, folder: str) -> dict[str, float]:
    """A first load of REST pages."""
    from salesforce_sync.api.rows import PageDecoder
    from salesforce_sync.models.page import Page, PullRequest, Rows
    from salesforce_sync.models.schema import ObjectSchema

    store, schema = _store(database), ObjectSchema.from_describe(describe())
    store.adopt(schema)
    store.begin(PullRequest(schema))
    decoder, rows = PageDecoder(schema), 0
    for path in sorted(Path(folder).iterdir()):
        rows += store.stage(Page(schema, Rows(decoder.decode(path.read_bytes()).rows)))
    store.merge("Contact", None)
    store.close()
    return {"rows": rows}


def load_json(database: str, folder: str) -> dict[str, float]:
    """The same pages by json and executemany, a transaction a page."""
    connection, values, rows = apsw.Connection(database), itemgetter(*NAMES), 0
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
    connection.execute(create_table(NAMES))
    for path in sorted(Path(folder).iterdir()):
        records = json.loads(path.read_bytes())["records"]
        with connection:
            connection.executemany(insert_into(len(NAMES)), map(values, records))
        rows += len(records)
    connection.close()
    return {"rows": rows}


def create_table(names: tuple[str, ...]) -> str:
    """The table that somebody would make by hand: values as they come, and a key."""
    columns = ", ".join(f'"{name}"' for name in names if name != "Id")
    return f"CREATE TABLE Contact (Id TEXT PRIMARY KEY, {columns})"


def insert_into(width: int) -> str:
    """Insert a row of that many values."""
    return f"INSERT INTO Contact VALUES ({','.join('?' * width)})"


def read(config: str) -> dict[str, float]:
    """CPU microseconds for one record by its id, and for each of all."""
    from salesforce_sync import SFSync

    with SFSync(config) as sync:
        ids = [str(record.id) for record in sync.contacts.all()]
        chosen = random.Random(1).choices(ids, k=GETS)
        get = sync.contacts.get
        for record_id in chosen[:1000]:
            get(record_id)
        began = time.process_time()
        for record_id in chosen:
            get(record_id)
        got = time.process_time()
        rows = sum(1 for _ in sync.contacts.all())
        ended = time.process_time()
    return {"get_us": (got - began) / GETS * 1e6, "all_us": (ended - got) / rows * 1e6}


def _store(database: str) -> Any:
    from salesforce_sync.app import SystemClock
    from salesforce_sync.storage.sqlite import SqliteStore

    return SqliteStore(Path(database), SystemClock())


def _stage(store: Any, schema: Any, folder: str) -> int:
    from salesforce_sync.models.page import CsvFile, Page

    return sum(store.stage(Page(schema, CsvFile(path))) for path in sorted(Path(folder).iterdir()))


if __name__ == "__main__":
    perform({"csv": load_csv, "merge": merge, "rest": load_rest, "json": load_json, "reads": read})
