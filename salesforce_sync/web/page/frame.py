"""What every screen stands in: who looks at which connection, the templates, and how an error is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from salesforce_sync import __version__
from salesforce_sync.access import Role
from salesforce_sync.errors import SyncError
from salesforce_sync.web.asking import Asked, Caller, CallerWith, house_of
from salesforce_sync.web.failures import Forbidden, NotAuthenticated, Refused, status_of, without_secrets
from salesforce_sync.web.page import words
from salesforce_sync.web.page.returning import login_for, place_of
from salesforce_sync.web.waiting import Route
from salesforce_sync.web.ways import for_people
from salesforce_sync.workbook.layout import called

STATIC: Final = resources.files("salesforce_sync.web") / "static"
_NO_STORE: Final = {"Cache-Control": "no-store"}
_IN_NOTICES: Final = {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML"}

# ── who looks, at which connection ───────────────────────────────────────────────────────────────────────────────


class At:
    """Who looks, if his role is enough, and at which connection, if it is his. The path names the connection:

    two tabs of one browser may show two orgs, and what is clicked in one must not happen in the other.
    """

    def __init__(self, role: Role) -> None:
        self._caller = CallerWith(role)

    async def __call__(self, request: Request, connection: str) -> Asked:
        caller, house = await self._caller(request), house_of(request)
        replica = await run_in_threadpool(house.replicas.get, connection, caller.user)
        house.throttle(house.by_connection, replica.id, "requests for this connection")
        return Asked(house, caller, replica)


Looking = Annotated[Asked, Depends(At(Role.VIEWER))]
Changing = Annotated[Asked, Depends(At(Role.EDITOR))]


def may_change(caller: Caller) -> bool:
    """Whether the caller is offered what changes something."""
    return caller.user.role.allows(Role.EDITOR)


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("salesforce_sync.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": words.number,
        "ago": lambda moment: words.ago(moment, datetime.now(UTC)),
        "said": words.said,
        "shown": words.shown,
        "text": words.text,
        "typed": words.typed,
        "short": words.short,
        "plural": words.plural,
        "query": urlencode,
        "path": lambda part: quote(str(part), safe=""),
        "for_people": for_people,
        "called": lambda each: called(each.field, each.header),
    }
    made.globals |= {"static": static, "version": __version__}
    return made


@cache
def static(name: str) -> str:
    """The address of a file of ours; it changes with the file, so that a browser may keep it."""
    digest = hashlib.sha256(STATIC.joinpath(*name.split("/")).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


def rendered(name: str, **values: Any) -> str:
    """A template as a text."""
    return _templates().get_template(name).render(**values)


def is_part(request: Request) -> bool:
    """Whether a part of a screen is asked for, by the screen itself."""
    return request.headers.get("hx-request") == "true"


def show(request: Request, asked: Asked, name: str, tab: str, /, **values: Any) -> Response:
    """A screen of a connection; only its content where the screen itself asks, with the numbers of the tabs."""
    sync, caller = asked.replica.sync, asked.caller
    known = house_of(request).access.connections.list(caller.user)
    here = next(each for each in known if each.id == asked.replica.id)
    values = {
        "layout": "part.html" if is_part(request) else "screen.html",
        "tab": tab,
        "here": here,
        "org_url": sync.connected_to,
        "known": known,
        "base": f"/org/{quote(here.id, safe='')}",
        "outbox_count": sync.outbox_count(),
        "inbox_count": sync.inbox_count(),
        "notice": None,
    } | values
    return framed(name, caller, **values)


def framed(name: str, caller: Caller, /, **values: Any) -> Response:
    """A screen of a user."""
    whole = {
        "user": caller.user,
        "csrf": caller.browser.csrf if caller.browser else "",
        "may_change": may_change(caller),
        "is_admin": caller.user.role.allows(Role.ADMIN),
    } | values
    return HTMLResponse(rendered(name, **whole), headers=_NO_STORE)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(Route):
    """A route whose errors are told as a page, or as a notice in the page that asked."""

    def get_route_handler(self) -> Handler:
        """The route's handler, with errors shown."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except NotAuthenticated as error:
                return _to_login(request, error)
            except SyncError as error:
                return told(request, error)
            except RequestValidationError:
                return told(request, Refused("What was sent is not in its form.", hint="Load the page again."))

        return shown


def _to_login(request: Request, error: NotAuthenticated) -> Response:
    """To the login, and on to here; where a part of a screen is asked for, that stays, with what was typed in it."""
    if is_part(request):
        login = login_for(place_of(request.headers.get("hx-current-url")))
        return HTMLResponse(rendered("signed_out.html", login=login), error.status, _IN_NOTICES | _NO_STORE)
    place = place_of(str(request.url)) if request.method == "GET" else "/"
    return RedirectResponse(login_for(place), 303, _NO_STORE)


def told(request: Request, error: SyncError) -> Response:
    """An error for a person: what happened, and what to do."""
    if isinstance(error, Forbidden) and error.code == "WRONG_CSRF_TOKEN":
        error = Forbidden("This page is from an earlier login.", code=error.code, hint="Load it again.")
    message, hint = (for_people(without_secrets(each)) for each in (error.message, error.hint))
    values = {"code": error.code, "message": message, "hint": hint}
    if is_part(request):
        return HTMLResponse(rendered("notice.html", kind="bad", **values), status_of(error), _IN_NOTICES | _NO_STORE)
    return HTMLResponse(rendered("error.html", **values), status_of(error), _NO_STORE)
