"""The screen that lets a person in: with a token, or by a link that works once."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from salesforce_sync.web.page.frame import PageRoute, rendered

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def login() -> Response:
    """The screen. The browser itself sends the token to `POST /api/login`; it is never part of an address."""
    return HTMLResponse(rendered("login.html"), headers={"Cache-Control": "no-store"})
