"""Values that were replaced, kept for a while: who changed what, and when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from salesforce_sync.models.values import Stored


class Origin(StrEnum):
    """What replaced a value."""

    PULL = "pull"
    PUSH = "push"
    SAVE = "save"
    """What the org made of a push as it saved it, as far as that came with the answer: its triggers and formulas."""
    DECISION = "decision"


class Replaced(Struct, frozen=True):
    """One field's value before and after (stored forms). `at` is this machine's time (UTC).

    `who` is the user's id in the org, as LastModifiedById told it, for what the org brought; empty where unknown.
    `push_id` names the push that sent the new value, or for which the org set it.
    """

    object_name: str
    record_id: str
    field: str
    old: Stored
    new: Stored
    origin: Origin
    at: datetime
    who: str = ""
    push_id: str | None = None


class Keeping(Struct, frozen=True):
    """How much history is kept: versions of the last `days` days, and at most `rows` of each object; 0: none."""

    days: int = 90
    rows: int = 50_000
