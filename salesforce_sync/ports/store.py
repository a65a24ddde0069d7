"""The local side: all that the rooms may ask of it."""

from __future__ import annotations

from typing import Protocol

from salesforce_sync.ports.deciding import Deciding
from salesforce_sync.ports.editing import Editing
from salesforce_sync.ports.events import Following
from salesforce_sync.ports.outbox import Outbox
from salesforce_sync.ports.pulling import Pulling
from salesforce_sync.ports.reading import Reading
from salesforce_sync.ports.telling import Telling


class Store(Pulling, Following, Editing, Outbox, Deciding, Reading, Telling, Protocol):
    """The local side. May be called from several threads at once; every call that writes is all or nothing.

    A store is made with `policies` (`resolve.Policies`) and with `keeping` (`models.history.Keeping`). A record is
    named by the org's id or, as long as one lives, by its local one.
    """

    def close(self) -> None:
        """Close all connections; files stay."""
