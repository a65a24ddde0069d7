"""The screen of the workbook: download it, drop an edited one, look at every cell that differs, take it in."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from salesforce_sync.errors import RecordNotFound
from salesforce_sync.web import bodies, routes_workbook
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.page.frame import Changing, Looking, PageRoute, may_change, show
from salesforce_sync.web.page.words import plural

router = APIRouter(prefix="/org/{connection}/workbook", route_class=PageRoute, include_in_schema=False)

ROWS: Final = 200


@router.get("")
def workbook(
    request: Request,
    asked: Looking,
    upload: Annotated[str, Query(max_length=80)] = "",
    rows: Annotated[int, Query(ge=1, le=5000)] = ROWS,
) -> Response:
    """The screen; with what is different in a workbook that was sent."""
    if upload and may_change(asked.caller):
        return _shown(request, asked, upload, rows)
    return show(request, asked, "workbook.html", "workbook", seen=None, done=None, rows=rows, is_empty=_is_empty(asked))


def _is_empty(asked: Asked) -> bool:
    """Whether nothing has been synced that a workbook could hold."""
    return next(iter(asked.replica.sync.objects), None) is None


def _shown(
    request: Request,
    asked: Asked,
    upload_id: str,
    rows: int = ROWS,
    notice: tuple[str, str] | None = None,
) -> Response:
    try:
        found = asked.replica.uploads.find(upload_id)
    except RecordNotFound as error:
        raise RecordNotFound(error.message, hint="It may have been forgotten: drop it again.") from error
    imported = found.imported
    return show(
        request,
        asked,
        "workbook.html",
        "workbook",
        seen=routes_workbook.preview_of(asked, found, rows),
        done=None if imported is None else routes_workbook.imported_of(asked, found, imported),
        rows=rows,
        is_empty=_is_empty(asked),
        notice=notice,
    )


@router.post("/{upload_id}/apply")
async def apply(request: Request, asked: Changing, upload_id: str) -> Response:
    """Take the good rows in, and show what became of them."""

    def take_in() -> Response:
        done = routes_workbook.take_in(asked, asked.replica.uploads.find(upload_id))
        return _shown(request, asked, upload_id, notice=_told_of(done))

    return await asked.house.run_on_book(take_in)


def _told_of(done: bodies.ImportedBody) -> tuple[str, str]:
    taken = done.created + done.updated + done.deleted
    if done.success:
        return "good", f"{plural(taken, 'row is', 'rows are')} taken in. A push sends them to the org."
    return "warn", f"{plural(taken, 'row is', 'rows are')} taken in, {done.refused:,} not: see the result file."


@router.post("/{upload_id}/forget")
def forget(request: Request, asked: Changing, upload_id: str) -> Response:
    """Forget the workbook that was sent."""
    routes_workbook.forget(asked, upload_id)
    return Response(status_code=204, headers={"HX-Redirect": f"/org/{asked.replica.id}/workbook"})
