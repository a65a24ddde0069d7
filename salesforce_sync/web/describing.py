"""What OpenAPI says of a route: its body and its answers, from the same types that decode and encode them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from salesforce_sync.web.bodies import Body
from salesforce_sync.web.failures import Failure

_REF: Final = "#/components/schemas/{name}"
_MEANINGS: Final = {
    400: "The request cannot mean anything",
    401: "Nobody is logged in, or the org's session has ended (INVALID_SESSION_ID)",
    403: "The caller, or the connected user, may not do this",
    404: "There is no such connection, object, record or session",
    408: "The body did not come in time",
    409: "It cannot be done now: something else has to be done first",
    413: "The body is too large",
    421: "The request was sent to another name than this server's",
    422: "The org refused it for a reason of its own",
    429: "Too many requests, or no API calls are left today; Retry-After says how long to wait",
    502: "The org did not answer as it should",
    503: "This server has too much to do (SERVER_BUSY) or ends (SERVER_ENDS), or the org cannot be reached now",
    504: "The org took too long",
}
LOCAL: Final = (400, 401, 403, 404, 408, 409, 413, 421, 429, 503)
"""How a route may fail that asks the org nothing."""

REMOTE: Final = (*LOCAL, 422, 502, 504)
"""How a route may fail that asks the org."""

_MEDIA: Final[dict[str, dict[str, Any]]] = {
    "text/event-stream": {
        "type": "object",
        "properties": {
            "event": {"type": "string", "description": "`progress` or `session`; of signals the name of one"},
            "id": {"type": "string"},
            "data": {
                "type": "string",
                "description": "A ProgressBody, at the end the SessionBody, or a signal: as JSON",
            },
        },
    }
}
"""What one event, or the whole text, is."""

_TYPES: dict[str, type[Body]] = {}


def parameter(name: str, means: str, schema: Mapping[str, Any] | None = None, where: str = "query") -> dict[str, Any]:
    """A parameter that is read by hand, as OpenAPI describes it; none of them has to be given."""
    return {"name": name, "in": where, "required": False, "description": means, "schema": schema or {"type": "string"}}


_CONNECTION: Final = (
    parameter("X-Connection-Id", "The connection's id or name; without it `default`", where="header"),
    parameter("connection", "The same, for links, downloads and event streams"),
)


def _reference(kind: type[Body]) -> dict[str, Any]:
    _TYPES[kind.__name__] = kind
    return {"$ref": _REF.format(name=kind.__name__)}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def gives(
    kind: type[Body] | None = None,
    *,
    status: int = 200,
    takes: type[Body] | None = None,
    fails: Sequence[int] = LOCAL,
    media: str = "application/json",
    known: bool = True,
    connection: bool = True,
    query: Sequence[dict[str, Any]] = (),
    more: Mapping[int, type[Body]] | None = None,
) -> dict[str, Any]:
    """A route's keyword arguments: it gives this type (or this media type), takes that one, and may fail so.

    `known`: whoever asks has to be known; `connection`: he may say which connection he means.
    """
    schema = _MEDIA.get(media, {"type": "string"}) if kind is None else _reference(kind)
    answers: dict[int | str, dict[str, Any]] = {
        status: {"description": "Done", "content": {media: {"schema": schema}}},
        **{each: {"description": "Begun", "content": _json(_reference(also))} for each, also in (more or {}).items()},
        **{each: {"description": _MEANINGS[each], "content": _json(_FAILURE)} for each in fails},
    }
    extra: dict[str, Any] = {
        "security": [{"token": []}] if known else [],
        "parameters": [*query, *(_CONNECTION if connection else ())],
    }
    if takes is not None:
        extra["requestBody"] = {"content": _json(_reference(takes)), "required": not _may_be_empty(takes)}
    return {"response_model": None, "status_code": status, "responses": answers, "openapi_extra": extra}


_FAILURE: Final = {"$ref": _REF.format(name=Failure.__name__)}


def _may_be_empty(kind: type[Body]) -> bool:
    return all(not field.required for field in msgspec.structs.fields(kind))


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: what FastAPI knows of the routes, and the types of `bodies.py`."""
    from fastapi.openapi.utils import get_openapi

    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, schemas = msgspec.json.schema_components([*_TYPES.values(), Failure], ref_template=_REF)
    components = document.setdefault("components", {})
    components["schemas"] = schemas
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`salesforce-sync user add NAME` prints one"}
    }
    for path in document["paths"].values():
        for operation in path.values():
            if _is_fastapis(operation["responses"].get("422")):
                del operation["responses"]["422"]  # what it cannot read is a 400 here
    return document


def _is_fastapis(answer: Mapping[str, Any] | None) -> bool:
    return answer is not None and "HTTPValidationError" in str(answer)
