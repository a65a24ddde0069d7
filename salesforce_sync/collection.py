"""`Collection`: the records of one object in the replica, as typed Python objects. The reading side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from salesforce_sync.errors import Misuse, NotSynced
from salesforce_sync.models.base import Record, record_type_for, shape
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import encode
from salesforce_sync.ports import OPERATORS, Filter, Store

R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """The answer of `all` and `search`: read from the replica when it is iterated, never held as a whole.

    Iterate it as often as you like; `len()`, `[index]`, `first()` and `list()` work as on a list.
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

    def __getitem__(self, index: int) -> R:
        wanted = index if index >= 0 else len(self) + index
        if wanted >= 0:
            for position, record in enumerate(self):
                if position == wanted:
                    return record
        raise IndexError(f"{self!r} has no record {index}")

    def __repr__(self) -> str:
        conditions = ", ".join(f"{each.field}__{each.operator}={each.value!r}" for each in self._filters)
        return f"<records of {self._collection.object_name}{f' where {conditions}' if conditions else ''}>"


class Collection(Generic[R]):
    """Reads one object. Names of fields are Python names (`first_name`) or API names (`FirstName`)."""

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
        """The record of this 15- or 18-character id; None if the replica has none, or it is deleted."""
        full = record_id if len(record_id) == 18 else to_18(record_id)
        while True:
            record_type = self.record_type
            row = self.store.get(self.object_name, full)
            # Another thread may have adopted a new schema: a row and its type must be of the same one.
            if self.record_type is record_type:
                return None if row is None else record_type.of(row)

    def search(self, **conditions: Any) -> Records[R]:
        """The records that pass every condition: `search(company="Acme")`, `search(amount__gt=1000)`.

        After two underscores a comparison may follow: contains, startswith, endswith, in, ne, gt, gte, lt, lte,
        isnull. Texts compare without regard to case, as in SOQL. `FieldNotFound` lists near names.
        """
        schema = self.schema
        return Records(self, tuple(_filter(schema, name, value) for name, value in conditions.items()))

    def scan(self, filters: tuple[Filter, ...]) -> Iterator[R]:
        """The records that pass every filter."""
        while True:
            record_type = self.record_type
            rows = self.store.scan(self.object_name, filters)
            # As in `get`.
            if self.record_type is record_type:
                return map(record_type.of, rows)

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
            raise NotSynced.named(name, self)
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


def _filter(schema: ObjectSchema, name: str, value: Any) -> Filter:
    field, operator = _field_and_operator(schema, name)
    if operator == "isnull":
        if not isinstance(value, bool):
            raise Misuse(f"{name} takes True or False, not {value!r}.")
        return Filter(field.name, operator, value)
    if operator == "in":
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise Misuse(f"{name} takes a list of values, not {value!r}.")
        return Filter(field.name, operator, tuple(_stored(field, each) for each in value))
    if operator in ("contains", "startswith", "endswith"):
        if not isinstance(value, str):
            raise Misuse(f"{name} takes a text, not {value!r}.")
        return Filter(field.name, operator, value)
    return Filter(field.name, operator, _stored(field, value))


def _field_and_operator(schema: ObjectSchema, name: str) -> tuple[Field, str]:
    # Custom fields end in __c, so the comparison is looked for only behind the last two underscores.
    head, separator, tail = name.rpartition("__")
    if separator and tail in OPERATORS:
        return schema.field(head), tail
    return schema.field(name), "eq"


def _stored(field: Field, value: Any) -> object:
    if field.type in (FieldType.ID, FieldType.REFERENCE) and isinstance(value, str) and len(value) == 15:
        return to_18(value)
    return encode(field.type, value)
