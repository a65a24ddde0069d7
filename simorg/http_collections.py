"""sObject Collections: up to 200 records in one call."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from simorg import lifecycle
from simorg.http import ApiError, Call, Response, Route, json_response, parser_error
from simorg.http_describe import object_of
from simorg.http_records import named_fields, writer_of
from simorg.http_version import ROOT
from simorg.render import read_record
from simorg.results import Refused, Result, Saved
from simorg.schema import SObject
from simorg.writer import for_each, split_id, upsert_key

if TYPE_CHECKING:
    from simorg.org import SimOrg

MAX_ROWS = 200
MAX_CHUNKS = 10
MAX_RETRIEVED = 2000


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    one = f"{ROOT}/composite/sobjects"
    return [
        Route(one, {"POST": create, "PATCH": update, "DELETE": delete}),
        Route(f"{one}/{{object}}", {"GET": retrieve, "POST": retrieve_posted}),
        Route(f"{one}/{{object}}/{{key}}", {"PATCH": upsert}),
    ]


def _records(call: Call) -> tuple[list[Mapping[str, Any]], bool]:
    body = call.json_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(one, Mapping) for one in records):
        raise parser_error("The records of the request are missing at [line:1, column:1]")
    _check_size(len(records), MAX_ROWS)
    return records, bool(body.get("allOrNone"))


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ApiError(
            400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records into this call"
        )


def _type_of(record: Mapping[str, Any]) -> str:
    name = _named_type(record)
    if not name:
        raise Refused("INVALID_INPUT", "The type attribute of the record is missing")
    return name


def _named_type(record: Mapping[str, Any]) -> str:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, Mapping) else None
    return name if isinstance(name, str) else ""


def _check_chunks(records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse records whose types change too often: neighbours of one type make a chunk."""
    names = [_named_type(one).lower() for one in records]
    if sum(1 for _ in groupby(names)) > MAX_CHUNKS:
        text = (
            f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce "
            "chunking."
        )
        raise ApiError(400, "LIMIT_EXCEEDED", text)


def _answer(results: list[Result], record_ids: list[str | None], *, with_created: bool = False) -> Response:
    pairs = zip(results, record_ids, strict=True)
    return json_response([item(one, record_id, with_created=with_created) for one, record_id in pairs])


def item(result: Result, record_id: str | None = None, *, with_created: bool = False) -> dict[str, Any]:
    """Return the result of one row as collections show it."""
    if isinstance(result, Saved):
        created = {"created": result.created} if with_created else {}
        return {"id": result.id, "success": True, "errors": []} | created
    shown: dict[str, Any] = {"id": record_id} if record_id else {}
    return shown | {"success": False, "errors": [result.error().item("statusCode")]}


def _save(call: Call, act: Callable[[Mapping[str, Any]], Saved], *, with_created: bool = False) -> Response:
    records, all_or_none = _records(call)
    if not with_created:  # an upsert is of one type
        _check_chunks(records)
    results = for_each(call.org, records, act, all_or_none=all_or_none)
    sent = [next((str(row[key]) for key in row if key.lower() == "id" and row[key]), None) for row in records]
    return _answer(results, sent, with_created=with_created)


def create(call: Call) -> Response:
    """Create records, of several types."""
    writer = writer_of(call)
    return _save(call, lambda row: writer.create(_type_of(row), row))


def update(call: Call) -> Response:
    """Update records, of several types, each with its id."""
    writer = writer_of(call)

    def act(row: Mapping[str, Any]) -> Saved:
        record_id, values = split_id(row)
        return writer.update(_type_of(row), call.org.typed_id(_type_of(row), record_id), values)

    return _save(call, act)


def upsert(call: Call) -> Response:
    """Create or update records of one type by an external id."""
    view = object_of(call)
    writer = writer_of(call)
    try:
        key = upsert_key(view, call.params["key"]).name
    except Refused as refused:
        raise refused.failure.error() from refused
    return _save(call, lambda row: writer.upsert(view.name, key, row), with_created=True)


def delete(call: Call) -> Response:
    """Delete records, of several types."""
    wanted = [one for one in call.query.get("ids", "").split(",") if one]
    _check_size(len(wanted), MAX_ROWS)
    all_or_none = call.query.get("allOrNone", "").lower() == "true"
    act = lambda one: lifecycle.delete(call.org, call.org.full_id(one.strip()))  # noqa: E731
    results = for_each(call.org, wanted, act, all_or_none=all_or_none)
    return _answer(results, list(wanted))


def retrieve(call: Call) -> Response:
    """Read records by `ids` and `fields` of the query."""
    lists = [[one.strip() for one in call.query.get(name, "").split(",") if one.strip()] for name in ("ids", "fields")]
    return _retrieved(call, object_of(call), lists[0], lists[1])


def retrieve_posted(call: Call) -> Response:
    """Read records by the `ids` and `fields` of the body, up to 2,000."""
    body = call.json_object()
    lists = [list(map(str, body.get(name) or [])) for name in ("ids", "fields")]
    return _retrieved(call, object_of(call), lists[0], lists[1])


def _retrieved(call: Call, view: SObject, wanted: list[str], names: list[str]) -> Response:
    if not wanted or not names:
        raise ApiError(
            400, "MISSING_ARGUMENT", f"The required parameter {'ids' if not wanted else 'fields'} is missing"
        )
    _check_size(len(wanted), MAX_RETRIEVED)
    fields = named_fields(view, names)
    with call.org.lock:
        rows = [_readable(call, view, one) for one in wanted]
        return json_response([row and read_record(call.org, view, row, call.version, fields) for row in rows])


def _readable(call: Call, view: SObject, text: str) -> str | None:
    try:
        record_id = call.org.typed_id(view.name, text)
        call.org.living(view, record_id)
    except Refused as refused:
        if refused.failure.code == "MALFORMED_ID":
            raise refused.failure.error() from refused
        return None
    return record_id if call.org.visible(view.name, record_id) else None
