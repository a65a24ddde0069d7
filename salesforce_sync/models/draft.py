"""`Draft`: an edit that was made away from the replica, on values that may be older than those here by now."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.values import Stored


class Draft(Struct, frozen=True):
    """What somebody wants of one record: create, update or delete it.

    `values`: field → the value to write (stored form). `base`: the record as its author saw it, as far as it is
    known. `name` is what a create is remembered by: it makes one record, however often it is taken in.
    """

    object_name: str
    operation: Operation
    record_id: str = ""
    values: Mapping[str, Stored] = field(default_factory=dict)
    base: Mapping[str, Stored] = field(default_factory=dict)
    name: str = ""


class TakenIn(Struct, frozen=True):
    """The draft is an edit in the outbox, or needs none.

    `disputed` are fields that the org has changed since the base: they wait in the inbox. `given_up` are fields in
    which the org's value holds by the policy. `known`: its record had been made before.
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
