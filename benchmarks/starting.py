"""What `import salesforce_sync` costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.measure import alternate, median, run
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

CPU_MS = Target(200)
PEAK_MB = Target(32)


def cost(place: Workplace) -> Iterator[Line]:
    """The whole process, beside one that does nothing."""
    program, nothing = (
        [sys.executable, "-c", "import salesforce_sync"],
        [sys.executable, "-c", "pass"],
    )
    rounds = max(7, place.sizes.rounds)
    ours, empty = map(median, alternate(rounds, lambda: run(program), lambda: run(nothing)))
    walls = ours.wall, empty.wall
    yield Line("import salesforce_sync", unit="CPU ms", ours=ours.cpu * 1000, target=CPU_MS, walls=walls)
    yield Line("import salesforce_sync, memory", unit="MB", ours=ours.peak, target=PEAK_MB, peak=ours.peak)
