"""A relay on loopback, between somebody and a server, that can let its connections go dead: open, and silent."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress


class Relay:
    """Hands on what comes to `port`. After `go_dead` the connections that are open by then hand on nothing more."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.taken = 0
        self._dead = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def go_dead(self) -> None:
        """As where a machine has slept, or something on the way has forgotten the connection."""
        self._dead.set()
        self._dead = threading.Event()

    def close(self) -> None:
        """End it all."""
        self.go_dead()
        for each in (self._listener, *self._open):
            each.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self.taken += 1
                self._open += [near, far]
                threading.Thread(target=self._hand_on, args=(near, far, self._dead), daemon=True).start()

    def _hand_on(self, near: socket.socket, far: socket.socket, dead: threading.Event) -> None:
        other = {near: far, far: near}
        with suppress(OSError, ValueError):  # closed meanwhile
            while not dead.is_set():
                for each in select.select([near, far], [], [], 0.05)[0]:
                    data = each.recv(65_536)
                    if dead.is_set():
                        return
                    if not data:
                        near.close(), far.close()
                        return
                    other[each].sendall(data)
