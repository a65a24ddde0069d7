"""`Draft`: an edit that was made away from the replica, on values that may be older than those here by now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.values import Stored


class Draft(Struct, frozen=True):
    """What somebody wants of one record: create, update or delete it.

    `values`: field → the value to write (stored form). `base`: the record as its author saw it, as far as it is
    known. `name` is what it is remembered by: a create makes one record, however often it is taken in, and what was
    written under a name is told by `Store.drafted`. `source` is where its author wrote it down. `edited_at`: when, by
    this machine's clock, if that is known.
    """

    object_name: str
    operation: Operation
    record_id: str = ""
    values: Mapping[str, Stored] = field(default_factory=dict)
    base: Mapping[str, Stored] = field(default_factory=dict)
    name: str = ""
    source: str = ""
    edited_at: datetime | None = None


class Wrote(Struct, frozen=True, array_like=True):
    """A field that a draft has written: its value, what the first draft's author saw in it, the last one's source."""

    value: Stored
    seen: Stored
    source: str = ""


class Drafted(Struct, frozen=True):
    """What the drafts of one name have written, and to which record (by its id in the org, if it has one)."""

    object_name: str
    record_id: str
    wrote: Mapping[str, Wrote] = field(default_factory=dict)


def written_by(draft: Draft, before: Mapping[str, Wrote]) -> dict[str, Wrote]:
    """What was written under the draft's name once it is taken in too."""
    seen = {name: each.seen for name, each in before.items()}
    new = {
        name: Wrote(value, seen.get(name, draft.base.get(name)), draft.source) for name, value in draft.values.items()
    }
    return {**before, **new}


class TakenIn(Struct, frozen=True):
    """The draft is an edit in the outbox, or needs none.

    `disputed` are fields of which the org has another value than the base: they wait in the inbox. `given_up` are
    fields in which the org's value holds by the policy. `known`: its record had been made before.
    """

    record_id: str
    disputed: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    known: bool = False


class Refused(Struct, frozen=True):
    """The draft was not taken in, and nothing of it was."""

    code: str
    message: str
    hint: str = ""
    fields: tuple[str, ...] = ()
