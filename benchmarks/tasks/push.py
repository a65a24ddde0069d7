"""Pushes of edits: URL CLIENT_ID CLIENT_SECRET FOLDER update|create ROWS. Tells the API calls and wall seconds.

Before the clock runs, all contacts are synced and the edits are written; the push itself brings everything back that
the org made of them. The contacts have been at rest for a while before: what was changed a moment ago is read again
before it is written.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

from benchmarks.contacts import edited
from benchmarks.org import Org
from benchmarks.replica import replica
from salesforce_sync.sync.unseen import MARGIN

org, folder, kind, rows = Org(*sys.argv[1:4]), Path(sys.argv[4]), sys.argv[5], int(sys.argv[6])
time.sleep(MARGIN.total_seconds() + 1)  # a stamp has whole seconds
with replica(folder, *sys.argv[1:4]) as sync:
    sync.init()
    sync.sync("Contact")
    ids = [each.id for each, _ in zip(sync.contacts, range(rows), strict=False)]
    edits = sqlite3.connect(folder / "replica.db")
    with edits:
        if kind == "update":
            edits.executemany(
                "UPDATE Contact SET Title = ?, Phone = ? WHERE Id = ?",
                [(*edited(number, kind).values(), key) for number, key in enumerate(ids)],
            )
        else:
            edits.executemany(
                "INSERT INTO Contact (Title, Phone, LastName) VALUES (?, ?, ?)",
                [tuple(edited(number, kind).values()) for number in range(rows)],
            )
    edits.close()
    calls, began = org.calls(), time.perf_counter()
    push = sync.push()
    seconds = time.perf_counter() - began
if push.count("applied") != rows:
    sys.exit(f"{push.count('applied')} of {rows} were applied: {push.problem}")
print(json.dumps({"calls": org.calls() - calls, "seconds": seconds}))
