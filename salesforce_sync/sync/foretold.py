"""What a push would do, as far as it has been planned: for a dry run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, field

from salesforce_sync.models.outbox import Change, Kind, Operation
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.push import Blocked, Diff
from salesforce_sync.ports import MOST_LISTED
from salesforce_sync.sync.plan import Plan

T = TypeVar("T")


class Foretold(Struct):
    """What a dry run has found so far: the first `MOST_LISTED` of each, and how many there are."""

    calls: int = 0
    _orders: list[Change] = field(default_factory=list)
    _blocked: list[Blocked] = field(default_factory=list)
    _rejected: list[Rejected] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def start_again(self) -> None:
        """Another pass begins: what was blocked may go by now."""
        self._blocked.clear()
        self._rejected.clear()
        self._counts["blocked"] = self._counts["rejected"] = 0

    def take(self, planned: Plan, disputed: Collection[str], later: Sequence[Change]) -> None:
        """Add what was planned of a window, and what will be sent `later`.

        Deletions of the records in `disputed` are asked about, and not sent.
        """
        orders = [order.change for wave in planned.waves for order in wave.orders]
        asked = [each for each in orders if is_asked(each, disputed)]
        numbers = {each.number for each in asked}
        self._add("orders", self._orders, [*(each for each in orders if each.number not in numbers), *later])
        self._add("blocked", self._blocked, planned.blocked)
        self._add("rejected", self._rejected, [*planned.rejected, *map(_asked, asked)])

    def _add(self, name: str, kept: list[T], new: Sequence[T]) -> None:
        self._counts[name] += len(new)
        kept += new[: MOST_LISTED - len(kept)]

    def told(self, unknown: tuple[Change, ...], held: tuple[Change, ...], counts: Mapping[str, int]) -> Diff:
        """All of it; `counts` says how many there are of the last two."""
        listed = {
            "orders": len(self._orders),
            "blocked": len(self._blocked),
            "rejected": len(self._rejected),
            "unknown": len(unknown),
            "held": len(held),
        }
        beyond = {
            name: count - listed[name]
            for name, count in (dict(self._counts) | dict(counts)).items()
            if count > listed[name]
        }
        return Diff(tuple(self._orders), self.calls, tuple(self._blocked), tuple(self._rejected), unknown, held, beyond)


def is_asked(change: Change, disputed: Collection[str]) -> bool:
    """Whether it deletes one of the records in `disputed`."""
    return change.operation is Operation.DELETE and change.record_id in disputed


def _asked(change: Change) -> Rejected:
    return Rejected(
        change,
        "CONFLICT",
        "A conflict about this record is not decided. It is read again, and not deleted while the org's values differ: "
        "decide in the inbox first.",
        kind=Kind.CONFLICT,
    )
