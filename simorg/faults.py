"""Faults that tests switch on: what goes wrong, for which requests or jobs, and how often."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a request whose method and path match.

    `path` is a regular expression searched in path plus query, `sends` one searched in the (inflated) body. The fault
    starts at the `nth` matching request and happens `times` times (None: always). `status` answers without doing the
    work and `delay` (seconds) waits before it; with `done` the work is done first, and only its answer is replaced or
    late. The caller's going away stops neither. `cut_after` breaks the connection after that many bytes of the
    answer's body (as sent, so after compression); `reset` makes the break a TCP reset; `drop` is `before` (the work is
    not done) or `after` (the work is done, no answer). `save_rows` lets the request die once it has dealt with so many
    rows of its creates, updates and deletes: these stay (nothing does where all or none was asked for), and the answer
    is `status` or a broken connection. `expire` ends the caller's session first. `job` makes Bulk jobs of a matching
    object (searched by `path` in the object's name) `stuck` or `failed`; `locators` makes query locators `expired`.
    """

    method: str = ".*"
    path: str = ""
    sends: str = ""
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    drop: str | None = None
    done: bool = False
    save_rows: int | None = None
    expire: bool = False
    job: str | None = None
    locators: str | None = None

    def __post_init__(self) -> None:
        _check_word("drop", self.drop, "before", "after")
        _check_word("job", self.job, "stuck", "failed")
        _check_word("locators", self.locators, "expired")
        _check_range("nth", self.nth, 1, 10**9)
        _check_range("times", self.times, 1, 10**9)
        _check_range("status", self.status, 200, 599)
        _check_range("cut_after", self.cut_after, 0, 10**12)
        _check_range("delay", self.delay, 0, 3600)
        _check_range("save_rows", self.save_rows, 0, 10**9)
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"not a header: {name}: {value}")
        for pattern in (self.method, self.path, self.sends):
            try:
                re.compile(pattern)
            except re.error as problem:
                raise ValueError(f"not a regular expression: {pattern} ({problem})") from problem

    @property
    def on_request(self) -> bool:
        """Whether the fault concerns requests (and not jobs or locators)."""
        return self.job is None and self.locators is None

    @property
    def after_work(self) -> bool:
        """Whether `status` and `delay` come when the work is done."""
        return self.done or self.save_rows is not None


def _check_word(what: str, value: object, *words: str) -> None:
    if value is not None and value not in words:
        raise ValueError(f"{what} is {' or '.join(map(repr, words))}, not {value!r}")


def _check_range(what: str, value: object, least: int, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"{what} is a number from {least} to {most}, not {value!r}")


@dataclass(slots=True)
class _Armed:
    number: int
    fault: Fault
    seen: int = 0
    happened: int = 0

    def happens(self) -> bool:
        self.seen += 1
        if self.seen < self.fault.nth or (self.fault.times is not None and self.happened >= self.fault.times):
            return False
        self.happened += 1
        return True


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: dict[int, _Armed] = {}
        self._last = 0

    def add(self, fault: Fault | None = None, /, **values: Any) -> int:
        """Switch a fault on (a Fault, or its values by name) and return its number."""
        with self._lock:
            self._last += 1
            self._armed[self._last] = _Armed(self._last, fault or Fault(**values))
            return self._last

    def remove(self, number: int) -> None:
        """Switch a fault off; an unknown number is fine."""
        with self._lock:
            self._armed.pop(number, None)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._armed.clear()

    def all(self) -> list[tuple[int, Fault, int]]:
        """Return number, fault and how often it happened, of every fault that is on."""
        with self._lock:
            return [(number, one.fault, one.happened) for number, one in self._armed.items()]

    def happened(self, number: int) -> int:
        """Return how often a fault has happened."""
        armed = self._armed.get(number)
        return armed.happened if armed else 0

    def for_request(self, method: str, target: str) -> list[Fault]:
        """Return the faults that happen to this request, whatever it sends, in the order they were added."""
        with self._lock:
            armed = [one for one in self._armed.values() if not one.fault.sends]
            return [one.fault for one in armed if _matches(one.fault, method, target) and one.happens()]

    @property
    def asks_for_bodies(self) -> bool:
        """Whether a fault is on that is chosen by what a request sends."""
        return any(one.fault.sends for one in list(self._armed.values()))

    def for_body(self, method: str, target: str, body: bytes) -> list[Fault]:
        """Return the faults that happen to this request because of its (inflated) body."""
        text = body.decode("utf-8", "replace")
        with self._lock:
            armed = [one for one in self._armed.values() if one.fault.sends and re.search(one.fault.sends, text)]
            return [one.fault for one in armed if _matches(one.fault, method, target) and one.happens()]

    def for_job(self, object_name: str) -> str | None:
        """Return `stuck` or `failed` when a Bulk job of this object shall be so, else None."""
        return self._first("job", object_name)

    def for_locators(self, object_name: str = "") -> bool:
        """Return whether query locators count as expired."""
        return self._first("locators", object_name) is not None

    def _first(self, what: str, object_name: str) -> str | None:
        with self._lock:
            for one in self._armed.values():
                kind: str | None = getattr(one.fault, what)
                if kind and re.search(one.fault.path, object_name) and one.happens():
                    return kind
        return None


def _matches(fault: Fault, method: str, target: str) -> bool:
    return fault.on_request and bool(re.fullmatch(fault.method, method)) and bool(re.search(fault.path, target))
