"""How describe tells what an object is: the key lists of REST describe, v48 and later."""

from collections.abc import Iterator
from typing import Any

from simorg.schema import COMPOUND_TYPES, ChildRelationship, PicklistValue, RecordType, SField, SObject

MASTER = RecordType("012000000000000AAA", "Master", "Master")
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


def describe_field(one: SField) -> dict[str, Any]:
    """Return a field as describe shows it, with every key, in alphabetical order; there is no `queryable`."""
    return dict(sorted((_flags(one) | _sizes(one) | _texts(one) | _others(one)).items()))


def _flags(one: SField) -> dict[str, Any]:
    compound = one.type in COMPOUND_TYPES
    return {
        "aggregatable": one.aggregatable,
        "aiPredictionField": False,
        "autoNumber": one.auto_number is not None,
        "calculated": one.calculated,
        "cascadeDelete": one.cascade_delete,
        "caseSensitive": one.case_sensitive,
        "createable": one.createable,
        "custom": one.custom,
        "defaultedOnCreate": one.defaulted,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "displayLocationInDecimal": one.location_in_decimal,
        "encrypted": one.encrypted,
        "externalId": one.external_id,
        "filterable": one.filterable,
        "formulaTreatNullNumberAsZero": False,
        "groupable": one.groupable,
        "highScaleNumber": False,
        "htmlFormatted": one.html,
        "idLookup": one.id_lookup,
        "nameField": one.name_field,
        "namePointing": one.polymorphic,
        "nillable": one.nillable,
        "permissionable": one.nillable and not compound and one.compound is None,
        "polymorphicForeignKey": one.polymorphic,
        "queryByDistance": compound,
        "restrictedDelete": one.restricted_delete,
        "restrictedPicklist": one.restricted_picklist,
        "searchPrefilterable": one.type == "reference",
        "sortable": one.sortable,
        "unique": one.unique,
        "updateable": one.updateable,
        "writeRequiresMasterRead": False,
    }


def _sizes(one: SField) -> dict[str, Any]:
    return {
        "byteLength": 18 if one.type in ("id", "reference") else one.length * 3,
        "digits": one.digits,
        "length": one.length,
        "precision": one.precision,
        "relationshipOrder": one.relationship_order,
        "scale": one.scale,
    }


def _texts(one: SField) -> dict[str, Any]:
    return {
        "calculatedFormula": one.formula_text,
        "compoundFieldName": one.compound,
        "controllerName": None,
        "defaultValueFormula": None,
        "extraTypeInfo": one.extra_type_info,
        "inlineHelpText": one.help_text,
        "label": one.label,
        "mask": one.mask,
        "maskType": one.mask_type,
        "name": one.name,
        "referenceTargetField": None,
        "relationshipName": one.relationship_name,
        "soapType": SOAP_TYPES.get(one.type, "xsd:string"),
        "type": one.type,
    }


def _others(one: SField) -> dict[str, Any]:
    return {
        "defaultValue": one.default_value,
        "filteredLookupInfo": None,
        "picklistValues": [_picklist_value(value) for value in one.picklist],
        "referenceTo": list(one.reference_to),
    }


def _picklist_value(value: PicklistValue) -> dict[str, Any]:
    return {
        "active": value.active,
        "defaultValue": value.default,
        "label": value.label,
        "validFor": value.valid_for,
        "value": value.value,
    }


def _child(link: ChildRelationship) -> dict[str, Any]:
    return {
        "cascadeDelete": link.cascade_delete,
        "childSObject": link.child,
        "deprecatedAndHidden": False,
        "field": link.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": link.name,
        "restrictedDelete": link.restricted_delete,
    }


def describe_global(view: SObject, version: str) -> dict[str, Any]:
    """Return an object's entry in describe global."""
    root = f"/services/data/v{version}/sobjects/{view.name}"
    return _object_flags(view) | {
        "keyPrefix": view.key_prefix or None,
        "label": view.label,
        "labelPlural": view.label_plural,
        "name": view.name,
        "urls": {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root},
    }


def describe_object(view: SObject, version: str) -> dict[str, Any]:
    """Return the full describe of an object."""
    root = f"/services/data/v{version}/sobjects/{view.name}"
    plural = view.label_plural.lower()
    return describe_global(view, version) | {
        "actionOverrides": [],
        "childRelationships": [_child(link) for link in view.child_relationships],
        "compactLayoutable": view.layoutable,
        "dataTranslationEnabled": None,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(one) for one in view.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": list(_record_types(view, root)),
        "searchLayoutable": view.layoutable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {plural}", "name": "everything"},
            {"label": f"My {plural}", "name": "mine"},
        ],
        "urls": _urls(root, view),
    }


def _object_flags(view: SObject) -> dict[str, Any]:
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": view.createable,
        "custom": view.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": view.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "layoutable": view.layoutable,
        "mergeable": view.mergeable,
        "mruEnabled": view.layoutable,
        "queryable": view.queryable,
        "replicateable": view.replicateable,
        "retrieveable": True,
        "searchable": view.layoutable,
        "triggerable": view.createable,
        "undeletable": view.undeletable and view.soft_delete,
        "updateable": view.updateable,
    }


def _record_types(view: SObject, root: str) -> Iterator[dict[str, Any]]:
    has_default = any(one.default for one in view.record_types)
    for one in (*view.record_types, MASTER):
        yield {
            "active": one.active,
            "available": True,
            "defaultRecordTypeMapping": one.default or (one is MASTER and not has_default),
            "developerName": one.developer_name,
            "master": one is MASTER,
            "name": one.name,
            "recordTypeId": one.id,
            "urls": {"layout": f"{root}/describe/layouts/{one.id}"},
        }


def _urls(root: str, view: SObject) -> dict[str, str]:
    urls = {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}
    if view.layoutable:
        urls |= {"layouts": f"{root}/describe/layouts", "compactLayouts": f"{root}/describe/compactLayouts"}
    return urls
