"""Signals, in and out."""

from __future__ import annotations

from typing import Any

import msgspec

from salesforce_sync.web.bodies.base import ApiName, Body


class SignalIn(Body, frozen=True, kw_only=True):
    """A signal that somebody sends: its name, or its whole line in `msg`."""

    signal: str | None = None
    msg: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    objects: list[ApiName] | None = None
    data: dict[str, Any] | None = None


class SignalTaken(Body, frozen=True, kw_only=True):
    """What became of it: the daemon's request of this number, or a session of this server."""

    success: bool = True
    accepted: bool
    signal: str
    msg: str
    number: int | None = None
    session_id: str | None = None


class SignalBody(Body, frozen=True, kw_only=True):
    """Something that happened."""

    number: int
    ts: str
    signal: str
    from_: str = msgspec.field(name="from")
    to: str
    msg: str
    data: dict[str, Any]


class SignalList(Body, frozen=True, kw_only=True):
    """Signals, oldest first; `newest` is the number of the last one that there is."""

    success: bool = True
    signals: list[SignalBody]
    newest: int
