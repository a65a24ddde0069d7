"""Objects, their fields and records."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from salesforce_sync.web.bodies.base import Body, Record


class ProofBody(Body, frozen=True, kw_only=True):
    """The last comparison of every id and stamp with the org."""

    at: str
    rows: int
    org_rows: int
    repaired: dict[str, int]


class ProblemBody(Body, frozen=True, kw_only=True):
    """Why something did not complete."""

    error: str
    details: str


class ObjectBody(Body, frozen=True, kw_only=True):
    """An object of the replica, or one that could be in it (`synced` false).

    `loss_refused`: what was found gone in the org since the proof and waits for a person's word.
    """

    object_api_name: str
    label: str
    category: str
    status: Literal["pending", "syncing", "synced", "error", "not synced"]
    synced: bool
    configured: bool
    record_count: int
    tombstones: int
    last_synced: str | None
    checkpoint: str | None
    changes_found_by: str
    createable: bool
    updateable: bool
    deletable: bool
    proof: ProofBody | None
    loss_refused: str | None
    problem: ProblemBody | None


class ObjectList(Body, frozen=True, kw_only=True):
    """Objects, with what of all of them the cards show."""

    success: bool = True
    total: int
    synced: int
    pending: int
    not_synced: int
    objects: list[ObjectBody]


class FieldBody(Body, frozen=True, kw_only=True):
    """A field as describe shows it."""

    name: str
    label: str
    type: str
    kept: bool
    length: int
    precision: int
    scale: int
    required: bool
    createable: bool
    updateable: bool
    calculated: bool
    unique: bool
    external_id: bool
    name_field: bool
    picklist: list[str]
    restricted: bool
    reference_to: list[str]


class FieldList(Body, frozen=True, kw_only=True):
    """The fields of an object."""

    success: bool = True
    object_api_name: str
    fields: list[FieldBody]


class RecordPage(Body, frozen=True, kw_only=True):
    """A page of live records of the replica; `totalSize` counts all that pass the filters."""

    success: bool = True
    object_api_name: str
    records: list[Record]
    has_more: bool
    total_size: int
    done: bool
    next_records_url: str | None


class EditBody(Body, frozen=True, kw_only=True):
    """One edited field: what the org has, and what is here."""

    org: Any
    here: Any


class ChangeBody(Body, frozen=True, kw_only=True):
    """One record's edits that the org does not have yet.

    `withIt`, of a deletion: how many records of which object the org deletes with it, as far as they are here.
    """

    number: int
    object_api_name: str
    id: str
    title: str
    operation: Literal["create", "update", "delete", "undelete"]
    state: Literal["waiting", "sending", "parked"]
    fields: dict[str, EditBody]
    with_it: dict[str, int] = field(default_factory=dict)
    why: str = ""
    edited_at: str | None = None


class RecordBody(Body, frozen=True, kw_only=True):
    """A record, and what of it waits to be sent."""

    success: bool = True
    object_api_name: str
    id: str
    record: Record | None
    pending: ChangeBody | None


class ReplacedBody(Body, frozen=True, kw_only=True):
    """One field's value that was replaced."""

    at: str
    field: str
    old: Any
    new: Any
    origin: Literal["pull", "push", "save", "decision"]
    who: str
    push_id: str | None


class HistoryBody(Body, frozen=True, kw_only=True):
    """A record's values that were replaced, newest first."""

    success: bool = True
    object_api_name: str
    id: str
    history: list[ReplacedBody]
