"""Makes a replica with the object of 60 columns: FOLDER ROWS SEED."""

import csv
import sys
from pathlib import Path

from benchmarks.wide import OBJECT, WIDE, describe, rows
from salesforce_sync.app import SystemClock
from salesforce_sync.models.page import CsvFile, Page, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.sqlite import SqliteStore

folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with (folder / "wide.csv").open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(column.name for column in WIDE)
    writer.writerows(rows(count, seed))
schema = ObjectSchema.from_describe(describe())
store = SqliteStore(folder / "replica.db", SystemClock())
store.adopt(schema)
store.begin(PullRequest(schema))
store.stage(Page(schema, CsvFile(folder / "wide.csv"), resume="end", last=True))
store.merge(OBJECT, None)
store.close()
