"""HTTP itself: one request out, one answer in. Knows nothing of tokens, retries or Salesforce's errors."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import httpx2
import msgspec

from salesforce_sync.api.inflate import inflate
from salesforce_sync.errors import ConfigError, NeedsPerson, Unreachable

CONNECT_SECONDS = 20.0
READ_SECONDS = 150.0
"""Silence that is borne: a query may run two minutes before its first byte."""

_NO_PROXY = {scheme: None for scheme in ("all://", "http://", "https://")}
_ERROR_BODY = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. Headers and body may hold secrets and never show in `repr`."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


class Incoming:
    """One answer whose body is still on its way. Whoever got it closes it."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def framed(self) -> bool:
        """Whether the transfer itself tells where the body ends, so that a cut one is noticed."""
        names = ("content-length", "transfer-encoding")
        return self._gzip or any(self.header(name) is not None for name in names)

    @property
    def _gzip(self) -> bool:
        return (self.header("content-encoding") or "").lower() in ("gzip", "x-gzip")

    @property
    def _is_json(self) -> bool:
        return "json" in (self.header("content-type") or "").lower()

    def header(self, name: str) -> str | None:
        """The header's value, None where it was not sent."""
        value: str | None = self._response.headers.get(name)
        return value

    def blocks(self) -> Iterator[bytes]:
        """The body as it comes, inflated; `Unreachable` if it ends before its end."""
        return inflate(self._raw()) if self._gzip else self._raw()

    def read(self) -> bytes:
        """The whole body; of an error page only the beginning. `Unreachable` if it ends before its end."""
        held = BytesIO()  # which gives what it has written without a second copy
        for block in self.blocks():
            held.write(block)
            if not self.ok and held.tell() > _ERROR_BODY:
                break
        body = held.getvalue()
        if self.ok and body and not self.framed and self._is_json:
            _check_whole(body)
        return body

    def close(self) -> None:
        """Give the connection back, or end it if the body was not read to its end."""
        with suppress(httpx2.HTTPError):
            self._response.close()

    def abort(self) -> None:
        """End the transfer from another thread: a read that waits there ends at once."""
        stream = self._response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(connection, socket.socket):
            with suppress(OSError):
                # The plain method even on a TLS socket: that one would drop the state that the reader still uses.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _raw(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_raw()
        except (httpx2.HTTPError, httpx2.StreamError) as broken:
            raise _unreachable(str(self._response.request.url.host), broken) from broken


_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)


def _check_whole(body: bytes) -> None:
    """Only the end of the connection has ended this body, and that may have come too soon."""
    try:
        _ANY_JSON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as cut:
        raise Unreachable("The answer was cut off before its end.", hint="Check the network and try again.") from cut


class Wire:
    """The connections to one org, kept open and shared by all threads."""

    def __init__(self) -> None:
        self._clients: dict[tuple[bool, bool], httpx2.Client] = {}
        self._lock = threading.Lock()

    def open(self, outgoing: Outgoing) -> Incoming:
        """Send the request and give the answer once its headers are here; `Unreachable` if none came."""
        headers = {"Accept-Encoding": "gzip", "User-Agent": "salesforce-sync", **outgoing.headers}
        client = self._client_to(urlsplit(outgoing.url))
        try:
            request = client.build_request(outgoing.method, outgoing.url, headers=headers, content=outgoing.body)
            return Incoming(client.send(request, stream=True))
        except (UnicodeError, httpx2.LocalProtocolError):
            # Without its cause, which repeats the header, and so the token.
            hint = "Probably an access token was copied with a line break or a character that is none of it."
            raise ConfigError(
                "The request cannot be sent: a header has characters that HTTP forbids.", hint=hint
            ) from None
        except httpx2.HTTPError as broken:
            raise _unreachable(urlsplit(outgoing.url).netloc, broken) from broken

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()

    def _client_to(self, address: SplitResult) -> httpx2.Client:
        """Made when it is first needed: to read all certificates takes a tenth of a second, which plain http saves."""
        secure, here = address.scheme == "https", is_loopback(address.hostname or "")
        with self._lock:
            if (secure, here) not in self._clients:
                # To this machine in plain http: no proxy may see the token.
                self._clients[secure, here] = _client(secure, mounts=_NO_PROXY if here else None)
            return self._clients[secure, here]


def _client(secure: bool, mounts: Mapping[str, None] | None) -> httpx2.Client:
    """A client; one for plain http trusts no certificate at all."""
    return httpx2.Client(
        verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
        limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=30.0),
        follow_redirects=False,  # a redirect would carry the token to a host that nobody chose
        mounts=mounts,
    )


class NotSent(Unreachable):
    """The connection could not be made, so the org has not seen the request."""


def _unreachable(host: str, broken: Exception) -> Unreachable | NeedsPerson:
    why = str(broken).rstrip(".") or type(broken).__name__
    if "CERTIFICATE_VERIFY_FAILED" in why:
        hint = "If a company proxy stands in between, set SSL_CERT_FILE to its certificate."
        return NeedsPerson(f"The certificate of {host} cannot be trusted: {why}.", code="BAD_CERTIFICATE", hint=hint)
    if isinstance(broken, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        hint = "Check the network and the address (salesforce.instance_url; for a login SF_LOGIN_URL, if that is set)."
        return NotSent(f"No connection to {host}: {why}.", hint=hint)
    return Unreachable(f"The connection to {host} broke: {why}.", hint="Check the network and try again.")


def org_time(date_header: str | None, waited: float) -> datetime | None:
    """The org's time when a request reached it: its `Date` header less the seconds that the answer took."""
    if not date_header:
        return None
    try:
        told = parsedate_to_datetime(date_header)
    except ValueError:
        return None
    return told - timedelta(seconds=max(0.0, waited)) if told.tzinfo else None


def origin(url: str) -> str:
    """`scheme://host[:port]` of an org's address; `ConfigError` for anything that a token must not be sent to."""
    parts = urlsplit(url.strip())
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.username is not None or parts.scheme not in ("https", "http"):
        raise ConfigError(
            f"{url!r} is not the address of an org.", hint="It looks like https://acme.my.salesforce.com."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"{url!r} is not encrypted.", hint="Use https; plain http only goes to this machine itself.")
    shown = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, usual) else "")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
