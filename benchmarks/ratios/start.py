"""The row about the import of the package: what every program and every cron job pays first."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.ratios.processes import alternate, cpu, median, peak, run
from benchmarks.ratios.table import Plan, Row

PROGRAM = """
import salesforce_sync
lines = open("/proc/self/status").read().splitlines()
print('{"peak_kb": %s}' % next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""


def imports(plan: Plan) -> Iterator[Row]:
    """`import salesforce_sync` in a new interpreter, the interpreter's own start included."""
    (ours,) = alternate(plan.rounds, lambda: run([sys.executable, "-c", PROGRAM]))
    yield Row.of("import", median(ours, cpu) * 1000, 200, "ms", ours)
    yield Row.of("import-peak", median(ours, peak), 32, "MB", ours)
