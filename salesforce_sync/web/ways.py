"""What does the same as the commands that an error names: who asks over HTTP may have no shell on this machine.

Programs are told what to send, and people at the page what to click.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

Words = Callable[[str], str]
"""How an error's text is told: `for_programs` or `for_people`."""

HERE_ONLY: Final = "on the server's machine only"
"""For what is done by a command alone."""


class Way(Struct, frozen=True):
    """What does the same as a command: what to send, and what to do on the page, as a sentence; '' where it cannot."""

    http: str
    page: str = ""


_NOTHING_HERE: Final = Way(HERE_ONLY)
_CONNECT: Final = "Log in to the org on the screen of connections."
_DECIDE: Final = "Decide it in the inbox."
_LOSS: Final = (
    "Nothing was removed here. If that is right, press “Remove them here too” at its row among the objects, or have an "
    "editor do so."
)

WAYS: Final[Mapping[str, Way]] = {
    "connect": Way("POST /api/connections/{connectionId}/connect", _CONNECT),
    "connections": Way("GET /api/connections", "The screen of connections lists them."),
    "daemon": _NOTHING_HERE,
    "doctor": _NOTHING_HERE,
    "edit": Way("PATCH /api/objects/{objectApiName}/records/{recordId}", "Edit it on the screen of records."),
    "import --password": Way("POST /api/workbook with X-Workbook-Password", "Say that it has a password, and which."),
    "inbox": Way("GET /api/inbox", "The inbox lists them."),
    "inbox link": Way('POST /api/inbox/{number} with {"action": "link"}', _DECIDE),
    "inbox take": Way('POST /api/inbox/{number} with {"action": "take"}', _DECIDE),
    "init": _NOTHING_HERE,
    "objects": Way("GET /api/objects with ?available=true", "“All of the org”, among the objects, lists them."),
    "push": Way('POST /api/push with {"confirmProduction": true}', "Push on the screen of changes: it asks."),
    "pushes": Way("GET /api/pushes", "The screen of changes lists them."),
    "signals": _NOTHING_HERE,
    "sync": Way('POST /api/sync with {"objects": [...]}', "Select it on the screen of objects, and sync it."),
    "sync --accept-loss": Way('POST /api/sync with {"objects": [...], "acceptLoss": [...]}', _LOSS),
    "user": _NOTHING_HERE,
    "verify": Way('POST /api/verify with {"objects": [...]}', "Select it on the screen of objects, and verify it."),
    "verify --accept-loss": Way('POST /api/verify with {"objects": [...], "acceptLoss": [...]}', _LOSS),
}
"""The ways beside a command, by its first words."""

_WORDS: Final = "|".join(each.replace(" --", r"(?: \w+)? --") for each in sorted(WAYS, key=len, reverse=True))
_NAMED: Final = re.compile(rf"salesforce-sync ({_WORDS})(?![\w-])")
_BETWEEN_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+")


def _way(named: str) -> Way:
    """The way beside a command as it was told: an object may stand before its option."""
    return WAYS[re.sub(r" \w+ --", " --", named)]


def for_programs(details: str) -> str:
    """What an error says, with what to send over HTTP where it names commands."""
    ways = dict.fromkeys(_way(command).http for command in _NAMED.findall(details))
    return f"{details} Over HTTP: {'; '.join(ways)}." if ways else details


def for_people(details: str) -> str:
    """What an error says, with what to do on the page in place of each sentence that names a command."""
    return " ".join(dict.fromkeys(_on_the_page(each) for each in _BETWEEN_SENTENCES.split(details)))


_ANOTHER_LOGIN: Final = "Give a new one, or log in another way."
_OF_A_COMMAND: Final = re.compile(r":? ?--method browser| and name the org with --target-org", re.ASCII)


def in_the_form(details: str) -> str:
    """What was wrong with a login that was tried in the page's form, with what to do there."""
    told = (_in_the_form(each) for each in _BETWEEN_SENTENCES.split(details))
    return " ".join(dict.fromkeys(told))


def _in_the_form(sentence: str) -> str:
    if "salesforce-sync connect" in sentence or "SF_ACCESS_TOKEN" in sentence:
        return _ANOTHER_LOGIN
    return _OF_A_COMMAND.sub("", sentence)


def _on_the_page(sentence: str) -> str:
    named = _NAMED.search(sentence)
    return (named and _way(named[1]).page) or sentence
