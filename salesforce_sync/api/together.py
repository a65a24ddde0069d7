"""What objects are and how large, and the first pages of several pulls, in calls that they share."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.composite import MAX_QUERIES, CompositeAnswer, Part, PartAnswer
from salesforce_sync.api.pull import begins_with_job, queries
from salesforce_sync.api.query import Query
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.errors import ObjectTrouble, QueryTimeout, SyncError
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import Described

log = logging.getLogger("salesforce_sync.api")


class _Counted(msgspec.Struct):
    totalSize: int


_COUNTED = msgspec.json.Decoder(_Counted)
"""Made at import, when there is one thread."""


def describe_together(transport: Transport, object_names: Sequence[str]) -> tuple[Described | None, ...]:
    """Each object's describe, and the count of its rows, up to five objects a call; None where a part was refused.

    An org that takes no composite call describes its objects one by one: nothing is raised for that.
    """
    found: list[Described | None] = []
    for start in range(0, len(object_names), MAX_QUERIES):
        some = object_names[start : start + MAX_QUERIES]
        found += _describe_some(transport, some)
        if not any(found):
            break  # an org that answered none of these will not answer the others either
    return (*found, *[None] * (len(object_names) - len(found)))


def _describe_some(transport: Transport, names: Sequence[str]) -> list[Described | None]:
    asked = {number: name for number, name in enumerate(names) if query.is_identifier(name)}
    if not asked:
        return [None] * len(names)
    parts = [part for number, name in asked.items() for part in _describe_parts(number, name)]
    try:
        answer = composite.ask(transport, parts, rest.Purpose(f"describe {', '.join(asked.values())}"))
    except (ObjectTrouble, QueryTimeout) as refused:
        log.info("Objects are described one by one: %s", refused.message)
        return [None] * len(names)
    return [_described(answer, number, name) if number in asked else None for number, name in enumerate(names)]


def _describe_parts(number: int, name: str) -> tuple[Part, Part]:
    """The describe, and the count: of a large object it saves the first page, which would only tell the size."""
    return (
        Part(f"describe{number}", f"sobjects/{name}/describe"),
        Part(f"count{number}", rest.query_path(Query(f"SELECT count() FROM {name}", "query"))),
    )


def _described(answer: CompositeAnswer, number: int, name: str) -> Described | None:
    described, counted = (answer.parts.get(part.reference) for part in _describe_parts(number, name))
    if described is None or described.refusal is not None:
        return None
    try:
        schema = rest.read_schema(described.body, name)
    except SyncError as problem:
        log.info("%s is described by itself: %s", name, problem.message)
        return None
    return Described(schema, _count(counted))


def _count(counted: PartAnswer | None) -> int | None:
    if counted is None or not 200 <= counted.status < 300:
        return None
    try:
        return _COUNTED.decode(counted.body).totalSize
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def first_pages(transport: Transport, requests: Sequence[PullRequest]) -> list[rest.Glance | None]:
    """The first page of each pull, up to five a call; None where that pull has to begin by itself.

    Nothing is raised: what a pull met here it meets again by itself, and raises it then.
    """
    found: list[rest.Glance | None] = [None] * len(requests)
    numbers = [number for number, request in enumerate(requests) if _can_share(request)]
    for start in range(0, len(numbers), MAX_QUERIES):
        some = numbers[start : start + MAX_QUERIES]
        if len(some) == 1:
            continue  # a call of its own costs the same
        try:
            answer = _ask(transport, {number: requests[number] for number in some})
        except SyncError as refused:
            log.info("Pulls begin one by one: %s", refused.message)
            continue
        for number in some:
            found[number] = _first_page(requests[number], answer, number)
    return found


def _can_share(request: PullRequest) -> bool:
    """Whether the pull begins with a query that a composite call can carry."""
    schema = request.schema
    if request.resume is not None or request.ids or not schema.queryable or begins_with_job(request):
        return False
    _, asked = queries(request)
    return query.too_long(schema, asked) is None


def _ask(transport: Transport, requests: dict[int, PullRequest]) -> CompositeAnswer:
    parts = [
        Part(_reference(number), rest.query_path(queries(request)[1]), rest.PAGE_SIZE)
        for number, request in requests.items()
    ]
    names = ", ".join(request.schema.name for request in requests.values())
    # The call goes on as long as the most important of its parts may.
    purpose = rest.Purpose(f"read {names}", min(request.priority for request in requests.values()))
    return composite.ask(transport, parts, purpose, rest.PAGE_SIZE)


def _first_page(request: PullRequest, answer: CompositeAnswer, number: int) -> rest.Glance | None:
    try:
        body = answer.part(_reference(number)).checked(f"read {request.schema.name}")
        outline = PageDecoder(request.schema).outline(body)
    except SyncError as problem:
        log.info("%s begins by itself: %s", request.schema.name, problem.message)
        return None
    return rest.Glance(body, outline, answer.session, answer.asked)


def _reference(number: int) -> str:
    return f"rows{number}"
