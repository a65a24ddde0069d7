"""`Collection`: the records of one object in the replica, as typed Python objects: read them, edit them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, Misuse, NotSynced
from salesforce_sync.models.base import Record, record_type_for, shape
from salesforce_sync.models.history import Replaced
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, encode, read_text
from salesforce_sync.ports import OPERATORS, Filter, Selection, Store

R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """The answer of `all` and `search`: read from the replica when it is iterated, never held as a whole.

    Iterate it as often as you like; `len()`, `[index]`, `[:10]`, `first()` and `list()` work as on a list.
    """

    def __init__(self, collection: Collection[R], filters: tuple[Filter, ...]) -> None:
        self._collection = collection
        self._filters = filters

    def __iter__(self) -> Iterator[R]:
        return self._collection.scan(self._filters)

    def __len__(self) -> int:
        return self._collection.store.count(self._collection.object_name, self._filters)

    def __bool__(self) -> bool:
        return self.first() is not None

    def first(self) -> R | None:
        """Some record of the answer; None if it is empty."""
        return next(iter(self), None)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> list[R]: ...

    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            return self._slice(index)
        wanted = index if index >= 0 else len(self) + index
        if wanted >= 0:
            for position, record in enumerate(self):
                if position == wanted:
                    return record
        raise IndexError(f"{self!r} has no record {index}")

    def _slice(self, wanted: slice) -> list[R]:
        """What `[start:stop:step]` picks; nothing behind it is read."""
        ends = (wanted.start, wanted.stop, wanted.step)
        if all(end is None or end >= 0 for end in ends):
            return list(islice(self, *ends))
        picked = range(*wanted.indices(len(self)))
        if not picked:
            return []
        if picked.step < 0:
            return list(islice(self, picked[-1], picked[0] + 1, -picked.step))[::-1]
        return list(islice(self, picked.start, picked.stop, picked.step))

    def __repr__(self) -> str:
        conditions = ", ".join(f"{each.field}__{each.operator}={each.value!r}" for each in self._filters)
        return f"<records of {self._collection.object_name}{f' where {conditions}' if conditions else ''}>"


class Collection(Generic[R]):
    """Reads and edits one object, offline too. Fields have Python names (`first_name`) or API names (`FirstName`)."""

    def __init__(self, store: Store, object_name: str, declared: type[R]) -> None:
        self.store = store
        self.object_name = object_name
        self._declared = declared
        self._shaped: tuple[ObjectSchema, type[R]] | None = None

    @property
    def schema(self) -> ObjectSchema:
        """What describe said of the object; `NotSynced` before its first sync."""
        schema = self.store.schema(self.object_name)
        if schema is None:
            raise NotSynced.named(self.object_name, ())
        return schema

    @property
    def record_type(self) -> type[R]:
        """The class of this collection's records: the declared model, with every other field of the org."""
        schema = self.schema
        if self._shaped is None or self._shaped[0] is not schema:
            self._shaped = schema, shape(self._declared, schema)
        return self._shaped[1]

    def all(self) -> Records[R]:
        """Every record that is not deleted."""
        return Records(self, ())

    def get(self, record_id: str) -> R | None:
        """The record of this 15- or 18-character id; None if the replica has none, or it is deleted.

        The local id of a record that was made here goes on naming it after the org has given it another.
        """
        record_type, row = self._row(self.full_id(record_id))
        return None if row is None else record_type.of(row)

    def search(self, **conditions: Any) -> Records[R]:
        """The records that pass every condition: `search(company="Acme")`, `search(amount__gt=1000)`.

        After two underscores a comparison may follow: contains, startswith, endswith, in, ne, gt, gte, lt, lte,
        isnull. Texts compare without regard to case, as in SOQL. `FieldNotFound` lists near names.
        """
        return Records(self, self._filters(self.schema, conditions))

    def page(self, selection: Selection, /, **conditions: Any) -> tuple[ObjectSchema, list[tuple[object, ...]]]:
        """A page of a sorted answer as stored rows, and the schema that they are of; conditions as in `search`."""
        while True:
            schema = self.schema
            filters = self._filters(schema, conditions)
            rows = self.store.select(self.object_name, replace(selection, filters=filters))
            # As in `_row`.
            if self.schema is schema:
                return schema, rows

    def matching(self, /, **conditions: Any) -> int:
        """How many records pass every condition, as in `search`."""
        return self.store.count(self.object_name, self._filters(self.schema, conditions))

    def _filters(self, schema: ObjectSchema, conditions: Mapping[str, Any]) -> tuple[Filter, ...]:
        return tuple(_filter(self.store, schema, name, value) for name, value in conditions.items())

    def scan(self, filters: tuple[Filter, ...]) -> Iterator[R]:
        """The records that pass every filter."""
        while True:
            record_type = self.record_type
            rows = self.store.scan(self.object_name, filters)
            # As in `_row`.
            if self.record_type is record_type:
                return map(record_type.of, rows)

    # ── editing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, record: R | None = None, /, **values: Any) -> R:
        """Make a record here; the next push makes it in the org. `create(name="x")` does as well.

        Gives the same record, with its local id and the values that it has by default. `Misuse` says what is wrong
        with it, and then nothing is made.
        """
        made = self.record_type() if record is None else self._mine(record)
        if made.original("Id") is not None:
            raise Misuse(
                f"This {self.object_name} is in the replica already: {made.original('Id')}.",
                hint="Change it with update(), or make a new record.",
            )
        # null is what a field has without a value, and '' is null.
        given = {name: value for name, value in self._changes(made, values).items() if value is not None}
        return self._refreshed(made, self.store.create(self.object_name, given))

    def update(self, record: R | str, /, **values: Any) -> R:
        """Write what was changed in this record, and nothing else; the next push sends it to the org.

        `update("003…", phone="555-1234")` does as well. A record without changes is left alone. Afterwards the
        record shows what the replica has, and can be changed again. `RecordNotFound` where there is none.
        What came from the org since the record was read is nobody's to overwrite unseen: where it is another value of
        the same field, the conflict policy decides as in a sync. `Misuse` (`EDITED_SINCE`) where somebody else has
        edited the field here since.
        """
        edited, record_id = self._mine(record), self._id_of(record)
        changes = self._changes(edited, values)
        if edited.original("Id") is None and changes.get("Id") == edited.stored("Id"):
            changes.pop("Id", None)  # Contact(id="003…", phone="…"): it only says which record
        if changes:
            self.store.update(self.object_name, record_id, changes, edited.seen)
        return self._refreshed(edited, record_id)

    def delete(self, record: R | str, /) -> None:
        """Delete this record, or the one of this id; the next push deletes it in the org.

        `Misuse` (`CHANGED_SINCE`) if the record is not as it was when it was read.
        """
        self.store.delete(self.object_name, self._id_of(record), self._mine(record).seen)

    def undelete(self, record: R | str, /) -> R:
        """Bring a deleted record back; the next push brings it back in the org."""
        back, record_id = self._mine(record), self._id_of(record)
        self.store.undelete(self.object_name, record_id)
        return self._refreshed(back, record_id)

    def history(self, record: R | str, /) -> tuple[Replaced, ...]:
        """The record's values that were replaced by a pull, a push or a decision, newest first."""
        self._mine(record)
        return self.store.history(self.object_name, self._id_of(record))

    def title(self, record_id: str) -> str:
        """The name of this record, deleted or not; empty where it has none here."""
        field, full = self.schema.name_field, self.full_id(record_id)
        row = self.store.rows(self.object_name, [full]).get(full)
        if field is None or row is None:
            return ""
        record = self.record_type.of(row)
        # The org makes a person's name out of its parts; until it has, there are only these.
        parts = [record.stored(each) for each in (field.name, *(() if record.stored(field.name) else _NAME_PARTS))]
        return " ".join(str(each) for each in parts if each)

    def full_id(self, record_id: str) -> str:
        """The id in its 18 characters; for a local one the org's, once the org has given one."""
        return _full_id(self.store, record_id)

    def parse(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Python values of what a person typed, by field: '' is null; true, 12.5, 2026-01-31 by the field's type."""
        fields = self._fields(texts)
        return {field.name: _typed(field, texts[name]) for name, field in fields.items()}

    def parse_conditions(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Conditions of `search` as a person typed them: Amount__gte "1000", Name__in "a,b", Phone__isnull "true"."""
        schema = self.schema
        return {name: _condition(schema, name, text) for name, text in texts.items()}

    def stored(self, values: Mapping[str, Any]) -> dict[str, Stored]:
        """Python values in the form in which the store keeps them, by API name."""
        fields = self._fields(values)
        return {field.name: _stored(self.store, field, values[name]) for name, field in fields.items()}

    def _fields(self, names: Iterable[str]) -> dict[str, Field]:
        """The fields by these names; `Misuse` if two name one field, of which only one could have its way."""
        fields, named = {name: self.schema.field(name) for name in names}, dict[str, str]()
        for name, field in fields.items():
            if named.setdefault(field.name, name) != name:
                raise Misuse(f"{named[field.name]} and {name} are one field: {field.name}.", hint="Give it once.")
        return fields

    def _mine(self, record: R | str) -> R:
        """The record, if it is one of this object; an empty one where only its id is known."""
        if isinstance(record, str):
            return self.record_type()
        name = self.schema.name
        if not isinstance(record, Record) or record.api_name.casefold() != name.casefold():
            raise Misuse(f"{record!r} is not a {name}.", hint=f"Pass a {name}, or its fields by name.")
        return record

    def _id_of(self, record: R | str) -> str:
        record_id = record if isinstance(record, str) else record.original("Id") or record.stored("Id")
        if record_id is None:
            raise Misuse(f"This {self.object_name} has no id.", hint="Make it with create() first.")
        return self.full_id(record_id)

    def _changes(self, record: R, values: Mapping[str, Any]) -> dict[str, Stored]:
        """The record's edits, and these values, in the stored form."""
        schema = self.schema
        edits = {
            schema.field(name).name: _referred(self.store, schema.field(name), value)
            for name, value in record.edits.items()
        }
        return edits | self.stored(values)

    def _refreshed(self, record: R, record_id: str) -> R:
        """The record as the replica has it now."""
        kind, row = self._row(self.store.real_id(record_id))
        record.become(kind if issubclass(kind, type(record)) else shape(type(record), self.schema), row)
        return record

    def _row(self, record_id: str) -> tuple[type[R], tuple[Any, ...] | None]:
        """The live row of this id, and the record type that can read it."""
        while True:
            shaped = self._shaped or (self.schema, self.record_type)
            row = self.store.get(self.object_name, record_id)
            # Another thread may have adopted a new schema: a row and its type must be of the same one. A look behind
            # the row is enough, as a schema that was replaced does not come back.
            if self.schema is shaped[0]:
                return shaped[1], row
            self._shaped = None

    # ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────

    def count(self) -> int:
        """How many records are not deleted."""
        return self.store.count(self.object_name)

    def __iter__(self) -> Iterator[R]:
        return iter(self.all())

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<collection of {self.object_name}>"


class Objects(Mapping[str, Collection[Any]]):
    """Every object of the replica by API name: `sync.objects["Product2"]`."""

    def __init__(self, store: Store, declared: Mapping[str, type[Record]]) -> None:
        self._store = store
        self._declared = declared
        self._collections: dict[str, Collection[Any]] = {}

    def __getitem__(self, name: str) -> Collection[Any]:
        schema = self._store.schema(name)
        if schema is None:
            known = {*self, *self._declared}
            raise NotSynced.named(name, () if name in self._declared else known)
        if schema.name not in self._collections:
            declared = self._declared.get(schema.name) or record_type_for(schema)
            self._collections[schema.name] = Collection(self._store, schema.name, declared)
        return self._collections[schema.name]

    def __iter__(self) -> Iterator[str]:
        return iter([schema.name for schema in self._store.schemas()])

    def __len__(self) -> int:
        return len(self._store.schemas())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._store.schema(name) is not None


_NAME_PARTS = ("FirstName", "LastName")


def _filter(store: Store, schema: ObjectSchema, name: str, value: Any) -> Filter:
    field, operator = _field_and_operator(schema, name)
    if operator == "isnull":
        if not isinstance(value, bool):
            raise Misuse(f"{name} takes True or False, not {value!r}.")
        return Filter(field.name, operator, value)
    if operator == "in":
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise Misuse(f"{name} takes a list of values, not {value!r}.")
        return Filter(field.name, operator, tuple(_stored(store, field, each) for each in value))
    if operator in ("contains", "startswith", "endswith"):
        if not isinstance(value, str):
            raise Misuse(f"{name} takes a text, not {value!r}.")
        return Filter(field.name, operator, encode(FieldType.TEXT, value) or "")
    return Filter(field.name, operator, _stored(store, field, value))


def _field_and_operator(schema: ObjectSchema, name: str) -> tuple[Field, str]:
    # Custom fields end in __c, so the comparison is looked for only behind the last two underscores.
    head, separator, tail = name.rpartition("__")
    if separator and tail in OPERATORS:
        return _kept(schema, schema.field(head)), tail
    if tail and not schema.knows(name) and schema.knows(head):
        raise FieldNotFound(
            f"{schema.name} has no field {name!r}, and no comparison is named {tail!r}.",
            hint=f"Comparisons are {', '.join(OPERATORS)}.",
        )
    return _kept(schema, schema.field(name)), "eq"


def _kept(schema: ObjectSchema, field: Field) -> Field:
    """The field, if it has a column; else `Misuse`, which names the parts that it is made of."""
    if field.synced:
        return field
    parts = [each.name for each in schema.columns if each.compound_field_name == field.name]
    made = " itself: it is made of other fields" if parts else ""
    hint = f"Its parts are {', '.join(parts)}." if parts else ""
    raise Misuse(f"{schema.name}.{field.name} is not kept here{made}.", hint=hint)


def _condition(schema: ObjectSchema, name: str, text: str) -> object:
    field, operator = _field_and_operator(schema, name)
    if operator == "isnull":
        try:
            return read_text(FieldType.BOOLEAN, text)
        except Misuse as error:
            raise Misuse(f"{name}: {error.message}") from error
    if operator == "in":
        return [_typed(field, each.strip()) for each in text.split(",")]
    return text if operator in ("contains", "startswith", "endswith") else _typed(field, text)


def _stored(store: Store, field: Field, value: Any) -> Stored:
    try:
        return _referred(store, field, encode(field.type, value))
    except Misuse as error:
        raise Misuse(f"{field.name}: {error.message}", hint=error.hint) from error


def _referred(store: Store, field: Field, stored: Stored) -> Stored:
    """An id in its 18 characters, and a local one as the org's where the org has given one."""
    if field.type in (FieldType.ID, FieldType.REFERENCE) and isinstance(stored, str):
        return _full_id(store, stored) if len(stored) == 15 or is_local(stored) else stored
    return stored


def _full_id(store: Store, record_id: str) -> str:
    if not isinstance(record_id, str):
        raise Misuse(f"{record_id!r} is not a Salesforce id.", hint="An id is a text, such as '0035e00000abcdeAAA'.")
    if is_local(record_id):
        return store.real_id(record_id)
    return record_id if len(record_id) == 18 else to_18(record_id)


def _typed(field: Field, text: str) -> object:
    try:
        return read_text(field.type, text)
    except Misuse as error:
        raise Misuse(f"{field.name}: {error.message}", hint=error.hint) from error
