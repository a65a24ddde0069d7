"""The screen that lets a person in: with a token, or by a link that works once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from salesforce_sync.web.asking import cookie_name, house_of
from salesforce_sync.web.page.frame import PageRoute, rendered
from salesforce_sync.web.page.returning import local

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
def login(request: Request, place: Annotated[str | None, Query(alias="next")] = None) -> Response:
    """The screen. The browser itself sends the token to `POST /api/login`; it is never part of an address."""
    text = rendered("login.html", next=local(place), ended=_has_ended(request))
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _has_ended(request: Request) -> bool:
    """Whether the browser was signed in once, and is not any more."""
    cookie = request.cookies.get(cookie_name(request))
    return cookie is not None and house_of(request).access.logins.session(cookie) is None
