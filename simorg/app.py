"""The ASGI application: bytes in, bytes out, with compression, size limits and faults."""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from isal import igzip

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
        faults = [] if raw_path.startswith(CONTROL_ROOT) else self.org.faults.for_request(scope["method"], target)
        wire = Wire(scope, send, faults)
        body = Body.spooled()
        try:
            await self._serve(_Exchange(scope, receive, wire, faults, body, raw_path, target))
        except Broken:
            LOG.debug("%s %s was broken by a fault", scope["method"], target)
        finally:
            body.file.close()

    async def _serve(self, exchange: "_Exchange") -> None:
        early = await self._before(exchange)
        if early is None:
            headers = _headers(exchange.scope)
            problem = await _read_body(exchange.receive, headers, exchange.body)
            call = _call(self.org, exchange, headers)
            answer = self._answer if problem is None else lambda *_: error_response(problem)
            early = await self._in_thread(answer, call, exchange.raw_path)
        if any(fault.drop == "after" for fault in exchange.faults):
            exchange.wire.cut()
        await self._send(exchange, early)

    async def _before(self, exchange: "_Exchange") -> Response | None:
        """Let the faults happen that come before the work; return an answer that takes the work's place."""
        for fault in exchange.faults:
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.expire:
                _expire(self.org, exchange.scope)
            if fault.drop == "before":
                exchange.wire.cut()
            if fault.status is not None:
                return _fault_response(fault)
        return _too_large(exchange)

    def _answer(self, call: Call, raw_path: str) -> Response:
        response = self.router.answer(call, raw_path)
        if "x-prettyprint" in call.headers and response.headers.get("Content-Type") == JSON_TYPE:
            response = replace(response, body=msgspec.json.format(_whole(response), indent=2))
        return _compressed(response, call.headers.get("accept-encoding", ""))

    async def _send(self, exchange: "_Exchange", response: Response) -> None:
        headers = {"Date": http_date(self.org.clock.now_ms()), **response.headers}
        if _is_counted(exchange.raw_path):
            headers.setdefault("Sforce-Limit-Info", self.org.usage.info())
        headers.setdefault("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
        if response.status in (204, 304):
            response = replace(response, body=b"")
        if isinstance(response.body, bytes):
            if response.status not in (204, 304):
                headers["Content-Length"] = str(len(response.body))
            await exchange.wire.start(response.status, headers)
            await exchange.wire.body(b"" if exchange.scope["method"] == "HEAD" else response.body, more=False)
            return
        await exchange.wire.start(response.status, headers)
        await self._send_blocks(exchange, iter(response.body))

    async def _send_blocks(self, exchange: "_Exchange", blocks: Iterator[bytes]) -> None:
        try:
            while exchange.scope["method"] != "HEAD":
                block = await self._in_thread(next, blocks, None)
                if block is None:
                    break
                await exchange.wire.body(block, more=True)
            await exchange.wire.body(b"", more=False)
        finally:
            close = getattr(blocks, "close", None)
            if close is not None:
                await self._in_thread(close)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)


class _Exchange(msgspec.Struct, frozen=True):
    scope: Scope
    receive: Any
    wire: Any
    faults: list[Fault]
    body: Any
    raw_path: str
    target: str


def _is_counted(raw_path: str) -> bool:
    """Return whether an answer tells the API use: all of REST but the version list."""
    return raw_path.startswith("/services/data/") and raw_path.strip("/") not in ("services/data", "services/data.json")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _call(org: SimOrg, exchange: _Exchange, headers: dict[str, str]) -> Call:
    scope = exchange.scope
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Call(org, scope["method"], unquote(exchange.raw_path), {}, query, headers, exchange.body)


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


def _too_large(exchange: _Exchange) -> Response | None:
    uri = len(exchange.target)
    if uri > MAX_HEAD_BYTES:
        return error_response(ApiError(414, "URI_TOO_LONG", "The length of the URI exceeds the 16,384 byte limit."))
    if uri + sum(len(name) + len(value) + 4 for name, value in exchange.scope["headers"]) > MAX_HEAD_BYTES:
        text = "The combined length of the URI and headers exceeds the 16,384 byte limit."
        return error_response(ApiError(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", text))
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
