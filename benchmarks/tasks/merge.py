"""A delta into a replica with two secondary indexes: DATABASE FOLDER whole|bare. Tells the CPU, staging apart.

`whole` is the store's merge; `bare` only its sorted INSERT … ON CONFLICT over the same staged rows.
"""

import json
import shutil
import sys
import time
from pathlib import Path

import apsw

from benchmarks.columns import describe
from salesforce_sync.app import SystemClock
from salesforce_sync.models.change import LossLimit
from salesforce_sync.models.page import CsvFile, Page, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.storage.sqlite import SqliteStore

BARE = """
INSERT INTO Contact AS t ({names}) SELECT {names} FROM _sync_staging_Contact WHERE true ORDER BY "Id"
ON CONFLICT ("Id") DO UPDATE SET {assigned} WHERE excluded.SystemModstamp >= t.SystemModstamp
"""

database, folder, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
path = folder / "replica.db"
shutil.copy(database, path)
connection = apsw.Connection(str(path))
for column in ("AccountId", "SystemModstamp"):
    connection.execute(f'CREATE INDEX by_{column} ON Contact ("{column}")')
connection.close()


def merge_whole() -> None:
    """As a sync does it."""
    merged = store.merge("Contact", None, LossLimit())
    if 0 in (merged.inserted, merged.updated, merged.deleted, merged.unchanged):
        sys.exit(f"the delta was not of every kind: {merged}")


def merge_bare() -> None:
    """The statement alone, with the same cache."""
    names = [f'"{each.name}"' for each in schema.columns]
    db = apsw.Connection(str(path))
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)  # a bare table has none
    db.execute("PRAGMA cache_size = -8000; PRAGMA synchronous = NORMAL")
    with db:
        assigned = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        db.execute(BARE.format(names=", ".join(names), assigned=assigned))
    db.close()


schema = ObjectSchema.from_describe(describe())
store = SqliteStore(path, SystemClock())
store.begin(PullRequest(schema, since=parse_datetime("2025-12-31T00:00:00.000Z")))
rows = store.stage(Page(schema, CsvFile(folder / "delta.csv"), resume="1", last=True))
began = time.process_time()
merge_whole() if way == "whole" else merge_bare()
ended = time.process_time()
store.close()
print(json.dumps({"rows": rows, "merge": ended - began}))
