"""From what `SFSync` gives to what is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain, islice
from typing import Any

from salesforce_sync.app import Budget, SFSync
from salesforce_sync.errors import FieldNotFound, NotSynced
from salesforce_sync.models.history import Replaced
from salesforce_sync.models.inbox import InboxItem, can_be_linked, can_be_sent_again
from salesforce_sync.models.outbox import Change, ChangeState, Edit
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.push import Diff, Push, PushedChange
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.sync.undo import NotUndone
from salesforce_sync.web import bodies
from salesforce_sync.web.failures import without_secrets
from salesforce_sync.web.progress import ObjectProgress, SessionState, Status
from salesforce_sync.web.rows import form
from salesforce_sync.web.session import Session
from salesforce_sync.web.ways import Words


def stamp(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC, to the second."""
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _stamped(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def problem(met: Problem | None, words: Words) -> bodies.ProblemBody | None:
    """Why something did not complete, in words for who asks."""
    if met is None:
        return None
    return bodies.ProblemBody(error=met.code, details=words(without_secrets(f"{met.message} {met.hint}".rstrip())))


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def progress(of: ObjectProgress, words: Words) -> bodies.ProgressBody:
    """How far one object is."""
    met = problem(of.problem, words)
    return bodies.ProgressBody(
        object_api_name=of.object_name,
        status=of.status.value,
        record_count=of.record_count,
        total_size=of.total_size,
        percent=of.percent,
        rows_per_second=of.rows_per_second,
        calls=of.calls,
        waits_for=of.waits_for,
        changed=of.changed,
        synced_at=stamp(of.synced_at),
        error=None if met is None else met.error,
        details=None if met is None else met.details,
    )


def session(of: Session, words: Words) -> bodies.SessionBody:
    """A session, and how far each of its objects is."""
    objects = of.objects
    ended = {Status.SYNCED} if of.state is SessionState.CANCELLED else {Status.SYNCED, Status.ERROR}
    done = sum(100.0 if each.status in ended else each.percent for each in objects)
    return bodies.SessionBody(
        success=of.state in (SessionState.RUNNING, SessionState.COMPLETE),
        session_id=of.session_id,
        state=of.state.value,
        started=_stamped(of.started),
        finished=stamp(of.finished),
        percent=round(done / len(objects), 1) if objects else 100.0,
        record_count=sum(each.record_count for each in objects),
        pushed=of.pushed,
        workbook=of.workbook,
        objects=[progress(each, words) for each in objects],
    )


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────


def proof(of: Proof | None) -> bodies.ProofBody | None:
    """A proof."""
    if of is None:
        return None
    repaired = {cause.value: number for cause, number in of.repaired}
    return bodies.ProofBody(at=_stamped(of.at), rows=of.rows, org_rows=of.org_rows, repaired=repaired)


def field(of: Field) -> bodies.FieldBody:
    """A field as describe shows it."""
    return bodies.FieldBody(
        name=of.name,
        label=of.label,
        type=of.salesforce_type,
        kept=of.synced,
        length=of.length,
        precision=of.precision,
        scale=of.scale,
        required=of.required,
        createable=of.createable,
        updateable=of.updateable,
        calculated=of.calculated,
        unique=of.unique,
        external_id=of.external_id,
        name_field=of.name_field,
        picklist=[value for value, active in of.picklist if active],
        restricted=of.restricted_picklist,
        reference_to=list(of.reference_to),
    )


# ── values, edits ────────────────────────────────────────────────────────────────────────────────────────────────


class Shown:
    """How values and records of this replica are shown."""

    def __init__(self, sync: SFSync) -> None:
        self._sync = sync

    def value(self, object_name: str, name: str, stored: Stored) -> Any:
        """A stored value as JSON shows it."""
        schema = self._schema(object_name)
        try:
            return form(None if schema is None else schema.field(name), stored)
        except FieldNotFound:
            return stored

    def values(self, object_name: str, stored: Mapping[str, Stored]) -> dict[str, Any]:
        """Stored values by field."""
        return {name: self.value(object_name, name, value) for name, value in stored.items()}

    def title(self, object_name: str, record_id: str) -> str:
        """The record's name; empty where it has none here."""
        try:
            return self._sync.objects[object_name].title(record_id)
        except NotSynced:
            return ""

    def _schema(self, object_name: str) -> ObjectSchema | None:
        try:
            return self._sync.objects[object_name].schema
        except NotSynced:
            return None

    def edits(self, object_name: str, of: Iterable[Edit]) -> dict[str, bodies.EditBody]:
        """Edited fields."""
        return {
            each.field: bodies.EditBody(
                org=self.value(object_name, each.field, each.base), here=self.value(object_name, each.field, each.value)
            )
            for each in of
        }

    def change(self, of: Change, why: str = "", along: Mapping[str, int] | None = None) -> bodies.ChangeBody:
        """One record's edits; `along`: what the org deletes with it."""
        return bodies.ChangeBody(
            number=of.number,
            object_api_name=of.object_name,
            id=of.record_id,
            title=self.title(of.object_name, of.record_id),
            operation=of.operation.value,
            state=of.state.value,
            fields=self.edits(of.object_name, of.edits),
            with_it=dict(along or {}),
            why=why,
            edited_at=stamp(of.edited_at),
        )

    def pending(self, object_name: str, record_id: str) -> bodies.ChangeBody | None:
        """What of this record waits to be sent."""
        found = self._sync.waiting(object_name, record_id)
        return None if found is None else self.change(found, along=self._sync.along_with(found))

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def diff(self, of: Diff, most: int | None = None) -> bodies.DiffBody:
        """What a push would do: of what it sends, and of what it holds back, the first `most`."""
        held = chain(
            ((each, "its last answer was lost; the org is asked first") for each in of.unknown),
            ((each.change, f"it waits for {each.by}") for each in of.blocked),
            ((each.change, f"{each.code}: {each.message}") for each in of.rejected),
            ((each, _why_held(each)) for each in of.held),
        )
        return bodies.DiffBody(
            calls=of.calls,
            changes=[self.change(each, along=of.along.get(each.record_id)) for each in of.orders[:most]],
            held=[self.change(each, why) for each, why in islice(held, most)],
        )

    def push(self, of: Push, words: Words, left: Iterable[NotUndone] = ()) -> bodies.PushBody:
        """A push, or an undo with what it left."""
        return bodies.PushBody(
            success=of.complete,
            push_id=of.push_id,
            state=of.state.value,
            at=stamp(of.at),
            seconds=round(of.seconds, 3),
            calls=of.calls,
            applied=of.count("applied"),
            overwrote=of.overwrote,
            hidden=of.hidden,
            again_at=stamp(of.again_at),
            changes=[self._pushed(each, words) for each in of.changes],
            problem=problem(of.problem, words),
            left=[
                bodies.NotUndoneBody(
                    object_api_name=each.object_name, id=each.record_id, field=each.field, why=each.reason
                )
                for each in left
            ],
        )

    def _pushed(self, of: PushedChange, words: Words) -> bodies.PushedBody:
        return bodies.PushedBody(
            object_api_name=of.object_name,
            id=of.record_id,
            operation=of.operation.value,
            outcome=of.outcome,
            fields=self.edits(of.object_name, of.edits),
            problem=problem(of.problem, words),
        )

    # ── the inbox and the history ────────────────────────────────────────────────────────────────────────────────

    def item(self, of: InboxItem) -> bodies.ItemBody:
        """What waits for a person."""
        name = of.object_name
        return bodies.ItemBody(
            number=of.number,
            version=of.version,
            object_api_name=name,
            id=of.record_id,
            title=self.title(name, of.record_id),
            kind=of.kind.value,
            operation=of.operation.value,
            at=_stamped(of.at),
            code=of.code,
            message=without_secrets(of.message),
            hint=of.hint,
            fields=list(of.fields),
            conflicts=[
                bodies.ConflictBody(
                    field=each.field,
                    base=self.value(name, each.field, each.base),
                    local=self.value(name, each.field, each.local),
                    org=self.value(name, each.field, each.org),
                )
                for each in of.conflicts
            ],
            edits=self.edits(name, of.edits),
            matches=[
                bodies.MatchBody(
                    object_api_name=each.object_name,
                    id=each.record_id,
                    title=self.title(each.object_name, each.record_id),
                )
                for each in of.matches
            ],
            actions=_actions(of),
        )

    def replaced(self, of: Replaced) -> bodies.ReplacedBody:
        """One value that was replaced."""
        return bodies.ReplacedBody(
            at=_stamped(of.at),
            field=of.field,
            old=self.value(of.object_name, of.field, of.old),
            new=self.value(of.object_name, of.field, of.new),
            origin=of.origin.value,
            who=of.who,
            push_id=of.push_id,
        )


def _why_held(change: Change) -> str:
    if change.state is ChangeState.PARKED or change.not_before is None:
        return "it waits in the inbox"
    return f"the org did not take it; it is tried again after {stamp(change.not_before)}"


def _actions(of: InboxItem) -> list[str]:
    """The decisions that make sense for this item, as `action` takes them."""
    retry = ["retry"] if can_be_sent_again(of) else []
    link = ["link"] if can_be_linked(of) else []
    return ["take", *link, *retry, "drop"]


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────────────


def budget(of: Budget) -> bodies.BudgetBody:
    """The day's API calls."""
    return bodies.BudgetBody(
        used=of.used,
        limit=of.limit,
        ceiling=of.ceiling,
        left=of.left,
        told_at=stamp(of.told_at),
        near_the_wall=of.near_the_wall,
        spent=of.spent,
        next_sync=of.next_sync.calls,
        next_sync_by_object=dict(of.next_sync.objects),
        day=of.day,
    )
