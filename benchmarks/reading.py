"""How reads are timed, the same way for every reader."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from statistics import median

READS = 20_000
ROUNDS = 3


def sample(ids: Sequence[str]) -> list[str]:
    """Some of the ids, drawn over the whole table: mostly from pages that are not in SQLite's own cache."""
    return random.Random(1).sample(ids, min(READS, len(ids)))


def timed(read: Callable[[], int]) -> float:
    """Microseconds of CPU that each of the records took that `read` says it read; the median of three rounds."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        count = read()
        took.append((time.process_time() - began) / count * 1e6)
    return median(took)


def tell(**facts: float) -> None:
    """Say it to the program that measures."""
    print(json.dumps(facts))
