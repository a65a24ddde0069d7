"""What an object and a field are, and how describe tells it (field key list of REST describe, v48 and later)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MASTER_RECORD_TYPE = "012000000000000AAA"
COMPOUND_TYPES = frozenset({"address", "location"})
TEXT_TYPES = frozenset(
    {"string", "textarea", "picklist", "multipicklist", "phone", "url", "email", "combobox", "encryptedstring"}
)
NUMBER_TYPES = frozenset({"double", "currency", "percent"})
SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "long": "xsd:long",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
}


@dataclass(frozen=True, slots=True)
class PicklistValue:
    """One value of a picklist."""

    value: str
    label: str
    active: bool = True
    default: bool = False
    valid_for: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the value as describe shows it."""
        return {
            "active": self.active,
            "defaultValue": self.default,
            "label": self.label,
            "validFor": self.valid_for,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True)
class SField:
    """One field of an object; the names follow describe's keys in snake case.

    `formula` is an SQL expression with `{alias}` for the row's alias, `formula_text` what describe shows;
    `child_relationship` and `cascade_delete` tell the parent's side of a reference.
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

    def describe(self) -> dict[str, Any]:
        """Return the field as describe shows it, with every key, in alphabetical order."""
        keys = self._flags() | self._sizes() | self._texts() | self._others()
        return dict(sorted(keys.items()))

    def _flags(self) -> dict[str, Any]:
        compound = self.type in COMPOUND_TYPES
        return {
            "aggregatable": self.aggregatable,
            "aiPredictionField": False,
            "autoNumber": self.auto_number is not None,
            "calculated": self.calculated,
            "cascadeDelete": self.cascade_delete,
            "caseSensitive": self.case_sensitive,
            "createable": self.createable,
            "custom": self.custom,
            "defaultedOnCreate": self.defaulted,
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "displayLocationInDecimal": self.location_in_decimal,
            "encrypted": self.encrypted,
            "externalId": self.external_id,
            "filterable": self.filterable,
            "formulaTreatNullNumberAsZero": False,
            "groupable": self.groupable,
            "highScaleNumber": False,
            "htmlFormatted": self.html,
            "idLookup": self.id_lookup,
            "nameField": self.name_field,
            "namePointing": self.polymorphic,
            "nillable": self.nillable,
            "permissionable": self.nillable and not compound and self.compound is None,
            "polymorphicForeignKey": self.polymorphic,
            "queryByDistance": compound,
            "restrictedDelete": self.restricted_delete,
            "restrictedPicklist": self.restricted_picklist,
            "searchPrefilterable": self.type == "reference",
            "sortable": self.sortable,
            "unique": self.unique,
            "updateable": self.updateable,
            "writeRequiresMasterRead": False,
        }

    def _sizes(self) -> dict[str, Any]:
        wide = 18 if self.type in ("id", "reference") else self.length * 3
        return {
            "byteLength": wide,
            "digits": self.digits,
            "length": self.length,
            "precision": self.precision,
            "relationshipOrder": self.relationship_order,
            "scale": self.scale,
        }

    def _texts(self) -> dict[str, Any]:
        return {
            "calculatedFormula": self.formula_text,
            "compoundFieldName": self.compound,
            "controllerName": None,
            "defaultValueFormula": None,
            "extraTypeInfo": self.extra_type_info,
            "inlineHelpText": self.help_text,
            "label": self.label,
            "mask": self.mask,
            "maskType": self.mask_type,
            "name": self.name,
            "referenceTargetField": None,
            "relationshipName": self.relationship_name,
            "soapType": SOAP_TYPES.get(self.type, "xsd:string"),
            "type": self.type,
        }

    def _others(self) -> dict[str, Any]:
        return {
            "defaultValue": self.default_value,
            "filteredLookupInfo": None,
            "picklistValues": [value.describe() for value in self.picklist],
            "referenceTo": list(self.reference_to),
        }


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """The parent's side of a reference; a None name cannot be used in a subquery."""

    name: str | None
    child: str
    field: str
    cascade_delete: bool = False
    restricted_delete: bool = False

    def describe(self) -> dict[str, Any]:
        """Return the relationship as describe shows it."""
        return {
            "cascadeDelete": self.cascade_delete,
            "childSObject": self.child,
            "deprecatedAndHidden": False,
            "field": self.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": self.name,
            "restrictedDelete": self.restricted_delete,
        }


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

    def __post_init__(self) -> None:
        by_name = {one.name.lower(): one for one in self.fields}
        by_relationship = {one.relationship_name.lower(): one for one in self.fields if one.relationship_name}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_relationship", by_relationship)

    @property
    def custom(self) -> bool:
        """Whether the object was made by an administrator."""
        return self.name.endswith("__c")

    @property
    def soft_delete(self) -> bool:
        """Whether deleted rows stay in the recycle bin (the object has IsDeleted)."""
        return "isdeleted" in self._by_name

    @property
    def stored_fields(self) -> tuple[SField, ...]:
        """The fields that are columns of the table."""
        return tuple(one for one in self.fields if one.stored)

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

    def describe_global(self, version: str) -> dict[str, Any]:
        """Return the object's entry in describe global."""
        root = f"/services/data/v{version}/sobjects/{self.name}"
        urls = {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}
        return self._flags() | {
            "keyPrefix": self.key_prefix or None,
            "label": self.label,
            "labelPlural": self.label_plural,
            "name": self.name,
            "urls": urls,
        }

    def describe(self, version: str) -> dict[str, Any]:
        """Return the full describe."""
        root = f"/services/data/v{version}/sobjects/{self.name}"
        return self.describe_global(version) | {
            "actionOverrides": [],
            "childRelationships": [one.describe() for one in self.child_relationships],
            "compactLayoutable": self.layoutable,
            "dataTranslationEnabled": None,
            "defaultImplementation": None,
            "extendedBy": None,
            "extendsInterfaces": None,
            "fields": [one.describe() for one in self.fields],
            "implementedBy": None,
            "implementsInterfaces": None,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": list(self._record_type_infos(root)),
            "searchLayoutable": self.layoutable,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [
                {"label": f"All {self.label_plural.lower()}", "name": "everything"},
                {"label": f"My {self.label_plural.lower()}", "name": "mine"},
            ],
            "urls": _describe_urls(root, self.layoutable),
        }

    def _flags(self) -> dict[str, Any]:
        return {
            "activateable": False,
            "associateEntityType": None,
            "associateParentEntity": None,
            "createable": self.createable,
            "custom": self.custom,
            "customSetting": False,
            "deepCloneable": False,
            "deletable": self.deletable,
            "deprecatedAndHidden": False,
            "feedEnabled": False,
            "hasSubtypes": False,
            "isInterface": False,
            "isSubtype": False,
            "layoutable": self.layoutable,
            "mergeable": self.mergeable,
            "mruEnabled": self.layoutable,
            "queryable": self.queryable,
            "replicateable": self.replicateable,
            "retrieveable": True,
            "searchable": self.layoutable,
            "triggerable": self.createable,
            "undeletable": self.undeletable and self.soft_delete,
            "updateable": self.updateable,
        }

    def _record_type_infos(self, root: str) -> Iterable[dict[str, Any]]:
        has_default = any(one.default for one in self.record_types)
        master = RecordType(MASTER_RECORD_TYPE, "Master", "Master", default=not has_default)
        for one in (*self.record_types, master):
            yield {
                "active": one.active,
                "available": True,
                "defaultRecordTypeMapping": one.default,
                "developerName": one.developer_name,
                "master": one is master,
                "name": one.name,
                "recordTypeId": one.id,
                "urls": {"layout": f"{root}/describe/layouts/{one.id}"},
            }


def _describe_urls(root: str, layoutable: bool) -> dict[str, str]:
    urls = {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}
    if layoutable:
        urls["layouts"] = f"{root}/describe/layouts"
        urls["compactLayouts"] = f"{root}/describe/compactLayouts"
    return urls
