"""A real HTTP server on a free port that answers as a test tells it to: for cuts, garbage and other odd answers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `cut` closes the connection after so many bytes of the body, `unframed` sends no length."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    unframed: bool = False
    hold: threading.Event | None = None


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json;charset=UTF-8", **named})


def refusal(code: str, message: str, status: int, **headers: str) -> Reply:
    return json_reply([{"message": message, "errorCode": code}], status, **headers)


def zipped(reply: Reply) -> Reply:
    return Reply(gzip.compress(reply.body), reply.status, {**reply.headers, "Content-Encoding": "gzip"}, reply.cut)


SESSION_ENDED = refusal("INVALID_SESSION_ID", "Session expired or invalid", 401)


class ScriptedServer:
    """Answers each request by `script`; `asked` lists what came."""

    def __init__(self, script: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, script))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """What was asked, but for the list of versions, which is no API call."""
        return [each.path for each in self.asked if each.path.rstrip("/") != "/services/data"]


def _handler(owner: ScriptedServer, script: Callable[[Asked], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body leave together: apart, each answer waits 40 ms for an acknowledgement

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            owner.asked.append(asked)
            self._send(script(asked))

        do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def _send(self, reply: Reply) -> None:
            if reply.cut == 0:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.unframed:
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.wfile.flush()
            if reply.hold is not None:
                reply.hold.wait(20)
            self.close_connection = self.close_connection or reply.cut is not None or reply.unframed

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
