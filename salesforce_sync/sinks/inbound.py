"""Signals on their way in: `🔄 OS → FND` asks for a sync; what is not understood is answered. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from salesforce_sync.models.api_names import is_api_name
from salesforce_sync.signals import SOURCE, TARGET

MOST_BYTES: Final = 16 * 1024
SYNC_NAMES: Final = ("sync", "sync_now", "sync_request", "sync_requested", "force_sync")
"""All of them ask for the same."""

# 2026-01-27T14:30:00Z 🔄 OS → FND : sync, object=Contact
_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\S+\s+)?(?P<mark>\S+)\s+(?P<from>\S+)\s*(?:→|->)\s*(?P<to>\S+)(?:\s*:\s*(?P<rest>.*))?\Z",
    re.DOTALL,
)
_MARK: Final = "🔄"


class Wish(Struct, frozen=True):
    """A sync of these objects; of all that are configured if there are none."""

    objects: tuple[str, ...] = ()


class NotUnderstood(Struct, frozen=True):
    """Why nothing follows from what came in."""

    why: str


_KNOWN: Final = f"what may come in are {', '.join(SYNC_NAMES[:-1])} and {SYNC_NAMES[-1]}, which ask for a sync"


def _unknown(name: str) -> NotUnderstood:
    return NotUnderstood(f"there is no signal {name}; {_KNOWN}")


class Reply(Struct, frozen=True):
    """What became of a signal that came in: `number` is that of the request that the daemon has now."""

    accepted: bool
    signal: str
    msg: str
    number: int | None = None


def understood(text: bytes, source: str = SOURCE, target: str = TARGET) -> Wish | NotUnderstood:
    """What somebody wants who sent this line, or JSON with a line in `msg` or a name in `signal`.

    `source` and `target` are ours: what comes in goes the other way.
    """
    if len(text) > MOST_BYTES:
        return NotUnderstood(f"it is longer than {MOST_BYTES} bytes")
    try:
        told = text.decode().strip()
    except UnicodeDecodeError:
        return NotUnderstood("it is not UTF-8")
    if told.startswith(("{", "[", '"')):
        return _of_json(told, source, target)
    return _of_line(told, source, target)


def _of_line(line: str, source: str, target: str) -> Wish | NotUnderstood:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return NotUnderstood(f"it is no signal; a sync is asked for by: {_MARK} {target} → {source}")
    to, rest = found["to"], found["rest"]
    if rest is None and to != source:
        to, _, rest = to.partition(":")  # no blank before what is asked for
    wrong = _wrong_way(found["from"], to, source, target)
    if wrong is not None:
        return wrong
    name, *details = [each.strip() for each in (rest or "").split(",")]
    if "=" in name:
        name, details = "", [name, *details]
    if found["mark"].rstrip("\ufe0f") != _MARK or name not in ("", *SYNC_NAMES):
        return _unknown(f"{found['mark']} {name}".rstrip())
    pairs = (each.partition("=") for each in details)
    named = (value for key, _, value in pairs if key.strip() in ("object", "objects"))
    return _wish(" ".join(named).replace("+", " ").split())


def _of_json(text: str, source: str, target: str) -> Wish | NotUnderstood:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):  # the latter: thousands of brackets within each other
        return NotUnderstood("it is not JSON")
    if not isinstance(document, dict):
        return NotUnderstood("it is not a JSON object")
    name = document.get("signal")
    if name is None and isinstance(document.get("msg"), str):
        return _of_line(document["msg"], source, target)
    wrong = _wrong_way(document.get("from", target), document.get("to", source), source, target)
    if wrong is not None:
        return wrong
    if name is None:
        return NotUnderstood(f"it names no signal; {_KNOWN}")
    if not isinstance(name, str) or name not in SYNC_NAMES:
        return _unknown(repr(str(name)[:100]))
    return _wish(_named(document))


def _named(document: dict[str, Any]) -> object:
    data = document.get("data")
    places = (document, data) if isinstance(data, dict) else (document,)
    for place in places:
        for key in ("objects", "object"):
            if key in place:
                return place[key]
    return []


def _wrong_way(sender: object, receiver: object, source: str, target: str) -> NotUnderstood | None:
    if (sender, receiver) == (target, source):
        return None
    return NotUnderstood(f"it is not from {target} to {source}")


def _wish(names: object) -> Wish | NotUnderstood:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return NotUnderstood("its objects are no names")
    bad = next((each for each in listed if not is_api_name(each)), None)
    if bad is not None:
        return NotUnderstood(f"{bad[:100]!r} is no object's name, which has letters, digits and _: Contact, Widget__c")
    return Wish(tuple(dict.fromkeys(listed)))
