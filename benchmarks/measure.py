"""Runs programs, one after the other, and tells what each cost."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A measured program did not end well."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds (user and system) and wall seconds of a whole process with its children, its peak memory in MB.

    `facts` is what the program itself told of its run. A peak below that of the benchmark itself (about 15 MB) cannot
    be seen: a process begins its life with its parent's.
    """

    cpu: float
    wall: float
    peak: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def run(command: Sequence[str | Path]) -> Cost:
    """Run a program to its end; `Failed` with its last words if it does not end with 0."""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=said, env=surroundings())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        said.seek(0)
        if process.returncode:
            last = (said.read().strip() or told.read().strip() or "no word").splitlines()[-1]
            raise Failed(f"{Path(command[0]).name} ended with {process.returncode}: {last}")
        facts = _facts(told.read())
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, facts)


def _facts(told: str) -> Mapping[str, Any]:
    last = told.strip().splitlines()[-1:] or [""]
    return dict(json.loads(last[0])) if last[0].startswith("{") else {}


def surroundings() -> dict[str, str]:
    """The environment of measured programs: ours, without anything that names a real org."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SF_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def task(name: str, *arguments: object) -> list[str]:
    """The command that runs one of `benchmarks.tasks`."""
    return [sys.executable, "-m", f"benchmarks.tasks.{name}", *map(str, arguments)]


def alternate(rounds: int, *contenders: Callable[[], Cost]) -> list[list[Cost]]:
    """Run all contenders in turn, so many rounds: what disturbs the machine disturbs them alike."""
    results: list[list[Cost]] = [[] for _ in contenders]
    for _ in range(rounds):
        for result, contender in zip(results, contenders, strict=True):
            result.append(contender())
    return results


def median(costs: Sequence[Cost]) -> Cost:
    """The medians of CPU and wall, the highest peak, and the last run's facts."""
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.peak for cost in costs),
        costs[-1].facts,
    )
