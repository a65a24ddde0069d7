"""`SFSync`: the one place where everything is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from salesforce_sync.collection import Collection, Objects
from salesforce_sync.config import Config
from salesforce_sync.models.account import Account
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.opportunity import Opportunity
from salesforce_sync.models.connection import Connection
from salesforce_sync.models.run import ObjectStatus, Run
from salesforce_sync.ports import Clock, Org, Store, Usage


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` shows. `connected_to` is the instance URL, None without a connection."""

    database: Path
    connected_to: str | None
    objects: tuple[ObjectStatus, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read-only SQL query gave; `cut` when there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    cut: bool
