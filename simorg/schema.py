"""What an object and a field are."""

from dataclasses import dataclass, field
from typing import Any

COMPOUND_TYPES = frozenset({"address", "location"})
TEXT_TYPES = frozenset(
    {"string", "textarea", "picklist", "multipicklist", "phone", "url", "email", "combobox", "encryptedstring"}
)
NUMBER_TYPES = frozenset({"double", "currency", "percent"})


@dataclass(frozen=True, slots=True)
class PicklistValue:
    """One value of a picklist."""

    value: str
    label: str
    active: bool = True
    default: bool = False
    valid_for: str | None = None


@dataclass(frozen=True, slots=True)
class SField:
    """One field of an object; the names follow describe's keys in snake case.

    `formula` is an SQL expression with `{alias}` for the row's alias, `formula_text` what describe shows;
    `child_relationship` and `deleted_along` tell the parent's side of a reference alone, `cascade_delete` both.
    """

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False
    default_value: Any = None
    filterable: bool = True
    groupable: bool = True
    sortable: bool = True
    aggregatable: bool = True
    unique: bool = False
    case_sensitive: bool = False
    external_id: bool = False
    id_lookup: bool = False
    name_field: bool = False
    auto_number: str | None = None
    encrypted: bool = False
    html: bool = False
    mask: str | None = None
    mask_type: str | None = None
    restricted_picklist: bool = False
    picklist: tuple[PicklistValue, ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    relationship_order: int | None = None
    child_relationship: str | None = None
    cascade_delete: bool = False
    deleted_along: bool = False
    restricted_delete: bool = False
    compound: str | None = None
    extra_type_info: str | None = None
    help_text: str | None = None
    formula: str | None = None
    formula_text: str | None = None
    rollup: bool = False
    location_in_decimal: bool = False

    @property
    def stored(self) -> bool:
        """Whether the field is a column of the object's table."""
        return self.formula is None and self.type not in COMPOUND_TYPES

    @property
    def calculated(self) -> bool:
        """Whether the value is computed when read."""
        return self.formula is not None

    @property
    def custom(self) -> bool:
        """Whether the field was made by an administrator (its name ends in `__c` or `__s`)."""
        return self.name.endswith(("__c", "__s"))

    @property
    def required(self) -> bool:
        """Whether a create without a value fails."""
        return self.createable and not self.nillable and not self.defaulted

    @property
    def polymorphic(self) -> bool:
        """Whether the reference may point to more than one object."""
        return len(self.reference_to) > 1


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """The parent's side of a reference; a None name cannot be used in a subquery."""

    name: str | None
    child: str
    field: str
    cascade_delete: bool = False
    restricted_delete: bool = False


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record type of an object."""

    id: str
    name: str
    developer_name: str
    default: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class SObject:
    """One object of the org with its fields; look-ups by name ignore letter case."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: tuple[SField, ...]
    child_relationships: tuple[ChildRelationship, ...] = ()
    record_types: tuple[RecordType, ...] = ()
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    undeletable: bool = True
    mergeable: bool = False
    queryable: bool = True
    replicateable: bool = True
    bulk: bool = True
    layoutable: bool = True
    _by_name: dict[str, SField] = field(init=False, repr=False, compare=False)
    _by_relationship: dict[str, SField] = field(init=False, repr=False, compare=False)
    stored_fields: tuple[SField, ...] = field(init=False, repr=False, compare=False)  # those that are columns

    def __post_init__(self) -> None:
        by_name = {one.name.lower(): one for one in self.fields}
        by_relationship = {one.relationship_name.lower(): one for one in self.fields if one.relationship_name}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_relationship", by_relationship)
        object.__setattr__(self, "stored_fields", tuple(one for one in self.fields if one.stored))

    @property
    def custom(self) -> bool:
        """Whether the object was made by an administrator."""
        return self.name.endswith("__c")

    @property
    def soft_delete(self) -> bool:
        """Whether deleted rows stay in the recycle bin (the object has IsDeleted)."""
        return "isdeleted" in self._by_name

    @property
    def name_field(self) -> SField | None:
        """The field that names a row to a person, if there is one."""
        return next((one for one in self.fields if one.name_field), None)

    def field(self, name: str) -> SField | None:
        """Return the field with this API name, or None."""
        return self._by_name.get(name.lower())

    def relationship(self, name: str) -> SField | None:
        """Return the reference field with this relationship name (`Account`, `Parent__r`), or None."""
        return self._by_relationship.get(name.lower())

    def child(self, name: str) -> ChildRelationship | None:
        """Return the child relationship with this name (`Contacts`, `Widgets__r`), or None."""
        wanted = name.lower()
        return next((one for one in self.child_relationships if one.name and one.name.lower() == wanted), None)

    def parts_of(self, compound: str) -> tuple[SField, ...]:
        """Return the fields that make up a compound field."""
        return tuple(one for one in self.fields if one.compound == compound and one.name != compound)
