"""The first pages of several pulls in one call. Small results are then complete; large ones have told their size."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.composite import MAX_QUERIES, CompositeAnswer, Part
from salesforce_sync.api.pull import queries
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.errors import SyncError
from salesforce_sync.models.page import PullRequest

log = logging.getLogger("salesforce_sync.api")


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
    if request.resume is not None or request.ids or not schema.queryable:
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
