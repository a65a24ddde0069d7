"""Composite, composite batch and composite graph: several requests in one call."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from simorg.http import ApiError, Call, Response, Route, decode_json, encode_json, json_response
from simorg.http_version import ROOT

if TYPE_CHECKING:
    from simorg.org import SimOrg

MAX_PARTS = 25
MAX_QUERIES = 5
MAX_GRAPHS = 75
MAX_NODES = 500
GRAPH_ID_CHARACTERS = 40
HALTING_GRAPHS = 14
_REFERENCE = re.compile(r"@\{([^}]*)\}")
_NAME = re.compile(r"\w+\Z", re.ASCII)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
FORBIDDEN_HEADERS = frozenset({"accept", "authorization", "content-type"})
ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(f"{ROOT}/composite", {"GET": resources, "POST": composite}),
        Route(f"{ROOT}/composite/batch", {"POST": batch}),
        Route(f"{ROOT}/composite/graph", {"POST": graph}),
    ]


def resources(call: Call) -> Response:
    """List the composite resources."""
    root = f"/services/data/v{call.version}/composite"
    return json_response({name: f"{root}/{name}" for name in ("batch", "graph", "sobjects", "tree")})


def _bad(message: str) -> ApiError:
    return ApiError(400, "INVALID_INPUT", message)


def composite(call: Call) -> Response:
    """Do up to 25 requests in order; later ones may refer to the answers of earlier ones."""
    body = call.json_object()
    parts = _parts(body, MAX_PARTS)
    asking = sum(1 for part in parts if re.search(r"/(query|queryAll|composite/sobjects)\b", part["url"]))
    if asking > MAX_QUERIES:
        raise _bad(f"A composite request may hold {MAX_QUERIES} query or collection requests, not {asking}")
    collate = call.org.rules.reorder_collated_parts and body.get("collateSubrequests", float(call.version) >= 49)
    order = (_collated if collate else _in_order)(parts)
    run = _run_all_or_none if body.get("allOrNone") else _run_parts
    return json_response({"compositeResponse": run(call, parts, order)})


def _parts(body: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise _bad("The compositeRequest of the request is missing")
    if len(parts) > most:
        raise _bad(f"A composite request may hold {most} requests, not {len(parts)}")
    names = [str(part.get("referenceId", "")) for part in parts]
    for name, part in zip(names, parts, strict=True):
        if not _NAME.match(name) or names.count(name) > 1:
            raise _bad(f"Provided referenceId '{name}' must be unique and hold only letters, digits and underscores")
        if not str(part.get("url", "")).startswith("/services/data/") or not str(part.get("method", "")).isupper():
            raise _bad(f"The url or method of the request with referenceId {name} is not valid")
        if FORBIDDEN_HEADERS & {header.lower() for header in part.get("httpHeaders") or {}}:
            raise _bad(f"The request with referenceId {name} has a header that a part cannot have")
    return parts


class _Undo(Exception):
    """Rolls the transaction of an all-or-none composite back."""


def _run_parts(call: Call, parts: Sequence[Mapping[str, Any]], order: Sequence[int]) -> list[dict[str, Any]]:
    """Run the parts, each alone, in an order; answer in theirs."""
    answers: dict[int, dict[str, Any]] = {}
    for index in order:
        answers[index] = _run_part(call, parts[index], answers.values())
    return [answers[index] for index in range(len(parts))]


def _run_all_or_none(call: Call, parts: Sequence[Mapping[str, Any]], order: Sequence[int]) -> list[dict[str, Any]]:
    answers: dict[int, dict[str, Any]] = {}
    try:
        with call.org.transaction():
            for index in order:
                answers[index] = _run_part(call, parts[index], answers.values())
                if answers[index]["httpStatusCode"] >= 400 or _has_refused_rows(answers[index]):
                    raise _Undo
    except _Undo:
        failed = parts[index]
        return [answers[index] if part is failed else _halted(part, ROLLED_BACK) for part in parts]
    return [answers[index] for index in range(len(parts))]


def _in_order(parts: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    return range(len(parts))


def _collated(parts: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Return an order that the guide allows for collated parts and that nobody expects: the last ones first.

    Only what a part refers to comes before it; parts with headers are not collated and stay where they are.
    """
    order: list[int] = []
    waiting: list[int] = []
    for index, part in enumerate(parts):
        if part.get("httpHeaders"):
            order += [*_last_first(parts, waiting), index]
            waiting = []
        else:
            waiting.append(index)
    return [*order, *_last_first(parts, waiting)]


def _last_first(parts: Sequence[Mapping[str, Any]], waiting: Sequence[int]) -> list[int]:
    order: list[int] = []
    left = list(waiting)
    while left:
        names = {str(parts[index]["referenceId"]) for index in left}
        free = [index for index in left if not _names_referred_to(parts[index]) & names]
        index = free[-1] if free else left[0]
        left.remove(index)
        order.append(index)
    return order


def _names_referred_to(part: Mapping[str, Any]) -> set[str]:
    text = part["url"] + encode_json(part.get("body")).decode()
    return {re.split(r"[.\[]", path)[0] for path in _REFERENCE.findall(text)}


def _has_refused_rows(answer: Mapping[str, Any]) -> bool:
    """Return whether a collection has rows that failed: all or none of a composite reaches into its collections.

    The part itself keeps its 200 and its row results, even of rows that were rolled back (REST guide, "allOrNone
    Parameters in Composite and Collections Requests", case 4).
    """
    rows = decode_json(bytes(answer["body"])) if isinstance(answer["body"], msgspec.Raw) else None
    return isinstance(rows, list) and any(isinstance(row, dict) and row.get("success") is False for row in rows)


def _halted(part: Mapping[str, Any], message: str) -> dict[str, Any]:
    body = [{"errorCode": "PROCESSING_HALTED", "message": message}]
    return {"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": part["referenceId"]}


def _run_part(call: Call, part: Mapping[str, Any], before: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    known = {answer["referenceId"]: answer for answer in before}
    try:
        url = _filled(part["url"], known, "url")
        body = _filled(part.get("body"), known, "body")
    except _NoValue as missing:
        return _halted(part, str(missing))
    headers = {str(name): str(value) for name, value in (part.get("httpHeaders") or {}).items()}
    response = _dispatch(call, part["method"], str(url), body, headers)
    shown = {name: response.headers[name] for name in ("Location", "ETag", "Last-Modified") if name in response.headers}
    return {
        "body": _embedded(response),
        "httpHeaders": shown,
        "httpStatusCode": response.status,
        "referenceId": part["referenceId"],
    }


def _dispatch(call: Call, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Response:
    if call.org.router is None:
        raise ApiError(503, "SERVER_UNAVAILABLE", "Server Unavailable")
    data = b"" if body is None else encode_json(body)
    return call.org.router.part(call, method, url.replace(" ", "%20"), data, headers)


def _embedded(response: Response) -> Any:
    data = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    if not data:
        return None
    if response.headers.get("Content-Type", "").startswith("application/json"):
        return msgspec.Raw(data)
    return data.decode("utf-8", "replace")


class _NoValue(Exception):
    """A reference has nothing to stand for."""


def _filled(value: Any, known: Mapping[str, Mapping[str, Any]], place: str) -> Any:
    """Put the values of `@{ref.field}` into a URL or body."""
    if isinstance(value, str) and "@{" in value:
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _referred(whole[1], known, place)
        return _REFERENCE.sub(lambda found: str(_referred(found[1], known, place)), value)
    if isinstance(value, dict):
        return {key: _filled(inner, known, place) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known, place) for inner in value]
    return value


def _referred(path: str, known: Mapping[str, Mapping[str, Any]], place: str) -> Any:
    missing = _NoValue(f"Invalid reference specified. No value for {path} found in {place}")
    name, _, rest = path.partition(".")
    name, bracket, index = name.partition("[")
    answer = known.get(name)
    if answer is None or answer["httpStatusCode"] >= 400:
        raise missing
    value: Any = decode_json(bytes(answer["body"])) if isinstance(answer["body"], msgspec.Raw) else answer["body"]
    for key, position in _STEP.findall(bracket + index + ("." if bracket else "") + rest):
        try:
            value = value[int(position)] if position else value[key]
        except (KeyError, IndexError, TypeError) as problem:
            raise missing from problem
    if value is None or isinstance(value, (dict, list)):
        raise missing
    return value


def batch(call: Call) -> Response:
    """Do up to 25 independent requests; each counts as an API call."""
    body = call.json_object()
    parts = body.get("batchRequests")
    if not isinstance(parts, list) or not 1 <= len(parts) <= MAX_PARTS:
        raise _bad(f"A batch holds 1 to {MAX_PARTS} requests")
    call.org.usage.add(len(parts) - 1)
    results: list[dict[str, Any]] = []
    failed = False
    for part in parts:
        if failed and body.get("haltOnError"):
            text = "Batch processing halted per request"
            results.append({"statusCode": 412, "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": text}]})
            continue
        url = "/services/data/" + str(part.get("url", "")).removeprefix("/services/data/").lstrip("/")
        response = _dispatch(call, str(part.get("method", "GET")), url, part.get("richInput"), {})
        failed = failed or response.status >= 400
        results.append({"statusCode": response.status, "result": _embedded(response)})
    return json_response({"hasErrors": failed, "results": results})


def graph(call: Call) -> Response:
    """Do up to 75 graphs of requests, each all or none."""
    graphs = call.json_object().get("graphs")
    if not isinstance(graphs, list) or not 1 <= len(graphs) <= MAX_GRAPHS:
        raise _bad(f"A graph request holds 1 to {MAX_GRAPHS} graphs")
    names = [one.get("graphId") if isinstance(one, Mapping) else None for one in graphs]
    if not all(isinstance(name, str) and 0 < len(name) < GRAPH_ID_CHARACTERS for name in names):
        raise _bad(f"Each graph needs a graphId of fewer than {GRAPH_ID_CHARACTERS} characters")
    if len(set(names)) < len(names):
        raise _bad("Duplicate graphId provided in the request")
    if sum(len(one.get("compositeRequest") or []) for one in graphs) > MAX_NODES:
        raise _bad(f"A graph request holds at most {MAX_NODES} nodes")
    answers: list[dict[str, Any]] = []
    for one in graphs:
        parts = _parts(one, MAX_NODES)
        failed = sum(1 for answer in answers if not answer["isSuccessful"])
        many = failed > HALTING_GRAPHS
        run = (
            [_halted(part, ROLLED_BACK) for part in parts] if many else _run_all_or_none(call, parts, _in_order(parts))
        )
        good = all(part["httpStatusCode"] < 400 for part in run)
        answers.append(
            {"graphId": one.get("graphId"), "graphResponse": {"compositeResponse": run}, "isSuccessful": good}
        )
    return json_response({"graphs": answers})
