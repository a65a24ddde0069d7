"""Plays histories: `python -m tests.torture --seeds 1-1000 --jobs 2`. Ends with 1 if any of them broke a rule."""

from __future__ import annotations

import argparse
import json
import time

from tests.torture.history import History, Setup, Step
from tests.torture.machine import play
from tests.torture.runner import Order, play_all
from tests.torture.steps import SWITCHES


def main() -> int:
    """Play what the command line says."""
    options = _options()
    return _replay(options.replay) if options.replay else _play(options)


def _play(options: argparse.Namespace) -> int:
    more = (
        tuple(options.switch_on),
        tuple(options.without),
        bool(options.minimise),
        bool(options.two_way),
        bool(options.events),
    )
    orders = [Order(seed, options.steps, *more) for seed in _seeds(options.seeds)]
    started, failures = time.monotonic(), 0
    for number, failed in enumerate(play_all(orders, options.jobs), 1):
        if failed is not None:
            failures += 1
            print(f"\n{failed.told()}\n", flush=True)
        if number % 100 == 0 or number == len(orders):
            rate = 60 * number / (time.monotonic() - started)
            print(f"{number} of {len(orders)} histories, {failures} failed, {rate:.0f} a minute", flush=True)
    return 1 if failures else 0


def _replay(text: str) -> int:
    """The history that a failure was shown with."""
    told = json.loads(text)
    setup = Setup(**{**told["setup"], "objects": tuple(told["setup"]["objects"])})
    failed = play(History(told["seed"], setup, tuple(Step.parse(each) for each in told["steps"])))
    if failed is None:
        print("everything held")
        return 0
    print(f"\n{failed.told()}\n", flush=True)
    return 1


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seeds", default="1-100", help="a seed, or the first and the last: 1-1000")
    parser.add_argument("--steps", type=int, default=30, help="steps of each history")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--switch-on", nargs="*", default=[], choices=SWITCHES, help="play these kinds of steps too")
    parser.add_argument("--without", nargs="*", default=[], help="leave these kinds of steps out")
    parser.add_argument("--two-way", action="store_true", help="with local edits and pushes")
    parser.add_argument("--events", action="store_true", help="with change events followed beside the syncs")
    parser.add_argument("--minimise", action="store_true", help="leave out steps of what fails while it still fails")
    parser.add_argument("--replay", default="", help="play the history that a failure was shown with")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
