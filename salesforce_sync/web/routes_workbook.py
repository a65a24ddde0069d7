"""The workbook: download it, send it back, look at what is different, take it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Annotated, BinaryIO, Final, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.run import RunState
from salesforce_sync.web import bodies
from salesforce_sync.web.answers import OpenFile, answered
from salesforce_sync.web.asking import Asked, Editing, Viewing
from salesforce_sync.web.books import FILE_NAME, Upload
from salesforce_sync.web.describing import LOCAL, gives
from salesforce_sync.web.forms import FORM, FileOfForm, is_form
from salesforce_sync.web.waiting import Route
from salesforce_sync.workbook.changes import RowChange
from salesforce_sync.workbook.importing import Imported, Preview

router = APIRouter(prefix="/api/workbook", tags=["workbook"], route_class=Route)

MEDIA: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FAILS: Final = (*LOCAL, 422)
_PIECE: Final = 1 << 18

ReadySet = Literal["sales", "revenue-cloud"]
Shown = Annotated[int, Query(ge=0, le=5000, description="Rows to show, at most")]
PasswordHeader = Annotated[str | None, Header(alias="X-Workbook-Password", description="If the workbook has one")]


@router.get("", **gives(media=MEDIA, fails=FAILS))
async def download(
    asked: Viewing,
    ready_set: Annotated[
        Literal["sales", "revenue-cloud"] | None, Query(alias="set", description="A ready set")
    ] = None,
) -> Response:
    """The replica as an Excel workbook, as it is now: of all objects that are here, or of a ready set. No API call."""
    if ready_set is None:
        file = await asked.house.run_on_book(lambda: _current(asked))
        return OpenFile(file, media_type=MEDIA, filename=FILE_NAME)
    pieces = _pieces(asked, ready_set)
    first = await asked.house.run_on_book(lambda: next(pieces, b""))  # what is wrong is told before the answer begins

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for each in iterate_in_threadpool(pieces):
            yield each

    return StreamingResponse(all_pieces(), media_type=MEDIA, headers=_attachment())


def _current(asked: Asked) -> BinaryIO:
    with asked.house.doing(asked.deed("export")):
        return asked.replica.workbook.opened()


def _pieces(asked: Asked, ready_set: str) -> Iterator[bytes]:
    with (
        asked.house.doing(asked.deed("export", ready_set)),
        asked.replica.workbook.of_set(ready_set) as path,
        path.open("rb") as file,
    ):
        while piece := file.read(_PIECE):
            yield piece


def _attachment() -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}


_FILE: Final = {"type": "string", "format": "binary"}
_BODIES: Final = {
    "application/octet-stream": {"schema": _FILE},
    FORM: {"schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}},
}
_TAKES: Final = {"requestBody": {"required": True, "content": _BODIES}}
_UPLOAD: Final = gives(bodies.PreviewBody, fails=FAILS)
_UPLOAD["openapi_extra"] |= _TAKES


@router.post("", **_UPLOAD)
async def upload(
    request: Request,
    asked: Editing,
    delete_missing: Annotated[
        bool, Query(alias="deleteMissing", description="A record whose row is gone from its sheet is deleted")
    ] = False,
    limit: Shown = 200,
    password: PasswordHeader = None,
) -> Response:
    """Send an edited workbook as the body, or as the file of a form; the answer says what is different in it, row by
    row. Nothing is written."""
    with asked.house.compares(asked.caller.user):
        return answered(await _uploaded(request, asked, delete_missing, limit, password))


async def _uploaded(
    request: Request, asked: Asked, delete_missing: bool, limit: int, password: str | None
) -> bodies.PreviewBody:
    uploads = asked.replica.uploads
    folder = uploads.place()
    try:
        with uploads.file(folder) as file:
            await _write(request, file)
    except BaseException:
        folder.close()
        raise

    def compare() -> bodies.PreviewBody:
        with asked.house.doing(asked.deed("upload")) as ending:
            taken = uploads.take_in(folder, delete_missing=delete_missing, password=password)
            ending.detail = taken.upload_id
        return preview_of(asked, taken, limit)

    return await asked.house.run_on_book(compare)


async def _write(request: Request, file: BinaryIO) -> None:
    """Write the body there; of a form, its file."""
    kind = request.headers.get("Content-Type", "")
    form = FileOfForm(kind, file) if is_form(kind) else None
    write: Callable[[bytes], object] = file.write if form is None else form.write
    async for piece in request.stream():
        await run_in_threadpool(write, piece)
    if form is not None:
        form.close()


@router.get("/{uploadId}", **gives(bodies.PreviewBody, fails=FAILS))
def preview(asked: Editing, uploadId: str, limit: Shown = 200) -> Response:
    """What is different in a workbook that was sent."""
    return answered(preview_of(asked, asked.replica.uploads.find(uploadId), limit))


@router.post("/{uploadId}/apply", **gives(bodies.ImportedBody, fails=FAILS))
async def apply(asked: Editing, uploadId: str) -> Response:
    """Take the good rows in, as edits that the next push sends. The others come back at `resultUrl`, with reasons."""
    found = asked.replica.uploads.find(uploadId)

    return answered(await asked.house.run_on_book(lambda: take_in(asked, found)))


def take_in(asked: Asked, found: Upload) -> bodies.ImportedBody:
    """Take the good rows of a workbook in."""
    with asked.house.doing(asked.deed("import", found.upload_id)) as ending:
        imported = asked.replica.uploads.apply(found)
        ending.outcome = RunState.PARTIAL.value if imported.refused else RunState.COMPLETE.value
        ending.detail = f"{imported.taken} rows of {found.preview.export_id}, {imported.refused} not"
    return imported_of(asked, found, imported)


@router.get("/{uploadId}/result", **gives(media=MEDIA, fails=FAILS))
def result(asked: Editing, uploadId: str) -> Response:
    """The workbook that was sent, with the reason beside each row that was not taken in."""
    imported = asked.replica.uploads.find(uploadId).imported
    if imported is None:
        raise Misuse("This workbook was not applied yet.", hint="POST …/apply does.")
    if imported.result is None:
        raise RecordNotFound("Every row was taken in: there is nothing to bring back.")
    return FileResponse(imported.result, media_type=MEDIA, filename="Revenue_Cloud_Data.result.xlsx")


@router.delete("/{uploadId}", **gives(bodies.Done))
def forget(asked: Editing, uploadId: str) -> Response:
    """Forget a workbook that was sent, and its file."""
    asked.replica.uploads.forget(asked.replica.uploads.find(uploadId))
    return answered(bodies.Done())


# ── as it is shown ───────────────────────────────────────────────────────────────────────────────────────────────


def preview_of(asked: Asked, upload: Upload, limit: int) -> bodies.PreviewBody:
    """What is different in a workbook that was sent; at most so many rows of it."""
    seen = upload.preview
    rows = [_row(asked, seen, each) for each in islice(seen.changes(), limit)]
    total = sum(each.good + each.problems + each.removed + each.known for each in seen.counts)
    counts = [
        bodies.PreviewCounts(
            object_api_name=each.object_name,
            unchanged=each.unchanged,
            new=each.new,
            edited=each.edited,
            deleted=each.deleted,
            removed=each.removed,
            problems=each.problems,
            known=each.known,
            cells=each.cells,
        )
        for each in seen.counts
    ]
    return bodies.PreviewBody(
        upload_id=upload.upload_id,
        exported_at=seen.exported_at,
        objects=counts,
        good=seen.good,
        problems=seen.problems,
        notes=list(seen.notes),
        rows=rows,
        more=total - len(rows),
        applied=upload.imported is not None,
    )


def _row(asked: Asked, seen: Preview, of: RowChange) -> bodies.PreviewRow:
    name = of.object_name
    return bodies.PreviewRow(
        kind=of.kind.value,
        object_api_name=name,
        id=of.record_id or None,
        name=of.name or None,
        title=of.title,
        sheet=of.sheet or None,
        row=of.row or None,
        cells=[
            bodies.PreviewCell(
                field=each.field,
                header=seen.header(name, each.field),
                old=asked.replica.shown.value(name, each.field, each.old),
                new=asked.replica.shown.value(name, each.field, each.new),
                moved=each.moved,
                now=asked.replica.shown.value(name, each.field, each.now) if each.moved else None,
                formula=each.formula,
                typed=each.typed,
            )
            for each in of.cells
        ],
        problems=[
            bodies.CellProblemBody(
                field=each.field or None,
                header=seen.header(name, each.field) if each.field else None,
                message=each.message,
            )
            for each in of.problems
        ],
    )


def imported_of(asked: Asked, upload: Upload, of: Imported) -> bodies.ImportedBody:
    """What became of its rows."""
    return bodies.ImportedBody(
        success=not of.refused,
        upload_id=upload.upload_id,
        created=of.created,
        updated=of.updated,
        deleted=of.deleted,
        known=of.known,
        conflicts=of.conflicts,
        refused=of.refused,
        result_url=None if of.result is None else asked.replica.address(f"/api/workbook/{upload.upload_id}/result"),
    )
