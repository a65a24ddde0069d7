"""Runs an iterator in a thread of its own, a few steps ahead of its reader."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

_PATIENCE_SECONDS = 5.0


class _Item(Struct, Generic[T], frozen=True):
    value: T


class _End(Struct, frozen=True):
    error: BaseException | None


def ahead(source: Iterable[T], depth: int, drop: Callable[[T], None], abort: Callable[[], None]) -> Iterator[T]:
    """The source's items in order, `depth` of them made before they are asked for.

    An error of the source is raised here, after the items before it. Closing this iterator ends the thread (`abort` is
    called to wake it) and gives every item that nobody took to `drop`.
    """
    worker = _Worker(source, depth, drop, abort)
    worker.start()
    try:
        while True:
            got = worker.take()
            if isinstance(got, _End):
                if got.error is not None:
                    raise got.error
                return
            yield got.value
    finally:
        worker.stop()


class _Worker(Generic[T]):
    def __init__(self, source: Iterable[T], depth: int, drop: Callable[[T], None], abort: Callable[[], None]) -> None:
        self._source = source
        self._drop = drop
        self._abort = abort
        self._queue: queue.Queue[_Item[T] | _End] = queue.Queue(depth)
        self._stopped = threading.Event()
        # A daemon: a server that never answers must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> _Item[T] | _End:
        return self._queue.get()

    def stop(self) -> None:
        """End the thread and drop what it made; returns when it is gone, or after some seconds at most."""
        self._stopped.set()
        if self._thread.is_alive():
            self._abort()
        waited = 0.0
        while self._thread.is_alive() and waited < _PATIENCE_SECONDS:
            self._drain()  # the thread may be waiting for room in the queue
            self._thread.join(0.02)
            waited += 0.02
        self._drain()

    def _run(self) -> None:
        end = _End(None)
        try:
            for value in self._source:
                if self._stopped.is_set():
                    self._drop(value)
                    return
                self._queue.put(_Item(value))
        except BaseException as error:  # whatever it is, it belongs to the reader
            end = _End(error)
        self._queue.put(end)

    def _drain(self) -> None:
        while True:
            try:
                got = self._queue.get_nowait()
            except queue.Empty:
                return
            if isinstance(got, _Item):
                self._drop(got.value)
