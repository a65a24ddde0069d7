"""Editing on the page: one field in its place, a new record, a deletion. Here only; the next push sends it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from salesforce_sync.collection import Collection
from salesforce_sync.errors import Misuse, SyncError
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.web import routes_records
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.failures import Refused
from salesforce_sync.web.once import MadeAlready
from salesforce_sync.web.page.frame import Changing, PageRoute, show
from salesforce_sync.web.page.listing import choices_of, input_of, required_first
from salesforce_sync.web.page.rows import Marks, Rows, Slot, row_of
from salesforce_sync.web.page.words import typed
from salesforce_sync.web.replicas import object_name

router = APIRouter(prefix="/org/{connection}/records/{objectApiName}", route_class=PageRoute, include_in_schema=False)

# ── one field ────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{recordId}/fields/{field}")
def slot(request: Request, asked: Changing, objectApiName: str, recordId: str, field: str) -> Response:
    """A field as it is, after an editor was given up."""
    return _shown(request, asked, _slot(asked, objectApiName, recordId, field))


@router.get("/{recordId}/fields/{field}/edit")
def editor(request: Request, asked: Changing, objectApiName: str, recordId: str, field: str) -> Response:
    """What the field is edited with."""
    found = _slot(asked, objectApiName, recordId, field)
    return _editor(request, asked, found, typed(found.value))


@router.post("/{recordId}/fields/{field}")
def save(
    request: Request,
    asked: Changing,
    objectApiName: str,
    recordId: str,
    field: str,
    value: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Write the field, if it is still as it was when it was begun to be edited; what was typed is kept in any case."""
    found = _slot(asked, objectApiName, recordId, field)
    now = typed(found.value)
    if _mark(value) in (seen, _mark(now)):  # nothing was typed, or what is here already
        return _shown(request, asked, found)
    if seen != _mark(now):
        return _editor(request, asked, found, value, has_changed=True)
    try:
        values = asked.replica.sync.objects[found.object_name].parse({found.field.name: _lines(value)})
        routes_records.change(asked, found.object_name, found.record_id, values)
    except SyncError as error:
        return _editor(request, asked, found, value, why=str(error))
    return _shown(request, asked, _slot(asked, objectApiName, recordId, field))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _mark(text: str) -> str:
    """What a text is recognised by: a browser has one sort of line ends only and no NUL, and that alone is no edit."""
    return hashlib.sha256(_lines(text).replace("\0", "\ufffd").encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _slot(asked: Asked, name: str, record_id: str, field: str) -> Slot:
    sync = asked.replica.sync
    schema, row = row_of(sync, object_name(name), record_id)
    rows = Rows(sync, schema, Marks(sync, schema.name, [str(row[0])]), may_change=schema.updateable)
    return rows.slots(row, [schema.field(field)])[0]


def _shown(request: Request, asked: Asked, found: Slot) -> Response:
    return show(request, asked, "slot.html", "records", slot=found)


def _editor(
    request: Request, asked: Asked, found: Slot, value: str, *, why: str = "", has_changed: bool = False
) -> Response:
    return show(
        request,
        asked,
        "slot_editor.html",
        "records",
        slot=found,
        kind=input_of(found.field, value),
        choices=choices_of(found.field, value),
        value=value,
        seen=_mark(typed(found.value)),
        why=why,
        has_changed=has_changed,
    )


# ── a whole record ───────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/new")
def new(request: Request, asked: Changing, objectApiName: str) -> Response:
    """The form of a new record."""
    schema = asked.replica.sync.objects[object_name(objectApiName)].schema
    return _form(request, asked, schema, {}, _new_key())


@router.post("")
async def create(request: Request, asked: Changing, objectApiName: str) -> Response:
    """Make the record."""
    given = await request.form()
    return await asked.house.run(lambda: _create(request, asked, objectApiName, given))


KEY: Final = "form-key"
"""By what a form is known when it comes again; no field has such a name."""


def _new_key() -> str:
    return secrets.token_urlsafe(16)


def _create(request: Request, asked: Asked, name: str, given: FormData) -> Response:
    collection = asked.replica.sync.objects[object_name(name)]
    texts = {field: _lines(str(value)) for field, value in given.multi_items() if value}
    key = texts.pop(KEY, "")
    if not key:
        raise Refused("What was sent is not in its form.", hint="Load the page again.")
    try:
        made_id = asked.replica.once.made(key, _what(collection, texts), lambda: _made(asked, collection, texts))
    except MadeAlready as error:
        return _form(request, asked, collection.schema, texts, _new_key(), str(error))
    except SyncError as error:
        return _form(request, asked, collection.schema, texts, key, str(error))
    place = f"/org/{asked.replica.id}/records/{collection.object_name}/{made_id}"
    return Response(status_code=204, headers={"HX-Redirect": place})


def _what(collection: Collection[Any], texts: dict[str, str]) -> str:
    return _mark(repr((collection.object_name, sorted(texts.items()))))


def _made(asked: Asked, collection: Collection[Any], texts: dict[str, str]) -> str:
    if not texts:
        raise Misuse("Nothing is filled in.", hint="Fill in one field at least.")
    values: dict[str, Any] = dict(collection.parse(texts))
    made = routes_records.create(asked, collection.object_name, values)
    return made.headers["Location"].partition("?")[0].rpartition("/")[2]


def _form(
    request: Request, asked: Asked, schema: ObjectSchema, texts: dict[str, str], key: str, why: str = ""
) -> Response:
    fields = required_first(schema.columns)
    return show(
        request,
        asked,
        "record_new.html",
        "records",
        schema=schema,
        needed=[_asked_for(each, texts) for each in fields if _is_asked_first(each)],
        others=[_asked_for(each, texts) for each in fields if not _is_asked_first(each)],
        key=(KEY, key),
        why=why,
    )


def _is_asked_first(field: Field) -> bool:
    return field.required or field.name_field or field.name in ("FirstName", "LastName", "Email", "Phone", "Company")


def _asked_for(field: Field, texts: dict[str, str]) -> tuple[Field, str, str, list[tuple[str, str]]]:
    now = texts.get(field.name, "")
    return field, input_of(field, now), now, choices_of(field, now)


@router.post("/{recordId}/delete")
def delete(asked: Changing, objectApiName: str, recordId: str) -> Response:
    """Delete the record here."""
    schema, row = row_of(asked.replica.sync, object_name(objectApiName), recordId)
    routes_records.delete(asked, schema.name, str(row[0]))
    return Response(status_code=204, headers={"HX-Redirect": f"/org/{asked.replica.id}/records/{schema.name}"})
