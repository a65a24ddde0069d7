"""What a pull and a verify ask of the store: schemas, staging, merges, comparisons and proofs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from salesforce_sync.models.change import Ages, Checkpoint, Doubt, Loss, LossLimit, Merged, Orphans, Staged
from salesforce_sync.models.page import Page, PullRequest
from salesforce_sync.models.proof import Cause, Comparison, Proof
from salesforce_sync.models.schema import ObjectSchema


class Pulling(Protocol):
    """Schemas, staging, merge, checkpoints; and the comparison with the org."""

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

    def note_clock(self, ahead: timedelta | None) -> None:
        """By how much the org's clock is ahead of this machine's; None: that is not known, as until it is first told.

        The policy `newest` holds the times of edits against the org's by it. Nothing of it outlives the process.
        """

    def claim(self, object_name: str) -> AbstractContextManager[None]:
        """Hold the object for one pull, over all threads and processes; `StoreBusy` if somebody else holds it.

        A claim ends with its block, and with the death of its process. Within, the schema is the one that was adopted
        last, in whatever process.
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

    def prepare(self, page: Page) -> Page:
        """The page in a form that is staged in less time, or as it is; in its place. Changes nothing in the store.

        For whoever has to wait for another page to be staged. May be called in any thread, and raises nothing: what is
        wrong with a page is told when it is staged.
        """

    def merge(
        self,
        object_name: str,
        checkpoint_limit: datetime | None,
        loss: LossLimit | None = None,
        own: Collection[str] = (),
    ) -> Merged:
        """Let the staged rows enter the object's table in one transaction, with the checkpoint.

        `LossRefused`, and nothing is changed, if more live rows would become tombstones than `loss` allows.
        Rows that were asked for by id leave the checkpoint where it is.

        Where a row has local edits, they are held against it (`resolve.judge`): edits of fields that the org has not
        changed go on, on the new base and with the new stamp; others end, or wait in the inbox, as the policies say.
        Counted is what changed of the org's row, whatever is shown of it here. What a change on its way has put there
        itself is nobody else's change; nor is what a push's other changes have put into the records of `own`, which
        may be deleted all the same. A record that the org had deleted, and shows again, needs no decision any more.
        A row enters only if its stamp is not older than the row here, unless it was asked for by id, or the stamp here
        is later than the org's time of the last reading: what is stamped ahead of time gets an older stamp with its
        next change. The checkpoint is the newest stamp that was
        staged, but not later than `checkpoint_limit`, and never goes back; `checkpoint_limit` itself after a first
        pull that found nothing. Staging is gone afterwards.
        """

    def kept(self, request: PullRequest) -> Staged | None:
        """How far the sweep (`request.sweep`) has come that the request asks for, in whatever process: up to its
        last durable page.

        None if none was begun, or it has ended: a listing with its comparison, another with `merge_columns`. It is kept
        when other pulls are begun, until one of its kind is begun without `resume`; begun with the `resume` that is
        told here, it goes on. One whose columns have been others since is forgotten.
        """

    def amend(self, request: PullRequest) -> None:
        """Let what was staged last take the place of the same rows in the sweep that the request asks for."""

    def merge_columns(self, request: PullRequest) -> int:
        """Let the columns that the request asked for enter the rows that are here; gives how many changed.

        Edited fields are held against them as by `merge`; the others' edits stay. The sweep has ended afterwards.
        """

    def unfilled(self, object_name: str) -> tuple[str, ...]:
        """The columns that the table gained and that have not been filled yet, in whatever process it gained them.

        None of them while every row is to be read again.
        """

    def renamed_from(self, object_name: str, gained: Sequence[str]) -> tuple[str, ...]:
        """Columns of people's own fields that may be other fields by now: a gained one, filled, holds their values.

        Of its type and size, with its values in at least half of the rows in which either has any. False and 0 are no
        values.
        """

    def missed(self, object_name: str, most: int) -> tuple[str, ...]:
        """At most so many ids of living rows that the org did not show while columns were filled: they are empty there.

        Only those for which the org has not been asked since (`note_asked`). A row that is read whole, or taken out,
        is missed no more. To a comparison those that are listed are stale.
        """

    def is_missed(self, object_name: str, record_id: str) -> bool:
        """Whether the row is one of them, whether or not the org was asked: what is empty in it may be filled there."""

    def note_asked(self, object_name: str) -> None:
        """The org has been asked for the rows that are missed: only a comparison looks for them from now on."""

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

    def orphans(self, object_name: str, most: int, *, again: bool = False) -> Orphans | None:
        """Live rows that refer to tombstones of the org's, or to records that it shows no more without telling why.

        And those that were noted, whose record is a tombstone no more: the org may have filled what it had emptied. At
        most so many, and else none of those that were noted.

        Where an object is here whole that was not when they were last noted (or `again`): what refers to records of it
        that are not here, and were perhaps deleted before it was read. Of each such record one row. Of a field that may
        refer to several objects, `ObjectSchema.key_prefix` tells which it is.

        None, which costs little, while the tombstones and the objects are those that were there when they were last
        noted; not if `again`. Asked for none (`most` is 0), it costs as little to learn that there are others.
        """

    def note_orphans(self, object_name: str, orphans: Orphans) -> None:
        """These rows have been read again: what they refer to now is what the org leaves them.

        It is noted until their record comes back. A record that is not here, and to which its row does not refer any
        more, is gone for `unknown` reasons: others may have referred to it, too.
        """

    def compare(self, object_name: str, since: datetime | None, most: int) -> Comparison:
        """Hold what was staged last (ids and stamps) against the table, from `since` on where it is given.

        At most `most` ids of each kind. The listing stays for another comparison until `end_comparison`; a whole one,
        which needs no `since`, outlives the process.
        Held against it is what the org should show, as in `count_shown`: edits made here are no differences.
        """

    def end_comparison(self, object_name: str, since: datetime | None) -> None:
        """Forget the listing that was compared from `since` on, or the whole one."""

    def set_aside(self, object_name: str, ids: Sequence[str], cause: Cause) -> int:
        """Take rows out that the org no longer shows; their values are kept. Gives how many there were.

        A deleted or purged one becomes a tombstone where the object has IsDeleted; a hidden one leaves the table.
        One with local edits waits in the inbox, and stays; it counts as taken out, once, and is no difference any more.
        One that was deleted here is gone on both sides. A record that was made here is not touched.
        """

    def record_proof(self, proof: Proof) -> None:
        """Keep the result of a verify: nothing that was found gone before waits for a person's word any more."""

    def proof(self, object_name: str) -> Proof | None:
        """The last one."""

    def ages(self, object_name: str) -> Ages:
        """When what the stamp does not show was last looked at."""

    def note_refresh(self, object_name: str, at: datetime) -> None:
        """Values that change without a stamp are fresh as of `at`, this machine's time."""

    def note_loss(self, object_name: str, loss: Loss | None) -> None:
        """Keep what was found gone and waits for a person's word, until the object is proved (`Ages.loss`).

        None: it waits no more, as somebody has agreed and it has been taken out.
        """

    def note_described(self, object_name: str, described_as: str) -> None:
        """The schema here is what the org's describe of this Last-Modified says, as of now."""
