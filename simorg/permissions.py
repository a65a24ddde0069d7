"""What the API user may see and do; changed by tests."""

from collections.abc import Iterable
from dataclasses import replace

from simorg.clock import OrgClock
from simorg.schema import SField, SObject

ACTIONS = frozenset({"create", "read", "update", "delete"})


class Permissions:
    """Object, field and record permissions; everything is allowed until it is denied."""

    def __init__(self, clock: OrgClock) -> None:
        self._clock = clock
        self.changed_ms = clock.now_ms()
        self.generation = 0  # rises with every change, so that cached views can be thrown away
        self._denied: dict[str, set[str]] = {}
        self._hidden: dict[str, set[str]] = {}
        self._read_only: dict[str, set[str]] = {}
        self.can_set_audit_fields = False
        self.can_view_encrypted = False
        self.no_bulk: str | None = None  # the code with which every Bulk 2.0 call is refused
        self._undescribed: dict[str, tuple[int, str, bool]] = {}
        self._unreadable: dict[str, set[str]] = {}
        self.read_only_records: set[str] = set()

    def deny(self, object_name: str, *actions: str) -> None:
        """Take `create`, `read`, `update` or `delete` away; without `read` the object does not exist for the user."""
        wrong = set(actions) - ACTIONS
        if wrong:
            raise ValueError(f"unknown actions {sorted(wrong)}; there are {sorted(ACTIONS)}")
        self._denied.setdefault(object_name.lower(), set()).update(actions)
        self.touch()

    def allow(self, object_name: str) -> None:
        """Give everything on an object and its fields back."""
        for table in (self._denied, self._hidden, self._read_only):
            table.pop(object_name.lower(), None)
        self.touch()

    def reset(self) -> None:
        """Give everything on all objects back."""
        for table in (self._denied, self._hidden, self._read_only):
            table.clear()
        self.read_only_records.clear()
        self.can_set_audit_fields = self.can_view_encrypted = False
        self.no_bulk = None
        self._undescribed.clear()
        self._unreadable.clear()
        self.touch()

    def refuse_describe(self, object_name: str, status: int, code: str, *, alone: bool = True) -> None:
        """Refuse to describe an object, in composite calls and `alone`; its rows stay as they are."""
        self._undescribed[object_name.lower()] = status, code, alone

    def describe_again(self, object_name: str) -> None:
        """Describe an object as before."""
        self._undescribed.pop(object_name.lower(), None)

    def refusal_to_describe(self, object_name: str, *, alone: bool) -> tuple[int, str] | None:
        """The status and the code with which describe is refused, if it is, `alone` or in a composite call."""
        status, code, also_alone = self._undescribed.get(object_name.lower(), (0, "", False))
        return (status, code) if status and (also_alone or not alone) else None

    def refuse_to_read(self, object_name: str, *names: str) -> None:
        """Refuse fields in queries only: describe goes on telling of them, with the date that it had."""
        self._unreadable.setdefault(object_name.lower(), set()).update(name.lower() for name in names)

    def read_again(self, object_name: str) -> None:
        """Let queries name all of an object's fields again."""
        self._unreadable.pop(object_name.lower(), None)

    def may_query(self, object_name: str, name: str) -> bool:
        """Whether a query may name this field, if it is described."""
        return name.lower() not in self._unreadable.get(object_name.lower(), ())

    def hide_field(self, object_name: str, *names: str) -> None:
        """Hide fields: they are absent from describe, rows and queries, as with field-level security."""
        self._hidden.setdefault(object_name.lower(), set()).update(name.lower() for name in names)
        self.touch()

    def make_read_only(self, object_name: str, *names: str) -> None:
        """Make fields readable only."""
        self._read_only.setdefault(object_name.lower(), set()).update(name.lower() for name in names)
        self.touch()

    def forget_field(self, object_name: str, name: str) -> None:
        """Forget what was said about a field that is gone."""
        for table in (self._hidden, self._read_only):
            table.get(object_name.lower(), set()).discard(name.lower())
        self.touch()

    def rename_field(self, object_name: str, name: str, new_name: str) -> None:
        """Let what was said about a field go on under its new name."""
        for table in (self._hidden, self._read_only):
            names = table.get(object_name.lower(), set())
            if name.lower() in names:
                names.remove(name.lower())
                names.add(new_name.lower())
        self.touch()

    def touch(self) -> None:
        """Note that permissions or metadata changed, so that views are made anew and describe is newer."""
        self.generation += 1
        self.changed_ms = self._clock.now_ms()

    def may(self, action: str, object_name: str) -> bool:
        """Return whether the user may do this to the object's rows."""
        return action not in self._denied.get(object_name.lower(), ())

    def view(self, schema: SObject) -> SObject | None:
        """Return the object as the user sees it, or None when it is hidden."""
        name = schema.name.lower()
        if not self.may("read", name):
            return None
        if name not in self._denied and name not in self._hidden and name not in self._read_only:
            return schema
        return replace(
            schema,
            fields=tuple(self._visible_fields(name, schema.fields)),
            createable=schema.createable and self.may("create", name),
            updateable=schema.updateable and self.may("update", name),
            deletable=schema.deletable and self.may("delete", name),
        )

    def _visible_fields(self, name: str, fields: Iterable[SField]) -> Iterable[SField]:
        hidden, read_only = self._hidden.get(name, set()), self._read_only.get(name, set())
        for one in fields:
            if one.name.lower() in hidden:
                continue
            fixed = one.name.lower() in read_only
            yield replace(one, createable=False, updateable=False) if fixed else one
