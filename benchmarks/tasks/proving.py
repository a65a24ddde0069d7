"""What keeping up and proving cost: URL CLIENT_ID CLIENT_SECRET FOLDER.

Syncs all contacts, once more when nothing has changed, verifies them, and syncs after one in a hundred has changed.
Tells of each the API calls, as the org counts them, and the bytes.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.org import Org
from benchmarks.replica import replica
from benchmarks.traffic import Traffic
from salesforce_sync.models.run import Run, RunState
from salesforce_sync.process.memory import leave_uncounted, spare_memory

SOME = 500

org = Org(*sys.argv[1:4])
told: dict[str, object] = {}


def cost(what: str, work: Callable[[], Run]) -> None:
    """Do it, and keep what it cost."""
    calls, begun = org.calls(), traffic.total
    run = work()
    told[what] = org.calls() - calls, traffic.total - begun
    if run.state is not RunState.COMPLETE:
        sys.exit(f"{what}: {run.objects[0].problem}")
    told[f"{what}, changed"] = run.changed


def rename_one_in_a_hundred() -> int:
    """Some at a time: the memory that is measured is to be the replica's own. Gives how many."""
    last, renamed = 0, 0
    while True:
        statement = f"SELECT rowid, Id FROM Contact WHERE rowid > {last} AND rowid % 100 = 0 ORDER BY rowid"
        rows = sync.query(statement, SOME).rows
        org.rename("Contact", [str(record_id) for _, record_id in rows])
        renamed += len(rows)
        if len(rows) < SOME:
            return renamed
        last = int(str(rows[-1][0]))


spare_memory()  # as the command does
leave_uncounted()
with replica(Path(sys.argv[4]), *sys.argv[1:4]) as sync, Traffic() as traffic:
    sync.init()
    cost("first", lambda: sync.sync("Contact"))
    cost("quiet", lambda: sync.sync("Contact"))
    cost("verify", lambda: sync.verify("Contact")[0])
    proved = sync.status().objects[0].proof
    renamed = rename_one_in_a_hundred()
    cost("one in a hundred", lambda: sync.sync("Contact"))
if proved is None or told["one in a hundred, changed"] != renamed:
    sys.exit("not everything was proved, or not every change has come")
print(json.dumps(told | {"proved": proved.rows}))
