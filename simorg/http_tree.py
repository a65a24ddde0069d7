"""Composite tree: parents with their children, created all or none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simorg.http import ApiError, Call, Response, Route, json_response
from simorg.http_describe import object_of
from simorg.http_records import writer_of
from simorg.http_version import ROOT
from simorg.results import Refused
from simorg.schema import SObject

if TYPE_CHECKING:
    from simorg.org import SimOrg

MAX_RECORDS, MAX_TYPES, MAX_LEVELS = 200, 5, 5


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [Route(f"{ROOT}/composite/tree/{{object}}", {"POST": tree})]


@dataclass(frozen=True, slots=True)
class Node:
    """A record of the tree, with the field that holds its parent and the parent's reference id."""

    reference: str
    object_name: str
    values: dict[str, Any]
    link: str | None
    parent: str | None


class _Undo(Exception):
    """Rolls the whole tree back; holds the errors of the records that were refused."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("rolled back")
        self.errors = errors


def tree(call: Call) -> Response:
    """Create up to 200 records in a tree of up to 5 levels."""
    nodes = list(_nodes(call, object_of(call), call.json_object(), None, None, 1))
    if len(nodes) > MAX_RECORDS or len({node.object_name for node in nodes}) > MAX_TYPES:
        raise _bad(f"A tree holds at most {MAX_RECORDS} records of {MAX_TYPES} types")
    if len({node.reference for node in nodes}) < len(nodes):
        raise _bad("Duplicate ReferenceId provided in the request")
    try:
        with call.org.transaction():
            made = _create_all(call, nodes)
    except _Undo as undo:
        return json_response({"hasErrors": True, "results": undo.errors}, 400)
    results = [{"referenceId": node.reference, "id": made[node.reference]} for node in nodes]
    return json_response({"hasErrors": False, "results": results}, 201)


def _create_all(call: Call, nodes: list[Node]) -> dict[str, str]:
    """Create the records; the children of a refused one are left out."""
    writer = writer_of(call)
    made: dict[str, str] = {}
    errors: list[dict[str, Any]] = []
    for node in nodes:
        if node.parent is not None and node.parent not in made:
            continue
        values = node.values | ({node.link: made[node.parent]} if node.link and node.parent else {})
        try:
            with call.org.transaction():
                made[node.reference] = writer.create(node.object_name, values).id
        except Refused as refused:
            errors.append({"referenceId": node.reference, "errors": [refused.failure.error().item("statusCode")]})
    if errors:
        raise _Undo(errors)
    return made


def _bad(message: str) -> ApiError:
    return ApiError(400, "INVALID_INPUT", message)


def _reference(record: Any, view: SObject) -> str:
    """Return the reference id of a record, which must be of the type that its place says."""
    attributes = record.get("attributes") if isinstance(record, Mapping) else None
    known = attributes if isinstance(attributes, Mapping) else {}
    reference = known.get("referenceId")
    if not isinstance(reference, str) or not reference:
        raise _bad("Include a reference ID for each record in the request")
    if str(known.get("type", "")).lower() != view.name.lower():
        raise _bad(f"The type of {reference} is {known.get('type')}, but its place in the tree takes {view.name}")
    return reference


def _nodes(
    call: Call, view: SObject, body: Mapping[str, Any], link: str | None, parent: str | None, level: int
) -> Iterator[Node]:
    records = body.get("records")
    if not isinstance(records, list) or level > MAX_LEVELS:
        raise _bad(f"A tree needs records, in at most {MAX_LEVELS} levels")
    for record in records:
        reference = _reference(record, view)
        inner = {key: value for key, value in record.items() if isinstance(value, Mapping) and "records" in value}
        plain = {key: value for key, value in record.items() if key not in inner and key != "attributes"}
        yield Node(reference, view.name, plain, link, parent)
        for name, children in inner.items():
            child = view.child(name)
            other = call.org.object(child.child) if child else None
            if child is None or other is None:
                raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {view.name}")
            yield from _nodes(call, other, children, child.field, reference, level + 1)
