"""Why rows are gone that the org shows no more: by its own log of deletions (getDeleted), as far as that goes back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from salesforce_sync.errors import ObjectTrouble
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Org, Store

log = logging.getLogger(__name__)

DELETE_LOG = timedelta(days=14, hours=23)
"""How far back the org tells of deletions (getDeleted: 15 days)."""

BEFORE = timedelta(hours=1)
"""How much earlier than a time of this machine's clock the log is asked."""

_LESS_MAY_DO = ("INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT")
"""Refusals of a window, and not of the log: it was pruned since, or names too many. A busy org keeps some days only."""


class _Logged(Struct, frozen=True):
    """The ids that the log names from `since` on."""

    ids: frozenset[str]
    since: datetime


class WhyGone:
    """Asks the log of one org, once or twice for the rows of one object."""

    def __init__(self, org: Org, store: Store, clock: Clock) -> None:
        self._org = org
        self._store = store
        self._clock = clock

    def causes(
        self, schema: ObjectSchema, gone: Sequence[str], listed_at: datetime | None
    ) -> Mapping[Cause, Sequence[str]]:
        """The rows by cause; what only the log can tell is unknown without it. `listed_at`: the org's time (UTC)."""
        if listed_at is None or not schema.replicateable:
            return {Cause.UNKNOWN: gone}
        known = self._known_at(schema, listed_at)
        logged = self._logged(schema, listed_at, known)
        if logged is None:
            return {Cause.UNKNOWN: gone}
        rest = Cause.HIDDEN if known is not None and logged.since <= known else Cause.UNKNOWN
        purged = [each for each in gone if each in logged.ids]
        return {Cause.PURGED: purged, rest: [each for each in gone if each not in logged.ids]}

    def _known_at(self, schema: ObjectSchema, org_time: datetime) -> datetime | None:
        """When the rows were last known to be there, in the org's time and not later than that.

        A machine without a clock of its own, as a Raspberry Pi, takes the time of its last end for now, at first; one
        whose clock is ahead dates its proofs so.
        """
        ages = self._store.ages(schema.name)
        known = ages.proved_at or ages.first_merged_at
        return None if known is None else known + min(org_time - self._clock.now(), timedelta(0))

    def _logged(self, schema: ObjectSchema, listed_at: datetime, known: datetime | None) -> _Logged | None:
        """What the log names; None where there is none for this object, nor for the time since the last proof."""
        # The log has whole minutes: without one more, what was deleted in this one would not be in it. And as the
        # listing's time is a little too early, the minute may be the next one by now.
        end = listed_at + timedelta(minutes=2)
        widest = end - DELETE_LOG
        windows = [widest] if known is None or known - BEFORE <= widest else [widest, known - BEFORE]
        for since in windows:
            try:
                return _Logged(self._org.deletions(schema.name, since, end).ids, since)
            except ObjectTrouble as error:
                log.info("%s: the org does not tell of deletions since %s (%s)", schema.name, since, error.message)
                if error.code not in _LESS_MAY_DO:
                    break
        return None
