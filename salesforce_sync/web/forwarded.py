"""What a proxy that does TLS before this server says of a request: that it came by https, and from where."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from msgspec import Struct

from salesforce_sync.errors import ConfigError

Network = IPv4Network | IPv6Network
_FURTHEST: Final = 20
"""Addresses of X-Forwarded-For that are looked at, from this server on."""


class Before(Struct, frozen=True):
    """Who stands before this server. `proxies`: whose word counts; `anybody`: X-Forwarded-Proto is believed of all.

    That is no danger: whoever lies about it only gets a cookie that his browser does not send. Whoever lies about his
    address would be another in the audit log, and guess tokens without end: that takes a proxy that is named.
    """

    proxies: tuple[Network, ...] = ()
    anybody: bool = False

    def seen(self, scope: MutableMapping[str, Any], headers: Mapping[str, str]) -> MutableMapping[str, Any]:
        """The request as it was before the proxy."""
        peer = scope["client"][0] if scope.get("client") else ""
        known = self._is_proxy(peer)
        if not (known or self.anybody or _is_loopback(peer)):
            return scope
        seen = scope
        if headers.get("x-forwarded-proto", "").partition(",")[0].strip().casefold() == "https":
            seen = {**seen, "scheme": "https"}
        address = self._address(headers.get("x-forwarded-for", "")) if known else ""
        return {**seen, "client": (address, 0)} if address else seen

    def _address(self, forwarded: str) -> str:
        """The last address that no proxy of ours has: what stands before it, anybody could have written."""
        for each in reversed(forwarded.split(",")[-_FURTHEST:]):
            address = each.strip()
            if not _is_address(address):
                return ""
            if not self._is_proxy(address):
                return address
        return ""

    def _is_proxy(self, address: str) -> bool:
        return bool(self.proxies) and _is_address(address) and any(_in(address, each) for each in self.proxies)


def networks(given: tuple[str, ...]) -> tuple[Network, ...]:
    """The proxies' addresses and networks, as they were typed; `ConfigError` names one that is none."""
    try:
        return tuple(ip_network(each, strict=False) for each in given)
    except ValueError as error:
        raise ConfigError(f"--proxy: {error}.", hint="Such as 10.0.0.2, or 10.0.0.0/24.") from None


@lru_cache(1_000)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(1_000)
def _is_loopback(text: str) -> bool:
    return _is_address(text) and ip_address(text).is_loopback


def _in(address: str, network: Network) -> bool:
    parsed = ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (parsed if mapped is None else mapped) in network
