"""`python -m benchmarks [--rows N] [--quick] [NAME…]`: measure, and print one table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from benchmarks import (
    calls,
    clients,
    download,
    following,
    load,
    machine,
    proof,
    pushing,
    reads,
    rest,
    serving,
    starting,
    workbook,
    workbook_back,
)
from benchmarks.table import Line, render
from benchmarks.workplace import QUICK, Sizes, Workplace

BENCHES: dict[str, Callable[[Workplace], Iterator[Line]]] = {
    "load": load.speed,
    "memory": load.memory,
    "download": download.speed,
    "rest": rest.speed,
    "reads": reads.speed,
    "http": serving.speed,
    "import": starting.cost,
    "clients": clients.speed,
    "calls": calls.counted,
    "proof": proof.costs,
    "merge": proof.merge,
    "push": pushing.costs,
    "workbook": workbook.writing,
    "events": following.costs,
    "workbook-back": workbook_back.reading,
}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed, memory and API calls.")
    parser.add_argument("--rows", type=int, help="rows of the first load (default: 1,000,000)")
    parser.add_argument("--rounds", type=int, help="how often each contender runs (default: 3)")
    parser.add_argument("--seed", type=int, help="the same seed makes the same data (default: 1)")
    parser.add_argument("--quick", action="store_true", help="fewer rows: about two minutes; the memory lines say less")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(BENCHES)}")
    options = parser.parse_args(given)
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(BENCHES)}")
    return options


def sizes(options: argparse.Namespace) -> Sizes:
    """What the options ask for."""
    asked = {name: value for name in ("rows", "rounds", "seed") if (value := getattr(options, name)) is not None}
    return replace(QUICK if options.quick else Sizes(), **asked)


def main(given: Sequence[str] | None = None) -> int:
    """Measure; 1 if something went wrong or a target does not hold."""
    options = arguments(given)
    measured = sizes(options)
    head = [*machine.describe(), f"data      seed {measured.seed}, {measured.rows:,} rows x 30; "]
    head[-1] += f"medians of {measured.rounds} rounds, ours and theirs in turn"
    began = time.monotonic()
    place = Workplace(measured)
    try:
        lines = [line for name in options.names or BENCHES for line in _lines(name, place)]
    finally:
        place.close()
    minutes = (time.monotonic() - began) / 60
    print("\n".join([*head, f"          measured in {minutes:.1f} minutes", "", render(lines)]))
    return 0 if all(line.good for line in lines) else 1


def _lines(name: str, place: Workplace) -> list[Line]:
    """The lines of one bench. What goes wrong in it is a line too, and the others are still measured."""
    place.say(name)
    done: list[Line] = []
    try:
        for line in BENCHES[name](place):
            done.append(line)
    except Exception as error:  # the loop over all benches: one bench's trouble must not hide the others' results
        done.append(Line(name, trouble=f"{type(error).__name__}: {error}"))
    return done


if __name__ == "__main__":
    sys.exit(main())
