"""`Record`: one typed row in a person's hands. It reads its values lazily and remembers what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar, Generic, Self, TypeVar, dataclass_transform, overload

from salesforce_sync.errors import FieldNotFound
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import UNREADABLE, Stored, decode, decoder, encode

T = TypeVar("T")


class Attribute(Generic[T]):
    """A field as an attribute: reads the row (or the edit on it), writes an edit. None stands for null."""

    __slots__ = ("_convert", "api_name", "kind")

    def __init__(self, api_name: str, kind: FieldType) -> None:
        self.api_name = api_name
        self.kind = kind
        self._convert = decoder(kind)

    @overload
    def __get__(self, record: None, owner: type[Record]) -> Attribute[T]: ...
    @overload
    def __get__(self, record: Record, owner: type[Record]) -> T | None: ...
    def __get__(self, record: Record | None, owner: type[Record]) -> Attribute[T] | T | None:
        if record is None:
            return self
        stored = record.stored(self.api_name)
        # As in `read`, which would be one call more for each value that a person looks at.
        try:
            return stored if stored is None or self._convert is None else self._convert(stored)  # type: ignore[return-value]  # the kind decides T
        except UNREADABLE:
            return stored  # type: ignore[no-any-return]

    def read(self, stored: Any) -> T | None:
        """The Python value of a stored one; the stored one itself where it is none of this type.

        A field may have another type in the org since a minute ago: one such value must not stand before all others.
        """
        try:
            return stored if stored is None or self._convert is None else self._convert(stored)  # type: ignore[return-value]  # the kind decides T
        except UNREADABLE:
            return stored  # type: ignore[no-any-return]

    def __set__(self, record: Record, value: T | None) -> None:
        record.edit(self.api_name, encode(self.kind, value))


def text(api_name: str) -> Attribute[str]:
    """A text, picklist, e-mail, phone or URL."""
    return Attribute(api_name, FieldType.TEXT)


def reference(api_name: str) -> Attribute[str]:
    """An id, of this record or another."""
    return Attribute(api_name, FieldType.REFERENCE)


def boolean(api_name: str) -> Attribute[bool]:
    """A checkbox."""
    return Attribute(api_name, FieldType.BOOLEAN)


def integer(api_name: str) -> Attribute[int]:
    """A whole number."""
    return Attribute(api_name, FieldType.INTEGER)


def decimal(api_name: str) -> Attribute[Decimal]:
    """A number, an amount or a percentage, with every digit."""
    return Attribute(api_name, FieldType.DECIMAL)


def day(api_name: str) -> Attribute[date]:
    """A date without time or zone."""
    return Attribute(api_name, FieldType.DATE)


def moment(api_name: str) -> Attribute[datetime]:
    """A datetime, in UTC."""
    return Attribute(api_name, FieldType.DATETIME)


def clock_time(api_name: str) -> Attribute[time]:
    """A time of day."""
    return Attribute(api_name, FieldType.TIME)


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(text, reference, boolean, integer, decimal, day, moment, clock_time),
)
class Record:
    """A record of one object. Make one with keywords: `Contact(first_name="Jane", last_name="Doe")`.

    Fields are attributes by Python name (`c.email`), or items by Python or API name (`c["Loyalty__c"]`).
    """

    __slots__ = ("_edits", "_row")

    api_name: ClassVar[str] = ""
    _positions: ClassVar[Mapping[str, int]] = {}
    _attributes: ClassVar[Mapping[str, Attribute[Any]]] = {}
    _schema: ClassVar[ObjectSchema | None] = None

    _row: tuple[Any, ...]
    _edits: dict[str, Stored] | None

    def __init_subclass__(cls, api_name: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.api_name = api_name or cls.api_name or cls.__name__
        own = {name: each for name, each in vars(cls).items() if isinstance(each, Attribute)}
        cls._attributes = {**cls._attributes, **own}

    def __init__(self, **values: Any) -> None:
        self._row = ()
        self._edits = None
        for name, value in values.items():
            self[name] = value

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Self:
        """The record of a row that the store gave, one stored value a column of the shape's schema."""
        record = _new(cls)
        # Past __setattr__, which would be half of what a record costs.
        _set_row(record, row)
        _set_edits(record, None)
        return record

    def stored(self, api_name: str) -> Any:
        """A field's value in the stored form (`models/values.py`)."""
        if self._edits is not None and api_name in self._edits:
            return self._edits[api_name]
        return self.original(api_name)

    def original(self, api_name: str) -> Any:
        """A field's value as it was read, in the stored form; None in a record that was not read."""
        position = self._positions.get(api_name)
        return None if position is None or not self._row else self._row[position]

    @property
    def seen(self) -> dict[str, Stored]:
        """All that was read, in the stored form: API name → value. Empty in a record that was not read."""
        return {name: self._row[position] for name, position in self._positions.items()} if self._row else {}

    def edit(self, api_name: str, value: Stored) -> None:
        """Remember a field's new value, in the stored form; the old one again is no edit."""
        # A dict of its own each time: a copy of the record shares the old one.
        edits = {name: each for name, each in (self._edits or {}).items() if name != api_name}
        if not self._row or value != self.original(api_name):
            edits[api_name] = value
        self._edits = edits or None

    @property
    def changes(self) -> dict[str, object]:
        """What was changed since the record was read: API name → Python value."""
        kinds = {each.api_name: each.kind for each in self._attributes.values()}
        return {name: decode(kinds[name], value) for name, value in (self._edits or {}).items()}

    @property
    def edits(self) -> dict[str, Stored]:
        """The same in the stored form."""
        return dict(self._edits or {})

    def become(self, record_type: type[Record], row: tuple[Any, ...] | None) -> None:
        """Be the record of this row from now on, with no edits; without a row, only forget the edits.

        `record_type` is a shape of this record's class.
        """
        if row is not None:
            object.__setattr__(self, "__class__", record_type)
            self._row = row
        self._edits = None

    def to_dict(self) -> dict[str, object]:
        """Every field: API name → Python value."""
        row, edits = self._row, self._edits or {}
        places = self._positions if row else {}
        values: dict[str, object] = {}
        for each in self._attributes.values():
            name = each.api_name
            if name in edits:
                stored = edits[name]
            else:
                place = places.get(name)
                stored = None if place is None else row[place]
            values[name] = None if stored is None else each.read(stored)
        return values

    def __getitem__(self, name: str) -> Any:
        return self._attribute(name).__get__(self, type(self))

    def __setitem__(self, name: str, value: Any) -> None:
        self._attribute(name).__set__(self, value)

    def __iter__(self) -> Iterator[str]:
        """The fields' API names."""
        return iter([each.api_name for each in self._attributes.values()])

    @classmethod
    def _attribute(cls, name: str) -> Attribute[Any]:
        found = cls._attributes.get(name)
        if found is not None:
            return found
        folded = name.casefold()
        for python_name, each in cls._attributes.items():
            if folded in (python_name, each.api_name.casefold()):
                return each
        if cls._schema is not None:
            cls._schema.check_read(name)
        raise FieldNotFound.named(name, cls.api_name, cls._attributes)

    def __getattr__(self, name: str) -> Any:
        # Only reached when the class has no such attribute.
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_row", "_edits") or name in self._attributes:
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or self.api_name != other.api_name:
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # a record can be edited, so it has no lasting hash

    def __repr__(self) -> str:
        shown = {name: self[name] for name in ("id", "name") if name in self._attributes and self[name] is not None}
        shown |= {name: value for name, value in self.changes.items()}
        return f"{self.api_name}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


R = TypeVar("R", bound=Record)

_new = object.__new__
_set_row, _set_edits = vars(Record)["_row"].__set__, vars(Record)["_edits"].__set__


def shape(record_type: type[R], schema: ObjectSchema) -> type[R]:
    """A subclass of `record_type` that reads rows of this schema: declared attributes, and one for each other field.

    A field that is of another type than was declared is read as what it is now.
    """
    declared = {each.api_name for each in record_type._attributes.values()}
    kinds = {field.name: field.type for field in schema.columns}
    retyped = {
        name: Attribute[Any](each.api_name, kinds[each.api_name])
        for name, each in record_type._attributes.items()
        if kinds.get(each.api_name, each.kind) is not each.kind
    }
    others: dict[str, Any] = {
        field.python_name: Attribute(field.name, field.type)
        for field in schema.columns
        if field.name not in declared and not hasattr(Record, field.python_name)
    }
    positions = {field.name: position for position, field in enumerate(schema.columns)}
    body = {
        "__slots__": (),
        "_positions": positions,
        "_schema": schema,
        "__doc__": record_type.__doc__,
        **others,
        **retyped,
    }
    shaped: type[R] = type(record_type.__name__, (record_type,), body, api_name=schema.name)
    present = {name: each for name, each in shaped._attributes.items() if each.api_name in positions}
    taken = {each.api_name for each in present.values()}
    hidden = {field.name: Attribute[Any](field.name, field.type) for field in schema.columns if field.name not in taken}
    shaped._attributes = {**present, **hidden}
    return shaped


def record_type_for(schema: ObjectSchema) -> type[Record]:
    """A record type for an object that has no declared model."""
    bare = type(schema.name, (Record,), {"__slots__": (), "__doc__": schema.label}, api_name=schema.name)
    return shape(bare, schema)
