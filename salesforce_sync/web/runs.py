"""The threads of what may take long: syncs; pushes, verifies and logins; workbooks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Runs:
    """A few threads, and how many of them are at work. No more than `each` of them work for one at the same time."""

    def __init__(self, threads: int, each: int | None = None) -> None:
        self._threads = threads
        self._each = threads if each is None else each
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._changed = threading.Condition()
        self._waiting: list[tuple[Hashable, Future[Any], Callable[[], Any]]] = []
        self._working: Counter[Hashable] = Counter()
        self._stopped = False

    def submit(self, work: Callable[[], T], of: Hashable = None) -> Future[T]:
        """Do this when a thread is free; of one's works the one that came first begins first."""
        future: Future[T] = Future()
        with self._changed:
            if self._stopped:
                raise RuntimeError("These threads begin nothing more.")
            self._waiting.append((of, future, work))
            self._begin()
        return future

    def _begin(self) -> None:
        """Begin what can begin; the caller holds the lock."""
        while self._working.total() < self._threads:
            at = next((at for at, (of, *_) in enumerate(self._waiting) if self._working[of] < self._each), None)
            if at is None:
                return
            of, future, work = self._waiting.pop(at)
            self._working[of] += 1
            self._pool.submit(self._do, of, future, work)

    def _do(self, of: Hashable, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                _carry_out(future, work)
        finally:
            with self._changed:
                self._working[of] -= 1
                self._working += Counter()  # forgets whom nobody works for
                if not self._stopped:
                    self._begin()
                self._changed.notify_all()

    def stop(self) -> None:
        """Begin nothing more; what waits for a thread is dropped."""
        with self._changed:
            self._stopped = True
            dropped, self._waiting = self._waiting, []
        for _, future, _ in dropped:
            future.cancel()
        self._pool.shutdown(wait=False)

    def idle(self, seconds: float) -> bool:
        """Whether nothing goes on any more, after so many seconds at most."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._working.total(), seconds)


def _carry_out(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as met:  # as the executors of the standard library: it is told to whoever waits
        future.set_exception(met)
