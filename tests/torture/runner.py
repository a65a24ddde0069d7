"""Plays many histories, in several processes, and makes failing ones short."""

from __future__ import annotations

import faulthandler
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

from tests.torture.history import History, Setup, Step, make, make_two_way
from tests.torture.machine import Failed, play
from tests.torture.shrink import shrink
from tests.torture.steps import weights, weights_events, weights_two_way

HANGS_AFTER = 180
"""Seconds after which a history shows where it stands."""
TRIES = 2
"""How often a shorter history is played before it is believed that it holds: threads may meet in another order."""

SIMPLER: tuple[Callable[[Setup], Setup], ...] = (
    lambda setup: replace(setup, workers=1),
    lambda setup: replace(setup, skew_seconds=0),
    lambda setup: replace(setup, replicas=1),
    lambda setup: replace(setup, rows=3),
    lambda setup: replace(setup, rows=0),
)


@dataclass(frozen=True, slots=True)
class Order:
    """A history to be played; `minimise`: if it fails, find the fewest steps that still do."""

    seed: int
    steps: int
    switches: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    minimise: bool = False
    two_way: bool = False
    events: bool = False

    def history(self) -> History:
        kinds = weights_two_way(self.switches, self.without) if self.two_way else weights(self.switches, self.without)
        kinds |= weights_events(self.without) if self.events else {}
        made = (make_two_way if self.two_way else make)(self.seed, self.steps, kinds)
        return replace(made, setup=replace(made.setup, events=self.events))


def played(order: Order) -> Failed | None:
    """Play one order's history."""
    failed = _watched(order.history())
    return minimised(failed) if failed is not None and order.minimise else failed


def _watched(history: History) -> Failed | None:
    faulthandler.dump_traceback_later(HANGS_AFTER)
    try:
        return play(history)
    finally:
        faulthandler.cancel_dump_traceback_later()


def minimised(failed: Failed) -> Failed:
    """The same trouble with the fewest steps, and then with the fewest rows and replicas."""
    least = [failed]

    def fails(history: History) -> bool:
        for _ in range(TRIES):
            again = _watched(history)
            if again is not None and again.rule == failed.rule:
                least[0] = again
                return True
        return False

    def fails_with(steps: Sequence[Step]) -> bool:
        return fails(failed.history.only(steps))

    shrink(failed.history.steps, fails_with)
    for simplify in SIMPLER:
        history = least[0].history
        fails(replace(history, setup=simplify(history.setup)))
    return least[0]


def play_all(orders: Sequence[Order], jobs: int) -> Iterator[Failed | None]:
    """Play them all, in so many processes; the results come as they are ready."""
    if jobs == 1:
        yield from map(played, orders)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(played, order) for order in orders]):
            yield future.result()
