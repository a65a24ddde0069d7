"""What every request passes before anything of it is read: host, origin, size, time, and no secret in the URL.

And what every answer carries: the headers that keep a browser from doing more with it than it should.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec import Struct
from starlette.requests import ClientDisconnect

from salesforce_sync.web.failures import (
    Forbidden,
    Mistake,
    Refused,
    ServerBusy,
    ServerEnds,
    TooLarge,
    TooLong,
    TooSlow,
    WrongHost,
)
from salesforce_sync.web.forwarded import Before

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
MOST_BYTES: Final = 1_000_000
MOST_UPLOADED: Final = 100_000_000
BODY_SECONDS: Final = 20.0
"""How long the next part of a body may be on its way, and the whole, but for a second for each 10,000 bytes."""
SLOWEST: Final = 10_000
"""Bytes a second."""
MOST_REQUESTS: Final = 500
"""Requests, streams among them, at the same time."""
LONGEST_URL: Final = 8_000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRETS: Final = frozenset(
    {
        *("token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "authorization", "bearer"),
        *("password", "passwd", "secret", "client_secret", "csrf", "sid"),
    }
)

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: with that a browser sends `Origin: null` with forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


class Bounds(Struct, frozen=True):
    """Which names this server answers to, and how much it takes at once. `tls`: browsers are told to stay with it.

    `before`: whose word counts on how a request came.
    """

    hosts: frozenset[str] = LOOPBACK
    most_bytes: int = MOST_BYTES
    most_uploaded: int = MOST_UPLOADED
    body_seconds: float = BODY_SECONDS
    most_requests: int = MOST_REQUESTS
    tls: bool = False
    before: Before = Before()


class Guard:
    """Stands before the application. Implements ASGI."""

    def __init__(self, app: Asgi, bounds: Bounds, tell: Callable[[Refused, Message], Asgi]) -> None:
        self._app = app
        self._bounds = bounds
        self._tell = tell
        self._under_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _first_values(scope)
        scope = self._bounds.before.seen(scope, headers)
        answer = _Answer(send, scope, self._bounds.tls or scope["scheme"] == "https", self._tell)
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        self._under_way += 1
        try:
            self._check(scope, headers)
            body = _Body(receive, self._limit(scope), self._bounds.body_seconds)
            await self._app(scope, body.receive, answer.send)
        except Refused as refused:
            await answer.refuse(refused, scope, receive)
        except ClientDisconnect:
            return  # nobody is there any more
        except asyncio.CancelledError:  # the server ends, and what was asked takes longer than it has left
            await answer.refuse_if_open(ServerEnds(), scope, receive)
            raise
        except Exception:  # the outermost door of a request: the caller gets a sentence, the log the rest
            log.exception("%s %s failed", scope["method"], scope["path"])
            await answer.refuse(Mistake(), scope, receive)
        finally:
            self._under_way -= 1

    def _limit(self, scope: Message) -> int:
        uploads = scope["path"].startswith("/api/workbook")
        return self._bounds.most_uploaded if uploads else self._bounds.most_bytes

    def _check(self, scope: Message, headers: dict[str, str]) -> None:
        if self._under_way > self._bounds.most_requests:
            raise ServerBusy("Too many requests are under way.", hint="Try again in 5 s.", wait=5)
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise Refused("There are two Host headers.")
        host = headers.get("host", "")
        if _name_of(host) not in self._bounds.hosts:
            raise WrongHost(
                "This server is not called that.", hint="Use the address that it printed, or --allow-host NAME."
            )
        if scope["method"] not in _SAFE:
            _check_origin(headers, host)
        _check_url(scope)
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._limit(scope):
            raise TooLarge(f"A body may have {self._limit(scope):,} bytes.", hint="Send less at once.")


def _first_values(scope: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?", re.ASCII)


def _name_of(host: str) -> str:
    """The name of a Host header, without its port; empty for what is none."""
    found = _HOST.fullmatch(host.casefold())
    return "" if found is None else found[1]


def _check_origin(headers: dict[str, str], host: str) -> None:
    """A page of another origin may not make a browser change anything here. Programs send no Origin."""
    origin = headers.get("origin")
    # https, too, where this server speaks http: something before it may do TLS.
    if origin is not None and origin.casefold() not in (f"http://{host}".casefold(), f"https://{host}".casefold()):
        raise Forbidden("This request comes from a page of another origin.", code="WRONG_ORIGIN")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Forbidden("This request comes from a page of another site.", code="WRONG_ORIGIN")


def _check_url(scope: Message) -> None:
    query = scope["query_string"].decode("latin-1")
    if len(scope["raw_path"]) + len(query) > LONGEST_URL:
        raise TooLong("This address is too long.")
    given = parse_qsl(query, keep_blank_values=True) if query else []
    names, values = {name.casefold() for name, _ in given}, [value for _, value in given]
    if names & _SECRETS or any("sfsync_" in each for each in (scope["path"], query, *values)):
        raise Refused(
            "A secret in a URL is written into logs and histories: it was not looked at.",
            code="SECRET_IN_URL",
            hint="Send it as 'Authorization: Bearer …', and make a new one: this one may have been seen.",
        )


class _Body:
    """The request's body, within its bounds."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._taken = 0
        self._whole = False
        self._began: float | None = None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        # The part and the whole: a byte now and then would hold one of few places for days.
        left = self._began + self._seconds + self._taken / SLOWEST - now
        try:
            message = await asyncio.wait_for(self._receive(), min(self._seconds, left))
        except TimeoutError:
            raise TooSlow("The body did not come in time.") from None
        self._taken += len(message.get("body", b""))
        if self._taken > self._most:
            raise TooLarge(f"A body may have {self._most:,} bytes.", hint="Send less at once.")
        self._whole = not message.get("more_body", False)
        return message


class _Answer:
    """The answer, with the headers that all have."""

    def __init__(self, send: Send, scope: Message, tls: bool, tell: Callable[[Refused, Message], Asgi]) -> None:
        self._send = send
        self._tell = tell
        self._begun = self._ended = False
        self._only_head = scope["method"] == "HEAD"
        api = scope["path"].startswith(("/api", "/metrics"))
        self._more = [*_HEADERS, *([(b"cache-control", b"no-store")] if api else [])]
        if tls:
            self._more.append((b"strict-transport-security", b"max-age=31536000"))

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            given = {name.lower() for name, _ in message["headers"]}
            more = [each for each in self._more if each[0] not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        if self._only_head:
            await self._send_head(message)
            return
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _send_head(self, message: Message) -> None:
        """Of an answer to HEAD there is no body; what would make one hears that nobody listens."""
        if not self._ended and message["type"] == "http.response.start":
            self._ended = True
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})

    async def refuse_if_open(self, refused: Refused, scope: Message, receive: Receive) -> None:
        """Say why not, if nothing was answered yet."""
        if not self._begun:
            await self.refuse(refused, scope, receive)

    async def refuse(self, refused: Refused, scope: Message, receive: Receive) -> None:
        """Say why not; an answer that has begun can only be broken off, and of a whole one nothing is left to say."""
        if self._ended:
            return
        if self._begun:
            raise refused
        await self._tell(refused, scope)(scope, receive, self.send)
