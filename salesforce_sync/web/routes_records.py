"""Records of the replica: list, read, make, change, delete. No API call: what is changed goes with the next push."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import iterate_in_threadpool
from msgspec.structs import replace
from starlette.responses import Response, StreamingResponse

from salesforce_sync.collection import Collection
from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Place, Selection
from salesforce_sync.web import bodies, places
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import DEFAULT, Asked, Editing, Viewing, decoded
from salesforce_sync.web.describing import gives, parameter
from salesforce_sync.web.replicas import object_name

router = APIRouter(prefix="/api/objects/{objectApiName}", tags=["records"])

MOST: Final = 2000
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
_OWN: Final = frozenset({"limit", "after", "sort", "search", "fields", "connection"})
"""Query parameters that are not conditions."""


# ── which records ────────────────────────────────────────────────────────────────────────────────────────────────


async def wanted_of(request: Request) -> Wanted:
    """Which records are wanted, and what of them."""
    given = request.query_params
    after, sort = given.get("after"), given.get("sort") or "Id"
    place = None if after is None else places.read(after)
    selection = Selection(
        sort=sort.removeprefix("-"), descending=sort.startswith("-"), after=place, most=_limit(given.get("limit"))
    )
    conditions = {name: value for name, value in given.items() if name not in _OWN}
    chosen = tuple(each.strip() for each in (given.get("fields") or "").split(",") if each.strip())
    return Wanted(selection, conditions, given.get("search") or "", chosen)


def _limit(text: str | None) -> int:
    if text is None:
        return 100
    if not (text.isdecimal() and text.isascii() and len(text) < 5 and 1 <= int(text) <= MOST):
        raise Misuse(f"limit is a number from 1 to {MOST}.")
    return int(text)


_QUERY: Final = (
    parameter("limit", "Records of a page", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100}),
    parameter("after", "Where the page begins; `nextRecordsUrl` has it"),
    parameter(
        "sort", "A field; with a minus before it from the last to the first", {"type": "string", "default": "Id"}
    ),
    parameter("search", "A part of the record's name"),
    parameter("fields", "The fields to give, with commas; all without it"),
)


class Wanted(msgspec.Struct, frozen=True):
    """A selection of records: conditions as they stand in the URL, `Amount__gte=1000`."""

    selection: Selection
    conditions: dict[str, str]
    search: str
    fields: tuple[str, ...]

    def parsed(self, collection: Collection[Any]) -> dict[str, Any]:
        """The conditions as `search` takes them."""
        conditions: dict[str, Any] = collection.parse_conditions(self.conditions)
        if self.search:
            name = collection.schema.name_field
            conditions[f"{name.name if name else 'Id'}__contains"] = self.search
        return conditions

    def texts(self) -> dict[str, str]:
        """All of it but the place, as a URL has it."""
        own = {
            "limit": str(self.selection.most),
            "sort": ("-" if self.selection.descending else "") + self.selection.sort,
            "search": self.search,
            "fields": ",".join(self.fields),
        }
        usual = {"limit": "100", "sort": "Id", "search": "", "fields": ""}
        return {name: value for name, value in own.items() if value != usual[name]} | self.conditions


WantedRecords = Annotated[Wanted, Depends(wanted_of)]


def page_of(
    asked: Asked, name: str, selection: Selection, texts: Mapping[str, str], wanted: Wanted | None = None
) -> bodies.RecordPage:
    """A page of records, and the URL of the next one; `texts` is the query that the next one needs."""
    collection = asked.replica.sync.objects[name]
    conditions, names = ({}, ()) if wanted is None else (wanted.parsed(collection), wanted.fields)
    more = replace(selection, most=selection.most + 1, fields=_read(names, selection))
    schema, rows = collection.page(more, **conditions)
    shown, has_more = rows[: selection.most], len(rows) > selection.most
    return bodies.RecordPage(
        object_api_name=schema.name,
        records=asked.replica.form(schema, names, more.fields).shaped(shown),
        has_more=has_more,
        total_size=collection.matching(**conditions),
        done=not has_more,
        next_records_url=_next_url(asked, schema, more, shown[-1], texts) if has_more else None,
    )


def _read(names: tuple[str, ...], selection: Selection) -> tuple[str, ...]:
    """What is read of each row where these fields are to be shown: what it is sorted by, too."""
    return (*names, selection.sort) if names else ()


def _place(schema: ObjectSchema, selection: Selection, row: tuple[Any, ...]) -> Place:
    """The place of a row in the order."""
    field = schema.field(selection.sort)
    return Place(str(row[0]), None if field.name == "Id" else row[schema.chosen(selection.fields).index(field)])


def _next_url(
    asked: Asked, schema: ObjectSchema, selection: Selection, last: tuple[Any, ...], texts: Mapping[str, str]
) -> str:
    query = dict(texts) | {"after": places.written(_place(schema, selection, last))}
    if asked.replica.id != DEFAULT:
        query["connection"] = asked.replica.id
    return f"/api/objects/{quote(schema.name)}/records?{urlencode(query)}"


@router.get("/records", **gives(bodies.RecordPage, query=_QUERY))
def records(asked: Viewing, objectApiName: ObjectName, wanted: WantedRecords) -> Response:
    """A page of the object's live records. Further query parameters are conditions: `Name__contains=acme`.

    A condition is a field, then perhaps two underscores and `ne`, `contains`, `startswith`, `endswith`, `in` (values
    with commas), `gt`, `gte`, `lt`, `lte`, `isnull` (true or false).
    """
    return answered(page_of(asked, object_name(objectApiName), wanted.selection, wanted.texts(), wanted))


@router.get("/records.ndjson", **gives(media="application/x-ndjson", query=_QUERY))
def stream(asked: Viewing, objectApiName: ObjectName, wanted: WantedRecords) -> Response:
    """Every record that passes the conditions, one JSON object a line; `limit` and `after` say nothing here."""
    collection = asked.replica.sync.objects[object_name(objectApiName)]
    lines = _lines(asked, collection, wanted)
    first = next(lines, b"")  # what is wrong with the conditions is told before the answer has begun

    async def all_lines() -> AsyncIterator[bytes]:
        yield first
        async for each in iterate_in_threadpool(lines):
            yield each

    return StreamingResponse(all_lines(), media_type="application/x-ndjson")


def _lines(asked: Asked, collection: Collection[Any], wanted: Wanted) -> Iterator[bytes]:
    encoder, conditions = msgspec.json.Encoder(), wanted.parsed(collection)
    step = replace(wanted.selection, after=None, most=STREAMED, fields=_read(wanted.fields, wanted.selection))
    while True:
        schema, rows = collection.page(step, **conditions)
        yield encoder.encode_lines(asked.replica.form(schema, wanted.fields, step.fields).shaped(rows))
        if len(rows) < STREAMED:
            return
        step = replace(step, after=_place(schema, step, rows[-1]))


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
    values = decoded(_decoder, await request.body())
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
    headers = {"Location": f"/api/objects/{name}/records/{made}"}
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
