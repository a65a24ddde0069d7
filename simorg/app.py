"""The ASGI application: bytes in, bytes out, with compression, size limits and faults."""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from isal import igzip

from simorg.breaking import BrokenOff, after_rows
from simorg.faults import Fault
from simorg.http import JSON_TYPE, ApiError, Body, Call, Response, encode_json, error_response, parser_error, takes_gzip
from simorg.org import SimOrg
from simorg.router import Router
from simorg.sending import Broken, Wire
from simorg.times import http_date

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
CONTROL_ROOT = "/_control/"
MAX_HEAD_BYTES = 16_384
COMPRESS_FROM = 200
THREADS = 24
LOG = logging.getLogger("simorg")


class App:
    """Serves one org; handlers run in threads, so that the loop stays free for the others."""

    def __init__(self, org: SimOrg, router: Router) -> None:
        self.org = org
        self.router = router
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="simorg")

    def close(self) -> None:
        """Let the threads go."""
        self.threads.shutdown(wait=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or break it as the faults say."""
        if scope["type"] != "http":
            return
        raw_path = scope["raw_path"].decode("latin-1")
        target = raw_path + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
        body = Body.spooled()
        try:
            await self._serve(_Request(scope, receive, body, raw_path, target), send)
        except Broken:
            LOG.debug("%s %s was broken by a fault", scope["method"], target)
        finally:
            body.file.close()

    async def _serve(self, request: "_Request", send: Send) -> None:
        headers = _headers(request.scope)
        controlled = request.raw_path.startswith(CONTROL_ROOT)  # no fault touches the control API
        method, faults = request.scope["method"], self.org.faults
        chosen = [] if controlled else faults.for_request(method, request.target)
        problem = _too_large(request) or await _read_body(request.receive, headers, request.body)
        if faults.asks_for_bodies and not controlled:
            chosen += await self._in_thread(lambda: faults.for_body(method, request.target, request.body.read()))
        exchange = _Exchange(request, Wire(request.scope, send, chosen), chosen)
        early = error_response(problem) if problem else await self._before(exchange)
        response = early or await self._in_thread(self._done, exchange, _call(self.org, request, headers))
        await self._send(request, exchange.wire, await self._after(exchange, response))

    async def _before(self, exchange: "_Exchange") -> Response | None:
        """Let the faults happen that come before the work; return an answer that takes the work's place."""
        for fault in exchange.faults:
            if fault.delay and not fault.after_work:
                await asyncio.sleep(fault.delay)
            if fault.expire:
                _expire(self.org, exchange.request.scope)
            if fault.drop == "before":
                exchange.wire.cut()
            if fault.status is not None and not fault.after_work:
                return _fault_response(fault)
        return None

    async def _after(self, exchange: "_Exchange", response: Response) -> Response:
        """Let the faults happen to the answer of work that is done."""
        for fault in exchange.faults:
            if fault.delay and fault.after_work:
                await asyncio.sleep(fault.delay)
            if fault.drop == "after" or (fault.save_rows is not None and fault.status is None):
                exchange.wire.cut()
            if fault.status is not None and fault.after_work:
                await self._in_thread(_close, response.body)
                response = _fault_response(fault)
        return response

    def _done(self, exchange: "_Exchange", call: Call) -> Response:
        """Do the work, or as much of it as a fault allows."""
        rows = [fault.save_rows for fault in exchange.faults if fault.save_rows is not None]
        if not rows:
            return self._answer(call, exchange.request.raw_path)
        try:
            with after_rows(min(rows)):
                return self._answer(call, exchange.request.raw_path)
        except BrokenOff:
            return Response(500)  # nobody sees it: the fault cuts or has an answer of its own

    def _answer(self, call: Call, raw_path: str) -> Response:
        response = self.router.answer(call, raw_path)
        if "x-prettyprint" in call.headers and response.headers.get("Content-Type") == JSON_TYPE:
            response = replace(response, body=msgspec.json.format(_whole(response), indent=2))
        return _compressed(response, call.headers.get("accept-encoding", ""))

    async def _send(self, request: "_Request", wire: Wire, response: Response) -> None:
        headers = {"Date": http_date(self.org.clock.now_ms()), **response.headers}
        if _is_counted(request.raw_path):
            headers.setdefault("Sforce-Limit-Info", self.org.usage.info())
        headers.setdefault("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
        if response.status in (204, 304):
            response = replace(response, body=b"")
        if isinstance(response.body, bytes):
            if response.status not in (204, 304):
                headers["Content-Length"] = str(len(response.body))
            await wire.start(response.status, headers)
            await wire.body(b"" if request.scope["method"] == "HEAD" else response.body, more=False)
            return
        await wire.start(response.status, headers)
        await self._send_blocks(request, wire, iter(response.body))

    async def _send_blocks(self, request: "_Request", wire: Wire, blocks: Iterator[bytes]) -> None:
        try:
            while request.scope["method"] != "HEAD":
                block = await self._in_thread(next, blocks, None)
                if block is None:
                    break
                await wire.body(block, more=True)
            await wire.body(b"", more=False)
        finally:
            await self._in_thread(_close, blocks)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)


@dataclass(frozen=True, slots=True)
class _Request:
    scope: Scope
    receive: Receive
    body: Body
    raw_path: str
    target: str


@dataclass(frozen=True, slots=True)
class _Exchange:
    request: _Request
    wire: Wire
    faults: list[Fault]


def _close(blocks: object) -> None:
    """Let go of what the maker of an answer's blocks holds."""
    close = getattr(blocks, "close", None)
    if close is not None:
        close()


def _is_counted(raw_path: str) -> bool:
    """Return whether an answer tells the API use: all of REST but the version list."""
    return raw_path.startswith("/services/data/") and raw_path.strip("/") not in ("services/data", "services/data.json")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _call(org: SimOrg, request: _Request, headers: dict[str, str]) -> Call:
    scope = request.scope
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Call(org, scope["method"], unquote(request.raw_path), {}, query, headers, request.body)


def _expire(org: SimOrg, scope: Scope) -> None:
    token = _headers(scope).get("authorization", "").partition(" ")[2]
    org.sessions.end(token.strip())


def _fault_response(fault: Fault) -> Response:
    status = fault.status or 500
    if isinstance(fault.body, str):
        return Response(status, fault.body.encode(), {"Content-Type": "text/html;charset=UTF-8", **fault.headers})
    if fault.body is None:
        code, text = ("SERVER_UNAVAILABLE", "Server Unavailable") if status == 503 else ("UNKNOWN_EXCEPTION", "Fault")
        made = error_response(ApiError(status, code, text))
        return replace(made, headers=made.headers | dict(fault.headers))
    return Response(status, encode_json(fault.body), {"Content-Type": JSON_TYPE, **fault.headers})


def _too_large(request: _Request) -> ApiError | None:
    uri = len(request.target)
    if uri > MAX_HEAD_BYTES:
        return ApiError(414, "URI_TOO_LONG", "The length of the URI exceeds the 16,384 byte limit.")
    if uri + sum(len(name) + len(value) + 4 for name, value in request.scope["headers"]) > MAX_HEAD_BYTES:
        text = "The combined length of the URI and headers exceeds the 16,384 byte limit."
        return ApiError(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", text)
    return None


async def _read_body(receive: Receive, headers: dict[str, str], body: Body) -> ApiError | None:
    """Take the request's body in, inflated; return the error of a broken compression."""
    inflate = _inflater(headers.get("content-encoding", ""))
    problem: ApiError | None = None
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Broken
        more = message.get("more_body", False)
        try:
            body.file.write(inflate(message.get("body", b"")))
        except zlib.error:
            problem = parser_error("The request body could not be decompressed")
    return problem


def _inflater(encoding: str) -> Callable[[bytes], bytes]:
    if encoding.lower() == "gzip":
        return zlib.decompressobj(31).decompress
    if encoding.lower() == "deflate":
        return zlib.decompressobj().decompress
    return bytes


def _compressed(response: Response, accepts: str) -> Response:
    """Compress a whole body when the client takes gzip; blocks are left to their maker."""
    body = response.body
    if not takes_gzip(accepts) or not isinstance(body, bytes) or len(body) < COMPRESS_FROM:
        return response
    if "Content-Encoding" in response.headers or response.headers.get("Content-Type") == "application/octet-stream":
        return response
    headers = response.headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if "ETag" in headers:  # the compressed form is another one
        headers["ETag"] = headers["ETag"].removesuffix('"') + '-gzip"'
    return replace(response, body=igzip.compress(body, 1), headers=headers)


def _whole(response: Response) -> bytes:
    blocks: Iterable[bytes] = [response.body] if isinstance(response.body, bytes) else response.body
    return b"".join(blocks)
