"""What may be set of a sink for signals: each key, its kind, and what its value has to be, for a person."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

SinkType = Literal["log", "jsonl", "webhook", "mqtt"]
TYPES: Final = ("log", "jsonl", "webhook", "mqtt")
FORMATS: Final = ("json", "cloudevents")


class SinkSettings(Struct, frozen=True):
    """One sink. `signals` are the names that it wants; none named: all but progress. Paths are absolute.

    `ca_file` holds the certificates of those whose signature on a server's is taken; None: of whom the system trusts.
    """

    type: SinkType
    name: str
    signals: tuple[str, ...] = ()
    format: str = "json"
    path: Path | None = None
    max_mb: int = 16
    url: str = ""
    allow_private: bool = False
    timeout_seconds: int = 10
    host: str = "localhost"
    port: int = 0
    topic: str = "salesforce-sync"
    username: str = ""
    tls: bool = False
    ca_file: Path | None = None
    inbound: bool = True


class BadSink(ValueError):
    """What is wrong with a sink's settings, as the end of a sentence that begins with its place."""


def sinks(value: object, folder: Path) -> tuple[SinkSettings, ...]:
    """The sinks that somebody has written down; relative paths start at `folder`. `BadSink` says what is wrong."""
    if not isinstance(value, (list, tuple)):
        raise BadSink("must be a list of sinks, each with a type: log, jsonl, webhook or mqtt")
    found = tuple(each if isinstance(each, SinkSettings) else _sink(each, folder) for each in value)
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise BadSink(f"has two sinks named {name!r}; give one of them another name")
    return found


def _sink(raw: object, folder: Path) -> SinkSettings:
    if not isinstance(raw, Mapping):
        raise BadSink("must be a list of sinks, such as `- type: jsonl`")
    kind = raw.get("type")
    if kind not in TYPES:
        raise BadSink(f"has a sink of type {kind!r}; there are {', '.join(TYPES)}")
    values: dict[str, Any] = {"type": kind, "name": raw.get("name", kind)}
    for key, value in raw.items():
        if key != "type":
            values[str(key)] = _checked(str(kind), str(key), value)
    if kind == "jsonl":
        values["path"] = _placed(values.get("path", "data/signals.jsonl"), folder)
    if "ca_file" in values:
        values["ca_file"] = _placed(values["ca_file"], folder)
    if kind == "webhook" and not values.get("url"):
        raise BadSink("has a webhook without a url")
    if kind == "webhook":
        _check_url(values["url"], private=values.get("allow_private", False))
    values["name"] = _checked(str(kind), "name", values["name"])
    return SinkSettings(**values)


def _placed(path: str, folder: Path) -> Path:
    return Path(os.path.abspath(folder / Path(path).expanduser()))


def _check_url(url: str, *, private: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or "@" in parts.netloc or parts.scheme not in ("https", "http"):
        raise BadSink("has a webhook whose url is no https address (a password in it would be written into logs)")
    if not url.isascii() or any(each.isspace() for each in url):
        raise BadSink("has a webhook whose url is not in ASCII: a name as xn--…, other letters and blanks as %…")
    if parts.scheme == "http" and not private:
        raise BadSink("has a webhook over plain http, which is taken with allow_private: true only, in your own net")


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_TOPIC = re.compile(r"[^\s#+\0]{1,200}")

Check = Callable[[Any], bool]


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value)


_BASIC: Final[dict[str, tuple[Check, str]]] = {
    "name": (lambda value: bool(isinstance(value, str) and _NAME.fullmatch(value)), "letters, digits, `-`, `_`, `.`"),
    "signals": (
        lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
        "a list of signals' names, such as [sync_failed, conflict]",
    ),
    "format": (lambda value: value in FORMATS, "json or cloudevents"),
}
_OF_TYPE: Final[dict[str, dict[str, tuple[Check, str]]]] = {
    "log": {},
    "jsonl": {
        "path": (_is_path, "the path of a file"),
        "max_mb": (lambda value: _whole(value, 1, 100_000), "a whole number of megabytes from 1"),
    },
    "webhook": {
        "url": (lambda value: isinstance(value, str), "an https address"),
        "allow_private": (lambda value: isinstance(value, bool), "true or false"),
        "timeout_seconds": (lambda value: _whole(value, 1, 60), "a whole number of seconds from 1 to 60"),
        "ca_file": (_is_path, "the path of a file"),
    },
    "mqtt": {
        "host": (lambda value: isinstance(value, str) and bool(value), "a host's name"),
        "port": (lambda value: _whole(value, 1, 65_535), "a port"),
        "topic": (lambda value: bool(isinstance(value, str) and _TOPIC.fullmatch(value)), "a topic without # and +"),
        "username": (lambda value: isinstance(value, str), "a name; the password is SF_MQTT_PASSWORD"),
        "tls": (lambda value: isinstance(value, bool), "true or false"),
        "ca_file": (_is_path, "the path of a file"),
        "inbound": (lambda value: isinstance(value, bool), "true or false"),
    },
}


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _checked(kind: str, key: str, value: object) -> object:
    known = _BASIC | _OF_TYPE[kind]
    if key not in known:
        secret = ". Secrets belong in .env: SF_WEBHOOK_SECRETS, SF_MQTT_PASSWORD" if key in _SECRETS else ""
        raise BadSink(f"has no key {key!r} for {kind}; there are {', '.join(known)}{secret}")
    right, means = known[key]
    if not right(value):
        raise BadSink(f"has a {kind} whose {key} must be {means}")
    return tuple(value) if isinstance(value, list) else value


_SECRETS: Final = ("secret", "secrets", "password", "token", "key")
