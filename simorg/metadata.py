"""The org's objects: as they are, as the API user sees them, and how administrators change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from simorg import drift, removal
from simorg.permissions import Permissions
from simorg.results import OrgError, Refused
from simorg.schema import SField, SObject

if TYPE_CHECKING:
    from simorg.org import SimOrg


class Metadata:
    """The half of an org that is about its schema; changes raise OrgError where the org refuses them."""

    objects: dict[str, SObject]
    permissions: Permissions
    _views: tuple[int, dict[str, SObject | None]]

    @property
    def _whole(self) -> "SimOrg":
        return cast("SimOrg", self)

    def schema(self, name: str) -> SObject | None:
        """Return an object as it is, whatever the API user may see; letter case is ignored."""
        found = self.objects.get(name)
        if found is not None:
            return found
        return next((one for key, one in self.objects.items() if key.lower() == name.lower()), None)

    def object(self, name: str) -> SObject | None:
        """Return an object as the API user sees it (hidden fields are absent), or None when he cannot see it."""
        generation, views = self._views
        if generation != self.permissions.generation:  # replaced, never changed: other threads may be reading it
            generation, views = self._views = (self.permissions.generation, {})
        key = name.lower()
        if key not in views:
            found = self.schema(name)
            views[key] = self.permissions.view(found) if found else None
        return views[key]

    def object_of_id(self, record_id: str) -> SObject | None:
        """Return the object that an id belongs to by its prefix, or None."""
        return next((one for one in self.objects.values() if one.key_prefix == record_id[:3]), None)

    def add_object(self, name: str, declaration: dict[str, Any]) -> SObject:
        """Make a new object of a declaration such as those in `simorg/objects` (as a dict)."""
        with _telling():
            return drift.add_object(self._whole, name, declaration)

    def remove_object(self, name: str) -> None:
        """Remove an object with its rows, and the look-ups, formulas and roll-ups that cannot be without it."""
        with _telling():
            removal.remove_object(self._whole, name)

    def add_field(self, object_name: str, name: str, line: str | dict[str, Any]) -> SField:
        """Add a field by its declaration line, e.g. `string 80`."""
        with _telling():
            return drift.add_field(self._whole, object_name, name, line)

    def remove_field(self, object_name: str, name: str) -> None:
        """Remove a field with its values; refused while something uses it."""
        with _telling():
            removal.remove_field(self._whole, object_name, name)

    def rename_field(self, object_name: str, name: str, new_name: str) -> None:
        """Change a field's API name; what uses it follows."""
        with _telling():
            drift.rename_field(self._whole, object_name, name, new_name)

    def retype_field(self, object_name: str, name: str, line: str | dict[str, Any]) -> None:
        """Change a field's type by a declaration line; values that do not fit are lost."""
        with _telling():
            drift.retype_field(self._whole, object_name, name, line)


@contextmanager
def _telling() -> Iterator[None]:
    """Raise OrgError where the org refuses."""
    try:
        yield
    except Refused as refused:
        raise OrgError(refused.failure) from refused
