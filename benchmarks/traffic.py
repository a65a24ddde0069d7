"""Counts the bytes that this process sends and receives, at its sockets."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any


class Traffic:
    """Within the block, `total` is what went over this process's sockets, headers included."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Traffic:
        receive, send_all = socket.socket.recv, socket.socket.sendall

        def counted_recv(sock: socket.socket, *arguments: Any) -> bytes:
            data = receive(sock, *arguments)
            self._add(len(data))
            return data

        def counted_send_all(sock: socket.socket, data: Any, *arguments: Any) -> None:
            send_all(sock, data, *arguments)
            self._add(len(data))

        self._counting(counted_recv, counted_send_all)
        self._before = receive, send_all
        return self

    def _counting(self, receive: Any, send_all: Any) -> None:
        socket.socket.recv, socket.socket.sendall = receive, send_all  # type: ignore[method-assign]

    def _add(self, number: int) -> None:
        with self._lock:
            self.total += number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._counting(*self._before)
