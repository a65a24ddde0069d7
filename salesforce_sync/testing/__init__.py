"""For the tests of those who build on this package: an org, a store and a clock that live in memory.

They keep the contracts of `ports.py`, as the real ones do: the same suite (`tests/contract`) runs over both.
"""

from salesforce_sync.testing.clock import FrozenClock
from salesforce_sync.testing.memory_events import MemoryEvents
from salesforce_sync.testing.memory_org import MemoryOrg
from salesforce_sync.testing.memory_store import MemoryStore
from salesforce_sync.testing.schemas import make_field, make_schema
from salesforce_sync.testing.signals import CapturedSignals, capture_signals

__all__ = [
    "CapturedSignals",
    "FrozenClock",
    "MemoryEvents",
    "MemoryOrg",
    "MemoryStore",
    "capture_signals",
    "make_field",
    "make_schema",
]
