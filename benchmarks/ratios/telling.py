"""The child's side: run one task by its name, then tell the parent what was measured, with the peak memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

Task = Callable[..., dict[str, float]]


def perform(tasks: Mapping[str, Task]) -> None:
    """Run the task that the command line names; print its facts as JSON."""
    facts = tasks[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(facts | {"peak_kb": own_peak()}))


def own_peak() -> float:
    """Peak resident memory of this process in kB. `ru_maxrss` would show the parent's where that is larger."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
