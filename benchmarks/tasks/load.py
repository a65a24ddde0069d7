"""The first load: SEGMENTS into a new replica in FOLDER."""

import os
import sys
from pathlib import Path

from benchmarks.columns import describe
from salesforce_sync.app import SystemClock
from salesforce_sync.models.page import CsvFile, Page, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.process.memory import leave_uncounted
from salesforce_sync.storage.sqlite import SqliteStore

leave_uncounted()  # as the command does
segments, folder = Path(sys.argv[1]), Path(sys.argv[2])
schema = ObjectSchema.from_describe(describe())
store = SqliteStore(folder / "replica.db", SystemClock())
store.adopt(schema)
store.begin(PullRequest(schema))
files = sorted(segments.glob("*.csv"))
for number, file in enumerate(files, 1):
    link = folder / file.name  # the store removes what it has staged
    os.link(file, link)
    store.stage(Page(schema, CsvFile(link), resume=str(number), last=number == len(files)))
store.merge("Contact", None)
store.close()
