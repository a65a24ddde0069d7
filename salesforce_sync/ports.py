"""What the rooms may ask of each other: `Org`, `Store`, `Clock`.

Every implementation of a port passes the same suite (`tests/contract`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from salesforce_sync.models.change import Ages, Checkpoint, Doubt, LossLimit, Merged, Staged
from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn
from salesforce_sync.models.duty import DaemonState, SyncRequest, Waiting
from salesforce_sync.models.event import EventPage, EventsMerged, Lack
from salesforce_sync.models.history import Replaced
from salesforce_sync.models.inbox import InboxItem, Resolution
from salesforce_sync.models.outbox import EVERYTHING, Change, Outcome, Push, PushedChange, Settled, Wanted
from salesforce_sync.models.page import Deletions, Page, Poll, Polled, PullRequest
from salesforce_sync.models.proof import Cause, Comparison, Proof
from salesforce_sync.models.run import ObjectStatus, RunRecord
from salesforce_sync.models.schema import Described, ObjectSchema, ObjectSummary
from salesforce_sync.models.sinks import SinkState
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import Stored, same
from salesforce_sync.signals import DeadLetter, Signal, Told


class Usage(Struct, frozen=True):
    """API calls: `used` and `limit` as the org last said (rolling 24 hours, every application); `spent` by us.

    `ceiling` is where we stop: the limit that a person set, or the org's, whichever is smaller.
    """

    spent: int = 0
    used: int | None = None
    limit: int | None = None
    ceiling: int | None = None


class Order(Struct, frozen=True):
    """A change to send, with the schema of its object. Its edits are what to send now, with real ids only."""

    schema: ObjectSchema
    change: Change

    def replaced(self, there: Mapping[str, Stored]) -> dict[str, Stored]:
        """Of what the org has in the fields that are written: the values that are neither the base nor ours."""
        found = {}
        for each in self.change.edits:
            if each.field in there:
                kind, now = self.schema.field(each.field).type, there[each.field]
                known = (each.base, each.value, *((each.sent,) if each.in_flight else ()))
                if not any(same(kind, now, one) for one in known):
                    found[each.field] = now
        return found


Announce = Callable[[Sequence[Change], str | None], None]
"""Told which changes are about to be handed over, before they are; and once more with the id of a Bulk job that has
them, which does nothing before this returns. What a job leaves over is announced anew, for another way."""


class Org(Protocol):
    """The Salesforce side. May be called from several threads at once."""

    def objects(self) -> tuple[ObjectSummary, ...]:
        """Every object that the connected user may see. One API call."""

    def describe(self, object_name: str) -> ObjectSchema:
        """The object's fields and rights; `ObjectNotFound` or `InsufficientAccess` where there are none. One call."""

    def describe_together(self, object_names: Sequence[str]) -> tuple[Described | None, ...]:
        """Several objects at once, in the order of their names; up to five share an API call.

        None where an object's part was not answered: `describe` then says why. An error is raised only where the call
        as a whole failed, and would fail again.
        """

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        """Bring the rows, by the route that costs the fewest calls.

        Without `since`: every row that is not deleted (archived ones too). With it: every row whose stamp is at or
        after it, soft-deleted ones too, in the order of (stamp, Id) where the route can. A page may be empty (it then
        tells the `total`). The final page, and only it, has `last`. With `request.resume` the pull goes on after that
        point without paying again for what is behind it; `LocatorExpired` where the org has forgotten it.
        Closing the iterator ends the downloads. Raises errors of `salesforce_sync.errors` only.
        """

    def pull_together(self, requests: Sequence[PullRequest]) -> tuple[Generator[Page, None, None], ...]:
        """Several pulls at once, in the order of the requests; what they begin with shares calls where it can.

        Each is as `pull` gives it, and may be read in a thread of its own. This call raises nothing: what it met is
        raised by the pull that it concerns.
        """

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        """Ask several objects at once what is new; the answers are in the order of the questions.

        Up to five objects share one API call. What an object's part of the call met is that answer's `problem`; an
        error is raised only where the call as a whole failed.
        """

    def deletions(self, object_name: str, start: datetime, end: datetime) -> Deletions:
        """What the org says was deleted in this window (UTC). One call; an `ObjectTrouble` where it cannot say."""

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[tuple[Outcome, ...], None, None]:
        """Send these changes by the cheapest safe route; gives the outcomes of each call as it is answered.

        Every order gets exactly one outcome. Their order is kept within one record's parent: siblings are not sent
        side by side. `announce` is called with the changes of a call before it is sent; if it raises, nothing is sent.
        A change that was not announced and is not in an outcome was not sent. Changes are told apart by their numbers.
        An update or delete is written only if the org's row is as it was when the edits were made (`change.stamp`):
        `Conflicted` otherwise. Where the org cannot be asked that in the same call, what was replaced is told
        (`Applied.replaced`). One row's failure is an outcome; an error is raised only for what stops all of them
        (`NeedsPerson`, `LimitExceeded`), and then every announced change has had its outcome: `Lost` if no answer came.
        """

    def recover(self, orders: Sequence[Order], job: str) -> tuple[Outcome, ...]:
        """What became of orders that this Bulk job has: their outcomes.

        `Lost` with the job for those that it has not done yet, and without it for those of which it does not tell.
        """

    def created(self, schema: ObjectSchema, since: datetime) -> tuple[tuple[object, ...], ...]:
        """The living records that the connected user has created at or after `since` (the org's time, UTC).

        Salesforce's times have whole seconds, so up to one second more is looked at. Records of everybody where the
        org does not tell who is connected; `RequestRefused` where the object does not tell when records were made.
        One tuple a record, one value a column of `schema`, in the form of `models.page.Rows`.
        """

    def cost(self, orders: Sequence[Order]) -> int:
        """API calls that writing these would take if every answer were a good one. No call."""

    def time(self) -> datetime | None:
        """The org's own time now (UTC), as its last answer told; asked for, without an API call, if none came yet."""

    @property
    def usage(self) -> Usage:
        """Calls so far, from the org's own header."""

    def close(self) -> None:
        """Give up all connections."""


MOST_LISTED = 10_000
"""Changes of one push that are told one by one; of the others it is only counted how they ended."""


class Pushed(Struct, frozen=True):
    """A part of what became of a push's changes, the last first. `before`: where the next part ends; None: no more."""

    changes: tuple[PushedChange, ...]
    before: int | None


class Store(Protocol):
    """The local side. May be called from several threads at once; every call that writes is all or nothing.

    A store is made with `policies` (`resolve.Policies`) and with `keeping` (`models.history.Keeping`). A record is
    named by the org's id or, as long as one lives, by its local one.
    """

    def adopt(self, schema: ObjectSchema) -> tuple[str, ...]:
        """Make or widen the object's table and remember the schema.

        Afterwards every synced field has a column; none is dropped. Gives the names of fields that the schema adopted
        before did not have: their old rows are not filled yet, so all is read again.
        """

    def schema(self, object_name: str) -> ObjectSchema | None:
        """The schema last adopted, by API name whatever its case."""

    def schemas(self) -> tuple[ObjectSchema, ...]:
        """All adopted schemas, by name."""

    def described_at(self, object_name: str) -> datetime | None:
        """When the schema was last adopted (this machine's clock: for a look only, never for a checkpoint)."""

    def checkpoint(self, object_name: str) -> Checkpoint | None:
        """Where the object has been merged up to; None before its first complete pull."""

    def claim(self, object_name: str) -> AbstractContextManager[None]:
        """Hold the object for one pull, over all threads and processes; `StoreBusy` if somebody else holds it.

        A claim ends with its block, and with the death of its process.
        """

    def staged(self, object_name: str) -> Staged | None:
        """The unfinished pull of this object, cut back to its last durable page; never one of records by their ids."""

    def begin(self, request: PullRequest) -> None:
        """Open an empty staging table for this pull; one that was there is dropped."""

    def stage(self, page: Page) -> int:
        """Put the page's rows into staging, all or none; gives how many there were. Removes the page's file.

        With `page.resume` everything so far becomes durable; `Incomplete`, and nothing is kept of this page, if the
        rows since the last durable point are not `page.expected`.
        """

    def merge(self, object_name: str, checkpoint_limit: datetime | None, loss: LossLimit | None = None) -> Merged:
        """Let the staged rows enter the object's table in one transaction, with the checkpoint.

        `LossRefused`, and nothing is changed, if more live rows would become tombstones than `loss` allows.
        Rows that were asked for by id leave the checkpoint where it is.

        Where a row has local edits, they are held against it (`resolve.judge`): edits of fields that the org has not
        changed go on, on the new base and with the new stamp; others end, or wait in the inbox, as the policies say.
        Counted is what changed of the org's row, whatever is shown of it here. What a change on its way has put there
        itself is nobody else's change. A record that the org had deleted, and shows again, needs no decision any more.
        A row enters only if its stamp is not older than the row here, unless it was asked for by id, or the stamp here
        is later than the org's time of the last reading: what is stamped ahead of time gets an older stamp with its
        next change. The checkpoint is the newest stamp that was
        staged, but not later than `checkpoint_limit`, and never goes back; `checkpoint_limit` itself after a first
        pull that found nothing. Staging is gone afterwards.
        """

    def merge_columns(self, object_name: str) -> int:
        """Let staged values of some columns (`schema.only`) enter the rows that are here; gives how many changed.

        Edited fields are held against them as by `merge`; the others' edits stay.
        """

    def filled(self, object_name: str) -> None:
        """The columns that the table gained have been filled: the next pull need not read every row for them."""

    def read_all_again(self, object_name: str) -> None:
        """Have the next pull read every row; the checkpoint is kept for what was deleted since."""

    def advance(self, checkpoint: Checkpoint) -> None:
        """Move a checkpoint forward, never back: all that is older, less the overlap, has been read and merged."""

    def count_since(self, object_name: str, since: datetime) -> int:
        """Rows whose stamp is at or after `since`, tombstones too, but not what is known to be gone from the org."""

    def doubt(self, object_name: str) -> Doubt | None:
        """The stamps of rows that may have changed unseen."""

    def note_doubt(self, object_name: str, doubt: Doubt | None) -> None:
        """Keep this in place of what was doubted before."""

    def ids_between(self, object_name: str, since: datetime, until: datetime, most: int) -> tuple[str, ...]:
        """At most so many ids of rows, tombstones too, whose stamp is in this range (both ends with it)."""

    def compare(self, object_name: str, since: datetime | None, most: int) -> Comparison:
        """Hold what was staged last (ids and stamps) against the table, from `since` on where it is given.

        At most `most` ids of each kind. The listing stays for another comparison until `end_comparison`.
        Held against it is what the org should show, as in `count_shown`: edits made here are no differences.
        """

    def end_comparison(self, object_name: str) -> None:
        """Forget the listing."""

    def set_aside(self, object_name: str, ids: Sequence[str], cause: Cause) -> int:
        """Take rows out that the org no longer shows; their values are kept. Gives how many there were.

        A deleted or purged one becomes a tombstone where the object has IsDeleted; a hidden one leaves the table.
        One with local edits waits in the inbox, and stays; it counts as taken out, once, and is no difference any more.
        One that was deleted here is gone on both sides. A record that was made here is not touched.
        """

    def record_proof(self, proof: Proof) -> None:
        """Keep the result of a verify."""

    def proof(self, object_name: str) -> Proof | None:
        """The last one."""

    def ages(self, object_name: str) -> Ages:
        """When what the stamp does not show was last looked at."""

    def note_refresh(self, object_name: str) -> None:
        """Values that change without a stamp are fresh as of now."""

    def note_described(self, object_name: str, described_as: str) -> None:
        """The schema here is what the org's describe of this Last-Modified says, as of now."""

    # ── change events ────────────────────────────────────────────────────────────────────────────────────────────

    def replay(self, object_name: str) -> bytes | None:
        """Where the events of this object have been merged up to; None where they have to be followed anew."""

    def forget_replay(self, object_name: str) -> None:
        """The org does not know the replay id any more. The object is unsure until it has been polled."""

    def merge_events(self, page: EventPage) -> EventsMerged:
        """Let the changes that events tell enter the object's table in one transaction, with the replay id.

        What enters is the row as the org has it then (`models.event.changed`): local edits are held against it as by
        `merge`, and events that are known already (`models.event.standing`) change nothing, however often they come.
        A record whose event does not tell everything, or comes after a later one, or that is not here, is to be read
        again. The checkpoint stays where it is. Told is each record that is not as it was.
        """

    def to_read_again(self, object_name: str, most: int) -> tuple[tuple[str, Lack], ...]:
        """At most so many ids of records whose events did not tell everything, those that lack values first."""

    def merge_again(self, page: Page, ids: Sequence[str]) -> EventsMerged:
        """Let the rows of these records enter as by `merge`; afterwards they need not be read again.

        Ids without a row are left as they are here: the org does not show them, and a verify will say why.
        """

    def unsure(self, object_name: str) -> int:
        """How often the object has become unsure and needed a poll; 0 when it is sure."""

    def note_unsure(self, object_name: str) -> None:
        """More of the object has changed than its events have told: it has to be polled."""

    def note_sure(self, object_name: str, times: int) -> None:
        """It has been polled since it was unsure so many times; if it has not become so once more, it is sure."""

    # ── edits ────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, object_name: str, values: Mapping[str, Stored]) -> str:
        """Make a record here, with its place in the outbox; gives its local id.

        Like the next three: `Misuse` says what describe knows to be wrong (a field that cannot be written, a text
        that is too long, a required field that is missing, a value that is not in a restricted picklist), and then
        nothing is changed. '' is null. A value must have the stored form of its field's type, and a reference the form
        of an id; a local id that nobody has is refused, and one that the org has replaced by now is written as that.
        A new record's nulls are no values. What the org gave, and no rule allows any more, hinders no edit of others.
        """

    def update(self, object_name: str, record_id: str, values: Mapping[str, Stored]) -> None:
        """Change fields of a live record, with its place in the outbox; `RecordNotFound` where there is none.

        Several edits of one record fold into one change, in the place of the first. A field that is back at its base is
        no edit any more, and a change without edits is gone. Edits of a new record fold into its create until that is
        on its way; from then on it takes only what can be changed in the org.
        An edit of a change that was rejected, or looked like a duplicate, releases it, and starts its attempts anew.
        What waits for another reason goes on waiting: it must not be sent because somebody goes on typing. A new value
        of a field in conflict is the conflict's local value; the org's own value ends it.
        """

    def delete(self, object_name: str, record_id: str) -> None:
        """Delete a live record here, with its place in the outbox.

        One that the org never had is simply gone, with its tombstone, and references to it go back to what they were;
        if its create is on its way, it is gone once that has failed, and deleted in the org once that has succeeded.
        One that the org shows no more is gone on both sides. Edits beneath a deletion are not sent: they come back with
        `undelete`, and end when the org has deleted the record.
        """

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring a tombstone back, with its place in the outbox; `RecordNotFound` where there is none.

        A deletion that was not sent yet is only taken back, and so is this by `delete`. An undeletion carries no edits:
        those wait, and are sent as an update once the record lives in the org. `Misuse` for an object that has no
        tombstones.
        """

    def real_id(self, record_id: str) -> str:
        """The org's id for a local one that has been created there; any other id is given back as it is."""

    # ── drafts: edits that were made elsewhere ───────────────────────────────────────────────────────────────────

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        """Make these drafts edits in the outbox, in one transaction; gives what became of each, in their order.

        One that is refused hinders no other. An update is held against what the org has changed since its base as a
        merge would have done (`resolve.judge_draft`); what has the value already needs no edit. A field that was
        edited here since the base, and a deletion of a record that is not as its base any more, are refused: nobody's
        edit is replaced by an older one. A create whose name is known makes nothing, unless its record is gone without
        the org ever having had it.
        """

    def drafted(self, names: Sequence[str]) -> dict[str, Drafted]:
        """What drafts of these names have made or changed, and what they wrote; ids in it are the org's where it has
        given one. A record that was made here, and is gone without the org ever having had it, is not told."""

    def draft_names(self, prefix: str) -> Iterator[str]:
        """The names that begin so of the drafts that were taken in."""

    def known_values(self, object_name: str, record_id: str) -> dict[str, tuple[Stored, ...]]:
        """Every value that is known of each field of a record, each once: the one shown now, the org's, older ones.

        Older ones, newest first, are what local edits and the history have replaced, and what was sent. Tombstones too;
        empty where there is no such record.
        """

    # ── the outbox ───────────────────────────────────────────────────────────────────────────────────────────────

    def changes(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        """What is wanted of the outbox, in order: waiting, sending and parked.

        A change that is sending has the edits as they were sent, and its operation; newer ones show when it is settled.
        Deletes and undeletes have none. An update of which every field is in conflict is parked, without edits.
        """

    def count_changes(self, wanted: Wanted = EVERYTHING) -> int:
        """How many there are of these, whatever `wanted.most` says."""

    def edited_objects(self) -> tuple[str, ...]:
        """The objects that have changes in the outbox, by name."""

    def leaving(self, ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Of these records: who refers to them no more once the outbox is sent, as (id, number of the change).

        That is the deletion of a record that refers to one of them, and an edit whose base does.
        """

    def sending(self, changes: Sequence[Change], push_id: str, sent_at: datetime | None, job: str | None) -> None:
        """Note, durably, that these changes (with just these edits) are about to be handed to the org.

        Told once more with a `job`, it only adds that; None leaves what was known. A change that a person has altered,
        or ended, since it was looked at is on its way all the same: what is wanted now shows when it is settled.
        """

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        """Take the org's answers into the store, all or none.

        Afterwards no applied change is in the outbox, except for what was edited since it was sent (or not handed over
        with the rest), which waits on the sent values as its new base. A created record has the org's id everywhere
        here (rows, edits, inbox, history, pushes; not texts that look like it), and its local id goes on resolving; if
        a pull has brought it already, one row remains, and enters as by `merge`. So does `Applied.row`.
        `Applied.replaced` goes to the history, and to the inbox as REPLACED unless the field's policy is `local`.
        Rejected changes are parked, with an inbox item (unless they were edited since they were sent: then they wait).
        Of one that is rejected for some fields only (`Rejected.apart`), these are disputed, and the rest waits.
        Deferred ones wait until a time that grows with their attempts, within bounds. Conflicted ones wait; their
        record must be read again. Lost ones stay as sending. Where the org did not take a change, a field that is back
        at its base is no edit, and a new record that was deleted meanwhile is gone.
        What is not sending is not touched: settling once more, after a kill, is harmless. A lost change may be settled
        under another `push_id` than it was sent with.
        """

    def pushes(self, most: int = 20) -> tuple[Push, ...]:
        """The last pushes, newest first, with what became of their changes: each record once, its last outcome.

        A record that was made here is named by the org's id. Of many changes the first `MOST_LISTED` are there.
        """

    def pushed(self, push_id: str, before: int | None = None, most: int = MOST_LISTED) -> Pushed:
        """What became of a push's changes, the last first; `before` is the place that another part has told."""

    def knows_push(self, push_id: str) -> bool:
        """Whether it is one of the pushes that are kept."""

    def made_here(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids of the org that records have which were made here."""

    def record_push(self, push: Push) -> None:
        """Keep what a push cost and what stopped it. What became of its changes was kept when they were settled."""

    # ── the inbox and the history ────────────────────────────────────────────────────────────────────────────────

    def inbox(self, after: int = 0, most: int | None = None) -> tuple[InboxItem, ...]:
        """What waits for a person, oldest first: items of a greater number than `after`, at most so many."""

    def count_inbox(self) -> int:
        """How many items wait."""

    def newest_item(self) -> int:
        """The greatest number that an item has or had; every later item gets a greater one."""

    def resolve(self, number: int, resolution: Resolution) -> None:
        """Carry out a person's decision on an inbox item; `RecordNotFound` if there is no such item.

        The org's side ends the local edits (their fields show the org's values again; a create is gone). The local
        side, or a value, goes to the outbox on the org's present value as its base. In a conflict only the disputed
        fields are decided, and those that a decision does not name go on waiting. `again` is the local side.
        A record that was deleted in the org, and is wanted, is undeleted before it is edited; one that is only hidden
        is tried as it is. With `link` the org's record holds, and the local values are sent only if the local side is
        wanted too; so it is with the record that another one was merged into, which cannot be brought back. The org's
        side of a REPLACED item writes its value back, as an edit.
        `Misuse`, and nothing is changed, for a decision that says nothing, a `link` that is no id of the org or that is
        given to a record it has (and has not merged away), and values that an edit could not write.
        """

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """The record's values that were replaced by a pull, a push or a decision, newest first.

        A push replaces what the org had. What the org moves with every save (its stamps) is not kept, nor what fresh
        columns (`merge_columns`) replace.
        """

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def count_shown(self, object_name: str) -> int:
        """Rows that the org should show as live: without those made or brought back here only, nor those that wait
        because the org shows them no more; with those deleted only here.
        """

    def note_usage(self, used: int, limit: int) -> None:
        """The org has just said how many API calls of the last 24 hours are used."""

    def usage(self) -> DayUsage | None:
        """What it last said."""

    def count(self, object_name: str, filters: Sequence[Filter] = ()) -> int:
        """Live rows (not tombstones) that pass every filter."""

    def get(self, object_name: str, record_id: str) -> tuple[object, ...] | None:
        """One live row by its 18-character or local id, one value a column of the schema; None if there is none."""

    def rows(self, object_name: str, ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        """The rows of these ids that are here, tombstones too: id → one value a column of the adopted schema."""

    def scan(self, object_name: str, filters: Sequence[Filter] = ()) -> Iterator[tuple[object, ...]]:
        """The live rows that pass every filter, in no promised order, without holding them all."""

    def scan_named(self, object_name: str, lookups: Sequence[str]) -> Iterator[tuple[object, ...]]:
        """The live rows, as by `scan`, and behind each row's values the name of the record that each of these
        reference fields points to; None where that record is not here, or its object has no name field.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """A block in which all that this thread counts and scans is of one moment, whatever others write meanwhile."""

    def select(self, object_name: str, selection: Selection) -> list[tuple[object, ...]]:
        """At most `selection.most` live rows, in its order and behind its place: one page of a long answer.

        Going on behind the last row of each page brings every row that was there all along once, whatever comes or
        goes meanwhile.
        """

    def record_run(self, run: RunRecord) -> None:
        """Keep one object's part of a run, for `status`."""

    def status(self) -> tuple[ObjectStatus, ...]:
        """What is here of each object, and how its last run went."""

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, signals: Sequence[Signal]) -> None:
        """Keep these signals, in this order, all or none. What a `RecordsUpdated` counts is told by it.

        Others are kept in the transaction that causes them: a new item of the inbox (`news`), a proof
        (`VerifyComplete`), and a schema that is not as the one before (`SchemaDrifted`).
        """

    def told(self, after: int, most: int = 1000) -> tuple[Told, ...]:
        """The signals behind this number, in the order of the transactions that they happened in."""

    def untold(self, objects: Iterable[str]) -> tuple[tuple[str, int], ...]:
        """How many rows of these objects merges have changed, and removals, since that was last told, by name."""

    def close(self) -> None:
        """Close all connections; files stay."""


class SinkLog(Protocol):
    """The signals as the sinks read them. May be called from several threads at once."""

    def told(self, after: int, most: int) -> tuple[Told, ...]:
        """As `Store.told`."""

    def newest(self) -> int:
        """The number of the last signal, 0 before the first."""

    def replica_id(self) -> str:
        """A word that no other replica has."""

    def join(self, names: Sequence[str]) -> None:
        """Sinks that are new begin behind what has been told so far; the others go on where they are."""

    def leave(self, sink: str) -> bool:
        """Forget the sink, and what it has refused; gives whether it had joined."""

    def sinks(self) -> tuple[SinkState, ...]:
        """Every sink that has ever joined, by name."""

    def sink(self, name: str) -> SinkState:
        """One that has joined."""

    def delivered(self, sink: str, number: int) -> None:
        """The sink has all up to this number."""

    def failed(self, sink: str, problem: str, retry_at: datetime) -> None:
        """The sink could not take the next signal; it stays the next."""

    def told_dropped(self, sink: str, dropped: int) -> None:
        """The sink knows that so many signals have never come, in all."""

    def bury(self, sink: str, told: Told, problem: str) -> None:
        """The sink has refused this signal: it is a dead letter, and the one behind it is the next."""

    def dead(self, sink: str | None = None) -> tuple[DeadLetter, ...]:
        """What this sink, or any, has refused."""

    def again(self, sink: str | None = None) -> int:
        """Let the dead letters of this sink, or of all, be tried again; gives how many there are.

        A sink that is left alone after a failure is tried at once.
        """

    def wanted_again(self, sink: str) -> tuple[DeadLetter, ...]:
        """Those of them that this sink has not tried again yet."""

    def revived(self, number: int) -> None:
        """This dead letter has been taken."""


class Desk(Protocol):
    """What the daemon and the processes beside it tell each other. May be called from several threads at once."""

    def version(self) -> int:
        """Another number whenever somebody has committed since, in whatever process."""

    def ask(self, who: str, objects: Sequence[str]) -> SyncRequest:
        """Ask the daemon for a sync of these objects, of all that are configured if there are none; it is told."""

    def asked(self) -> tuple[SyncRequest, ...]:
        """What was asked for and is not done, oldest first; what a killed daemon had taken too."""

    def request(self, number: int) -> SyncRequest | None:
        """What became of one."""

    def take(self, requests: Sequence[SyncRequest]) -> None:
        """The daemon has begun with these."""

    def done(self, requests: Sequence[SyncRequest], state: str) -> None:
        """And has ended them so."""

    def note(self, state: DaemonState) -> None:
        """Keep what the daemon tells of itself."""

    def state(self) -> DaemonState | None:
        """What it told last."""

    def waiting(self) -> Waiting:
        """What of the outbox could be sent now, and later."""

    def last_tries(self) -> Mapping[str, tuple[datetime, str]]:
        """When the last pull of each object was begun and how it ended (`RunState`), by its name in lower case."""


class Subscription(Protocol):
    """One object's events as they come. Iterating waits for them; it ends when `close` is called, from any thread."""

    def __iter__(self) -> Iterator[EventPage]:
        """The pages, without end. Another is only asked for while there is room for it: at most some hundred events
        wait. `ReplayRefused` where the org does not know the place to go on from; `EventsSpent`, `Unreachable` and
        other errors of `salesforce_sync.errors` where the stream breaks. A session that has ended is renewed before.
        """

    def close(self) -> None:
        """End it at once."""


class Events(Protocol):
    """The org's change events: what was committed there, told within moments. May be used by several threads."""

    def subscribe(self, object_name: str, after: bytes | None) -> Subscription:
        """Follow the object's events from after this replay id on, or (None) those that come from now on.

        The schema is the one that the store has adopted. Sure to be told is what is committed after the first page
        has come; events may come twice, and transactions in another order than they were committed in.
        """

    def close(self) -> None:
        """End all subscriptions."""


class Filter(Struct, frozen=True):
    """One condition on a field: `operator` is one of `OPERATORS`; for "in" the value is a tuple."""

    field: str
    operator: str
    value: object


OPERATORS = ("eq", "ne", "contains", "startswith", "endswith", "in", "gt", "gte", "lt", "lte", "isnull")
"""Texts compare without regard to case (as in SOQL), except in ids and fields that describe calls case sensitive."""


class Place(Struct, frozen=True):
    """A row's place in an order: its value of the field that is sorted by (stored form), and its id."""

    id: str
    value: Stored = None


class Selection(Struct, frozen=True):
    """A page of a sorted answer. Rows are in the order of `sort` (nulls are the smallest), then of their ids.

    `descending` turns both around. Texts sort without regard to case where they are compared so. Rows have the columns
    that `ObjectSchema.chosen(fields)` gives.
    """

    filters: tuple[Filter, ...] = ()
    sort: str = "Id"
    descending: bool = False
    after: Place | None = None
    most: int = 100
    fields: tuple[str, ...] = ()


class Clock(Protocol):
    """This machine's time: for waiting and for people, never for a checkpoint."""

    def now(self) -> datetime:
        """The wall clock, in UTC with its zone."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
