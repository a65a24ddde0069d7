"""The screen of objects: what is here, how fresh, what is proved; choose and sync."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from salesforce_sync.models.schema import ObjectSummary
from salesforce_sync.web import bodies
from salesforce_sync.web.asking import DEFAULT, Asked, ViewingCaller
from salesforce_sync.web.catalog import CATEGORIES
from salesforce_sync.web.page.frame import Looking, PageRoute, show
from salesforce_sync.web.progress import SessionState
from salesforce_sync.web.routes_objects import known_objects, object_list
from salesforce_sync.workbook.sets import SETS

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LABELS: Final = {"sales": "Sales set", "revenue-cloud": "Revenue Cloud set"}


class Shelf(Struct, frozen=True):
    """The objects of one category."""

    category: str
    objects: tuple[bodies.ObjectBody, ...]


@router.get("/")
def start(caller: ViewingCaller) -> Response:
    """To the default connection's objects."""
    return RedirectResponse(f"/org/{DEFAULT}/objects", 303)


@router.get("/org/{connection}")
@router.get("/org/{connection}/objects")
def objects(request: Request, asked: Looking) -> Response:
    """The screen without its table: that may take a moment, and the browser remembers the last one."""
    return show(request, asked, "objects.html", "objects")


@router.get("/org/{connection}/objects/table")
async def table(
    request: Request,
    asked: Looking,
    available: Annotated[bool, Query()] = False,
    kept: Annotated[bool, Query()] = False,
) -> Response:
    """The table; with the org's other objects if they are asked for, which is one API call in ten minutes.

    `kept`: with those that were last told, for which the org is not asked.
    """
    others = await asked.org_list() if available else (asked.replica.names.kept or None) if kept else None
    return await run_in_threadpool(_table, request, asked, others)


def _table(request: Request, asked: Asked, others: Sequence[ObjectSummary] | None) -> Response:
    found = listed(asked, others)
    return show(
        request,
        asked,
        "objects_table.html",
        "objects",
        shelves=shelved(found),
        figures=object_list(found),
        events=_under_way(asked),
        sets=[(name, _LABELS.get(name, name), list(members)) for name, members in SETS.items()],
        all_shown=others is not None,
    )


def listed(asked: Asked, others: Sequence[ObjectSummary] | None) -> list[bodies.ObjectBody]:
    """What is here or wanted, and what else the org has; as long as nobody asked for that, what the ready sets name."""
    wanted = dict.fromkeys(name for members in SETS.values() for name in members)
    return known_objects(asked, tuple(wanted)) if others is None else known_objects(asked, (), others)


def shelved(found: Iterable[bodies.ObjectBody]) -> list[Shelf]:
    """The objects by category, in the order in which people look for them."""
    by_category: dict[str, list[bodies.ObjectBody]] = defaultdict(list)
    for each in found:
        by_category[each.category].append(each)
    order = [*CATEGORIES, *sorted(by_category.keys() - set(CATEGORIES))]
    return [
        Shelf(name, tuple(sorted(by_category[name], key=lambda each: each.label.casefold())))
        for name in order
        if name in by_category
    ]


def _under_way(asked: Asked) -> list[str]:
    """Where the progress of what goes on is told."""
    running = (each for each in asked.replica.sessions.all() if each.state is SessionState.RUNNING)
    return [asked.replica.address(f"/api/sync/{each.session_id}/events") for each in running]
