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


with replica(Path(sys.argv[4]), *sys.argv[1:4]) as sync, Traffic() as traffic:
    sync.init()
    cost("first", lambda: sync.sync("Contact"))
    cost("quiet", lambda: sync.sync("Contact"))
    cost("verify", lambda: sync.verify("Contact")[0])
    proved = sync.status().objects[0].proof
    ids = [str(row[0]) for row in sync.query("SELECT Id FROM Contact WHERE rowid % 100 = 0", 10**6).rows]
    org.rename("Contact", ids)
    cost("one in a hundred", lambda: sync.sync("Contact"))
if proved is None or told["one in a hundred, changed"] != len(ids):
    sys.exit("not everything was proved, or not every change has come")
print(json.dumps(told | {"proved": proved.rows}))
