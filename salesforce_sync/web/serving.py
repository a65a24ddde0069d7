"""Running the server: uvicorn on one address, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import uvicorn
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.access import Deed, Role
from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError, SyncError
from salesforce_sync.web.forwarded import Before, networks
from salesforce_sync.web.guard import LOOPBACK, Bounds, Guard
from salesforce_sync.web.house import House, Settings
from salesforce_sync.web.incoming import Incoming
from salesforce_sync.web.making import application, refusal
from salesforce_sync.web.quick_lists import QuickLists

PORT: Final = 8765
GRACE_SECONDS: Final = 1
"""How long requests that are under way have to end once the server is told to stop."""

FIRST_ADMIN: Final = "admin"


class AddressInUse(SyncError):
    """Another program listens there, or this one may not."""

    code = "ADDRESS_IN_USE"


class Place(Struct, frozen=True):
    """Where to listen. `names`: further names that the server answers to; `plain`: without TLS to other machines.

    `proxies`: addresses, or networks, of what does TLS before it, whose word on where a request comes from counts.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    plain: bool = False
    proxies: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def checked(self) -> Place:
        """The place, if it is safe to listen there; `ConfigError` says what is missing."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("TLS needs a certificate and its key.", hint="Give both --tls-cert and --tls-key.")
        if not self.loopback and self.certificate is None and not self.plain:
            raise ConfigError(
                f"Tokens and records would go to {self.host} in plain text.",
                hint="Give --tls-cert and --tls-key, or say --plain-http if something before it does TLS.",
            )
        if self.certificate is not None:
            self._check_certificate()
        return self

    def _check_certificate(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(self.certificate), self.key, password="")
        except (OSError, ValueError) as error:  # an SSLError is an OSError; a key that has a password, a ValueError too
            raise ConfigError(
                f"{self.certificate} and {self.key} are not a certificate and its key: {error}.",
                hint="--tls-cert wants a PEM file, the certificate first, its chain after it; --tls-key an open key.",
            ) from error


class Welcome(Struct, frozen=True):
    """Where the server is, and, at the very first start, what lets its first admin in."""

    url: str
    token: str | None = None
    link: str | None = None


class Running:
    """A server that is bound to its address. `run` serves until `stop` is called or a signal comes."""

    def __init__(self, config: Config, place: Place, settings: Settings | None = None) -> None:
        place.checked()
        self.place = place
        before = Before(networks(place.proxies), anybody=place.plain)
        self._socket = _bound(place)
        base = settings or Settings()
        names = frozenset(each.casefold() for each in (*LOOPBACK, place.host, _bracketed(place.host), *place.names))
        bounds = replace(base.bounds, hosts=names, tls=place.certificate is not None, before=before)
        self.house = House(config, replace(base, bounds=bounds))
        self.app = application(self.house)
        self._server = _Server(self._configured(bounds), self._stopping)

    def _configured(self, bounds: Bounds) -> uvicorn.Config:
        return uvicorn.Config(
            Guard(QuickLists(self.app), bounds, refusal),
            loop="asyncio",
            http=Incoming,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=self.place.certificate,
            ssl_keyfile=self.place.key,
        )

    @property
    def url(self) -> str:
        """The address, as a person types it."""
        host, port = self._socket.getsockname()[:2]
        name = self.place.names[0] if self.place.names else "127.0.0.1" if host in ("0.0.0.0", "::") else host
        return f"{'https' if self.place.certificate else 'http'}://{_bracketed(name)}:{port}"

    def welcome(self, who: str) -> Welcome:
        """Make the first admin, if there is no user yet; gives what lets him in.

        The audit log has who started the server, as `who` (`os:pi`) names him.
        """
        users = self.house.access.users
        if users.list():
            return Welcome(self.url)
        with self.house.doing(Deed(who, "user add", FIRST_ADMIN, "cli", Role.ADMIN.value)):
            user, token = users.add(FIRST_ADMIN, Role.ADMIN)
        # Behind the #: a browser keeps that to itself, so it is in no log and no Referer.
        return Welcome(self.url, token, f"{self.url}/login#{self.house.access.logins.link(user)}")

    def run(self, ready: Callable[[], None] = lambda: None) -> bool:
        """Serve until the end; `ready` is called when the server answers. False: a run could not be ended in time.

        Its threads would keep the process from ending; the database is made to be left at any instant.
        """
        self._server.ready = ready
        try:
            self._server.run([self._socket])
        finally:
            self._stopping()
            closed = self.house.close()
        return closed

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._server.should_exit = True

    def _stopping(self) -> None:
        self.house.stop()


class _NoCutRequests(logging.Filter):
    """Leaves out that a request was cut off: uvicorn writes each as an error, also when the server is told to end."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


_NO_CUT_REQUESTS: Final = _NoCutRequests()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it answers and when it was told to stop."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready: Callable[[], None] = lambda: None
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's own, but a signal is not raised once more at the end: it was obeyed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Sessions end first, and with them the streams that tell of them: nobody would close those otherwise.
        await asyncio.to_thread(self._stopping)
        logging.getLogger("uvicorn.error").addFilter(_NO_CUT_REQUESTS)  # which end after this, with the loop
        await super().shutdown(sockets)


def _bound(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((place.host, place.port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"{place.host}:{place.port} cannot be listened on: {error.strerror}.",
            hint="Give another --port; --port 0 takes a free one.",
        ) from error
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
