"""`Puller`: one object from the org into the store, whole pages at a time, resumable."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, JobFailed, LocatorExpired, LossRefused, SchemaChanged, Transient
from salesforce_sync.models.change import Checkpoint, Loss, LossLimit, Merged
from salesforce_sync.models.page import Page, Poll, Polled, Priority, PullRequest, Rows
from salesforce_sync.models.proof import Cause, Proof
from salesforce_sync.models.schema import Described, ObjectSchema
from salesforce_sync.models.values import parse_datetime, store_datetime
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.signals import Bus
from salesforce_sync.sync.bringing import Bringer, Pages
from salesforce_sync.sync.clocks import compare_clocks
from salesforce_sync.sync.doubts import Doubts
from salesforce_sync.sync.orphans import read_orphans_again
from salesforce_sync.sync.patience import Patience
from salesforce_sync.sync.pulled import Pulled, joined, with_changes, with_repairs
from salesforce_sync.sync.schedule import DEFAULTS, Rules, loss_stands, needs_describe
from salesforce_sync.sync.schemas import Schemas, news_of
from salesforce_sync.sync.staging import stage_all
from salesforce_sync.sync.verify import MOST_REPAIRS, Verifier, removed

log = logging.getLogger(__name__)

T = TypeVar("T")

Report = Callable[[int, int | None, str], None]
"""Told the rows so far, how many there will be where the org has said it, and what the pull waits for, if anything."""


class _Ways(Struct, frozen=True):
    """What is known before a pull of how its rows should come: how many there are, whether by a job, else by ids."""

    counted: int | None
    jobs: bool
    by_id: bool


class Puller:
    """Pulls the objects of one run. Holds nothing but how many rows that took away and brought.

    What must last is in the store.
    """

    def __init__(
        self,
        org: Org,
        store: Store,
        clock: Clock,
        rules: Rules = DEFAULTS,
        accepted: frozenset[str] = frozenset(),
        bus: Bus | None = None,
    ) -> None:
        """`accepted` names the objects that may lose any number of rows; what drifts is told on `bus`."""
        self._org = org
        self._store = store
        self._clock = clock
        self._rules = rules
        self._accepted = {name.casefold() for name in accepted}
        self._bringer = Bringer(org, store, rules.overlap)
        self.verifier = Verifier(org, store, clock, rules.overlap)
        # What a pull has to compare is a part of the pull, and goes on where proofs have to stop.
        self._settler = Verifier(org, store, clock, rules.overlap, Priority.PULL)
        self._doubts = Doubts(store, self._bringer, rules.overlap, self._lose)
        self._lost: Counter[str] = Counter()
        self._come: Counter[str] = Counter()
        self.schemas = Schemas(org, store, clock, rules, bus or Bus(), self._bringer)

    def loss_limit(self, object_name: str) -> LossLimit | None:
        """How many rows may go yet; None where a person has said that it may be any number."""
        return None if object_name.casefold() in self._accepted else self._unasked_limit(object_name)

    def _unasked_limit(self, object_name: str) -> LossLimit:
        """How many rows may go without a person's word."""
        name = object_name.casefold()
        return self._rules.loss.after(self._lost[name], self._come[name])

    def standing_loss(self, object_name: str) -> LossRefused | None:
        """The loss that an earlier run has found and nobody has agreed to, as long as it is not to be looked for again.

        No run of the object is complete meanwhile, and nothing of it is compared, as it would be refused once more.
        """
        ages, accepted = self._store.ages(object_name), self.loss_limit(object_name) is None
        if accepted or ages.loss is None or not loss_stands(ages, self._rules, self._clock.now()):
            return None
        return LossRefused(ages.loss.message, hint=ages.loss.hint)

    @contextmanager
    def _noted(self, object_name: str) -> Iterator[None]:
        """What is found gone here is found in the org as it is now."""
        try:
            yield
        except LossRefused as lost:
            self._store.note_loss(object_name, Loss(self._clock.now(), lost.message, lost.hint))
            raise

    def _lose(self, object_name: str, rows: int) -> None:
        self._lost[object_name.casefold()] += rows

    def _merge(self, object_name: str, server_time: datetime | None) -> Merged:
        with self._noted(object_name):
            return self._merge_within(self.loss_limit(object_name), object_name, server_time)

    def _merge_taken_up(self, object_name: str, server_time: datetime | None) -> Merged | None:
        """Merge what was staged before; None if it would take away so much that the org is to be asked once more.

        It shows the org as it was then. What somebody has agreed to lose since may be there again.
        """
        try:
            return self._merge_within(self._unasked_limit(object_name), object_name, server_time)
        except LossRefused:
            if self.standing_loss(object_name) is not None:
                raise
            return None

    def _merge_within(self, loss: LossLimit | None, object_name: str, server_time: datetime | None) -> Merged:
        is_first = self._store.checkpoint(object_name) is None
        compare_clocks(self._org, self._store, self._clock)
        merged = self._store.merge(object_name, server_time, loss)
        self._lose(object_name, merged.deleted)
        # Of an object that was not here all is new, and none of it was anybody's yet.
        self._come[object_name.casefold()] += 0 if is_first else merged.inserted
        return merged

    def _compare_since(self, schema: ObjectSchema, since: datetime) -> Mapping[Cause, int]:
        """Compare what is as young as this with the org, and repair; gives how many rows that were."""
        with self._noted(schema.name):
            repaired = self._settler.settle(schema, since, self.loss_limit(schema.name))
        self._lose(schema.name, removed(repaired))
        return repaired

    def _lose_by(self, proof: Proof) -> Proof:
        self._lose(proof.object_name, removed(dict(proof.repaired)))
        return proof

    # ── polls: several objects in one call ───────────────────────────────────────────────────────────────────────

    def question(self, object_name: str) -> Poll | None:
        """What to ask the org about this object together with others; None where it has to be pulled by itself."""
        schema = self._store.schema(object_name)
        if schema is None or self._store.staged(schema.name) is not None:
            return None
        request = self._fresh_request(schema)
        if request.since is None:
            return None
        overdue = needs_describe(self._store.described_at(schema.name), self._clock.now())
        return Poll(schema, request.since, self._store.ages(schema.name).described_as, overdue)

    def take(self, poll: Poll, polled: Polled, report: Report) -> Pulled:
        """Take the answer to a poll in: mostly it is all there is; where it is not, the rest is pulled."""
        name, news = poll.schema.name, news_of(poll, polled)
        if news is not None:
            self.schemas.adopt(news)
        if polled.undescribed is not None:
            self.schemas.note_undescribed(name, polled.undescribed)
        elif polled.described_as is not None:
            self._store.note_described(name, polled.described_as)
        if polled.problem is not None or news is not None:
            return self.pull(name, report)
        came = len(polled.rows.values)
        # Of the others it is not known yet whether any has to come: mostly they are here.
        report(came, polled.total if polled.total <= came else None, "")
        try:
            if polled.total > came:
                return self._take_newest(poll, polled, report)
            pulled = self._merge_poll(polled, PullRequest(poll.schema, poll.since))
            return self._without_vanished(poll.schema, poll.since, polled.total, pulled)
        except SchemaChanged as changed:
            return self.pull(self._described_anew(name, changed).name, report)

    def _merge_poll(self, polled: Polled, request: PullRequest) -> Pulled:
        self._store.begin(request)
        page = Page(request.schema, polled.rows, "polled", None, polled.total, polled.server_time, last=True)
        rows = self._store.stage(page)
        name = request.schema.name
        return Pulled(rows, self._merge(name, polled.server_time))

    def _take_newest(self, poll: Poll, polled: Polled, report: Report) -> Pulled:
        """More rows than came with the poll are as young as the overlap. Most of them are often known already.

        They are if there are as many here as in the org, and if the rows that came reach back to the time before
        which nothing can have been missed when the object was last read. Otherwise the ids are compared; or all is
        pulled, if little of it is here.
        """
        schema, since = poll.schema, poll.since
        checkpoint = self._store.checkpoint(schema.name)
        read_at = None if checkpoint is None else checkpoint.read_at
        stamps = self._stamps(schema, polled)
        # A row that was read in the second of its stamp may have changed again in that second: its stamp does not
        # tell, so every row as young as the last reading must come whole. And an org that cannot sort by the stamp
        # sends any of them.
        assert schema.stamp is not None  # without one there is no poll
        sorts = schema.field(schema.stamp).sortable
        # While a loss stands nothing is compared, and what is missing comes all the same.
        standing = self.standing_loss(schema.name) is not None
        if standing or read_at is None or not sorts or stamps[-1] >= read_at.replace(microsecond=0):
            return self._pull_counted(schema, polled.total, report)
        settled = read_at - self._rules.overlap
        ids = tuple(str(row[0]) for row in polled.rows.values)
        pulled = self._merge_poll(polled, PullRequest(schema, ids=ids))
        here = self._store.count_since(schema.name, since)
        if here < polled.total and here * 2 < polled.total:
            return self._pull_counted(schema, polled.total, report)
        if here != polled.total or stamps[-1] > settled:
            start = since if here != polled.total else max(since, settled)
            pulled = with_repairs(pulled, self._compare_since(schema, start))
        if stamps[-1] > settled:
            # What was compared by its stamp alone, and may change within its second still.
            self._doubts.add(schema.name, settled, stamps[-1])
        newest = stamps[0] if polled.server_time is None else min(stamps[0], polled.server_time)
        self._store.advance(Checkpoint(schema.name, newest, polled.server_time))
        report(pulled.rows, pulled.rows, "")
        return pulled

    def _pull_counted(self, schema: ObjectSchema, rows: int, report: Report) -> Pulled:
        """Pull what a poll has counted; nothing of the object is staged, or it would not have been polled."""
        return self._pull_described(self.schemas.known(schema.name), report, rows)

    def settled(self, pulled: Pulled) -> Pulled:
        """The pull with the columns that were filled for it, and with rows that had changed within the second of their
        stamp, or were not shown while columns were filled, read once more.

        Fields that the org has refused to read are tried again where that is due, and filled.
        """
        self.schemas.try_refused(pulled.merged.object_name)
        pulled = with_changes(pulled, self.schemas.filled(pulled.merged.object_name))
        schema = self._store.schema(pulled.merged.object_name)
        if schema is None or self.standing_loss(schema.name) is not None:
            return pulled
        pulled = with_repairs(pulled, self._as_described(schema, self._look_for_missed))
        return with_changes(pulled, self._as_described(schema, self._settle_doubts))

    def _settle_doubts(self, schema: ObjectSchema) -> int:
        return 0 if schema.stamp is None else self._doubts.settle(schema, self.loss_limit(schema.name))

    def _look_for_missed(self, schema: ObjectSchema) -> Mapping[Cause, int]:
        """Rows that the org did not show while columns were filled. Where they are many, that is left to a verify."""
        missed = self._store.missed(schema.name, MOST_REPAIRS + 1)
        if not missed:
            return {}
        loss = self.loss_limit(schema.name)
        mass = loss is not None and loss.refuses(len(missed), self._store.count_shown(schema.name))
        repaired: Mapping[Cause, int] = {}
        if mass or len(missed) > MOST_REPAIRS:
            log.warning("%s: %d rows were not shown while columns were filled; verify it", schema.name, len(missed))
        else:
            repaired = self._settler.look_for(schema, missed)
            self._lose(schema.name, removed(repaired))
        self._store.note_asked(schema.name)
        return repaired

    def _stamps(self, schema: ObjectSchema, polled: Polled) -> list[datetime]:
        assert schema.stamp is not None  # without one there is no poll
        position = [field.name for field in schema.columns].index(schema.stamp)
        return [parse_datetime(store_datetime(str(row[position]))) for row in polled.rows.values]

    def _without_strangers(self, schema: ObjectSchema, rows: int, pulled: Pulled) -> Pulled:
        """All living rows were read. If more live here, the org does not show some of them any longer."""
        if self._store.count_shown(schema.name) <= rows or self.standing_loss(schema.name) is not None:
            return pulled
        with self._noted(schema.name):
            proof = self._settler.verify(schema, self.loss_limit(schema.name), anew=True)
        return with_repairs(pulled, dict(self._lose_by(proof).repaired))

    def _without_vanished(self, schema: ObjectSchema, since: datetime, rows: int, pulled: Pulled) -> Pulled:
        """Everything from `since` on was read. If more is here, the org does not show some of it any longer."""
        if self._store.count_since(schema.name, since) <= rows or self.standing_loss(schema.name) is not None:
            return pulled
        return with_repairs(pulled, self._compare_since(schema, since))

    # ── pulls: one object by itself ──────────────────────────────────────────────────────────────────────────────

    def pull(self, object_name: str, report: Report, described: Described | None = None) -> Pulled:
        """Bring what changed in the object, or everything if nothing is known of it. `report` hears of each page.

        `described` is what the org has just said of an object that was not known here.
        """
        schema = self.schemas.current(object_name) if described is None else self.schemas.adopt(described.schema)
        before = self._store.checkpoint(schema.name)
        unfinished = self._store.staged(schema.name) is not None
        pulled = self._pull_described(schema, report, None if described is None else described.rows)
        after = self._store.checkpoint(schema.name)
        refilled = before is not None and before.until is None and after is not None and after.until is not None
        if not (unfinished or refilled):
            return pulled
        # What was taken up shows the org as it was when that pull was begun, perhaps days ago; and what was read
        # once more to fill new columns does not tell of deletions.
        return joined(pulled, self._look_again(schema.name, report))

    def _look_again(self, object_name: str, report: Report) -> Pulled:
        """Bring what has changed meanwhile; by a poll where one can be asked, which tells of new fields, too."""
        poll = self.question(object_name)
        if poll is None:
            return self._pull_described(self.schemas.known(object_name), report)
        (polled,) = self._org.poll((poll,))
        return self.take(poll, polled, report)

    def _pull_described(self, schema: ObjectSchema, report: Report, counted: int | None = None) -> Pulled:
        try:
            return self._pull_with_patience(schema, report, counted)
        except SchemaChanged as changed:
            return self._pull_readable(self._described_anew(schema.name, changed), report)

    def _described_anew(self, object_name: str, changed: SchemaChanged) -> ObjectSchema:
        log.info("%s: %s; describing it again", object_name, changed)
        return self.schemas.describe(object_name)

    def _as_described(self, schema: ObjectSchema, work: Callable[[ObjectSchema], T]) -> T:
        """What the work gives; where a field has gone meanwhile, that of the same work without it."""
        try:
            return work(schema)
        except SchemaChanged as changed:
            return work(self._described_anew(schema.name, changed))

    def _pull_readable(self, schema: ObjectSchema, report: Report) -> Pulled:
        """Pull by a schema that has just come; a field that it names and the org refuses all the same is left out."""
        while True:
            try:
                return self._pull_with_patience(schema, report)
            except SchemaChanged as refused:
                schema = self.schemas.leave_out(schema, refused)

    def prove(self, schema: ObjectSchema, listing: Pages | None) -> Proof:
        """Compare every id and stamp with the org, repair, and keep the proof; `listing` may have been begun."""
        begun = [listing]  # which one work can read only
        repaired: Counter[Cause] = Counter()

        def prove(described: ObjectSchema) -> Proof:
            loss = self.loss_limit(described.name)
            if described.stamp is not None:
                settled = self._doubts.settle_all(described, None if loss is None else loss.after(removed(repaired)))
                repaired.update(+Counter({Cause.CHANGED: settled}))
                loss = self.loss_limit(described.name)
            return self.verifier.verify(described, loss, begun.pop() if begun else None, repaired)

        with self._noted(schema.name):
            return self._lose_by(self._as_described(schema, prove))

    def read_orphans_again(self, schema: ObjectSchema, *, again: bool) -> Pulled:
        """Read the rows again that refer to deleted records; without `again`, only after more deletions."""
        pulled = Pulled(0, Merged(schema.name))

        def read(request: PullRequest) -> None:
            nonlocal pulled
            self._bringer.stage(request)
            merged = self._merge(schema.name, None)
            pulled = joined(pulled, Pulled(merged.changed + merged.unchanged, merged))

        self._as_described(schema, lambda known: read_orphans_again(self._store, known, read, again=again))
        return pulled

    def _pull_with_patience(self, schema: ObjectSchema, report: Report, counted: int | None = None) -> Pulled:
        """Take the pull up again after a break, from its last durable page; begin anew where that does not help."""
        patience = Patience()
        while True:
            try:
                return self._pull_once(schema, report, _Ways(counted, patience.jobs, patience.by_id))
            except Transient as error:
                staged = self._store.staged(schema.name)
                patience.bear(error, None if staged is None else staged.resume)
                gone = isinstance(error, LocatorExpired | JobFailed)
                if gone or (isinstance(error, Incomplete) and patience.errors > 1):
                    log.info("%s: %s Reading it again.", schema.name, error)
                    self._store.begin(self._fresh_request(schema))
                else:
                    log.info("%s: %s Going on from the last whole page.", schema.name, error)

    def _pull_once(self, schema: ObjectSchema, report: Report, ways: _Ways) -> Pulled:
        request, rows, server_time = self._take_up(schema)
        taken_up = request.resume is not None
        request = replace(request, rows=ways.counted, jobs=ways.jobs, by_id=ways.by_id)
        last = False
        # Closed at once when a page cannot be staged: downloads would otherwise go on behind it.
        with closing(self._org.pull(request)) as pages, closing(stage_all(self._store, pages)) as staged:
            for page, count in staged:
                # Without the org's time: what changed after the first page came is at least as young as its rows.
                server_time = server_time or page.server_time or _youngest(page)
                rows += count
                report(rows, page.total, page.waits_for)
                if page.last:
                    self._check_total(page, rows)
                    last = True
                del page  # it is not held while the next one comes
        if not last:
            raise Incomplete(f"The pull of {schema.name} ended before its last page.")
        merged = (self._merge_taken_up if taken_up else self._merge)(schema.name, server_time)
        if merged is None:
            self._store.begin(self._fresh_request(schema))
            return self._pull_once(schema, report, ways)
        pulled = Pulled(rows, merged)
        if request.since is None or schema.stamp is None:
            return self._without_strangers(schema, rows, pulled)
        return self._without_vanished(schema, request.since, rows, pulled)

    def _take_up(self, schema: ObjectSchema) -> tuple[PullRequest, int, datetime | None]:
        """The request to send: the rest of an unfinished pull, or a fresh one; with the rows that are here already."""
        staged = self._store.staged(schema.name)
        if staged is not None:
            return PullRequest(schema, staged.since, staged.resume), staged.rows, staged.server_time
        request = self._fresh_request(schema)
        self._store.begin(request)
        return request, 0, None

    def _fresh_request(self, schema: ObjectSchema) -> PullRequest:
        checkpoint = self._store.checkpoint(schema.name)
        request = PullRequest(schema)
        if checkpoint is None or checkpoint.until is None or schema.stamp is None:
            return request
        return replace(request, since=checkpoint.until - self._rules.overlap)

    def _check_total(self, page: Page, rows: int) -> None:
        if page.total is not None and rows < page.total:
            raise Incomplete(f"The org announced {page.total:,} rows of {page.schema.name}, and {rows:,} arrived.")


def _youngest(page: Page) -> datetime | None:
    """The newest stamp of a page of decoded rows."""
    if page.schema.stamp is None or not isinstance(page.body, Rows):
        return None
    position = [field.name for field in page.schema.columns].index(page.schema.stamp)
    stamps = [str(row[position]) for row in page.body.values if row[position] is not None]
    return max((parse_datetime(store_datetime(each)) for each in stamps), default=None)
