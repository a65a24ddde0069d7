"""Creates and updates rows under Salesforce's write rules."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from simorg import ids
from simorg.breaking import BrokenOff, may_go_on
from simorg.database import Row, Value, quote
from simorg.references import by_external_id, check_reference, rows_by_key
from simorg.results import Failure, Refused, Result, Saved
from simorg.schema import SField, SObject
from simorg.standard import derive
from simorg.values import convert

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROLLED_BACK = Failure(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
AUDIT_FIELDS = frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"})
NO_ACCESS = "insufficient access rights on object id"
Item = TypeVar("Item")


def for_each(
    org: "SimOrg", items: Iterable[Item], act: Callable[[Item], Saved], *, all_or_none: bool = False
) -> list[Result]:
    """Do something to each row: a refused row fails alone, or with `all_or_none` takes the others back.

    Raises BrokenOff when the request dies on the way: the rows before stay saved, unless it is all or none.
    """
    results: list[Result] = []
    broken = False
    try:
        with org.transaction():
            for item in items:
                broken = not may_go_on()
                if broken:
                    break
                results.append(_guarded(org, item, act))
            if all_or_none and (broken or any(isinstance(one, Failure) for one in results)):
                raise _TakenBack
    except _TakenBack:
        results = [one if isinstance(one, Failure) else ROLLED_BACK for one in results]
    if broken:
        raise BrokenOff
    return results


class _TakenBack(Exception):
    """Rolls a transaction back."""


def _guarded(org: "SimOrg", item: Item, act: Callable[[Item], Saved]) -> Result:
    try:
        with org.transaction():
            return act(item)
    except Refused as refused:
        return refused.failure


class Writer:
    """Writes rows for one user; `allow_duplicates` is the `allowSave` of the duplicate-rule header.

    `version` is the API version that URLs in errors have; with `trim` blanks around values are taken off, as REST
    does and Bulk does not.
    """

    def __init__(
        self,
        org: "SimOrg",
        user_id: str,
        *,
        allow_duplicates: bool = False,
        version: str | None = None,
        trim: bool = True,
    ) -> None:
        self.org = org
        self.version = version or org.version
        self.trim = trim
        self.user_id = user_id
        self.allow_duplicates = allow_duplicates

    def create(self, name: str, values: Mapping[str, Any]) -> Saved:
        """Write a new row, or raise Refused."""
        view, truth = self._objects(name, "create")
        given = self._given(view, values, _createable(self.org))
        row = self._new_row(truth, given)
        set_here = set(given) | self._before(truth, "create", row, None)
        _require(truth, row, {})
        self._identify(truth, row, given)
        derive(self.org, truth.name, row, set_here, None)
        self._check(truth, row, row)
        self.org.database.insert(truth.name, row)
        self._after(truth, "create", row, None)
        return Saved(str(row["Id"]), created=True)

    def update(self, name: str, record_id: str, values: Mapping[str, Any]) -> Saved:
        """Change the given fields of a row, or raise Refused; every update moves the stamps, even of equal values."""
        view, truth = self._objects(name, "update")
        old = self.org.living(truth, record_id)
        if record_id in self.org.permissions.read_only_records or not self.org.visible(truth.name, record_id):
            raise Refused("INSUFFICIENT_ACCESS_OR_READONLY", NO_ACCESS, status=403)
        given = self._given(view, values, lambda one: one.updateable)
        modified = self._modified()
        row = old | _without_empty_defaults(truth, given, old) | modified
        set_here = set(given) | self._before(truth, "update", row, old)
        _require(truth, row, set_here)
        derive(self.org, truth.name, row, set_here, old)
        changed = {key: value for key, value in row.items() if key in modified or value != old.get(key)}
        self._check(truth, row, changed)
        self.org.database.update(truth.name, record_id, changed)
        self._after(truth, "update", row, old)
        return Saved(record_id)

    def upsert(self, name: str, key: str, values: Mapping[str, Any], *, update_only: bool = False) -> Saved:
        """Create or update by the value of an external-id field (or Id) among the values."""
        view = self._objects(name, "read")[0]
        one = upsert_key(view, key)
        rest = {other: value for other, value in values.items() if other.lower() != one.name.lower()}
        value = next((value for other, value in values.items() if other.lower() == one.name.lower()), None)
        if one.type == "id":
            return self.update(name, _record_id(value), rest) if value else self.create(name, rest)
        if convert(one, value, trim=self.trim) is None:
            raise Refused("MISSING_ARGUMENT", f"{one.name} not specified")
        found = rows_by_key(self.org, view, one, value, trim=self.trim)
        if len(found) > 1:
            raise Refused("DUPLICATE_EXTERNAL_ID", f"{one.name}: more than one record found for external id field")
        if found:
            return self.update(name, found[0], rest)
        if update_only:
            raise Refused("NOT_FOUND", _no_such_external_id(one.name), status=404)
        return self.create(name, rest | {one.name: value})

    def _objects(self, name: str, action: str) -> tuple[SObject, SObject]:
        view, truth = self.org.object(name), self.org.schema(name)
        if view is None or truth is None:
            raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        if not {"create": truth.createable, "update": truth.updateable}.get(action, True):
            raise of_the_platform(truth, action)
        allowed = {"create": view.createable, "update": view.updateable}.get(action, True)
        if not allowed:
            raise Refused("INSUFFICIENT_ACCESS", NO_ACCESS, status=403)
        return view, truth

    def _given(self, view: SObject, values: Mapping[str, Any], writable: Callable[[SField], bool]) -> Row:
        """Return the sent values in stored form by field name."""
        given: Row = {}
        blocked: list[str] = []
        for key, value in values.items():
            if key == "attributes":
                continue
            one = view.field(key)
            if one is None:
                one = view.relationship(key)
                if one is None or not isinstance(value, (Mapping, type(None))):
                    raise Refused("INVALID_FIELD", f"No such column '{key}' on sobject of type {view.name}")
                value = by_external_id(self.org, one, value, trim=self.trim)
            if one.name == "Id":
                raise Refused("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
            if not writable(one):
                blocked.append(one.name)
                continue
            given[one.name] = self._stored(view, one, value)
        if blocked:
            raise read_only_fields(blocked)
        return given

    def _stored(self, view: SObject, one: SField, value: Any) -> Value:
        stored = convert(one, value, trim=self.trim)
        if one.type == "reference" and isinstance(stored, str):
            check_reference(self.org, view, one, stored)
        return stored

    def _new_row(self, truth: SObject, given: Row) -> Row:
        row = blank_row(truth)
        row |= {key: value for key, value in given.items() if value is not None or row[key] is None}
        if "OwnerId" in row and row["OwnerId"] is None:
            row["OwnerId"] = self.user_id
        return row

    def _before(self, truth: SObject, operation: str, row: Row, old: Row | None) -> set[str]:
        """Run the triggers before the save; return the fields that they have set."""
        if not self.org.rules.triggers:
            return set()
        sent = dict(row)
        self.org.rules.fire(self.org, truth, "before", operation, row, old)
        return {name for name, value in row.items() if value != sent.get(name)}

    def _identify(self, truth: SObject, row: Row, given: Row) -> None:
        """Give a new row its numbers, stamps and id."""
        for one in truth.stored_fields:
            if one.auto_number:
                row[one.name] = self.org.numbering.new_number(truth, one)
        now = self.org.now_stamp()
        stamps: Row = {"CreatedDate": now, "CreatedById": self.user_id, **self._modified()}
        row |= {key: value for key, value in stamps.items() if key not in given}
        row["Id"] = self.org.numbering.new_id(truth.key_prefix)

    def _modified(self) -> Row:
        now = self.org.now_stamp()
        return {"LastModifiedDate": now, "LastModifiedById": self.user_id, "SystemModstamp": now}

    def _check(self, truth: SObject, row: Row, changed: Row) -> None:
        self.org.rules.check_locks(truth, row)
        self.org.late.check_parents(truth, row)
        for one in truth.stored_fields:
            if one.unique and changed.get(one.name) is not None:
                check_unique(self.org, truth, one, row)
        self.org.rules.find_duplicates(self.org, truth, row, allow=self.allow_duplicates, version=self.version)

    def _after(self, truth: SObject, operation: str, row: Row, old: Row | None) -> None:
        self.org.rules.validate(self.org, truth, row)
        self.org.rules.fire(self.org, truth, "after", operation, row, old)


def of_the_platform(truth: SObject, action: str) -> Refused:
    """Return the refusal of a write that nobody may do to an object; its text is not sure."""
    done = "inserted" if action == "create" else "updated"
    return Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be {done}: {truth.label}")


def check_unique(org: "SimOrg", truth: SObject, one: SField, row: Row) -> None:
    """Refuse a value of a unique field that another row has, or will have when its transaction ends."""
    found = [other for other in rows_by_key(org, truth, one, row[one.name], trim=False) if other != row["Id"]]
    if found:
        text = f"duplicate value found: {one.name} duplicates value on record with id: {found[0][:15]}"
        raise Refused("DUPLICATE_VALUE", text)
    org.late.check_key(truth, one, row[one.name])


def _createable(org: "SimOrg") -> Callable[[SField], bool]:
    if org.permissions.can_set_audit_fields:
        return lambda one: one.createable or one.name in AUDIT_FIELDS
    return lambda one: one.createable


def read_only_fields(names: list[str]) -> Refused:
    """Return the refusal of fields that cannot be written."""
    text = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and "
        "verify that it is read/write for your profile or permission set."
    )
    return Refused("INVALID_FIELD_FOR_INSERT_UPDATE", text, *names)


def blank_row(truth: SObject) -> Row:
    """Return a row with every stored field, empty or at its default."""
    row: Row = {}
    for one in truth.stored_fields:
        default = one.default_value
        row[one.name] = int(default) if isinstance(default, bool) else default
    return row


def upsert_key(view: SObject, key: str) -> SField:
    """Return the field by which rows may be upserted, or refuse it."""
    one = view.field(key)
    if one is None or not (one.external_id or one.id_lookup):
        raise Refused("NOT_FOUND", _no_such_external_id(key), status=404)
    return one


def _no_such_external_id(what: str) -> str:
    return f"Provided external ID field does not exist or is not accessible: {what}"


def _record_id(value: Any) -> str:
    full = ids.normalize(value)
    if full is None:
        raise Refused("MALFORMED_ID", f"malformed id {value}", "Id")
    return full


def _without_empty_defaults(truth: SObject, given: Row, old: Row) -> Row:
    """Leave fields that always have a value (an owner, a status) as they are when null was sent."""
    kept: Row = {}
    for key, value in given.items():
        one = truth.field(key)
        kept[key] = old[key] if value is None and one is not None and one.defaulted else value
    return kept


def _require(truth: SObject, row: Row, given: Collection[str]) -> None:
    names = given if given else [one.name for one in truth.fields if one.required]
    missing = [key for key in names if row.get(key) is None and _is_required(truth, key)]
    if missing:
        raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)


def _is_required(truth: SObject, key: str) -> bool:
    one = truth.field(key)
    return one is not None and one.stored and not one.nillable and not one.defaulted


def split_id(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Take the id (its key in any letter case) out of a row."""
    values = {key: value for key, value in row.items() if key.lower() != "id"}
    record_id = next((value for key, value in row.items() if key.lower() == "id"), None)
    if not record_id:
        raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
    return record_id, values


def count_rows(org: "SimOrg", truth: SObject) -> int:
    """Return how many living rows an object has."""
    everything = int(org.database.value(f"SELECT COUNT(*) FROM {quote(truth.name)}"))
    if not truth.soft_delete:
        return everything
    # two counts from indexes; one with a condition would read a million rows
    return everything - int(org.database.value(f'SELECT COUNT(*) FROM {quote(truth.name)} WHERE "IsDeleted" = 1'))
