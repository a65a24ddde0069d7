"""The screens of records: the grid of an object, and one record with its relatives and its history."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.ports import Place, Selection
from salesforce_sync.web import places
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.page.frame import Looking, PageRoute, may_change, show
from salesforce_sync.web.page.listing import OPERATORS, ROWS, Look, columns_of, look_of, relative, usual_columns
from salesforce_sync.web.page.rows import Marks, Rows, Slot, row_of
from salesforce_sync.web.page.words import NUMBERS
from salesforce_sync.web.replicas import object_name

router = APIRouter(prefix="/org/{connection}/records", route_class=PageRoute, include_in_schema=False)

RELATIVES: Final = 5


# ── the grid ─────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("")
def first(request: Request, asked: Looking) -> Response:
    """The grid of an object that is here; the configured ones come first."""
    here = tuple(asked.replica.sync.objects)
    wanted = [name for name in asked.replica.sync.config.sync.objects if name in here]
    if not here:
        return show(request, asked, "records_none.html", "records")
    return RedirectResponse(f"{request.url.path}/{(wanted or here)[0]}", 303)


@router.get("/{objectApiName}")
def grid(request: Request, asked: Looking, objectApiName: str) -> Response:
    """A page of an object's records."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    look = look_of(request.query_params.multi_items(), collection.schema)
    conditions = _conditions(collection, look)
    schema, found = collection.page(look.selection, **conditions)
    columns, shown = columns_of(look, schema), found[:ROWS]
    marks = Marks(asked.replica.sync, schema.name, [str(row[0]) for row in shown])
    rows = Rows(asked.replica.sync, schema, marks, may_change=may_change(asked.caller) and schema.updateable)
    return show(
        request,
        asked,
        "records.html",
        "records",
        schema=schema,
        names=sorted(asked.replica.sync.objects),
        look=look,
        columns=columns,
        usual=[each.name for each in usual_columns(schema)],
        rows=[rows.slots(row, columns) for row in shown],
        changes=marks.changes,
        total=collection.matching(**conditions),
        next=_next(schema, look, shown[-1]) if len(found) > ROWS else None,
        operators=OPERATORS,
        numbers=NUMBERS,
    )


def _conditions(collection: Any, look: Look) -> dict[str, Any]:
    conditions: dict[str, Any] = collection.parse_conditions(look.texts)
    if look.search:
        named = collection.schema.name_field
        conditions[f"{named.name if named else 'Id'}__contains"] = look.search
    return conditions


def _next(schema: ObjectSchema, look: Look, last: tuple[Any, ...]) -> str:
    field = schema.field(look.selection.sort)
    place = Place(str(last[0]), None if field.name == "Id" else last[schema.columns.index(field)])
    return look.query(after=places.written(place, look.selection.sort))


# ── one record ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{objectApiName}/{recordId}")
def record(request: Request, asked: Looking, objectApiName: str, recordId: str) -> Response:
    """One record: its fields, what waits of it, its history."""
    schema, row = row_of(asked.replica.sync, object_name(objectApiName), recordId)
    sync, record_id = asked.replica.sync, str(row[0])
    marks = Marks(sync, schema.name, [record_id])
    rows = Rows(sync, schema, marks, may_change=may_change(asked.caller) and schema.updateable)
    slots = rows.slots(row, schema.columns)
    change = marks.changes.get(record_id)
    return show(
        request,
        asked,
        "record.html",
        "records",
        schema=schema,
        record_id=record_id,
        title=sync.objects[schema.name].title(record_id) or record_id,
        slots=[each for each in slots if _is_worth_showing(each)],
        hidden=[each for each in slots if not _is_worth_showing(each)],
        change=None if change is None else asked.replica.shown.change(change),
        item=marks.items.get(record_id),
        history=[asked.replica.shown.replaced(each) for each in sync.history(schema.name, record_id)[:100]],
    )


def _is_worth_showing(slot: Slot) -> bool:
    """Whether it is among the fields that are seen at once: what has a value, or is often given one."""
    return slot.value is not None or slot.edited or slot.conflict or slot.field.name_field


class Relatives(Struct, frozen=True):
    """Records of one object that name this one in one field."""

    object_name: str
    label: str
    field: Field
    columns: tuple[Field, ...]
    rows: list[list[Slot]]
    more: bool


@router.get("/{objectApiName}/{recordId}/related")
def related(request: Request, asked: Looking, objectApiName: str, recordId: str) -> Response:
    """The records that name this one; looked for after the record is shown, because it may take a moment."""
    schema, row = row_of(asked.replica.sync, object_name(objectApiName), recordId)
    found = [
        each
        for name in asked.replica.sync.objects
        for field in relative(asked.replica.sync.objects[name].schema, schema.name)
        if (each := _relatives(asked, name, field, str(row[0]))) is not None
    ]
    return show(request, asked, "related.html", "records", found=found, record_id=str(row[0]))


def _relatives(asked: Asked, name: str, field: Field, record_id: str) -> Relatives | None:
    collection = asked.replica.sync.objects[name]
    schema, found = collection.page(Selection(most=RELATIVES + 1), **{field.name: record_id})
    if not found:
        return None
    columns = tuple(each for each in usual_columns(schema) if each != field)[:3]
    ids = [str(row[0]) for row in found[:RELATIVES]]
    rows = Rows(asked.replica.sync, schema, Marks(asked.replica.sync, name, ids), may_change=False)
    slots = [rows.slots(row, columns) for row in found[:RELATIVES]]
    return Relatives(name, schema.label_plural or schema.label, field, columns, slots, len(found) > RELATIVES)
