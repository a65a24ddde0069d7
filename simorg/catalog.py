"""Reads the object declarations in `simorg/objects/*.toml`.

A field is one line: `Name = "type size flag flag ..."`, or a table with `is` for that line plus `label`, `help`,
`sql`/`text` (formula), `values` (picklist). Words of a line:

- size: `80`, `18,2`; `->Account` or `->Group,User` what a reference points to; `rel:Name`, `child:Contacts`
- `required`, `defaulted` (never null, but with a default), `default:VALUE`, `readonly`, `createonly`
- `name`, `idlookup`, `externalid`, `unique`, `casesensitive`, `restricted`, `html`, `encrypted`, `auto:FORMAT`
- `master` (master-detail), `along` (deleted with the parent, and only the parent's describe says so, as of an account's
  contacts), `restrict` (parent cannot be deleted), `values:LIST` a picklist of `picklists.toml`
- `part:Compound` part of a compound field
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from simorg.schema import (
    COMPOUND_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    ChildRelationship,
    PicklistValue,
    RecordType,
    SField,
    SObject,
)

_ORDER = (
    "User Group Profile RecordType Account Contact Lead Opportunity Product2 Pricebook2 PricebookEntry "
    "LegalEntity Contract Order OrderItem ContentVersion Widget__c "
    "TaxEngineProvider TaxEngine TaxPolicy TaxTreatment CostBook CostBookEntry BillingPolicy BillingTreatment "
    "BillingTreatmentItem ProductCatalog ProductCategory ProductClassification ProductClassificationAttr "
    "ProductCategoryProduct ProductComponentGroup ProductRelatedComponent ProductRelationshipType ProductSellingModel "
    "ProductSellingModelOption ProrationPolicy UnitOfMeasureClass UnitOfMeasure AttributeDefinition AttributeCategory "
    "AttributeCategoryAttribute AttributePicklist AttributePicklistValue ProductAttributeDefinition "
    "PriceAdjustmentSchedule PriceAdjustmentTier AttributeBasedAdjRule AttributeBasedAdjustment "
    "AttributeAdjustmentCondition Asset AssetAction AssetActionSource"
)
ORDER = _ORDER.split()
ADDRESS_PARTS = (
    ("Street", "textarea", "255"),
    ("City", "string", "40"),
    ("State", "string", "80"),
    ("PostalCode", "string", "20"),
    ("Country", "string", "80"),
    ("Latitude", "double", "18,15"),
    ("Longitude", "double", "18,15"),
    ("GeocodeAccuracy", "picklist", "40 restricted values:geocode"),
)
SYSTEM_FIELDS = {
    "Id": "id 18 readonly defaulted idlookup",
    "IsDeleted": "boolean readonly",
    "CreatedDate": "datetime readonly defaulted",
    "CreatedById": "reference ->User readonly defaulted rel:CreatedBy",
    "LastModifiedDate": "datetime readonly defaulted",
    "LastModifiedById": "reference ->User readonly defaulted rel:LastModifiedBy",
    "SystemModstamp": "datetime readonly defaulted",
}
VIEWED_FIELDS = {"LastViewedDate": "datetime readonly", "LastReferencedDate": "datetime readonly"}
LONG_TEXT = 255
KINDS = (
    TEXT_TYPES
    | NUMBER_TYPES
    | COMPOUND_TYPES
    | {"id", "reference", "boolean", "int", "date", "datetime", "time", "base64"}
)


@cache
def load() -> tuple[SObject, ...]:
    """Return the declared objects, with the child relationships that their references make."""
    return link(tuple(read_object(name, read_toml(name)) for name in ORDER))


def read_toml(name: str) -> dict[str, Any]:
    """Return what a file of `simorg/objects` holds."""
    return tomllib.loads(resources.files("simorg.objects").joinpath(f"{name}.toml").read_text("utf-8"))


@cache
def picklist(name: str) -> tuple[PicklistValue, ...]:
    """Return a picklist of `picklists.toml`; a value that begins with `*` is the default."""
    return make_values(_picklists()[name])


@cache
def _picklists() -> dict[str, list[str]]:
    """Read once: it is the longest of the files, and some seventy fields ask for theirs."""
    return read_toml("picklists")


def make_values(values: Iterable[str]) -> tuple[PicklistValue, ...]:
    """Make picklist values; one that begins with `*` is the default, one that begins with `-` is inactive."""
    return tuple(
        PicklistValue(one.lstrip("*-"), one.lstrip("*-"), active=one[0] != "-", default=one[0] == "*") for one in values
    )


def link(objects: tuple[SObject, ...]) -> tuple[SObject, ...]:
    """Give every object the child relationships that references to it make."""
    children: dict[str, list[ChildRelationship]] = {one.name: [] for one in objects}
    for child in objects:
        for one in child.fields:
            for parent in one.reference_to:
                if parent in children:
                    children[parent].append(_relationship(child, one))
    return tuple(_with_children(one, tuple(children[one.name])) for one in objects)


def _with_children(one: SObject, children: tuple[ChildRelationship, ...]) -> SObject:
    """Return the object with these relationships; itself, where they are the same, as in most changes of one field."""
    return one if one.child_relationships == children else replace(one, child_relationships=children)


def _relationship(child: SObject, one: SField) -> ChildRelationship:
    name = one.child_relationship if not one.polymorphic else None
    cascade = one.cascade_delete or one.deleted_along
    return ChildRelationship(name, child.name, one.name, cascade, one.restricted_delete)


def read_object(name: str, table: dict[str, Any]) -> SObject:
    """Make an object of its declaration."""
    label = table["label"]
    flags = table.get("flags", {})
    system = dict(SYSTEM_FIELDS)
    for left_out in table.get("without", ()):
        del system[left_out]
    lines = {"Id": system.pop("Id")} | table["fields"] | system | (VIEWED_FIELDS if table.get("viewed") else {})
    fields = [made for key, line in lines.items() for made in read_field(key, line)]
    types = tuple(RecordType(**one) for one in table.get("record_types", ()))
    return SObject(name, label, table["plural"], table["prefix"], tuple(fields), (), types, **flags)


def read_field(name: str, line: str | dict[str, Any]) -> Iterator[SField]:
    """Make a field, or a compound field with its parts, of its declaration."""
    spec = {"is": line} if isinstance(line, str) else line
    _check_spec(name, spec)
    kind, *words = spec["is"].split()
    made = _apply(SField(name, kind, spec.get("label") or label_of(name)), words)
    if "values" in spec:
        made = replace(made, picklist=make_values(spec["values"]))
    if "sql" in spec:
        made = replace(
            made, formula=spec["sql"], formula_text=spec.get("text"), createable=False, updateable=False, nillable=True
        )
    yield _finish(replace(made, help_text=spec.get("help")))
    if kind == "address":
        yield from _address_parts(name)
    if kind == "location":
        yield from _location_parts(name, words[0])


def _check_spec(name: str, spec: dict[str, Any]) -> None:
    """Raise ValueError for a declaration that is no field's."""
    unknown = set(spec) - {"is", "label", "help", "sql", "text", "values"}
    texts = [value for key, value in spec.items() if key != "values"]
    if unknown or not all(isinstance(value, str) for value in texts) or not str(spec.get("is", "")).strip():
        raise ValueError(
            f"field {name}: a declaration is a line such as 'string 80', or has is, label, help, sql, "
            f"text (all texts) and values; this is {spec!r}"
        )
    values = spec.get("values", [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise ValueError(f"field {name}: values is a list of texts")
    kind, *words = spec["is"].split()
    if kind not in KINDS:
        raise ValueError(f"field {name}: unknown type {kind}; there are {', '.join(sorted(KINDS))}")
    if kind in ("reference", "location", *NUMBER_TYPES) and not words:
        raise ValueError(f"field {name}: {kind} needs a target or a size, as in 'reference ->Account', 'double 18,2'")


def _address_parts(compound: str) -> Iterator[SField]:
    stem = compound.removesuffix("Address")
    for part, kind, size in ADDRESS_PARTS:
        yield from read_field(stem + part, f"{kind} {size} part:{compound}")


def _location_parts(compound: str, scale: str) -> Iterator[SField]:
    stem = compound.removesuffix("__c")
    for part in ("Latitude", "Longitude"):
        yield from read_field(f"{stem}__{part}__s", f"double 18,{scale} part:{compound} decimal")


def _apply(made: SField, words: list[str]) -> SField:
    meanings: dict[str, Any] = {}
    for word in words:
        try:
            meanings |= _meaning(made, word)
        except (ValueError, KeyError) as problem:
            raise ValueError(f"field {made.name}: the word {word} means nothing here ({problem})") from problem
    made = replace(made, **meanings)
    if made.type == "reference" and not made.reference_to:
        raise ValueError(f"field {made.name}: a reference needs a target, such as ->Account")
    return made


FLAGS: dict[str, dict[str, Any]] = {
    "required": {"nillable": False},
    "defaulted": {"nillable": False, "defaulted": True},
    "readonly": {"createable": False, "updateable": False},
    "createonly": {"updateable": False},
    "name": {"name_field": True},
    "idlookup": {"id_lookup": True},
    "externalid": {"external_id": True, "id_lookup": True},
    "unique": {"unique": True},
    "casesensitive": {"case_sensitive": True},
    "restricted": {"restricted_picklist": True},
    "html": {"html": True},
    "encrypted": {"encrypted": True},
    "master": {"cascade_delete": True, "nillable": False, "updateable": False, "relationship_order": 0},
    "along": {"deleted_along": True},
    "restrict": {"restricted_delete": True},
    "rollup": {"rollup": True},
    "decimal": {"location_in_decimal": True},
    "unfilterable": {"filterable": False, "groupable": False, "sortable": False, "aggregatable": False},
    "unaggregatable": {"aggregatable": False},
}


def _meaning(made: SField, word: str) -> dict[str, Any]:
    if word in FLAGS:
        return FLAGS[word]
    if word.startswith("->"):
        return {"reference_to": tuple(word[2:].split(","))}
    key, _, value = word.partition(":")
    if value:
        return _pair(made, key, value)
    return _size(made.type, word)


def _pair(made: SField, key: str, value: str) -> dict[str, Any]:
    match key:
        case "rel":
            return {"relationship_name": value}
        case "child":
            return {"child_relationship": value}
        case "values":
            return {"picklist": picklist(value)}
        case "part":
            return {"compound": value}
        case "auto":
            return {
                "auto_number": value,
                "createable": False,
                "updateable": False,
                "defaulted": True,
                "nillable": False,
            }
        case "extra":
            return {"extra_type_info": value}
        case "mask":
            return {"mask_type": value, "mask": "asterisk", "encrypted": True}
        case "default":
            return {"default_value": _default(made.type, value), "defaulted": True}
    raise ValueError(f"field {made.name}: unknown word {key}:{value}")


def _default(kind: str, text: str) -> Any:
    if kind == "boolean":
        return text == "true"
    return int(text) if kind == "int" else text


def _size(kind: str, word: str) -> dict[str, Any]:
    if kind in NUMBER_TYPES:
        precision, _, scale = word.partition(",")
        return {"precision": int(precision), "scale": int(scale)}
    if kind == "location":
        return {}
    return {"digits": int(word)} if kind == "int" else {"length": int(word)}


def _finish(made: SField) -> SField:
    """Fill in what follows from the type: flags of section 10 of the facts, relationship names."""
    changes: dict[str, Any] = {}
    if made.type in NUMBER_TYPES or made.type in ("datetime", "time"):
        changes["groupable"] = False
    if made.type == "boolean":
        default = made.default_value if made.default_value is not None else False
        changes |= {"nillable": False, "defaulted": True, "default_value": default, "aggregatable": False}
    chosen = next((one.value for one in made.picklist if one.default), None)
    if chosen is not None:
        changes["default_value"] = chosen
    if made.type == "reference":
        changes |= {"length": 18, "relationship_name": made.relationship_name or relationship_of(made.name)}
    if made.type == "textarea":
        changes["extra_type_info"] = "richtextarea" if made.html else "plaintextarea"
    if (made.type == "textarea" and made.length > LONG_TEXT) or made.type == "base64":
        changes |= FLAGS["unfilterable"]
    if made.type in ("address", "location"):
        changes |= {"createable": False, "updateable": False} | _none_of("groupable", "sortable", "aggregatable")
    if made.type == "multipicklist":
        changes |= _none_of("groupable", "sortable", "aggregatable")
    if made.type == "encryptedstring":
        changes |= {"encrypted": True} | FLAGS["unfilterable"]
    return replace(made, **changes)


def _none_of(*flags: str) -> dict[str, Any]:
    return dict.fromkeys(flags, False)


def relationship_of(name: str) -> str | None:
    """Return the relationship name of a reference field: `AccountId` → `Account`, `Parent__c` → `Parent__r`."""
    if name.endswith("__c"):
        return name[:-1] + "r"
    return name[:-2] if name.endswith("Id") else None


def label_of(name: str) -> str:
    """Return the label that a field gets when none is declared: `BillingCity` → `Billing City`."""
    if name.endswith(("__c", "__s")):
        return name[:-3].replace("__", " ").replace("_", " ").strip()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return words[:-2] + "ID" if words.endswith(" Id") else words
