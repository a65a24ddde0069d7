"""`Pace`: how long change events, and what they have left unsure, are waited for."""

from __future__ import annotations

from msgspec import Struct


class Pace(Struct, frozen=True):
    """How long things are waited for, in seconds.

    A stream that has said nothing for `silence` is begun anew (the org says something every 270 s at least), and so are
    all where this machine was suspended for longer than `sleep`. Broken
    streams are taken up after `first_wait`, then twice that, up to `longest_wait`; and up to a half of it sooner, so
    that not all come back at once; so do polls that have failed. Records are read again, what events left unsure is
    polled, and what begins anew is polled, at once as long as `calls` are saved up, for each of these so many, of which
    one comes back every `call_every`.
    """

    silence: float = 300.0
    sleep: float = 5.0
    first_wait: float = 0.5
    longest_wait: float = 300.0
    calls: int = 10
    call_every: float = 60.0
    look_every: float = 0.1

    def wait(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(30, max(0, failures - 1)))
