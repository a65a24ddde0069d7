"""A sync in a process of its own, to be killed: `python -m tests.torture.worker '{"url": …}'`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from salesforce_sync.app import SFSync
from tests.torture.clock import StandingClock
from tests.torture.history import Setup
from tests.torture.pace import of_the_product, paced
from tests.torture.replica import config_of


def main(order: dict[str, Any]) -> None:
    """Sync once, as the order says."""
    setup = Setup(**order["setup"])
    config = config_of(order["url"], Path(order["path"]), tuple(order["objects"]))
    with (
        paced(*of_the_product(setup)),
        SFSync(config, clock=StandingClock(datetime.fromisoformat(order["now"]))) as sync,
    ):
        sync.sync()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
