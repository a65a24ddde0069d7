"""Edits as a person makes them, and those that were made elsewhere (a workbook's)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn
from salesforce_sync.models.values import Stored


class Editing(Protocol):
    """Edits, each with its place in the outbox."""

    def create(self, object_name: str, values: Mapping[str, Stored]) -> str:
        """Make a record here, with its place in the outbox; gives its local id.

        Like the next three: `Misuse` says what describe knows to be wrong (a field that cannot be written, a text
        that is too long, a required field that is missing, a value that is not in a restricted picklist), and then
        nothing is changed. '' is null. A value must have the stored form of its field's type, and a reference the form
        of an id; a local id that nobody has is refused, and one that the org has replaced by now is written as that.
        A new record's nulls are no values. What the org gave, and no rule allows any more, hinders no edit of others.
        """

    def update(
        self, object_name: str, record_id: str, values: Mapping[str, Stored], seen: Mapping[str, Stored] | None = None
    ) -> None:
        """Change fields of a live record, with its place in the outbox; `RecordNotFound` where there is none.

        Several edits of one record fold into one change, in the place of the first. A field that is back at its base is
        no edit any more, and a change without edits is gone. Edits of a new record fold into its create until that is
        on its way; from then on it takes only what can be changed in the org.
        An edit of a change that was rejected, or looked like a duplicate, releases it, and starts its attempts anew.
        What waits for another reason goes on waiting: it must not be sent because somebody goes on typing. A new value
        of a field in conflict is the conflict's local value; the org's own value ends it.

        `seen`: the record as its author saw it. What the org has changed since is then merged as in `take_in`; a field
        that was edited here since is a `Misuse`.
        """

    def delete(self, object_name: str, record_id: str, seen: Mapping[str, Stored] | None = None) -> None:
        """Delete a live record here, with its place in the outbox; `Misuse` if it is not as it was `seen` any more.

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

    def referring(self, record_id: str) -> tuple[tuple[str, str, str], ...]:
        """What is edited here to refer to a record that was made here: object, record and field. None for any other."""

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
