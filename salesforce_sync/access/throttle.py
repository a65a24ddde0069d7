"""`Throttle`: how often somebody may ask. Pure: the caller says what time it is."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from typing import Final

from msgspec import Struct

MOST_KEYS: Final = 10_000


class Limit(Struct, frozen=True):
    """So many at once, and then so many a second."""

    at_once: float
    per_second: float


class _Bucket(Struct):
    tokens: float
    at: float


class Throttle:
    """Token buckets, one for each key (a user, a connection, an address). Safe for several threads.

    `now` is seconds that never go back (`Clock.monotonic`). At most 10,000 keys are held; the one that asked longest
    ago goes first.
    """

    def __init__(self, limit: Limit, *, most_keys: int = MOST_KEYS) -> None:
        self._limit = limit
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, now: float, cost: float = 1.0) -> float:
        """Take from the bucket; 0.0 if there was enough, else how many seconds until there is (and nothing taken)."""
        with self._lock:
            bucket = self._filled(key, now)
            wait = self._missing(bucket, cost)
            if wait == 0.0:
                bucket.tokens -= cost
            self._keep(key, bucket)
            return wait

    def look(self, key: str, now: float, cost: float = 1.0) -> float:
        """How many seconds until `take` would succeed; nothing is taken. For what only counts when it fails."""
        with self._lock:
            return self._missing(self._filled(key, now), cost)

    def forget(self, key: str) -> None:
        """Begin anew with this key: after a login that was right."""
        with self._lock:
            self._buckets.pop(key, None)

    def _filled(self, key: str, now: float) -> _Bucket:
        known = self._buckets.get(key)
        if known is None:
            return _Bucket(self._limit.at_once, now)
        passed = max(0.0, now - known.at)
        return _Bucket(min(self._limit.at_once, known.tokens + passed * self._limit.per_second), now)

    def _missing(self, bucket: _Bucket, cost: float) -> float:
        # A hair of tolerance: whoever waits exactly as long as he was told must not be sent away again by rounding.
        missing = cost - bucket.tokens
        return 0.0 if missing < 1e-6 else missing / self._limit.per_second

    def _keep(self, key: str, bucket: _Bucket) -> None:
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)


def address_key(address: str) -> str:
    """The key of an address: of IPv6 the network of 64 bits, which one machine has all of."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
