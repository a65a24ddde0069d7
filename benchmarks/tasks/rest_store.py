"""REST pages through ours: PAGES into a new replica in FOLDER."""

import sys
from pathlib import Path

from benchmarks.columns import describe
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.app import SystemClock
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.process.memory import leave_uncounted
from salesforce_sync.storage.sqlite import SqliteStore

leave_uncounted()  # as the command does
pages, folder = Path(sys.argv[1]), Path(sys.argv[2])
schema = ObjectSchema.from_describe(describe())
store = SqliteStore(folder / "replica.db", SystemClock())
store.adopt(schema)
store.begin(PullRequest(schema))
decoder = PageDecoder(schema)
for number, file in enumerate(sorted(pages.glob("*.json"))):
    page = decoder.decode(file.read_bytes())
    store.stage(Page(schema, Rows(page.rows, page.stored), resume=str(number), total=page.total, last=page.done))
store.merge("Contact", None)
store.close()
