"""The result of a finished Bulk job at URL, pulled as a sync pulls it: downloads go on while rows are loaded.

URL ROWS FOLDER. Tells how many rows are here then.
"""

import json
import sys
from pathlib import Path

from benchmarks.columns import describe
from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.api.resume import BulkPoint
from salesforce_sync.app import SystemClock
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.process.memory import leave_uncounted
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.storage.vault import Vault
from salesforce_sync.sync.staging import stage_all

leave_uncounted()  # as the command does
url, announced, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
clock, database = SystemClock(), folder / "replica.db"
schema = ObjectSchema.from_describe(describe())
store = SqliteStore(database, clock)
store.adopt(schema)
connection = Connection(LoginMethod.PASTED_SESSION, url, access_token="00Dbenchmark")
org = SalesforceOrg(connection, api_version="58.0", work_dir=folder / "pages", keys=Vault(database), clock=clock)
request = PullRequest(schema, resume=str(BulkPoint("750000000000001AAA", announced, "0")))
store.begin(request)
rows = sum(count for _, count in stage_all(store, org.pull(request)))
store.merge("Contact", None)
store.close()
org.close()
print(json.dumps({"rows": rows}))
