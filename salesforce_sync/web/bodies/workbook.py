"""The workbook's preview, and what became of it."""

from __future__ import annotations

from typing import Any, Literal

from salesforce_sync.web.bodies.base import Body


class PreviewCounts(Body, frozen=True, kw_only=True):
    """How many rows of an object are what. `known`: new rows that an earlier import has made already."""

    object_api_name: str
    unchanged: int
    new: int
    edited: int
    deleted: int
    removed: int
    problems: int
    known: int
    cells: int


class PreviewCell(Body, frozen=True, kw_only=True):
    """One cell, old and new, by its field and its column's header.

    `moved`: the replica has another value since the export, `now`; both are merged. `formula`: the cell is one, and
    `new` what it came to when the workbook was saved. `typed`: what was written, where that was read as something else.
    """

    field: str
    header: str
    old: Any
    new: Any
    moved: bool
    now: Any
    formula: bool = False
    typed: str = ""


class CellProblemBody(Body, frozen=True, kw_only=True):
    """Why a row is not taken in; without a field it is the row as a whole."""

    field: str | None
    header: str | None
    message: str


class PreviewRow(Body, frozen=True, kw_only=True):
    """One row that is not as it was exported."""

    kind: Literal["new", "edited", "deleted", "removed", "problem", "known"]
    object_api_name: str
    id: str | None
    name: str | None
    title: str
    sheet: str | None
    row: int | None
    cells: list[PreviewCell]
    problems: list[CellProblemBody]


class PreviewBody(Body, frozen=True, kw_only=True):
    """What is different in a workbook that was sent; `more` rows are not shown."""

    success: bool = True
    upload_id: str
    exported_at: str
    objects: list[PreviewCounts]
    good: int
    problems: int
    notes: list[str]
    """Columns that are not read, because their header is gone."""
    rows: list[PreviewRow]
    more: int
    applied: bool


class ImportedBody(Body, frozen=True, kw_only=True):
    """What became of a workbook's rows. `success` says whether none was refused."""

    success: bool
    upload_id: str
    created: int
    updated: int
    deleted: int
    known: int
    conflicts: int
    refused: int
    result_url: str | None


class PushRequest(Body, frozen=True, kw_only=True):
    """`confirmProduction`: yes, this production org may be written to, from now on."""

    confirm_production: bool = False
