"""Where a browser comes back to after a login: a small server on this machine, or an address that a person pastes."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from salesforce_sync.errors import ConfigError, LoginRefused, NotConnected
from salesforce_sync.process.terminal import warn

if TYPE_CHECKING:
    from salesforce_sync.api.browser_login import BrowserLogin

PATH: Final = "/OauthRedirect"
WAIT_SECONDS: Final = 600.0
_LOOK_EVERY: Final = 0.1
_LONGEST_LINE: Final = 16_384

_BACK: Final = "<!doctype html><meta charset=utf-8><title>Salesforce Sync</title><p>{text}</p>"
_GO_ON: Final = "You can close this window and go on in the terminal."
_FOREIGN: Final = "This address does not belong to the login that is going on."


class Landing:
    """The server, while it waits. It listens to this machine alone.

    With `paste_will_do` a port that is taken is no reason to stop: the address can still be pasted.
    """

    def __init__(self, port: int, *, paste_will_do: bool = False) -> None:
        self.came: SimpleQueue[str] = SimpleQueue()
        self.begun: BrowserLogin | None = None
        landing = self

        class Handler(_Handler):
            def __init__(self, *arguments: object) -> None:
                self.landing = landing
                super().__init__(*arguments)  # type: ignore[arg-type]

        self.port = port
        self._server: ThreadingHTTPServer | None = None
        self._taken: ConfigError | None = None
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as taken:
            hint = "Give another one with --redirect-port, and its address to the app as a callback URL."
            self._taken = ConfigError(
                f"Port {port} of this machine cannot be listened to: {taken.strerror}.", hint=hint
            )
            if not paste_will_do:
                raise self._taken from taken
            return
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    @property
    def address(self) -> str:
        """What the app has as its callback URL. Salesforce takes plain http for `localhost` only."""
        return f"http://localhost:{self.port}{PATH}"

    def wait(self, begun: BrowserLogin, seconds: float = WAIT_SECONDS) -> str:
        """The address by which the browser came back, or that somebody pasted; `NotConnected` if nobody did."""
        self.begun, until, pasted = begun, time.monotonic() + seconds, _Pasted()
        server = self._server
        listening = [] if server is None else [server.socket]
        while time.monotonic() < until and (listening or pasted.sources):
            ready, _, _ = select.select([*listening, *pasted.sources], [], [], _LOOK_EVERY)
            if server is not None and server.socket in ready:
                server.handle_request()
            if set(pasted.sources) & set(ready):
                for line in pasted.read():
                    if self.take(line):
                        return line
            try:
                return self.came.get_nowait()
            except Empty:
                continue
        if self._taken is not None:
            raise self._taken  # and nobody can paste anything
        raise NotConnected("Nobody came back from the browser.", hint="Start the login again.")

    def take(self, line: str) -> bool:
        """Whether a pasted line is this login's; if not, the person is told and may try again."""
        from salesforce_sync.api.browser_login import read_code

        assert self.begun is not None
        try:
            read_code(self.begun, line)
        except LoginRefused as refused:
            if refused.reason not in ("state_mismatch", "no_code"):
                return True  # the org's own refusal: it is told as the login's end
            warn(f"{refused.message} Paste the whole address of the page that the browser ended on.")
            return False
        return True

    def close(self) -> None:
        if self._server is not None:
            self._server.server_close()


@contextmanager
def landing(port: int, *, paste_will_do: bool = False) -> Iterator[Landing]:
    """Listen until the block ends; port 0: any that is free."""
    opened = Landing(port, paste_will_do=paste_will_do)
    try:
        yield opened
    finally:
        opened.close()


class _Handler(BaseHTTPRequestHandler):
    landing: Landing
    timeout = 10  # browsers open connections that they never use

    def do_GET(self) -> None:
        from salesforce_sync.api.browser_login import read_code

        parts, begun = urlsplit(self.path), self.landing.begun
        hosts = (f"localhost:{self.landing.port}", f"127.0.0.1:{self.landing.port}")
        if parts.path != PATH or begun is None or self.headers.get("Host") not in hosts:
            self._answer(404, "There is nothing here.")
            return
        try:
            read_code(begun, f"?{parts.query}")
        except LoginRefused as refused:
            if refused.reason in ("state_mismatch", "no_code"):  # some other page's doing: the login goes on waiting
                self._answer(400, _FOREIGN)
                return
        self._answer(200, _GO_ON)
        self.landing.came.put(f"?{parts.query}")

    def _answer(self, status: int, text: str) -> None:
        body = _BACK.format(text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """The request line holds the code: it is written nowhere."""


class _Pasted:
    """Lines of standard input as they come; none once it has ended."""

    def __init__(self) -> None:
        self.sources = [] if sys.stdin is None or sys.stdin.closed else [sys.stdin.fileno()]
        self._held = b""

    def read(self) -> list[str]:
        block = os.read(self.sources[0], 4096)
        if not block:
            self.sources = []
            block = b"\n"
        *lines, self._held = (self._held + block).split(b"\n")
        self._held = self._held[:_LONGEST_LINE]
        return [text for text in (line.decode("utf-8", "replace").strip() for line in lines) if text]


def open_browser(url: str) -> bool:
    """Open the person's browser, where there is one; not over SSH, where it would open on the wrong machine."""
    import webbrowser

    screen = sys.platform != "linux" or not {"DISPLAY", "WAYLAND_DISPLAY"}.isdisjoint(os.environ)
    if "SSH_CONNECTION" in os.environ or not screen:
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
