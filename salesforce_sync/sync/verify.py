"""`Verifier`: proves that nothing is missing. Compares ids and stamps with the org, repairs, and says what it found."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, LossRefused
from salesforce_sync.models.change import LossLimit, Staged
from salesforce_sync.models.page import Priority, PullRequest
from salesforce_sync.models.proof import Cause, Comparison, Listed, Proof
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.sync.bringing import Bringer, Pages
from salesforce_sync.sync.schedule import DEFAULTS
from salesforce_sync.sync.why_gone import WhyGone

log = logging.getLogger(__name__)

MOST_REPAIRS = 10_000
"""Differing rows that are fetched one by one; with more, the whole object is read again."""
ROUNDS = 3
"""How often a listing is taken anew because the org changed while it was compared."""


class Verifier:
    """Compares one object at a time; the caller holds the claim on it, and has just pulled what is new."""

    def __init__(
        self,
        org: Org,
        store: Store,
        clock: Clock,
        overlap: timedelta = DEFAULTS.overlap,
        priority: Priority = Priority.VERIFY,
    ) -> None:
        """`priority`: what the calls of a comparison are for; `overlap`: how late a row may become visible."""
        self._org = org
        self._store = store
        self._clock = clock
        self._bringer = Bringer(org, store, overlap)
        self._priority = priority
        self._why_gone = WhyGone(org, store, clock)

    def listing(self, schema: ObjectSchema) -> PullRequest:
        """What lists an object: its rows' ids and stamps; or the rest of them, where an earlier run broke off."""
        asked = self._listing(schema, None)
        kept = self._bringer.begun(asked)
        return self._bringer.sized(replace(asked, resume=None if kept is None else kept.resume))

    def _listing(self, schema: ObjectSchema, since: datetime | None) -> PullRequest:
        """What lists the object's rows from `since` on: their ids and stamps, and whether they are deleted."""
        return PullRequest(schema.listed, since, priority=self._priority)

    def verify(
        self,
        schema: ObjectSchema,
        loss: LossLimit | None,
        listing: Pages | None = None,
        repaired: Counter[Cause] | None = None,
        *,
        anew: bool = False,
    ) -> Proof:
        """Compare the whole object and repair what differs; the proof is kept in the store.

        `listing` is the pull that `self.listing` asks for, where somebody has begun it already. `repaired` is what an
        attempt that broke off has repaired, and takes up what this one does: the proof tells both, and both count as
        lost. `anew`: not by the listing that an earlier run has begun, which may name what has gone since.
        `LossRefused`, before anything is removed, if more rows would go than `loss` allows. `Incomplete` if the org
        changed faster than it could be compared.
        """
        repaired = Counter() if repaired is None else repaired
        kept = None if anew else self._bringer.begun(self._listing(schema, None))
        for turn in range(ROUNDS):
            if turn == 0 and kept is not None:
                listed_at = self._list_the_rest(schema, kept, listing)
            else:
                listed_at = self._list(self._listing(schema, None), listing if turn == 0 else None)
            try:
                found = self._round(schema, None, loss, listed_at, repaired)
            except LossRefused:
                self._store.end_comparison(schema.name, None)
                if turn == 0 and kept is not None:
                    continue  # rows may be shown again by now: a new listing tells
                raise
            if found.differences or (turn == 0 and kept is not None and self._counts_differ(schema, found.live)):
                continue
            return self._proved(schema, found, repaired)
        raise Incomplete(
            f"{schema.name} changes faster than it can be compared: {found.differences} rows differ still.",
            hint="Verify it again when the org is quieter.",
        )

    def _counts_differ(self, schema: ObjectSchema, live: int) -> bool:
        """Whether the org has more or fewer rows than are here: what has gone since a listing was begun is in it still.

        Or appeared late. One call; an org that does not count leaves it at the proof, which has the listing's date.
        """
        (described,) = self._org.describe_together((schema.name,))
        if described is None or described.rows is None or described.rows == live:
            return False
        log.info("%s: the org has %d rows by now, and %d are here; listing it anew", schema.name, described.rows, live)
        return True

    def settle(self, schema: ObjectSchema, since: datetime, loss: LossLimit | None) -> Counter[Cause]:
        """The same for the rows whose stamp is at or after `since`: what a pull of changes cannot tell."""
        repaired: Counter[Cause] = Counter()
        listed_at = self._list(self._listing(schema, since))
        self._round(schema, since, loss, listed_at, repaired)
        self._store.end_comparison(schema.name, since)
        return repaired

    def _round(
        self,
        schema: ObjectSchema,
        since: datetime | None,
        loss: LossLimit | None,
        listed_at: datetime | None,
        repaired: Counter[Cause],
    ) -> Comparison:
        """Compare with the listing, repair; then compare with the same listing again."""
        found = self._store.compare(schema.name, since, MOST_REPAIRS)
        if loss is not None:
            self._check_loss(schema, since, found, loss.after(removed(repaired)))
        if found.cut:
            self._read_everything(schema)
            repaired.update(_came(found.differing, found.late, found.again))
            if since is None and schema.listed.columns == schema.columns:
                return found  # nothing tells its rows from a listing, whose place they have taken: it is listed anew
        else:
            repaired.update(self._fetch(schema, (*found.missing, *found.stale)))
        if not found.differences:
            return found
        self._take_all_out(schema, since, found, listed_at, repaired)
        return _but_fetched(self._store.compare(schema.name, since, MOST_REPAIRS), found)

    def _check_loss(self, schema: ObjectSchema, since: datetime | None, found: Comparison, loss: LossLimit) -> None:
        """`LossRefused` if too much of the object is gone, however few of its rows were compared."""
        if not loss.refuses(found.gone, found.live):
            return
        live = found.live if since is None else self._store.count_shown(schema.name)
        if loss.refuses(found.gone, live):
            raise _refused(schema.name, *loss.counted(found.gone, live))

    def _take_all_out(
        self,
        schema: ObjectSchema,
        since: datetime | None,
        found: Comparison,
        listed_at: datetime | None,
        repaired: Counter[Cause],
    ) -> None:
        """Take out what the org does not list, as many rows at a time as a comparison names, while fewer are left."""
        before = found.gone + 1
        while found.extra and found.gone < before:
            repaired.update(self._take_out(schema, found.extra, listed_at))
            if found.gone == len(found.extra):
                return
            before = found.gone
            found = self._store.compare(schema.name, since, MOST_REPAIRS)

    def _list(self, request: PullRequest, begun: Pages | None = None) -> datetime | None:
        """Stage the ids and stamps of the org's rows; gives the org's time."""
        pages = self._bringer.stage(request, begun)
        return next((page.server_time for page in pages if page.server_time is not None), None)

    def _list_the_rest(self, schema: ObjectSchema, kept: Staged, begun: Pages | None) -> datetime | None:
        """Go on with a listing of an earlier run; gives the org's time."""
        now = self._org.time()
        self._bringer.go_on(self._listing(schema, None), kept, schema.stamp, begun)
        return now

    def _fetch(self, schema: ObjectSchema, wanted: Sequence[Listed]) -> Counter[Cause]:
        """Read these rows whole and merge them. Rows that the org has lost meanwhile are found by the next round."""
        if not wanted:
            return Counter()
        checkpoint = self._store.checkpoint(schema.name)
        until = None if checkpoint is None or checkpoint.until is None else format_datetime(checkpoint.until)
        self._bringer.records(schema, [each.id for each in wanted], self._priority)
        stamps = [each.stamp for each in wanted if not each.again]
        late = sum(until is not None and stamp is not None and stamp <= until for stamp in stamps)
        return _came(len(wanted), late, len(wanted) - len(stamps))

    def _read_everything(self, schema: ObjectSchema) -> None:
        self._store.read_all_again(schema.name)
        self._bringer.stage(PullRequest(schema, priority=self._priority))
        self._store.merge(schema.name, None)

    def look_for(self, schema: ObjectSchema, ids: Sequence[str]) -> Counter[Cause]:
        """Ask the org for rows that are here: those that it shows come whole, the others are taken out."""
        return self._take_out(schema, ids, self._org.time())

    def _take_out(self, schema: ObjectSchema, extra: Sequence[str], listed_at: datetime | None) -> Counter[Cause]:
        """Rows that the org does not list: ask it for them, and take out those that it shows no more."""
        if not extra:
            return Counter()
        shown = self._bringer.records(schema, extra, self._priority)
        deleted = [each for each in shown if self._store.get(schema.name, each) is None]
        gone = sorted(set(extra) - shown)
        reasons = self._why_gone.causes(schema, gone, listed_at) if gone else {}
        taken = {cause: self._store.set_aside(schema.name, ids, cause) for cause, ids in reasons.items()}
        edited = len(gone) - sum(taken.values())
        return +Counter({Cause.DELETED: len(deleted), **taken, Cause.EDITED: edited})

    def _proved(self, schema: ObjectSchema, found: Comparison, repaired: Counter[Cause]) -> Proof:
        at = self._clock.now() - self._bringer.age(self._listing(schema, None))
        self._store.end_comparison(schema.name, None)
        proof = Proof(schema.name, at, found.listed, found.live, tuple(sorted(repaired.items())))
        self._store.record_proof(proof)
        return proof


def _came(rows: int, late: int, again: int) -> Counter[Cause]:
    """Why rows came that were not here as in the org; the rest of them has changed."""
    return +Counter({Cause.LATE: late, Cause.SHOWN: again, Cause.CHANGED: rows - late - again})


def _but_fetched(left: Comparison, before: Comparison) -> Comparison:
    """What differs still, but for rows that were fetched after the listing and have changed since."""
    if before.cut:
        return left
    fetched = {each.id for each in (*before.missing, *before.stale)}
    return replace(left, stale=tuple(each for each in left.stale if each.id not in fetched))


def removed(repaired: Mapping[Cause, int]) -> int:
    """How many of the repairs took a row away."""
    return sum(repaired.get(cause, 0) for cause in (Cause.DELETED, Cause.PURGED, Cause.HIDDEN, Cause.UNKNOWN))


def _refused(object_name: str, lost: int, rows: int) -> LossRefused:
    return LossRefused(
        f"{lost:,} of {rows:,} rows of {object_name} are gone in the org, or no longer visible.",
        # Not `sync`: it compares only what is due, and would find nothing gone.
        hint=f"If that is right, say so: salesforce-sync verify {object_name} --accept-loss {object_name}",
    )
