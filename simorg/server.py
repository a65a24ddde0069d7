"""Runs an org's application on a socket, in a thread of its own."""

import asyncio
import importlib
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn

from simorg.app import App
from simorg.http import Route
from simorg.org import SimOrg
from simorg.router import Router
from simorg.sending import Protocol

ROUTE_MODULES = (
    "http_control",
    "http_oauth",
    "http_version",
    "http_describe",
    "query_http",
    "bulk_query",
    "bulk_ingest",
    "http_collections",
    "http_composite",
    "http_tree",
    "http_soap",
    "http_replication",
    "http_records",
)


def all_routes(org: SimOrg) -> Iterator[Route]:
    """Return the routes of every module; the first that matches answers."""
    for name in ROUTE_MODULES:
        yield from importlib.import_module(f"simorg.{name}").routes(org)


LONGEST_SHUTDOWN = 1.0
"""Seconds that answers which are under way get when the server stops."""


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, stopped as soon as it is told: its own looks every 0.1 s, and then waits for 0.1 s more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def tell_to_stop(self) -> None:
        """Let `run` return soon; from any thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)  # the headers of all answers
        if not self.should_exit:
            await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        ends = time.monotonic() + LONGEST_SHUTDOWN
        while (state.connections or state.tasks) and time.monotonic() < ends:
            await asyncio.sleep(0.002)
        for task in state.tasks:
            task.cancel()


class Server:
    """A running HTTP server for one org; use it as a context manager, or call `start` and `stop`."""

    def __init__(self, org: SimOrg, port: int = 0, host: str = "127.0.0.1") -> None:
        self.org = org
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # asyncio sets TCP_NODELAY only on sockets of this protocol number; without it each answer waits 40 ms
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
        org.url = self.url
        router = Router(org, all_routes(org))
        org.router = router
        self._app = App(org, router)
        config = uvicorn.Config(
            self._app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_level="critical",
            log_config=None,  # whoever has the process says how it logs
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=75,
            backlog=512,
        )
        self._uvicorn = _Uvicorn(config)
        self._thread = threading.Thread(target=self._run, name="simorg-server", daemon=True)

    def start(self) -> Self:
        """Begin to serve; returns when the port answers."""
        self._thread.start()
        while not self._uvicorn.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the server on {self.url} did not start")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop serving; the org and its rows stay."""
        self._uvicorn.tell_to_stop()
        self._thread.join(10)
        self._app.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._uvicorn.run(sockets=[self._socket])
