"""What is due when, and the rules that a person has set. Pure: values in, values out."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from salesforce_sync.models.change import Ages, LossLimit
from salesforce_sync.models.schema import REFUSED_EVERY, Field, ObjectSchema

DESCRIBE_EVERY = timedelta(hours=1)

LOSS_EVERY = timedelta(hours=1)
"""How often rows that are gone, and wait for a person's word, are looked for by a run for which nobody has asked."""


DEFAULT_LOSS = LossLimit()


class Rules(Struct, frozen=True):
    """How a sync goes about its work, as the settings say.

    `overlap`: how far a pull goes back before its checkpoint; a transaction may run ten minutes before its rows can
    be seen. `loss_every`: how long a loss that waits for a person's word is told again without another look.
    `refused_every`: how often fields are tried again that the org describes and refuses to read.
    `refreshed`: fields, as `Object.Field`, that change without a stamp, beside those that describe calls
    calculated. A schedule of None is never due by itself. `window`: changes that a push holds at once; what they depend
    on may be as many again.
    """

    overlap: timedelta = timedelta(minutes=10)
    loss: LossLimit = DEFAULT_LOSS
    loss_every: timedelta = LOSS_EVERY
    refused_every: timedelta = REFUSED_EVERY
    verify_every: timedelta | None = timedelta(days=1)
    refresh_every: timedelta | None = timedelta(hours=6)
    refreshed: tuple[str, ...] = ()
    window: int = 10_000


DEFAULTS = Rules()


def needs_describe(described_at: datetime | None, now: datetime) -> bool:
    """Whether a schema is so old that the org is asked again; also when the clock has been set back since."""
    return described_at is None or not timedelta(0) <= now - described_at < DESCRIBE_EVERY


def due(last: datetime | None, every: timedelta | None, now: datetime) -> bool:
    """Whether something that should happen at this interval is due; also when the clock has been set back since."""
    if every is None or last is None:
        return False
    return not timedelta(0) <= now - last < every


def verify_is_due(ages: Ages, rules: Rules, now: datetime) -> bool:
    """Whether an object should be compared with the org again; the first time one interval after its first load.

    While rows that were found gone wait for a person's word, when they should be looked for again.
    """
    if ages.loss is not None:
        return not loss_stands(ages, rules, now)
    return due(ages.proved_at or ages.first_merged_at, rules.verify_every, now)


def loss_stands(ages: Ages, rules: Rules, now: datetime) -> bool:
    """Whether the rows that were found gone, and wait for a person's word, are told again without another look.

    To look means to list every id of the object. Without a schedule of proofs, only somebody who asks has that done.
    """
    if ages.loss is None:
        return False
    if rules.verify_every is None and rules.loss_every:
        return True
    return not due(ages.loss.found_at, rules.loss_every, now)


def refused_are_due(schema: ObjectSchema, rules: Rules, now: datetime) -> bool:
    """Whether fields that the org refuses to read should be tried again."""
    tried = [each.tried for each in schema.left_out]
    return any(each is None or due(each, rules.refused_every, now) for each in tried)


def refresh_is_due(ages: Ages, rules: Rules, now: datetime) -> bool:
    """Whether values that change without a stamp should be read again."""
    return due(ages.refreshed_at or ages.first_merged_at, rules.refresh_every, now)


WARN_AT = 0.8
"""The share of the day's API calls from which a person is warned, and syncs come at longer intervals."""

_SLOWER = ((0.9, 4), (WARN_AT, 2))
_SLOWEST = timedelta(hours=4)


def near_the_wall(used: int | None, wall: int | None) -> bool:
    """Whether a person should be warned about the day's API calls."""
    return used is not None and bool(wall) and used >= WARN_AT * (wall or 0)


def pause(interval: timedelta, share: float | None) -> timedelta:
    """How long to wait for the next sync, when this share of the day's API calls is used.

    Longer before the wall, so that what is left lasts.
    """
    times = next((times for from_, times in _SLOWER if share is not None and share >= from_), 1)
    return max(interval, min(interval * times, _SLOWEST))


MOVED_BY_OTHERS = frozenset(
    {
        "LastActivityDate",
        *("HasOpenActivity", "HasOverdueTask"),  # of an opportunity, as the rest
        *("AgeInDays", "LastActivityInDays", "LastStageChangeInDays"),  # the days themselves move these
    }
)
"""What the org derives from other records, or from the date, and moves without a stamp, though it is no formula (object
reference: System Fields, Opportunity). When the connected user himself has last looked at a record is left out: it is
of no use to others."""


def stampless_fields(schema: ObjectSchema, rules: Rules) -> tuple[str, ...]:
    """The columns whose values change without moving the stamp: formulas, and what a person has named."""
    named = {name.casefold() for name in rules.refreshed}

    def moves(field: Field) -> bool:
        by_itself = field.calculated or field.name in MOVED_BY_OTHERS
        return by_itself or f"{schema.name}.{field.name}".casefold() in named

    return tuple(field.name for field in schema.columns if moves(field))
