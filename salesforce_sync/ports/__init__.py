"""What the rooms may ask of each other: `Org`, `Store`, `Clock`, and what belongs to them.

Every implementation of a port passes the same suite (`tests/contract`).
"""

from salesforce_sync.ports.clock import Clock
from salesforce_sync.ports.desk import Desk
from salesforce_sync.ports.events import Events, Subscription
from salesforce_sync.ports.org import Announce, Order, Org, Usage
from salesforce_sync.ports.outbox import MOST_LISTED, Pushed
from salesforce_sync.ports.reading import OPERATORS, Filter, Place, Selection
from salesforce_sync.ports.store import Store
from salesforce_sync.ports.telling import SinkLog

__all__ = [
    "MOST_LISTED",
    "OPERATORS",
    "Announce",
    "Clock",
    "Desk",
    "Events",
    "Filter",
    "Order",
    "Org",
    "Place",
    "Pushed",
    "Selection",
    "SinkLog",
    "Store",
    "Subscription",
    "Usage",
]
