"""Runs programs as processes of their own and says what they cost: CPU seconds, wall seconds, peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

Facts = dict[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took. `facts` is what the program said about itself; its `peak_kb` is its peak memory."""

    cpu: float
    wall: float
    facts: Facts

    @property
    def peak_mb(self) -> float | None:
        """Peak resident memory in MB (of 1,024 kB); None of a program that does not tell."""
        kilobytes = self.facts.get("peak_kb")
        return None if kilobytes is None else kilobytes / 1024


def task(module: str, name: str, *arguments: object) -> list[str]:
    """The command for a task of `benchmarks.ratios.<module>`."""
    return [sys.executable, "-m", f"benchmarks.ratios.{module}", name, *map(str, arguments)]


def run(command: Sequence[str]) -> Cost:
    """Run to the end; CPU is user + system of the process. `RuntimeError` with its last words if it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=_surroundings(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, complained = out.read().decode(), err.read().decode(errors="replace")
    if process.returncode:
        last = complained.strip().splitlines()[-1:] or ["no word"]
        raise RuntimeError(f"exit code {process.returncode}: {last[0]}")
    return Cost(used.ru_utime + used.ru_stime, wall, json.loads(said) if said.startswith("{") else {})


def _surroundings() -> dict[str, str]:
    """Our environment without anything that names a real org."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SF_")} | {"PYTHONPATH": str(ROOT)}


def alternate(rounds: int, *ways: Callable[[], Cost]) -> list[list[Cost]]:
    """Run the ways in turn, `rounds` times, so that the machine's moods meet all of them; the costs of each way."""
    costs: list[list[Cost]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, found in zip(ways, costs, strict=True):
            found.append(way())
    return costs


def ratio(ours: Sequence[Cost], yardstick: Sequence[Cost], of: Callable[[Cost], float]) -> float:
    """The median of the ratios of neighbouring runs."""
    return statistics.median(of(mine) / of(other) for mine, other in zip(ours, yardstick, strict=True))


def median(costs: Sequence[Cost], of: Callable[[Cost], float]) -> float:
    """The middle value of the runs."""
    return statistics.median(map(of, costs))


def cpu(cost: Cost) -> float:
    """CPU seconds of the whole process."""
    return cost.cpu


def wall(cost: Cost) -> float:
    """Seconds on the clock."""
    return cost.wall


def peak(cost: Cost) -> float:
    """Peak memory in MB; 0 of a program that does not tell."""
    return cost.peak_mb or 0.0


def fact(name: str) -> Callable[[Cost], float]:
    """Something that the program measured itself."""
    return lambda cost: cost.facts[name]
