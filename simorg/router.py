"""Finds the handler of a request and runs it: login, API count, version and method are checked here."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from simorg import ids, origins
from simorg.auth import Session
from simorg.breaking import BrokenOff
from simorg.http import ApiError, Body, Call, Response, Route, error_response, not_found
from simorg.org import VERSIONS, SimOrg

REST_ROOT = "/services/data/"
LOG = logging.getLogger("simorg")


class Router:
    """All routes of an org."""

    def __init__(self, org: SimOrg, routes: Iterable[Route]) -> None:
        self.org = org
        self.routes = list(routes)

    def answer(self, call: Call, raw_path: str) -> Response:
        """Answer a request from outside; every error becomes Salesforce's error array."""
        try:
            return self._answer(call, raw_path)
        except ApiError as error:
            return error_response(error)
        except BrokenOff:  # asked for by a fault, which says what the caller gets
            raise
        except Exception:  # the outermost door: a real org, too, answers a mistake of its own with a 500
            LOG.exception("%s %s failed", call.method, raw_path)
            text = "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (1)"
            return error_response(ApiError(500, "UNKNOWN_EXCEPTION", text))

    def _answer(self, call: Call, raw_path: str) -> Response:
        found = self.find(raw_path)
        if not _needs_login(found, raw_path):
            with origins.writing(origins.of_call(raw_path, call.headers, None)):
                return self._run(call, found)
        session = self._login(call.headers)
        self._count(call, found, raw_path)
        try:
            with origins.writing(origins.of_call(raw_path, call.headers, session.user_id)):
                response = self._run(replace(call, session=session), found)
        except ApiError as error:
            response = error_response(error)
        return response

    def find(self, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a percent-encoded path with its parameters, or None; `.json` at the end is taken off."""
        if raw_path.endswith(".json") and raw_path.startswith("/services/data"):
            found = self._match(raw_path.removesuffix(".json"))
            # the last part of a key's path is a value, which may end so itself
            if found is not None and ("value" not in found[1] or ids.normalize(found[1].get("key", ""))):
                return found
        return self._match(raw_path)

    def _match(self, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            params = route.match(raw_path)
            if params is not None:
                return route, params
        return None

    def part(self, parent: Call, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Answer a part of a composite request: no login, no count, errors as an answer."""
        raw_path, _, query = url.partition("?")
        call = Call(
            parent.org,
            method.upper(),
            raw_path,
            {},
            dict(parse_qsl(query, keep_blank_values=True)),
            {name.lower(): value for name, value in headers.items()},
            Body(body),
            parent.session,
            inner=True,
        )
        try:
            return self._run(call, self.find(raw_path))
        except ApiError as error:
            return error_response(error)

    def _run(self, call: Call, found: tuple[Route, dict[str, str]] | None) -> Response:
        if found is None:
            raise not_found()
        route, params = found
        if "version" in params and params["version"] not in VERSIONS:
            raise retired(params["version"])
        method = "GET" if call.method == "HEAD" else call.method
        if method == "POST" and "_HttpMethod" in call.query:
            method = call.query["_HttpMethod"].upper()
        handler = route.handlers.get(method)
        if handler is None:
            text = f"HTTP Method '{method}' not allowed. Allowed are {route.allowed()}"
            raise ApiError(405, "METHOD_NOT_ALLOWED", text, headers={"Allow": route.allowed()})
        _check_media_type(call, route, method)
        self.org.tick()
        return handler(replace(call, method=method, params=params))

    def _login(self, headers: Mapping[str, str]) -> Session:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind and kind.lower() not in ("bearer", "oauth"):
            raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        session = self.org.sessions.use(token.strip())
        if session is None:
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if not {"api", "full"} & set(session.scope.split()):
            raise ApiError(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
        return session

    def _count(self, call: Call, found: tuple[Route, dict[str, str]] | None, raw_path: str) -> None:
        if self.org.usage.exhausted:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.org.usage.add(1, f"{call.method} {found[0].pattern if found else raw_path}")


def _check_media_type(call: Call, route: Route, method: str) -> None:
    """Refuse a body of another kind than the resource takes; a client that does not tell the kind is believed."""
    sent = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent and route.auth and not call.inner and method in ("POST", "PATCH", "PUT") and sent not in route.takes:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"MediaType of '{sent}' is not supported by this resource")


def retired(version: str) -> ApiError:
    """Return the answer for a version that is gone (410) or never was (404)."""
    if re.fullmatch(r"[1-9]\d?\.0", version) and float(version) < float(VERSIONS[0]):
        return ApiError(410, "UNSUPPORTED_API_VERSION", f"API version {version} is retired")
    return not_found()


def _needs_login(found: tuple[Route, dict[str, str]] | None, raw_path: str) -> bool:
    if found is not None:
        return found[0].auth
    return raw_path.startswith(REST_ROOT)
