"""Values of which some fields show nowhere."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Hiding(Struct, frozen=True):
    """`repr`, and with it every log and traceback, leaves the fields out that `hidden` names."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = [name for name in self.__struct_fields__ if name not in self.hidden]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
