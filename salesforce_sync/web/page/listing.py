"""Which records a person wants to see, as the address of the screen says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.ports import Selection
from salesforce_sync.web import places

ROWS: Final = 50

OPERATORS: Final = (
    ("contains", "contains"),
    ("eq", "is"),
    ("ne", "is not"),
    ("startswith", "begins with"),
    ("endswith", "ends with"),
    ("gt", ">"),
    ("gte", "≥"),
    ("lt", "<"),
    ("lte", "≤"),
    ("in", "is one of"),
    ("isnull", "is empty"),
    ("notnull", "is not empty"),
)
_SAID: Final = dict(OPERATORS)


class Condition(Struct, frozen=True):
    """One filter, as it was typed."""

    field: str
    operator: str
    value: str

    @property
    def key(self) -> str:
        """The condition's name in `search`."""
        return self.field if self.operator == "eq" else f"{self.field}__{self.operator}"

    @property
    def said(self) -> str:
        """The condition as a person reads it."""
        if self.operator == "isnull":
            return f"{self.field} is {'empty' if self.value.strip().casefold() == 'true' else 'not empty'}"
        return f"{self.field} {_SAID.get(self.operator, self.operator)} {self.value}"


class Look(Struct, frozen=True):
    """What of an object is shown: `sort` is a field, with a minus before it from the last to the first."""

    search: str = ""
    conditions: tuple[Condition, ...] = ()
    sort: str = "Id"
    columns: tuple[str, ...] = ()
    after: str = ""

    @property
    def selection(self) -> Selection:
        """The page to read, and one row more, which tells whether there is another page."""
        field = self.sort.removeprefix("-")
        place = places.read(self.after, field) if self.after else None
        return Selection(sort=field, descending=self.sort.startswith("-"), after=place, most=ROWS + 1)

    @property
    def texts(self) -> dict[str, str]:
        """The conditions by their names in `search`."""
        return {each.key: each.value for each in self.conditions}

    def query(self, *, sort: str | None = None, after: str = "", without: Condition | None = None) -> str:
        """The address of the same look with another order, place, or one condition less."""
        pairs = [("search", self.search), ("sort", self.sort if sort is None else sort), ("after", after)]
        pairs += [("column", name) for name in self.columns]
        for each in self.conditions:
            if each != without:
                pairs += [("field", each.field), ("op", each.operator), ("value", each.value)]
        return "?" + urlencode([(name, value) for name, value in pairs if value or name == "value"])

    def turned(self, field: str) -> str:
        """The address that sorts by this field; the other way round if it does already."""
        return self.query(sort=f"-{field}" if self.sort == field else field)

    def direction(self, field: str) -> str:
        """How a column is sorted, in the words of ARIA."""
        if self.sort.removeprefix("-") != field:
            return "none"
        return "descending" if self.sort.startswith("-") else "ascending"


def look_of(given: Sequence[tuple[str, str]], schema: ObjectSchema) -> Look:
    """The look that an address describes."""
    texts = dict(given)
    fields, operators, values = ([value for name, value in given if name == key] for key in ("field", "op", "value"))
    conditions = tuple(
        _condition(schema.field(field).name, operator, value)
        for field, operator, value in zip(fields, operators, values, strict=False)
        if field
    )
    wanted = tuple(schema.field(value).name for name, value in given if name == "column")
    named = schema.name_field
    return Look(
        texts.get("search", "").strip(),
        conditions,
        _sort(texts.get("sort", ""), schema) or (named.name if named is not None and named.sortable else "Id"),
        wanted,
        texts.get("after", ""),
    )


def _condition(field: str, operator: str, value: str) -> Condition:
    if operator == "notnull":
        return Condition(field, "isnull", "false")
    return Condition(field, operator, "true" if operator == "isnull" and not value.strip() else value)


def _sort(text: str, schema: ObjectSchema) -> str:
    return ("-" if text.startswith("-") else "") + schema.field(text.removeprefix("-")).name if text else ""


# ── which columns ────────────────────────────────────────────────────────────────────────────────────────────────

_LIKED: Final = (
    *("ProductCode", "Company", "AccountId", "Email", "Phone", "StageName", "Status", "Amount", "CloseDate"),
    *(
        "Industry",
        "AnnualRevenue",
        "Title",
        "Family",
        "IsActive",
        "Product2Id",
        "Pricebook2Id",
        "UnitPrice",
        "Code",
        "Type",
    ),
    *("StartDate", "EndDate", "Quantity", "EffectiveDate", "Description"),
)
_HOUSEHOLD: Final = frozenset(
    {
        *("Id", "IsDeleted", "MasterRecordId", "CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"),
        *("SystemModstamp", "LastViewedDate", "LastReferencedDate", "LastActivityDate", "OwnerId", "RecordTypeId"),
    }
)
_COLUMNS: Final = 7
_LONG: Final = 255


def usual_columns(schema: ObjectSchema) -> tuple[Field, ...]:
    """The columns that are shown if nobody has chosen others: the name, then what people look for."""
    first = [schema.name_field] if schema.name_field is not None else []
    liked = [schema.field(name) for name in _LIKED if schema.has(name)]
    others = [each for each in schema.columns if each.name not in _HOUSEHOLD and each.updateable and _fits(each)]
    found = dict.fromkeys((*first, *liked, *others))
    return tuple(found)[:_COLUMNS] or schema.columns[:1]


def _fits(field: Field) -> bool:
    part = any(field.name.endswith(each) for each in ("Street", "City", "State", "PostalCode", "Country", "Accuracy"))
    return field.length <= _LONG and not part


def columns_of(look: Look, schema: ObjectSchema) -> tuple[Field, ...]:
    """The columns that this look shows."""
    chosen = tuple(schema.field(name) for name in look.columns)
    return tuple(each for each in chosen if each.synced) or usual_columns(schema)


# ── how a field is edited ────────────────────────────────────────────────────────────────────────────────────────

_INPUTS: Final = {FieldType.DATE: "date", FieldType.BOOLEAN: "choice", FieldType.DATETIME: "text"}


def input_of(field: Field, now: str) -> str:
    """What a person edits this field with, whose value is `now`: `choice`, `suggestions`, `area`, `date`, or `text`."""
    usual = _usual_input_of(field)
    # A browser takes line ends out of what has one line only: to save it untouched would change it.
    return "area" if usual in ("suggestions", "text") and ("\n" in now or "\r" in now) else usual


def _usual_input_of(field: Field) -> str:
    if field.picklist and field.salesforce_type != "multipicklist":
        return "choice" if field.restricted_picklist else "suggestions"
    if field.type in _INPUTS:
        return _INPUTS[field.type]
    return "area" if field.salesforce_type == "textarea" or field.length > _LONG else "text"


def choices_of(field: Field, now: str) -> list[tuple[str, str]]:
    """The values that may be chosen, and how each is said; the present one is among them."""
    if field.type is FieldType.BOOLEAN:
        return [("true", "Yes"), ("false", "No")]
    active = [value for value, is_active in field.picklist if is_active]
    empty = [("", "– none –")] if field.nillable or not now else []
    kept = [now] if now and now not in active else []
    return [*empty, *((each, each) for each in (*active, *kept))]


def required_first(fields: Iterable[Field]) -> list[Field]:
    """What a new record needs, then what it may have."""
    return sorted((each for each in fields if each.createable and each.synced), key=lambda each: not each.required)


def relative(schema: ObjectSchema, parent: str) -> tuple[Field, ...]:
    """The fields of an object by which its records belong to records of the parent."""
    return tuple(
        each
        for each in schema.columns
        if parent in each.reference_to and each.name not in ("CreatedById", "LastModifiedById", "OwnerId")
    )
