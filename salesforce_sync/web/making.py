"""The FastAPI application: every route, over one `House`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, compile_path

from salesforce_sync import __version__
from salesforce_sync.errors import SyncError
from salesforce_sync.web import (
    routes_connections,
    routes_house,
    routes_objects,
    routes_records,
    routes_signals,
    routes_sync,
    routes_two_way,
    routes_workbook,
    wording,
)
from salesforce_sync.web.answers import failed
from salesforce_sync.web.asking import words_for
from salesforce_sync.web.describing import describe
from salesforce_sync.web.failures import Mistake, Refused
from salesforce_sync.web.house import THREADS, House
from salesforce_sync.web.page.frame import is_part, told
from salesforce_sync.web.page.making import SCREENS, files
from salesforce_sync.web.reference import reference

DESCRIPTION = """\
The replica of a Salesforce org over HTTP: sync it, read it, edit it. Programs send `Authorization: Bearer TOKEN`, and
`X-Connection-Id` where another connection than `default` is meant. Whatever cannot be done is answered with
`{"success": false, "error": CODE, "details": TEXT}` and a fitting status."""


def application(house: House) -> FastAPI:
    """The application. Whoever runs it puts `guard.Guard` before it, and closes the house afterwards."""
    app = _unfurnished()
    app.state.house = house
    app.add_exception_handler(SyncError, _told)
    app.add_exception_handler(RequestValidationError, _told_of_form)
    app.add_exception_handler(HTTPException, _told_of_http)
    app.add_exception_handler(Exception, _told_of_mistake)
    app.openapi = _document  # type: ignore[method-assign]  # FastAPI's own way to change it
    reference(app)
    files(app)
    return app


def _unfurnished() -> FastAPI:
    """An application with all its routes that are described, and no house."""
    app = FastAPI(
        title="salesforce-sync",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_few_threads,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.routes += _routes()
    return app


@cache
def _document() -> dict[str, Any]:
    """The OpenAPI document, for 0.3 s of CPU; it is the same whatever the house."""
    return describe(_unfurnished())


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """The routes of the API and of the page, which know no house.

    FastAPI works out what they take when they are first asked, for 0.1 s of CPU: once in a process, and not once for
    each application.
    """
    made = APIRouter()
    for routes in (
        routes_connections,
        routes_sync,
        routes_records,
        routes_objects,
        routes_two_way,
        routes_signals,
        routes_workbook,
        routes_house,
        *SCREENS,
    ):
        made.include_router(routes.router)
    return tuple(made.routes)


@asynccontextmanager
async def _few_threads(app: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = THREADS
    yield


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, SyncError)
    return failed(error, request.path_params.get("objectApiName"), words_for(request))


async def _told_of_form(request: Request, error: Exception) -> Response:
    """A query, path or header parameter that is not in its form. What was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    refused = Refused(wording.of_parameter(name, _schema_of(request, name), first.get("input")), hint="See /docs.")
    return failed(refused, request.path_params.get("objectApiName"))


def _schema_of(request: Request, name: str) -> Mapping[str, Any]:
    """What the document says that a parameter of this request may be."""
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    return next((each["schema"] for each in operation["parameters"] if each["name"] == name), {})


async def _told_of_mistake(request: Request, error: Exception) -> Response:
    """Whoever runs the application logs it."""
    return failed(Mistake(), request.path_params.get("objectApiName"))


_HTTP = {
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This cannot be done here."),
}


def _is_for_a_person(request: Request) -> bool:
    if request.scope["path"].startswith("/api"):
        return False
    return is_part(request) or "text/html" in request.headers.get("accept", "")


def refusal(refused: Refused, scope: MutableMapping[str, Any]) -> Response:
    """What `guard.Guard` answers where it lets nothing through: a page to a person, JSON to a program."""
    request = Request(scope)
    answer = failed(refused, _object_of(scope["path"]))
    if not _is_for_a_person(request):
        return answer
    page = told(request, refused)
    for name in ("Retry-After", "Connection"):
        if name in answer.headers:
            page.headers[name] = answer.headers[name]
    return page


_OBJECT: Final = re.compile(r"/api/(?:objects/|sync/(?!sync_))([A-Za-z]\w{0,79})(?:/.*)?", re.ASCII)


def _object_of(path: str) -> str | None:
    """The object that the address names; a session's id is none."""
    found = _OBJECT.fullmatch(path)
    return None if found is None else found[1]


async def _told_of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _HTTP.get(error.status_code, ("BAD_REQUEST", str(error.detail)))
    refused = Refused(message, code=code, hint="See /docs.")
    refused.status = error.status_code
    if _is_for_a_person(request):
        refused.hint = ""
        return told(request, refused)
    answer = failed(refused)
    answer.headers.update(error.headers or {})
    methods = _methods_at(request) if error.status_code == 405 else set()
    if methods:
        answer.headers["Allow"] = ", ".join(sorted(methods))
    return answer


def _methods_at(request: Request) -> set[str]:
    """What the document says can be done at this address: the framework tells of the first route alone."""
    paths, here = request.app.openapi()["paths"], request.url.path
    fitting = [here] if here in paths else [path for path in paths if compile_path(path)[0].fullmatch(here)]
    methods = {method.upper() for path in fitting for method in paths[path]}
    return methods | {"HEAD"} if "GET" in methods else methods
