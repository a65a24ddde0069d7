"""A sync session of the HTTP API as the store keeps it, beyond the life of the server that runs it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class KeptSession(Struct, frozen=True):
    """Who began it, when, and how it ended; `finished` None: not yet. `told` is what was told of it, as JSON."""

    session_id: str
    owner: str
    started: datetime
    finished: datetime | None
    state: str
    told: bytes
