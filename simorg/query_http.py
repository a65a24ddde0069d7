"""The HTTP doors of SOQL: query, queryAll, further pages, explain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simorg.http import JSON_TYPE, ApiError, Call, Response, Route, json_response
from simorg.query import MAX_BATCH, MIN_BATCH, Asker, queries_of

if TYPE_CHECKING:
    from simorg.org import SimOrg

_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_LOCATOR = re.compile(r"([0-9A-Za-z]{15,18})-(\d{1,12})\Z")


def routes(org: SimOrg) -> list[Route]:
    """The routes of this module."""
    root = "/services/data/v{version}"
    queries_of(org)
    return [
        Route(f"{root}/query", {"GET": query}),
        Route(f"{root}/queryAll", {"GET": query_all}),
        Route(f"{root}/query/{{locator}}", {"GET": more}),
        Route(f"{root}/queryAll/{{locator}}", {"GET": more}),
    ]


def query(call: Call) -> Response:
    """GET /query?q=… or ?explain=…"""
    if "explain" in call.query:
        return json_response(queries_of(call.org).explain(call.query["explain"], _asker(call)))
    return _run(call, all_rows=False)


def query_all(call: Call) -> Response:
    """GET /queryAll?q=…, with deleted rows."""
    return _run(call, all_rows=True)


def more(call: Call) -> Response:
    """GET a nextRecordsUrl."""
    match = _LOCATOR.match(call.params["locator"])
    if match is None:
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _json(queries_of(call.org).more(match[1], int(match[2]), _asker(call)))


def _run(call: Call, *, all_rows: bool) -> Response:
    return _json(queries_of(call.org).run(call.query.get("q", ""), _asker(call), all_rows=all_rows))


def _json(body: bytes) -> Response:
    return Response(200, body, {"Content-Type": JSON_TYPE})


def _asker(call: Call) -> Asker:
    match = _BATCH.search(call.headers.get("sforce-query-options", ""))
    batch = min(max(int(match[1]), MIN_BATCH), MAX_BATCH) if match else MAX_BATCH
    return Asker(call.version, call.user_id, call.session.token if call.session else "", batch)
