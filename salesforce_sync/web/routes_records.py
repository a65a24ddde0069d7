"""Records of the replica: list, read, make, change, delete. No API call: what is changed goes with the next push."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import iterate_in_threadpool
from msgspec.structs import replace
from starlette.responses import Response, StreamingResponse

from salesforce_sync.collection import Collection
from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.ports import Selection
from salesforce_sync.web import bodies
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import Asked, Editing, Viewing, decoded
from salesforce_sync.web.describing import gives, parameter
from salesforce_sync.web.lists import MOST, Wanted, page_of, place_of, wanted_of
from salesforce_sync.web.replicas import object_name
from salesforce_sync.web.waiting import Route

router = APIRouter(prefix="/api/objects/{objectApiName}", tags=["records"], route_class=Route)

STREAMED: Final = 500
"""Records that are read from the replica at once for a stream."""

_PATTERN: Final[dict[str, Any]] = {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,79}$"}
ObjectName = Annotated[
    str,
    Path(
        description="The object's API name, such as Contact",
        json_schema_extra=_PATTERN,
    ),
]
RecordId = Annotated[str, Path(description="The record's id, of 15 or 18 characters, or its local id")]

_QUERY: Final = (
    parameter("limit", "Records of a page", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100}),
    parameter("after", "Where the page begins; `nextRecordsUrl` has it"),
    parameter(
        "sort", "A field; with a minus before it from the last to the first", {"type": "string", "default": "Id"}
    ),
    parameter("search", "A part of the record's name"),
    parameter("fields", "The fields to give, with commas; all without it"),
)


WantedRecords = Annotated[Wanted, Depends(wanted_of)]


@router.get("/records", **gives(bodies.RecordPage, query=_QUERY))
def records(asked: Viewing, objectApiName: ObjectName, wanted: WantedRecords) -> Response:
    """A page of the object's live records. Further query parameters are conditions: `Name__contains=acme`.

    A condition is a field, then perhaps two underscores and `ne`, `contains`, `startswith`, `endswith`, `in` (values
    with commas), `gt`, `gte`, `lt`, `lte`, `isnull` (true or false).
    """
    return answered(page_of(asked, object_name(objectApiName), wanted))


@router.get("/records.ndjson", **gives(media="application/x-ndjson", query=_QUERY))
def stream(asked: Viewing, objectApiName: ObjectName, wanted: WantedRecords) -> Response:
    """Every record that passes the conditions, one JSON object a line; `limit` and `after` say nothing here."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    lines = _exported(asked, collection, wanted)
    first = next(lines, b"")  # what is wrong with the conditions is told before the answer has begun

    async def all_lines() -> AsyncIterator[bytes]:
        yield first
        async for each in iterate_in_threadpool(lines):
            yield each

    return StreamingResponse(all_lines(), media_type="application/x-ndjson")


def _exported(asked: Asked, collection: Collection[Any], wanted: Wanted) -> Iterator[bytes]:
    with asked.house.doing(asked.deed("export", collection.object_name, "as lines")):
        yield from _lines(asked, collection, wanted)


def _lines(asked: Asked, collection: Collection[Any], wanted: Wanted) -> Iterator[bytes]:
    encoder, conditions = msgspec.json.Encoder(), wanted.parsed(collection)
    step = replace(wanted.selection, after=None, most=STREAMED, fields=wanted.read)
    while True:
        schema, rows = collection.page(step, **conditions)
        yield encoder.encode_lines(asked.replica.form(schema, wanted.fields, step.fields).shaped(rows))
        if len(rows) < STREAMED:
            return
        step = replace(step, after=place_of(schema, step, rows[-1]))


# ── one record ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/records/{recordId}", **gives(bodies.RecordBody))
def record(asked: Viewing, objectApiName: ObjectName, recordId: RecordId) -> Response:
    """One live record, and what of it waits to be sent."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    full = collection.full_id(recordId)
    shown = _shown(asked, collection, full)
    if shown is None:
        raise RecordNotFound(f"There is no live {collection.object_name} {full[:80]}.", hint="It may be deleted.")
    return answered(_body(asked, collection, full, shown))


def _shown(asked: Asked, collection: Collection[Any], full: str) -> Any:
    found = collection.page(Selection(most=1), Id=full)
    shaped = asked.replica.form(found[0]).shaped(found[1])
    return shaped[0] if shaped else None


def _body(asked: Asked, collection: Collection[Any], full: str, shown: Any) -> bodies.RecordBody:
    name = collection.object_name
    return bodies.RecordBody(
        object_api_name=name, id=full, record=shown, pending=asked.replica.shown.pending(name, full)
    )


_decoder: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


async def values_of(request: Request) -> dict[str, Any]:
    """The fields that the body gives: a JSON object, field → value."""
    values = decoded(_decoder, dict, await request.body())
    values.pop("attributes", None)  # as Salesforce's own records have it
    return values


GivenValues = Annotated[dict[str, Any], Depends(values_of)]
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "description": "Values by API or Python name of the field"}
            }
        },
    }
}


def _changes(status: int = 200) -> dict[str, Any]:
    given = gives(bodies.RecordBody, status=status)
    return given | {"openapi_extra": given["openapi_extra"] | _BODY}


@router.post("/records", **_changes(201))
def create(asked: Editing, objectApiName: ObjectName, values: GivenValues) -> Response:
    """Make a record, here; the next push makes it in the org. Its local id goes on naming it afterwards."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    with asked.house.doing(asked.deed("create", collection.object_name)) as ending:
        made = str(collection.create(**_named(values)).id)
        ending.detail = made
    name = quote(collection.object_name)
    headers = {"Location": asked.replica.address(f"/api/objects/{name}/records/{made}")}
    return answered(_body(asked, collection, made, _shown(asked, collection, made)), 201, headers)


@router.patch("/records/{recordId}", **_changes())
def change(asked: Editing, objectApiName: ObjectName, recordId: RecordId, values: GivenValues) -> Response:
    """Change fields of a record, here; the next push sends them. null clears a field."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    full = collection.full_id(recordId)
    with asked.house.doing(_edit_of(asked, "edit", collection, full, ",".join(values))):
        collection.update(full, **_named(values))
    return _after(asked, collection, full)


@router.delete("/records/{recordId}", **gives(bodies.RecordBody))
def delete(asked: Editing, objectApiName: ObjectName, recordId: RecordId) -> Response:
    """Delete a record, here; the next push deletes it in the org."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    full = collection.full_id(recordId)
    with asked.house.doing(_edit_of(asked, "delete", collection, full)):
        collection.delete(full)
    return _after(asked, collection, full)


@router.post("/records/{recordId}/undelete", **gives(bodies.RecordBody))
def undelete(asked: Editing, objectApiName: ObjectName, recordId: RecordId) -> Response:
    """Bring a deleted record back, here; the next push brings it back in the org."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    full = collection.full_id(recordId)
    with asked.house.doing(_edit_of(asked, "undelete", collection, full)):
        collection.undelete(full)
    return _after(asked, collection, full)


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    if not values:
        raise Misuse("Nothing is given.", hint='Send fields, such as {"Phone": "555-1234"}.')
    return dict(values)


def _edit_of(asked: Asked, action: str, collection: Collection[Any], full: str, fields: str = "") -> Any:
    return asked.deed(action, f"{collection.object_name}/{full}", fields)


def _after(asked: Asked, collection: Collection[Any], full: str) -> Response:
    return answered(_body(asked, collection, full, _shown(asked, collection, full)))


@router.get("/records/{recordId}/history", **gives(bodies.HistoryBody))
def history(asked: Viewing, objectApiName: ObjectName, recordId: RecordId) -> Response:
    """The record's values that were replaced by a pull, a push or a decision, newest first."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    replaced = [asked.replica.shown.replaced(each) for each in collection.history(recordId)]
    full = collection.full_id(recordId)
    return answered(bodies.HistoryBody(object_api_name=collection.object_name, id=full, history=replaced))
