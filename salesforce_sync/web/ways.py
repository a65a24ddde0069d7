"""The way over HTTP beside each command that an error names: who asks over HTTP may have no shell on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HERE_ONLY: Final = "on the server's machine only"
"""For what is done by a command alone."""

WAYS: Final[Mapping[str, str]] = {
    "connect": "POST /api/connections/{connectionId}/connect",
    "connections": "GET /api/connections",
    "daemon": HERE_ONLY,
    "doctor": HERE_ONLY,
    "edit": "PATCH /api/objects/{objectApiName}/records/{recordId}",
    "inbox": "GET /api/inbox",
    "inbox link": 'POST /api/inbox/{number} with {"action": "link"}',
    "inbox take": 'POST /api/inbox/{number} with {"action": "take"}',
    "init": HERE_ONLY,
    "push": 'POST /api/push with {"confirmProduction": true}',
    "pushes": "GET /api/pushes",
    "signals": HERE_ONLY,
    "sync": 'POST /api/sync with {"objects": [...]}',
    "sync --accept-loss": 'POST /api/sync with {"objects": [...], "acceptLoss": [...]}',
    "user": HERE_ONLY,
    "verify --accept-loss": 'POST /api/verify with {"objects": [...], "acceptLoss": [...]}',
}
"""What to send in place of a command, by its first words."""

_NAMED: Final = re.compile(rf"salesforce-sync ({'|'.join(sorted(WAYS, key=len, reverse=True))})(?![\w-])")


def with_ways(details: str) -> str:
    """What an error says, with what to send over HTTP where it names commands."""
    ways = dict.fromkeys(WAYS[command] for command in _NAMED.findall(details))
    return f"{details} Over HTTP: {'; '.join(ways)}." if ways else details
