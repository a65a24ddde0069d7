"""What waits for a person: conflicts, and changes that the org has rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct, field

from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import TOLD, Edit, Kind, Operation
from salesforce_sync.models.outcome import Match
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.values import Stored


class Conflict(Struct, frozen=True):
    """One field that both sides changed since the base (stored forms)."""

    field: str
    base: Stored
    local: Stored
    org: Stored


class InboxItem(Struct, frozen=True):
    """One record that waits for a person. `number` names it in `inbox show` and `inbox take`.

    `operation` is what waits, or what a push has done. `edits` are the local values that are not in the org. `matches`
    are records that the org named.
    """

    number: int
    object_name: str
    record_id: str
    kind: Kind
    operation: Operation
    at: datetime
    code: str = ""
    message: str = ""
    hint: str = ""
    fields: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    edits: tuple[Edit, ...] = ()
    matches: tuple[Match, ...] = ()

    @property
    def what(self) -> str:
        """The kind, in words that call no record deleted of which that is not known."""
        return told_as(self.kind, self.code)

    @property
    def version(self) -> str:
        """What it is as a person sees it: another one once something of that changes."""
        told = self.kind, self.operation, self.code, self.message, self.fields
        values = [(each.field, each.base, each.local, each.org) for each in self.conflicts]
        edits = [(each.field, each.base, each.value) for each in self.edits]
        matches = [(each.object_name, each.record_id) for each in self.matches]
        text = msgspec.json.encode((told, values, edits, matches))
        return hashlib.blake2b(text, digest_size=8).hexdigest()


# ── the merge's question and answer ──────────────────────────────────────────────────────────────────────────────


class Contested(Struct, frozen=True):
    """A record with local edits, and a newer row of it that came from the org.

    `base` is the row as the org showed it before (edited fields with their base), `org` as it shows it now: API name
    → stored value, of the columns that came. None as `org`: the org shows the record no more, for this `cause` where
    that is known. `edits` are all local ones, those in conflict too (`disputed`). `edited_at` is when the record was
    last edited here, `times` when each field was, both as the org's clock showed it (UTC), as far as that is known.
    `with_it`: the record that was deleted here and takes this one along in the org. `is_own`: the push that is about to
    delete it has caused what is new in it.
    """

    object_name: str
    record_id: str
    operation: Operation
    edits: tuple[Edit, ...]
    base: Mapping[str, Stored]
    org: Mapping[str, Stored] | None
    disputed: frozenset[str] = frozenset()
    edited_at: datetime | None = None
    cause: Cause | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)
    with_it: str = ""
    is_own: bool = False


class Verdict(Struct, frozen=True):
    """What becomes of a contested record's edits.

    `keep`: edits that go on, on their new base. `done`: fields whose edit ends because the org's value holds.
    `conflicts`: fields that wait for a person. `kind`: the whole record waits, for this reason; `revert`: the change
    as a whole ends and the org's row holds. `master`: the record that this one was merged into. `changed`: what the org
    shows otherwise, of a record that is deleted here.
    """

    keep: tuple[Edit, ...] = ()
    done: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    kind: Kind | None = None
    message: str = ""
    revert: bool = False
    master: str = ""
    changed: tuple[Conflict, ...] = ()


class Side(StrEnum):
    """Whose values a decision takes."""

    ORG = "org"
    LOCAL = "local"


class Resolution(Struct, frozen=True):
    """A person's decision on an inbox item.

    `side` for every field that `values` does not name; `values`: field → the value to write (stored form).
    `link`: the create is this record of the org, or the record was merged into this one. `again`: send it once more as
    it is; with `allow_duplicates` past the org's duplicate rules. `seen`: the `version` of the item that it is about.
    """

    side: Side | None = None
    values: Mapping[str, Stored] | None = None
    link: str | None = None
    again: bool = False
    allow_duplicates: bool = False
    seen: str | None = None


CHANGED_SINCE = "CHANGED_SINCE"
"""The code where a decision is about what is not so any more."""


def check_seen(item: InboxItem, resolution: Resolution) -> None:
    """`Misuse` if the decision is about what is not so any more: the org, or somebody here, has changed it since."""
    if resolution.seen not in (None, item.version):
        raise Misuse(
            f"Item {item.number} has changed since you have seen it: {item.object_name} {item.record_id}.",
            code=CHANGED_SINCE,
            hint="Look at it again, and decide then.",
        )


# ── decisions with a name of their own ───────────────────────────────────────────────────────────────────────────


def dropped(item: InboxItem) -> Resolution:
    """Give the local edit up. What has been written already stays as it is: only the word of it goes."""
    return Resolution(Side.LOCAL if item.kind in TOLD else Side.ORG)


def sent_again(item: InboxItem, *, allow_duplicates: bool = False) -> Resolution:
    """Send the change once more as it is; `Misuse` where a decision is needed and not another attempt."""
    if not can_be_sent_again(item):
        raise Misuse(
            f"Item {item.number} is not a change that the org refused, but: {item.kind}.",
            hint=f"Decide it: salesforce-sync inbox take {item.number} org, local, or FIELD=VALUE.",
        )
    if item.kind is Kind.CONFLICT:
        # Only these fields wait: the rest of the change may be on its way. Nobody has changed them there, as was seen.
        return Resolution(Side.LOCAL, seen=item.version)
    return Resolution(again=True, allow_duplicates=allow_duplicates)


MERGED = "MERGED"
"""The code of an item whose record was merged into another one (its match)."""


_BEYOND_REACH = (Cause.PURGED.name, Cause.HIDDEN.name, Cause.UNKNOWN.name)

_TOLD_AS = {Cause.HIDDEN.name: "no longer visible", Cause.UNKNOWN.name: "no longer shown"}


def told_as(kind: Kind, code: str) -> str:
    """An item's kind in words: of a record that is not known to be deleted, they do not say so."""
    return _TOLD_AS.get(code, kind.value) if kind is Kind.DELETED_THERE else kind.value


def beyond_reach(kind: Kind, code: str) -> bool:
    """Whether the record is not in the org's bin, as far as is known: a decision can only give its edits up."""
    return kind is Kind.DELETED_THERE and code in _BEYOND_REACH


def can_be_linked(item: InboxItem) -> bool:
    """Whether the decision may be that it is another record of the org."""
    made_here = item.operation is Operation.CREATE and item.kind in (Kind.DUPLICATE, Kind.UNCERTAIN)
    return made_here or item.code == MERGED


def can_be_sent_again(item: InboxItem) -> bool:
    """Whether the same change may be taken another time."""
    return item.kind in (Kind.REJECTED, Kind.DUPLICATE, Kind.UNCERTAIN) or has_refused_fields(item)


def has_refused_fields(item: InboxItem) -> bool:
    """Whether fields of a change wait that the org has refused, and nobody has changed there."""
    refused = item.kind is Kind.CONFLICT and item.code not in ("", Kind.CONFLICT.name)
    return refused and all(each.org == each.base for each in item.conflicts)
