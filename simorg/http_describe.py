"""Describe: the list of objects, the basics of one, and all about one."""

from typing import TYPE_CHECKING

from simorg import conditions
from simorg.describing import describe_global, describe_object
from simorg.http import ApiError, Call, Response, Route, json_response, not_found
from simorg.http_version import ROOT
from simorg.render import attributes
from simorg.schema import SObject
from simorg.times import http_date

if TYPE_CHECKING:
    from simorg.org import SimOrg


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module; creating a record shares its path with the basics."""
    from simorg.http_records import create  # one route, two modules

    return [
        Route(f"{ROOT}/sobjects", {"GET": describe_all}),
        Route(f"{ROOT}/sobjects/{{object}}", {"GET": basics, "POST": create}),
        Route(f"{ROOT}/sobjects/{{object}}/describe", {"GET": describe}),
    ]


def object_of(call: Call) -> SObject:
    """Return the object in the path as the user sees it, or raise 404."""
    view = call.org.object(call.params["object"])
    if view is None:
        raise not_found()
    return view


def _changed_ms(call: Call) -> int:
    return call.org.permissions.changed_ms


def _last_modified(call: Call) -> dict[str, str]:
    return {"Last-Modified": http_date(_changed_ms(call))}


def describe_all(call: Call) -> Response:
    """List the objects that the user may see."""
    early = conditions.check(call.headers, "GET", _changed_ms(call), None)
    if early is not None:
        return early
    views = [view for view in map(call.org.object, sorted(call.org.objects)) if view is not None]
    entries = [describe_global(view, call.version) for view in views]
    return json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries}, 200, _last_modified(call))


def describe(call: Call) -> Response:
    """Tell all about one object."""
    view = object_of(call)
    refused = call.org.permissions.refusal_to_describe(view.name, alone=not call.inner)
    if refused is not None:
        raise ApiError(*refused, "describe is refused")
    early = conditions.check(call.headers, "GET", _changed_ms(call), None)
    return early or json_response(describe_object(view, call.version), 200, _last_modified(call))


def basics(call: Call) -> Response:
    """Tell the basics of one object and some rows."""
    view = object_of(call)
    name = view.name_field
    rows = call.org.database.rows(f'SELECT "Id" FROM "{view.name}" ORDER BY rowid DESC LIMIT 2')
    recent = [{"attributes": attributes(view, row[0], call.version), "Id": row[0]} for row in rows]
    if name is not None and name.stored:
        for item in recent:
            sql = f'SELECT "{name.name}" FROM "{view.name}" WHERE "Id" = ?'
            item[name.name] = call.org.database.value(sql, (str(item["Id"]),))
    return json_response({"objectDescribe": describe_global(view, call.version), "recentItems": recent})
