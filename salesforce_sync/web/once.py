"""What a form has made: one that comes twice, by a double click or over a slow line, makes one thing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from salesforce_sync.web.failures import Refused

MOST: Final = 1_000
"""Forms that are remembered; the oldest goes first."""


class MadeAlready(Refused):
    """This form has made something else before."""

    status = 409
    code = "MADE_ALREADY"


class Once:
    """Remembers by its key what each form has made, until the server ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, tuple[Hashable, str]] = {}

    def made(self, key: str, what: Hashable, make: Callable[[], str]) -> str:
        """The id of what this form has made, now or before. What `make` raises is raised: then it has made nothing.

        `MadeAlready` where it was made of something else: nobody presses twice by accident, and types in between.
        """
        with self._lock:  # a second press waits for what becomes of the first
            if key not in self._made:
                self._made[key] = what, make()
                for old in list(self._made)[:-MOST]:
                    del self._made[old]
            before, made_id = self._made[key]
        if before != what:
            raise MadeAlready(
                "This form has made a record already, of other values.", hint="Press again if you want another one."
            )
        return made_id
