"""A sync in a process of its own, to be killed or to run out of room.

It is forked from one that has the modules loaded: `python -m tests.torture.worker FD` (`tests/loaded.py`).
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from salesforce_sync.app import SFSync
from salesforce_sync.errors import StoreTrouble
from tests import loaded
from tests.torture.beside import PACE
from tests.torture.clock import StandingClock
from tests.torture.history import Setup
from tests.torture.pace import of_the_product, paced
from tests.torture.replica import config_of

FOLLOWS = 1.0
"""Seconds that events are followed for, unless it is killed before."""


def work(order: dict[str, Any]) -> None:
    """Sync, prove or push once, or follow events for a moment, as the order says."""
    setup = Setup(**order["setup"])
    config = config_of(order["url"], Path(order["path"]), tuple(order["objects"]), order["events"], setup.policy)
    with (
        paced(*of_the_product(setup)),
        SFSync(config, clock=StandingClock(datetime.fromisoformat(order["now"]))) as sync,
    ):
        if order["room"] is not None:
            _bound_files(sync.config.storage.path, order["room"])
        if order["work"] == "follow":
            sync.follow(PACE).start(*order["objects"])
            time.sleep(FOLLOWS)
            print("followed")
            return
        try:
            _work(sync, order["work"])
        except StoreTrouble as trouble:
            if order["room"] is None:
                raise
            print(f"no room: {trouble.message}")


def _work(sync: SFSync, work: str) -> None:
    if work == "push":
        print("push", sync.push().state)
        return
    run = sync.verify()[0] if work == "verify" else sync.sync()
    print(*(f"{each.object_name} {each.problem.code if each.problem else 'complete'}" for each in run.objects))


def _bound_files(database: Path, room: int) -> None:
    """From now on no file of this process can grow beyond the largest that the database has, and some room more."""
    sizes = [each.stat().st_size for each in database.parent.glob(f"{database.name}*") if each.is_file()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + room, resource.RLIM_INFINITY))


if __name__ == "__main__":
    loaded.main(socket.socket(fileno=int(sys.argv[1])))
    loaded.do(lambda: work(json.loads(sys.argv[1])))
