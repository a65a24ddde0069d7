"""What goes in and out, as types: requests are decoded by them, answers encoded, and both described in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Body(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """JSON in camelCase."""


ApiName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
Values = Annotated[dict[str, Any], Meta(description="Values by API or Python name of the field")]
Record = Annotated[dict[str, Any], Meta(description="Values by API name of the field")]

# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────


class SyncRequest(Body, frozen=True, kw_only=True):
    """The objects to sync; without any, the configured ones."""

    objects: Annotated[list[str], Meta(min_length=1, max_length=500)] | None = None


class ObjectSyncRequest(Body, frozen=True, kw_only=True):
    """The session that the object belongs to, if there is one."""

    session_id: str | None = None


class Login(Body, frozen=True, kw_only=True):
    """A user's token, or the one-time token of a link."""

    token: Annotated[str, Meta(min_length=1, max_length=400)]


class Decision(Body, frozen=True, kw_only=True):
    """What becomes of an inbox item.

    `take`: `side` holds for every field that `values` does not name. `drop`: the local edit ends. `retry`: it is sent
    again, with `allowDuplicates` past the org's duplicate rules. `link`: the new record is `recordId` of the org, or
    that is what the record was merged into.
    """

    action: Literal["take", "drop", "retry", "link"]
    side: Literal["org", "local"] | None = None
    values: Values | None = None
    record_id: str | None = None
    allow_duplicates: bool = False


class Release(Body, frozen=True, kw_only=True):
    """Every change that the org refused with this code is sent again."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


class VerifyRequest(Body, frozen=True, kw_only=True):
    """The objects to compare with the org; without any, all that are here."""

    objects: Annotated[list[str], Meta(min_length=1, max_length=500)] | None = None


# ── syncing ──────────────────────────────────────────────────────────────────────────────────────────────────────


class SessionBegun(Body, frozen=True, kw_only=True):
    """A session was begun; the headers `Location` and `Link` (rel="events") say where to look how far it is."""

    success: bool = True
    session_id: str
    message: str = "Sync session initiated"


class ObjectBegun(SessionBegun, frozen=True, kw_only=True):
    """The same for one object, whose answer was not waited for; `statusUrl` tells how far it is."""

    object_api_name: str
    status_url: str
    events_url: str


class ObjectSynced(Body, frozen=True, kw_only=True):
    """One object after its sync, with the first records. `totalSize` counts the live rows of the replica."""

    success: bool = True
    object_api_name: str
    record_count: int
    records: list[Record]
    has_more: bool
    total_size: int
    done: bool
    next_records_url: str | None
    synced_at: str


class ProgressBody(Body, frozen=True, kw_only=True):
    """How far one object is."""

    object_api_name: str
    status: Literal["pending", "syncing", "synced", "error"]
    record_count: int
    total_size: int | None
    percent: float
    rows_per_second: float
    calls: int
    waits_for: str
    changed: int
    synced_at: str | None
    error: str | None
    details: str | None


class SessionBody(Body, frozen=True, kw_only=True):
    """A sync session. `pushed` counts the local edits that it sent; `percent` is of all its objects.

    It is `partial` where an object failed, or where an edit was not sent: refused, or new in the inbox.

    `workbook` is where the workbook can be had that it made current, null as long as it has not.
    """

    success: bool = True
    session_id: str
    state: Literal["running", "complete", "partial", "failed", "cancelled"]
    started: str
    finished: str | None
    percent: float
    record_count: int
    pushed: int | None
    workbook: str | None
    objects: list[ProgressBody]


class SessionList(Body, frozen=True, kw_only=True):
    """The sessions that are known, newest first."""

    success: bool = True
    sessions: list[SessionBody]


# ── objects and records ──────────────────────────────────────────────────────────────────────────────────────────


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
    """An object of the replica, or one that could be in it (`synced` false)."""

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
    """One record's edits that the org does not have yet."""

    number: int
    object_api_name: str
    id: str
    title: str
    operation: Literal["create", "update", "delete", "undelete"]
    state: Literal["waiting", "sending", "parked"]
    fields: dict[str, EditBody]
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
    origin: Literal["pull", "push", "decision"]
    who: str
    push_id: str | None


class HistoryBody(Body, frozen=True, kw_only=True):
    """A record's values that were replaced, newest first."""

    success: bool = True
    object_api_name: str
    id: str
    history: list[ReplacedBody]


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────


class SignalIn(Body, frozen=True, kw_only=True):
    """A signal that somebody sends: its name, or its whole line in `msg`."""

    signal: str | None = None
    msg: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    objects: list[ApiName] | None = None
    data: dict[str, Any] | None = None


class SignalTaken(Body, frozen=True, kw_only=True):
    """What became of it: the daemon's request of this number, or a session of this server."""

    success: bool = True
    accepted: bool
    signal: str
    msg: str
    number: int | None = None
    session_id: str | None = None


class SignalBody(Body, frozen=True, kw_only=True):
    """Something that happened."""

    number: int
    ts: str
    signal: str
    from_: str = msgspec.field(name="from")
    to: str
    msg: str
    data: dict[str, Any]


class SignalList(Body, frozen=True, kw_only=True):
    """Signals, oldest first; `newest` is the number of the last one that there is."""

    success: bool = True
    signals: list[SignalBody]
    newest: int


# ── two-way ──────────────────────────────────────────────────────────────────────────────────────────────────────


class OutboxBody(Body, frozen=True, kw_only=True):
    """The edits that the org has not taken yet: the first 10,000 of `total`."""

    success: bool = True
    total: int
    changes: list[ChangeBody]


class DiffBody(Body, frozen=True, kw_only=True):
    """What a push would send now, in its order and at a cost of `calls`, and what it would not (with `why`)."""

    success: bool = True
    calls: int
    changes: list[ChangeBody]
    held: list[ChangeBody]


class PushedBody(Body, frozen=True, kw_only=True):
    """What became of one change of a push."""

    object_api_name: str
    id: str
    operation: str
    outcome: str
    fields: dict[str, EditBody]
    problem: ProblemBody | None


class NotUndoneBody(Body, frozen=True, kw_only=True):
    """What an undo left as it is."""

    object_api_name: str
    id: str
    field: str
    why: str


class PushBody(Body, frozen=True, kw_only=True):
    """A push. `success` says whether everything that was to be sent is in the org, and overwrote nobody.

    `overwrote`: how many took the place of a value that somebody had written a moment before, which the inbox tells.
    `again_at`: when the first of those that the org did not take for the moment may be sent again.
    """

    success: bool
    push_id: str
    state: Literal["complete", "partial", "failed"]
    at: str | None
    seconds: float
    calls: int
    applied: int
    overwrote: int
    again_at: str | None
    changes: list[PushedBody]
    problem: ProblemBody | None
    left: list[NotUndoneBody]


class PushList(Body, frozen=True, kw_only=True):
    """The last pushes, newest first."""

    success: bool = True
    pushes: list[PushBody]


class ConflictBody(Body, frozen=True, kw_only=True):
    """One field that both sides changed."""

    field: str
    base: Any
    local: Any
    org: Any


class MatchBody(Body, frozen=True, kw_only=True):
    """A record that the org named."""

    object_api_name: str
    id: str
    title: str


class ItemBody(Body, frozen=True, kw_only=True):
    """A record that waits for a person, and the decisions that can be taken."""

    number: int
    object_api_name: str
    id: str
    title: str
    kind: str
    operation: str
    at: str
    code: str
    message: str
    hint: str
    fields: list[str]
    conflicts: list[ConflictBody]
    edits: dict[str, EditBody]
    matches: list[MatchBody]
    actions: list[str]


class InboxBody(Body, frozen=True, kw_only=True):
    """What waits for a person, oldest first."""

    success: bool = True
    items: list[ItemBody]


class Decided(Body, frozen=True, kw_only=True):
    """An item is decided; what of its record waits to be sent now."""

    success: bool = True
    number: int
    pending: ChangeBody | None


class Released(Body, frozen=True, kw_only=True):
    """How many changes are sent again."""

    success: bool = True
    released: int


class VerifyBody(Body, frozen=True, kw_only=True):
    """A verify: each object's proof, or why there is none."""

    success: bool
    calls: int
    proofs: dict[str, ProofBody]
    problems: dict[str, ProblemBody]


# ── around ───────────────────────────────────────────────────────────────────────────────────────────────────────


class BudgetBody(Body, frozen=True, kw_only=True):
    """The API calls of a rolling 24 hours, and what is to be expected."""

    success: bool = True
    used: int | None
    limit: int | None
    ceiling: int
    left: int | None
    told_at: str | None
    near_the_wall: bool
    spent: int
    next_sync: int
    next_sync_by_object: dict[str, int | None]
    day: int


class ConnectionBody(Body, frozen=True, kw_only=True):
    """One connection that the caller may use. `id` is what X-Connection-Id takes."""

    id: str
    name: str
    instance_url: str | None
    connected: bool
    owner: str
    outbox: int
    inbox: int


class ConnectionList(Body, frozen=True, kw_only=True):
    """The caller's connections."""

    success: bool = True
    connections: list[ConnectionBody]


class Me(Body, frozen=True, kw_only=True):
    """Who is asking. `csrfToken` goes into X-CSRF-Token with each change that a page makes."""

    success: bool = True
    user: str
    role: Literal["viewer", "editor", "admin"]
    csrf_token: str | None


class Done(Body, frozen=True, kw_only=True):
    """It is done."""

    success: bool = True


class Health(Body, frozen=True, kw_only=True):
    """The server answers."""

    status: str = "ok"
    version: str


class AuditEntry(Body, frozen=True, kw_only=True):
    """Who did what, when, on what, from where. `begun` is the number of the entry whose deed ended with this one."""

    number: int
    at: str
    who: str
    action: str
    subject: str
    origin: str
    outcome: str
    detail: str
    begun: int | None


class AuditBody(Body, frozen=True, kw_only=True):
    """The newest entries of the audit log, newest first."""

    success: bool = True
    entries: list[AuditEntry]


class AuditVerdict(Body, frozen=True, kw_only=True):
    """Whether the log is whole: `sound` entries from the first on, and the first `broken` one."""

    success: bool
    sound: int
    broken: int | None
    why: str
    head: str


# ── the workbook ─────────────────────────────────────────────────────────────────────────────────────────────────


class PreviewCounts(Body, frozen=True, kw_only=True):
    """How many rows of an object are what. `known`: new rows that an earlier import has made already."""

    object_api_name: str
    unchanged: int
    new: int
    edited: int
    deleted: int
    removed: int
    problems: int
    known: int
    cells: int


class PreviewCell(Body, frozen=True, kw_only=True):
    """One cell, old and new, by its field and its column's header.

    `moved`: the replica has another value since the export, `now`; both are merged. `formula`: the cell is one, and
    `new` what it came to when the workbook was saved. `typed`: what was written, where that was read as something else.
    """

    field: str
    header: str
    old: Any
    new: Any
    moved: bool
    now: Any
    formula: bool = False
    typed: str = ""


class CellProblemBody(Body, frozen=True, kw_only=True):
    """Why a row is not taken in; without a field it is the row as a whole."""

    field: str | None
    header: str | None
    message: str


class PreviewRow(Body, frozen=True, kw_only=True):
    """One row that is not as it was exported."""

    kind: Literal["new", "edited", "deleted", "removed", "problem", "known"]
    object_api_name: str
    id: str | None
    name: str | None
    title: str
    sheet: str | None
    row: int | None
    cells: list[PreviewCell]
    problems: list[CellProblemBody]


class PreviewBody(Body, frozen=True, kw_only=True):
    """What is different in a workbook that was sent; `more` rows are not shown."""

    success: bool = True
    upload_id: str
    exported_at: str
    objects: list[PreviewCounts]
    good: int
    problems: int
    notes: list[str]
    """Columns that are not read, because their header is gone."""
    rows: list[PreviewRow]
    more: int
    applied: bool


class ImportedBody(Body, frozen=True, kw_only=True):
    """What became of a workbook's rows. `success` says whether none was refused."""

    success: bool
    upload_id: str
    created: int
    updated: int
    deleted: int
    known: int
    conflicts: int
    refused: int
    result_url: str | None


class PushRequest(Body, frozen=True, kw_only=True):
    """`confirmProduction`: yes, this production org may be written to, from now on."""

    confirm_production: bool = False


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────


class NewConnection(Body, frozen=True, kw_only=True):
    """A connection to add."""

    # For programs that read the document; who checks it says in words what a name may hold.
    name: Annotated[str, Meta(extra_json_schema={"pattern": r"^[a-z0-9][a-z0-9_-]{0,39}$"})]
    instance_url: Annotated[str, Meta(max_length=300)]


class BrowserLoginRequest(Body, frozen=True, kw_only=True):
    """The app in the org that asks for access. `loginUrl` where that is not the org's own address."""

    client_id: Annotated[str, Meta(min_length=1, max_length=400)]
    client_secret: str | None = None
    login_url: str | None = None


class LoginBegun(Body, frozen=True, kw_only=True):
    """Where the browser is to go, and where it will come back to."""

    success: bool = True
    authorize_url: str
    redirect_uri: str


class CameBack(Body, frozen=True, kw_only=True):
    """The address that the browser was sent back to, with its code and state."""

    came_back: Annotated[str, Meta(min_length=1, max_length=4000)]


class Credentials(Body, frozen=True, kw_only=True):
    """Credentials: clientId and clientSecret; clientId and refreshToken; or accessToken (a session)."""

    method: Literal["client_credentials", "refresh_token", "session"]
    instance_url: str | None = None
    login_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    access_token: str | None = None
