"""The page's part of the application: its routes, and the files that a browser keeps."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from salesforce_sync.web.page import (
    activity,
    budget,
    changes,
    connections,
    editing,
    inbox,
    objects,
    records,
    signing_in,
    workbook,
)
from salesforce_sync.web.page.frame import STATIC

SCREENS = (signing_in, objects, editing, records, inbox, changes, workbook, activity, budget, connections)
"""Each has a `router`."""


def files(app: FastAPI) -> None:
    """Put the page's files into the application."""
    app.mount("/static", _Files(directory=str(STATIC)))


class _Files(StaticFiles):
    """Files whose addresses change with them: a browser need not ask again."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        """The file."""
        answer = super().file_response(*given, **named)
        answer.headers["Cache-Control"] = "public, max-age=604800"
        return answer
