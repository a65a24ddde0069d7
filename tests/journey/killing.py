"""A command in a process of its own, for which few rows are many, so that it can be killed in the middle of a Bulk job.

With more than twenty rows it makes a job, and a listing has eight of them on a result page.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from tests.conftest import CommandLine

FEW = """
from salesforce_sync.cli import main
from salesforce_sync.api.route import Route
from tests.torture.pace import paced

choose = lambda probe: Route.BULK if probe.total > 20 else Route.REST
with paced(("salesforce_sync.api.route", "choose", choose), ("salesforce_sync.api.download", "RESULT_PAGE_ROWS", 2)):
    main()
"""


def start(user: CommandLine, *arguments: str, first: str = "") -> subprocess.Popen[str]:
    """Start the command; `first` is Python that its process does before."""
    return subprocess.Popen(
        [sys.executable, "-c", first + FEW, *arguments],
        cwd=user.folder,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until it holds, no longer than so many seconds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)
