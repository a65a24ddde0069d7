"""Syncs the four default objects, and once more when nothing has changed: URL CLIENT_ID CLIENT_SECRET FOLDER."""

import json
import sys
from pathlib import Path

from benchmarks.org import Org
from benchmarks.replica import replica

org = Org(*sys.argv[1:4])
with replica(Path(sys.argv[4]), *sys.argv[1:4]) as sync:
    sync.init()
    sync.sync()
    before = org.calls()
    run = sync.sync()
    problems = [each.problem.message for each in run.objects if each.problem is not None]
if problems:
    sys.exit("; ".join(problems))
print(json.dumps({"calls": org.calls() - before, "changed": run.changed}))
