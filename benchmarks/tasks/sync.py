"""A first sync of all contacts: URL CLIENT_ID CLIENT_SECRET FOLDER. Tells how many rows are here then."""

import json
import sys
from pathlib import Path

from benchmarks.replica import replica
from salesforce_sync.process.memory import leave_uncounted, spare_memory

spare_memory()  # as the command does
leave_uncounted()
with replica(Path(sys.argv[4]), *sys.argv[1:4]) as sync:
    sync.init()
    run = sync.sync("Contact")
    rows = run.objects[0].counts.rows
    problem = run.objects[0].problem
if problem is not None:
    sys.exit(f"{problem.code}: {problem.message}")
print(json.dumps({"rows": rows}))
