"""What the daemon does next, and when. Pure: values in, values out.

Times are this machine's, in UTC, so that no change to summer time moves anything. Whatever the clock did meanwhile, and
however long nobody looked, an object that is due is due once.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from salesforce_sync.models.duty import Waiting
from salesforce_sync.sync.schedule import pause

JITTER = 0.05
"""How far, of its interval, an object's next sync moves: replicas that were started together ask at different times."""

GOLDEN = 0.618
"""Of a turn: how far it goes from one round to the next, so that neighbours differ and the mean is none."""

EARLY, LATE = 0.1, 0.05
"""By these shares of its interval an object is early, or waits, to go with others: they share the call that asks."""

ALIKE = 0.5
"""And so much earlier, once, where others of the same interval go: from then on they go together."""

AFTER_FAILURE = timedelta(minutes=15)
"""An object whose sync failed is tried again after this, where its interval is longer."""

_GAPS = ((0.8, timedelta(minutes=1)), (0.5, timedelta(seconds=15)), (0.0, timedelta(seconds=2)))
"""By the share of the day's calls that is used: the time between two pushes of edits that come one by one."""

_PUSH_AGAIN = timedelta(seconds=5)
_LONGEST_PUSH_AGAIN = timedelta(minutes=5)


class Item(Struct, frozen=True):
    """One object that is kept up to date. `last` is when its last sync was begun, None before the first.

    `also` are the times of what else is to be done with it (a verify, a refresh), None for what never is.
    """

    name: str
    interval: timedelta
    last: datetime | None
    failed: bool = False
    also: tuple[datetime | None, ...] = ()


class Budget(Struct, frozen=True):
    """The share of the day's API calls that is used, and until when there are none left."""

    share: float | None = None
    not_before: datetime | None = None


class Pushes(Struct, frozen=True):
    """The outbox, as it is and as the last push left it, when that ended, and how many have failed in a row."""

    waiting: Waiting
    left: str = ""
    last: datetime | None = None
    failures: int = 0


class Step(Struct, frozen=True):
    """What is next: pull these objects (and then push), or only push, or wait until `at`."""

    objects: tuple[str, ...] = ()
    push: bool = False
    at: datetime | None = None


def due_at(item: Item, budget: Budget, seed: str, now: datetime) -> datetime:
    """When an object is to be synced next; `now` if that is past, or if its last sync is in the future."""
    if item.last is None or item.last > now:
        return _not_before(now, budget, now)
    interval = min(item.interval, AFTER_FAILURE) if item.failed else item.interval
    regular = item.last + pause(interval, budget.share) + _jitter(item, seed)
    # Something else that stays due, because the calls run short, is tried with the next regular sync.
    also = (each for each in item.also if each is not None and each > item.last)
    return _not_before(max(now, min((regular, *also))), budget, now)


def _not_before(moment: datetime, budget: Budget, now: datetime) -> datetime:
    # A pause of days is none that the org has asked for: the clock was set back.
    if budget.not_before is None or budget.not_before - now > timedelta(days=1):
        return moment
    return max(moment, budget.not_before)


def _jitter(item: Item, seed: str) -> timedelta:
    """Another in each round, and nearly the same for objects that were synced nearly together: they stay together."""
    assert item.last is not None
    phase = zlib.crc32(f"{seed}:{item.interval}".encode()) / 0xFFFF_FFFF
    turn = item.last.timestamp() / item.interval.total_seconds() * GOLDEN + phase
    return item.interval * JITTER * math.sin(math.tau * math.fmod(turn, 1.0))


def next_step(
    items: Sequence[Item], wanted: Sequence[str], pushes: Pushes, budget: Budget, seed: str, now: datetime
) -> Step:
    """What to do now: what somebody asked for, then what is due, then what was edited here; or until when to wait."""
    times = timetable(items, budget, seed, now)
    due = [item for item in items if times[item.name] <= now]
    if wanted or due:
        rhythms = {item.interval for item in due}
        soon = [item.name for item in items if due and times[item.name] - now <= _early(item, rhythms)]
        return Step(tuple(dict.fromkeys((*wanted, *soon))))
    push = push_at(pushes, budget, now)
    if push is not None and push <= now:
        return Step(push=True)
    return Step(at=min((*times.values(), *([] if push is None else [push])), default=None))


def _early(item: Item, rhythms: Collection[timedelta]) -> timedelta:
    return item.interval * (ALIKE if item.interval in rhythms else EARLY)


def timetable(items: Sequence[Item], budget: Budget, seed: str, now: datetime) -> dict[str, datetime]:
    """When each object is to be synced next; those that are due at about the same time, at the same time."""
    alone = {item.name: due_at(item, budget, seed, now) for item in items}
    return {item.name: _with_others(alone[item.name], item, alone.values()) for item in items}


def _with_others(at: datetime, item: Item, others: Iterable[datetime]) -> datetime:
    return max(other for other in others if at <= other <= at + item.interval * LATE)


def push_at(pushes: Pushes, budget: Budget, now: datetime) -> datetime | None:
    """When the outbox is to be pushed; None while nothing in it is new, as what stays has a reason to."""
    waiting = pushes.waiting
    fresh = waiting.ready and (waiting.mark != pushes.left or pushes.failures > 0)
    if not fresh:
        return waiting.at
    last = pushes.last
    if last is None or last > now:
        return now
    share = budget.share or 0.0
    gap = next(gap for used, gap in _GAPS if share >= used)
    if pushes.failures:
        gap = max(gap, min(_PUSH_AGAIN * 2 ** min(pushes.failures - 1, 10), _LONGEST_PUSH_AGAIN))
    return max(now, last + gap)
