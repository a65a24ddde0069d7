"""Single records: read, create, update, delete, upsert by external id, relationships and blobs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simorg import conditions, ids
from simorg.database import Row, quote
from simorg.http import ApiError, Call, Response, Route, json_response, no_content, not_found
from simorg.http_describe import object_of
from simorg.http_version import ROOT
from simorg.references import rows_by_key
from simorg.render import read_record
from simorg.results import Failure, Refused, Result
from simorg.schema import SField, SObject
from simorg.times import http_date
from simorg.writer import Writer, for_each, upsert_key

if TYPE_CHECKING:
    from simorg.org import SimOrg


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module; they come last, since their patterns are wide."""
    one = f"{ROOT}/sobjects/{{object}}"
    return [
        Route(f"{one}/Id", {"POST": create}),
        Route(f"{one}/{{id}}", {"GET": read, "PATCH": update, "DELETE": delete}),
        Route(f"{one}/{{key}}/{{value}}", {"GET": read_by_key, "PATCH": upsert, "DELETE": delete_by_key}),
    ]


def duplicate_option(call: Call, name: str) -> bool:
    """Return whether the duplicate-rule header says `name=true`."""
    parts = call.headers.get("sforce-duplicate-rule-header", "").replace(",", ";").split(";")
    return any(part.replace(" ", "").lower() == f"{name.lower()}=true" for part in parts)


def writer_of(call: Call) -> Writer:
    """Return a writer for the user of the session."""
    allowed = duplicate_option(call, "allowSave")
    return Writer(call.org, call.user_id, allow_duplicates=allowed, version=call.version)


def _saved(call: Call, result: Result) -> str:
    if isinstance(result, Failure):
        error = result.error()
        if call.inner and error.status == 403:
            error.status = 400  # missing rights are 403 alone and 400 in a composite
        if error.extra and duplicate_option(call, "includeRecordDetails"):
            _add_details(call, error.extra)
        raise error
    return result.id


def _add_details(call: Call, extra: Mapping[str, Any]) -> None:
    """Put all fields that the user sees into the matching records of a duplicate."""
    for result in extra["duplicateResut"]["matchResults"]:
        view = call.org.object(result["entityType"])
        if view is None:
            continue
        for match in result["matchRecords"]:
            match["record"] = read_record(call.org, view, match["record"]["Id"], call.version)


def record_id_of(call: Call, view: SObject, text: str) -> str:
    """Return the 18-character id of an existing, visible row in a path, or raise the fitting error."""
    try:
        full = call.org.typed_id(view.name, text)
        row = call.org.living(view, full)
    except Refused as refused:
        writing_part = call.inner and call.method != "GET"  # such a part keeps INVALID_CROSS_REFERENCE_KEY, with 404
        if refused.failure.code == "INVALID_CROSS_REFERENCE_KEY" and not writing_part:
            raise no_external_id(text) from refused
        raise refused.failure.error() from refused
    if not call.org.visible(view.name, str(row["Id"])):
        raise no_external_id(text)
    return full


def no_external_id(text: str) -> ApiError:
    """Return the 404 answer for a row or key that is not there."""
    return ApiError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {text}")


def create(call: Call) -> Response:
    """Create a record."""
    view = object_of(call)
    values = call.json_object()
    writer = writer_of(call)
    record_id = _saved(call, for_each(call.org, [values], lambda row: writer.create(view.name, row))[0])
    location = f"/services/data/v{call.version}/sobjects/{view.name}/{record_id}"
    return json_response({"id": record_id, "success": True, "errors": []}, 201, {"Location": location})


def read(call: Call) -> Response:
    """Read a record, with all fields or those of `fields=`."""
    view = object_of(call)
    with call.org.lock:  # the row must not go between the check and the reading
        return _answer_record(call, view, record_id_of(call, view, call.params["id"]))


def _answer_record(call: Call, view: SObject, record_id: str) -> Response:
    row = _whole_row(call, record_id)
    tag = conditions.etag(row) if view.name == "Account" else None
    changed = _changed_ms(call, row)
    early = conditions.check(call.headers, "GET", changed, tag)
    if early is not None:
        return early
    headers = {"Last-Modified": http_date(changed)} | ({"ETag": tag} if tag else {})
    record = read_record(call.org, view, record_id, call.version, fields_of(call, view))
    return json_response(record, 200, headers)


def _whole_row(call: Call, record_id: str) -> Row:
    """The row with all that it has: a condition holds whether or not the user may see the stamp."""
    return call.org.row(record_id) or {}


def _changed_ms(call: Call, row: Row) -> int:
    # The guide says "the last modified date of the record", which may be either of two stamps.
    stamp = row.get(call.org.rules.condition_stamp, row.get("LastModifiedDate"))
    return stamp if isinstance(stamp, int) else 0


def fields_of(call: Call, view: SObject) -> list[SField] | None:
    """Return the fields of the `fields` parameter, or None when it is not there."""
    names = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    return named_fields(view, names) if names else None


def named_fields(view: SObject, names: list[str]) -> list[SField]:
    """Return fields by name, or raise 400 INVALID_FIELD for one that the user cannot see."""
    found = []
    for name in names:
        one = view.field(name)
        if one is None:
            text = f"No such column '{name}' on sobject of type {view.name}"
            raise ApiError(400, "INVALID_FIELD", text)
        found.append(one)
    return found


def update(call: Call) -> Response:
    """Change a record; 204 without a body."""
    view = object_of(call)
    values = call.json_object()
    with call.org.lock:
        record_id = record_id_of(call, view, call.params["id"])
        early = _check_conditions(call, view, record_id)
        if early is None:
            writer = writer_of(call)
            _saved(call, for_each(call.org, [values], lambda row: writer.update(view.name, record_id, row))[0])
    return early or no_content()


def _check_conditions(call: Call, view: SObject, record_id: str) -> Response | None:
    row = _whole_row(call, record_id)
    tag = conditions.etag(row) if view.name == "Account" else None
    return conditions.check(call.headers, "PATCH", _changed_ms(call, row), tag)


def delete(call: Call) -> Response:
    """Put a record into the recycle bin; conditional headers do not count here."""
    view = object_of(call)
    record_id = record_id_of(call, view, call.params["id"])
    _saved(call, call.org.delete([record_id])[0])
    return no_content()


def _key_rows(call: Call, view: SObject) -> list[str]:
    try:
        one = upsert_key(view, call.params["key"])
        return rows_by_key(call.org, view, one, call.params["value"])
    except Refused as refused:
        raise refused.failure.error() from refused


def _many(call: Call, view: SObject, found: list[str]) -> Response:
    return json_response([f"/services/data/v{call.version}/sobjects/{view.name}/{one}" for one in found], 300)


def read_by_key(call: Call) -> Response:
    """Read a record by external id, or follow a relationship of a record."""
    view = object_of(call)
    if ids.normalize(call.params["key"]) is not None:
        return _related(call, view)
    found = [one for one in _key_rows(call, view) if call.org.visible(view.name, one)]
    if not found:
        raise no_external_id(call.params["value"])
    return _answer_record(call, view, found[0]) if len(found) == 1 else _many(call, view, found)


def delete_by_key(call: Call) -> Response:
    """Delete a record by external id."""
    view = object_of(call)
    found = _key_rows(call, view)
    if not found:
        raise no_external_id(call.params["value"])
    if len(found) > 1:
        return _many(call, view, found)
    _saved(call, call.org.delete(found)[0])
    return no_content()


def upsert(call: Call) -> Response:
    """Create or update a record by external id (or by Id)."""
    view = object_of(call)
    values = call.json_object()
    with call.org.lock:
        found = _key_rows(call, view)
        if len(found) > 1:
            return _many(call, view, found)
        one = upsert_key(view, call.params["key"])
        if any(name.lower() == one.name.lower() for name in values):
            text = f"The {one.name} field should not be specified in the sobject data."
            raise ApiError(400, "INVALID_FIELD", text, (one.name,))
        early = _check_conditions(call, view, found[0]) if found else None
        if early is not None:
            return early
        if one.type == "id" and not found:
            raise no_external_id(call.params["value"])
        return _upserted(call, view, one, values)


def _upserted(call: Call, view: SObject, one: SField, values: dict[str, Any]) -> Response:
    writer, only = writer_of(call), call.query.get("updateOnly", "").lower() == "true"
    row = values | {one.name: call.params["value"]}
    result = for_each(call.org, [row], lambda sent: writer.upsert(view.name, one.name, sent, update_only=only))[0]
    record_id = _saved(call, result)
    created = not isinstance(result, Failure) and result.created
    if not created and float(call.version) < 46:
        return no_content()
    location = f"/services/data/v{call.version}/sobjects/{view.name}/{record_id}"
    body = {"id": record_id, "success": True, "errors": [], "created": created}
    return json_response(body, 201 if created else 200, {"Location": location} if created else None)


def _related(call: Call, view: SObject) -> Response:
    """Follow `/sobjects/X/<id>/<Relationship>`, or answer the bytes of a base64 field."""
    record_id = record_id_of(call, view, call.params["key"])
    name = call.params["value"]
    one = view.field(name)
    if one is not None and one.type == "base64":
        return _bytes(call, view, record_id, one)
    parent = view.relationship(name)
    if parent is not None:
        return _parent(call, view, record_id, parent)
    child = view.child(name)
    other = call.org.object(child.child) if child else None
    if child is None or other is None:
        raise not_found()
    alive = ' AND "IsDeleted" = 0' if other.soft_delete else ""
    sql = f'SELECT "Id" FROM {quote(other.name)} WHERE {quote(child.field)} = ?{alive} ORDER BY "Id" LIMIT 2000'
    fields = fields_of(call, other)
    rows = [row[0] for row in call.org.database.rows(sql, (record_id,)) if call.org.visible(other.name, row[0])]
    records = [read_record(call.org, other, row, call.version, fields) for row in rows]
    return json_response({"done": True, "totalSize": len(records), "records": records})


def _parent(call: Call, view: SObject, record_id: str, one: SField) -> Response:
    target = (call.org.database.get(view, record_id) or {}).get(one.name)
    other = call.org.object_of_id(target) if isinstance(target, str) else None
    seen = call.org.object(other.name) if other else None
    if seen is None or not isinstance(target, str) or not call.org.visible(seen.name, target):
        raise not_found()
    return json_response(read_record(call.org, seen, target, call.version, fields_of(call, seen)))


def _bytes(call: Call, view: SObject, record_id: str, one: SField) -> Response:
    sql = f'SELECT {quote(one.name)} FROM {quote(view.name)} WHERE "Id" = ?'
    data = call.org.database.value(sql, (record_id,))
    return Response(200, data or b"", {"Content-Type": "application/octet-stream"})
