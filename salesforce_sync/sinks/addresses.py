"""Where a webhook may go: a name is resolved first, and what it leads to is looked at and then connected to.

Looking at the name alone would not do: it may lead to another address a moment later.
"""

from __future__ import annotations

import ipaddress
import socket

from msgspec import Struct

from salesforce_sync.errors import SinkDown

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Address(Struct, frozen=True):
    """One address to connect to."""

    family: int
    where: tuple[str, int]


def resolve(host: str, port: int, *, allow_private: bool) -> tuple[Address, ...]:
    """The host's addresses. `SinkDown` if there are none, or if one is not public and `allow_private` is not set."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SinkDown(f"The name {host} leads nowhere: {error}.") from error
    addresses = tuple(Address(family, (str(where[0]), port)) for family, _, _, _, where in found)
    for each in addresses:
        if not allow_private and not is_public(each.where[0]):
            raise SinkDown(f"{host} leads to {each.where[0]}, which is not public: allow_private is not set.")
    return addresses


def is_public(address: str) -> bool:
    """Whether this is an address of the open internet, also where it is one of IPv4 in the form of IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
