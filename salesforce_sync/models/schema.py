"""An org's describe, as data: `FieldType`, `Field`, `ObjectSchema`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, FieldRefused
from salesforce_sync.models.api_names import snake_case


class FieldType(StrEnum):
    """How a field's values are kept. Several Salesforce types share one; `Field.salesforce_type` has the original."""

    ID = "id"
    REFERENCE = "reference"
    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    COMPOUND = "compound"
    BLOB = "blob"


NAME_PARTS = ("FirstName", "MiddleName", "LastName", "Suffix")
"""What a person's Name is made of, in this order (object reference, Contact)."""

_TYPES = {
    "id": FieldType.ID,
    "reference": FieldType.REFERENCE,
    "boolean": FieldType.BOOLEAN,
    "int": FieldType.INTEGER,
    "long": FieldType.INTEGER,
    "double": FieldType.DECIMAL,
    "currency": FieldType.DECIMAL,
    "percent": FieldType.DECIMAL,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "time": FieldType.TIME,
    "address": FieldType.COMPOUND,
    "location": FieldType.COMPOUND,
    "complexvalue": FieldType.COMPOUND,
    "base64": FieldType.BLOB,
}
"""Salesforce's field types (describe's `type`); every type that is not listed is kept as text."""


SHORT_TEXT = 255
"""Characters of a text area that is kept, filtered and sorted like a text field; a longer one is a long text."""

SYSTEM_FIELDS = frozenset(
    (
        "Id",
        "IsDeleted",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
        "LastActivityDate",
        "LastViewedDate",
        "LastReferencedDate",
    )
)
"""What the org sets, and moves, by itself (object reference, System Fields)."""

_SET_BY_ORG = SYSTEM_FIELDS | {"MasterRecordId"}
"""What nobody can write, even where a describe does not say so."""

_OWNERS = frozenset(("User", "Group", "Queue", "RecordType", "Profile", "UserRole"))
"""What nearly every record refers to and no record is a child of."""


class Field(Struct, frozen=True):
    """One field as describe shows it; `precision` and `length` count digits and characters."""

    name: str
    label: str
    type: FieldType
    salesforce_type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = False
    updateable: bool = False
    defaulted_on_create: bool = False
    calculated: bool = False
    auto_number: bool = False
    filterable: bool = True
    sortable: bool = True
    name_field: bool = False
    id_lookup: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    restricted_picklist: bool = False
    picklist: tuple[tuple[str, bool], ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    compound_field_name: str | None = None
    cascade_delete: bool = False
    """Of a reference: whether the record is deleted with the one that it refers to; not only then (`masters`)."""

    @property
    def synced(self) -> bool:
        """Whether the field has a column here. Compound fields repeat their parts; base64 values are only URLs."""
        return self.type not in (FieldType.COMPOUND, FieldType.BLOB)

    @property
    def python_name(self) -> str:
        """The field's name as an attribute: `FirstName` is `first_name`, `Loyalty_Level__c` is `loyalty_level__c`."""
        return snake_case(self.name)

    @property
    def whole_digits(self) -> int | None:
        """How many digits a number may have before its point; None where describe does not tell.

        Salesforce refuses more; decimals beyond the scale it rounds away.
        """
        counts = self.type in (FieldType.INTEGER, FieldType.DECIMAL) and self.precision > self.scale
        return self.precision - self.scale if counts else None

    @property
    def required(self) -> bool:
        """Whether a create must give it (describe has no such key: section 3.2 of the REST facts)."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    def may_be_another(self, before: Field) -> bool:
        """Whether this is not surely the field, of the same name, that was described before, with the values it had.

        An administrator may rename a field and give its name to another one, or change a field so that values are cut,
        rounded or made: no stamp moves, and only what describe says of the field differs. Fields of the platform keep
        their names, which have no two underscores in them, and change with its releases only. (An administrator's end
        in `__c`, in `__pc` where an account shows a person's, and in `__s` where they are parts of a place.)
        """
        if self.type is not before.type:
            return True
        if "__" not in self.name:
            return False
        moved = bool(before.reference_to) and set(self.reference_to).isdisjoint(before.reference_to)
        return moved or self._nature != before._nature

    @property
    def _nature(self) -> tuple[object, ...]:
        return self.salesforce_type, self.length, self.precision, self.scale, self.calculated, self.auto_number

    @classmethod
    def from_describe(cls, entry: Mapping[str, Any]) -> Field:
        """Read one entry of describe's `fields`; keys that a version does not send take their harmless value.

        Where rights or defaults are not told, the org decides at the push: a refusal here could never be mended.
        """
        kind = _TYPES.get(entry["type"], FieldType.TEXT)
        writable = _surely_writable(entry, kind)
        return cls(
            name=entry["name"],
            label=entry.get("label") or entry["name"],
            type=kind,
            salesforce_type=entry["type"],
            length=entry.get("length") or 0,
            precision=entry.get("precision") or entry.get("digits") or 0,
            scale=entry.get("scale") or 0,
            nillable=_told(entry, "nillable", True),
            createable=_told(entry, "createable", writable),
            updateable=_told(entry, "updateable", writable),
            defaulted_on_create=_told(entry, "defaultedOnCreate", True),
            calculated=_told(entry, "calculated", False),
            auto_number=_told(entry, "autoNumber", False),
            filterable=_told(entry, "filterable", True),
            sortable=_told(entry, "sortable", True),
            name_field=_told(entry, "nameField", False),
            id_lookup=_told(entry, "idLookup", False),
            external_id=_told(entry, "externalId", False),
            unique=_told(entry, "unique", False),
            case_sensitive=_told(entry, "caseSensitive", False),
            restricted_picklist=_told(entry, "restrictedPicklist", False),
            picklist=tuple(
                (each["value"], each.get("active", True)) for each in entry.get("picklistValues") or () if each["value"]
            ),
            reference_to=tuple(entry.get("referenceTo") or ()),
            relationship_name=entry.get("relationshipName"),
            compound_field_name=entry.get("compoundFieldName"),
            cascade_delete=_told(entry, "cascadeDelete", False),
        )


def _form(field: Field) -> tuple[object, ...]:
    """Its type and size."""
    return field.type, field.salesforce_type, field.length, field.precision, field.scale


REFUSED_EVERY = timedelta(days=1)
"""How often a field that the org refuses to read is tried again, if nobody asks and no describe is news."""


class Refusal(Struct, frozen=True):
    """A field that the org describes and refuses to read: since when, and when that was tried last.

    By this machine's clock, in UTC; None where an earlier version has left the field out, and kept no time.
    """

    field: str
    since: datetime | None = None
    tried: datetime | None = None

    @property
    def again_at(self) -> datetime | None:
        """From when on a sync tries it again by itself; None: the next one does."""
        return None if self.tried is None else self.tried + REFUSED_EVERY


class ObjectSchema(Struct, frozen=True, dict=True):
    """One object as describe shows it: what the table's columns are, and what may be asked of it."""

    name: str
    label: str
    fields: tuple[Field, ...]
    key_prefix: str | None = None
    label_plural: str = ""
    custom: bool = False
    queryable: bool = True
    createable: bool = False
    updateable: bool = False
    deletable: bool = False
    replicateable: bool = True
    refused: tuple[str, ...] = ()
    """The names of fields that the org describes and refuses to read: they were taken out."""
    refusals: tuple[Refusal, ...] = ()
    """Since when, as far as that is known (`left_out` has all)."""
    takes_along: tuple[tuple[str, str], ...] = ()
    """What is deleted with a record of this object: the objects, and their fields that refer to it."""

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """The synced fields, `Id` first: the order of every query, page and staging table."""
        kept = [field for field in self.fields if field.synced]
        return tuple(sorted(kept, key=lambda field: field.name != "Id"))

    def own_alike(self, one: Field, apart_from: Collection[str]) -> tuple[Field, ...]:
        """The columns of this one's form whose fields people have made and fill in themselves, but for those named."""
        form = _form(one)
        own = (each for each in self.columns if each.name.endswith("__c") and not each.calculated)
        return tuple(each for each in own if each.name not in apart_from and _form(each) == form)

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        by_python_name = {field.python_name.casefold(): field for field in self.fields}
        return by_python_name | {field.name.casefold(): field for field in self.fields}

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(field.name for field in self.columns)

    def has(self, name: str) -> bool:
        """Whether there is a synced field of exactly this API name."""
        return name in self._names

    def knows(self, name: str) -> bool:
        """Whether `field` would find one of this name."""
        return name.casefold() in self._by_name

    @cached_property
    def blank(self) -> Mapping[str, None]:
        """A row of nulls."""
        return dict.fromkeys(field.name for field in self.columns)

    @cached_property
    def composed_name(self) -> str | None:
        """The field that is made of the parts of a person's name, where the object has one."""
        names = {field.compound_field_name for field in self.columns if field.name in NAME_PARTS}
        name = next((each for each in names if each is not None), None)
        return name if name is not None and self.has(name) and self.field(name).type is FieldType.TEXT else None

    @cached_property
    def references(self) -> Mapping[str, Field]:
        """The synced fields that hold ids of other records, by API name."""
        return {field.name: field for field in self.columns if field.type is FieldType.REFERENCE}

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """The names of the fields whose record this one may be a child of, a required one first."""
        found = [each for each in self.references.values() if not _OWNERS.issuperset(each.reference_to or ("",))]
        return tuple(each.name for each in sorted(found, key=lambda each: each.nillable))

    def masters(self, master: ObjectSchema) -> tuple[str, ...]:
        """The names of the fields by which a record of that object takes this one along when it is deleted.

        A detail's own field tells it, and its master does; of standard objects, such as an account's contacts, the
        master alone.
        """
        told = {field for name, field in master.takes_along if name == self.name}
        found = (each for each in self.references.values() if master.name in each.reference_to)
        return tuple(each.name for each in found if each.cascade_delete or each.name in told)

    @cached_property
    def records_together(self) -> int:
        """How many records one call brings by their ids: five queries of 1,000.

        The org puts 2,000 rows on a page, and 200 at most where two of the fields are long texts (SOQL: LIMIT and
        pages, section 4 of the API facts); what does not fit on the first page costs a call for each further one.
        """
        long = sum(each.salesforce_type == "textarea" and each.length > SHORT_TEXT for each in self.columns)
        return 5 * (200 if long > 1 else 1000)

    def field(self, name: str) -> Field:
        """The field of this API or Python name, whatever its case; `FieldNotFound` lists near names.

        `FieldRefused` for one that the org describes and refuses to read.
        """
        found = self._by_name.get(name.casefold())
        if found is None:
            self.check_read(name)
            names = [each for field in self.columns for each in (field.name, field.python_name)]
            raise FieldNotFound.named(name, self.name, names)
        return found

    def check_read(self, name: str) -> None:
        """`FieldRefused` if the field of this API or Python name is one that the org refuses to read."""
        for each in self.left_out:
            if name.casefold() in (each.field.casefold(), snake_case(each.field).casefold()):
                raise self.refused_to_read(each)

    def chosen(self, names: Collection[str]) -> tuple[Field, ...]:
        """`Id` and the columns of these names, in the order of `columns`; all of them where none is named."""
        if not names:
            return self.columns
        wanted = {self.field(name).name for name in names} | {"Id"}
        return tuple(field for field in self.columns if field.name in wanted)

    @cached_property
    def stamp(self) -> str | None:
        """The field that orders changes: SystemModstamp, else LastModifiedDate; None if it cannot.

        The order is that of Salesforce's own replication calls (getUpdated). One that is there and cannot be filtered
        has no stand-in: the next ones do not move with every change. CreatedDate, the last of them, never moves, so it
        serves only the history objects, whose rows are never changed.
        """
        times = {field.name: field for field in self.columns if field.type is FieldType.DATETIME}
        stamps = ("SystemModstamp", "LastModifiedDate", *(["CreatedDate"] if self.name.endswith("History") else []))
        best = next((each for each in stamps if each in times), None)
        return best if best is not None and times[best].filterable else None

    @property
    def change_stamp(self) -> str | None:
        """The stamp that moves with every change; None where there is none: CreatedDate tells of no change."""
        return None if self.stamp == "CreatedDate" else self.stamp

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """Names of synced fields that differ from one another by letter case only: SOQL and SQL take them for one."""
        times = Counter(field.name.casefold() for field in self.columns)
        return tuple(field.name for field in self.columns if times[field.name.casefold()] > 1)

    def only(self, *names: str) -> ObjectSchema:
        """The same object with only these synced fields (`Id` always): what a narrower query brings."""
        kept = {"Id", *names}
        return replace(self, fields=tuple(field for field in self.columns if field.name in kept))

    @property
    def listed(self) -> ObjectSchema:
        """What lists the object's rows to compare with: ids, stamps, and which are deleted, where it has these."""
        return self.only(*(name for name in ("IsDeleted", self.stamp) if name is not None))

    def gained_since(self, before: ObjectSchema) -> tuple[str, ...]:
        """The columns that it did not have then, and those of which nothing tells that they are the same still."""
        known = {field.name.casefold(): field for field in before.columns}
        same = {field.name for field in self.columns if _is_same(field, known.get(field.name.casefold()))}
        return tuple(field.name for field in self.columns if field.name not in same)

    def without(self, *names: str) -> ObjectSchema:
        """The same object without these fields, however their names are spelt; it keeps which of them it had."""
        refused = {name.casefold() for name in names}
        gone = {each.name for each in self.fields if each.name.casefold() in refused}
        left = tuple(each for each in self.fields if each.name not in gone)
        return replace(self, fields=left, refused=tuple(sorted(gone | set(self.refused))))

    def refusing(self, *refusals: Refusal) -> ObjectSchema:
        """The same object without these fields, which the org refuses to read; it keeps since when."""
        told = {each.field.casefold() for each in refusals}
        before = (each for each in self.refusals if each.field.casefold() not in told)
        return replace(self.without(*told), refusals=(*before, *refusals))

    def read_as(self, known: ObjectSchema) -> ObjectSchema:
        """The same object without the fields that the org has refused to read when it was `known`."""
        bare = self.without(*known.refused)
        return replace(bare, refusals=tuple(each for each in known.refusals if each.field in bare.refused))

    @property
    def left_out(self) -> tuple[Refusal, ...]:
        """The fields that the org describes and refuses to read, by name."""
        when = {each.field: each for each in self.refusals}
        return tuple(when.get(name, Refusal(name)) for name in self.refused)

    def refused_to_read(self, *refusals: Refusal) -> FieldRefused:
        """What is said of these fields, which are left out, or of all that are."""
        told = refusals or self.left_out
        since = [each.since for each in told if each.since is not None]
        again = [each.again_at for each in told if each.again_at is not None]
        first = min(again) if len(again) == len(told) else None
        return FieldRefused.told([each.field for each in told], self.name, min(since, default=None), first)

    @property
    def name_field(self) -> Field | None:
        """The field that a person recognises a record by."""
        return next((field for field in self.columns if field.name_field), None)

    @classmethod
    def from_describe(cls, body: Mapping[str, Any]) -> ObjectSchema:
        """Read the body of `GET /sobjects/X/describe`."""
        return cls(
            name=body["name"],
            label=body.get("label") or body["name"],
            label_plural=body.get("labelPlural") or body.get("label") or body["name"],
            fields=tuple(Field.from_describe(entry) for entry in _readable(body["fields"])),
            key_prefix=body.get("keyPrefix"),
            custom=_told(body, "custom", False),
            queryable=_told(body, "queryable", True),
            createable=_told(body, "createable", True),
            updateable=_told(body, "updateable", True),
            deletable=_told(body, "deletable", True),
            replicateable=_told(body, "replicateable", True),
            takes_along=tuple(sorted(set(_along(body.get("childRelationships") or ())))),
        )


def _along(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Those of describe's `childRelationships` whose records go with the parent: not half of an account's hundred."""
    return ((each["childSObject"], each["field"]) for each in entries if _told(each, "cascadeDelete", False))


def _is_same(field: Field, before: Field | None) -> bool:
    return before is not None and not field.may_be_another(before)


def _told(of: Mapping[str, Any], key: str, usual: bool) -> bool:
    """What describe tells under this key; the usual where it is silent or says null."""
    value = of.get(key)
    return usual if value is None else bool(value)


def _surely_writable(entry: Mapping[str, Any], kind: FieldType) -> bool:
    """Whether nothing but the absence of `createable` speaks against writing the field."""
    made_by_org = entry["name"] in _SET_BY_ORG or entry.get("calculated") or entry.get("autoNumber")
    return not made_by_org and kind not in (FieldType.COMPOUND, FieldType.BLOB)


def _readable(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The entries without those that describe calls not queryable; a person's Name is made of its parts.

    Salesforce knows no `queryable` of a field (what may not be seen is absent), orgs behind a gateway may. An account
    that may be a person is made with a Name or with a LastName: neither of them has to be given by itself.
    """
    kept = [entry for entry in entries if _told(entry, "queryable", True)]
    names = {entry["name"]: entry for entry in kept if entry["name"] in ("Name", "LastName")}
    either = len(names) == 2 and _told(names["Name"], "createable", False)
    for entry in kept:
        if entry["name"] not in names or len(names) < 2:
            yield entry
        elif either:
            yield {**entry, "defaultedOnCreate": True}
        else:
            yield {"createable": False, "updateable": False, **entry} if entry["name"] == "Name" else entry


class ObjectSummary(Struct, frozen=True):
    """One line of the org's list of objects (describe global)."""

    name: str
    label: str
    queryable: bool
    custom: bool
    key_prefix: str | None


class Described(Struct, frozen=True):
    """An object as the org describes it, and how many rows of it the user sees; None where the org did not count."""

    schema: ObjectSchema
    rows: int | None = None


def schemas_by_name(schemas: Iterable[ObjectSchema]) -> dict[str, ObjectSchema]:
    """Index schemas by API name."""
    return {schema.name: schema for schema in schemas}
