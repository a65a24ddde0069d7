"""Which objects go into a workbook, and in which order: parents before what refers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final

from salesforce_sync.errors import Misuse, near
from salesforce_sync.models.schema import ObjectSchema

SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "sales": ("Account", "Contact", "Lead", "Opportunity"),
    "revenue-cloud": (
        *("LegalEntity", "TaxEngine", "TaxPolicy", "TaxTreatment", "CostBook", "BillingPolicy", "BillingTreatment"),
        *("ProductCatalog", "ProductCategory", "Product2", "ProductClassification", "ProductCategoryProduct"),
        *("ProductComponentGroup", "ProductRelatedComponent", "ProductSellingModel", "ProductSellingModelOption"),
        *("AttributeDefinition", "AttributeCategory", "AttributePicklist", "AttributePicklistValue"),
        *("ProductAttributeDefinition", "Pricebook2", "PricebookEntry", "CostBookEntry", "PriceAdjustmentSchedule"),
        *("PriceAdjustmentTier", "AttributeBasedAdjRule", "AttributeBasedAdjustment", "Order", "OrderItem"),
        *("Asset", "AssetAction", "AssetActionSource", "Contract"),
    ),
}
"""Ready sets by name."""


def ready_set(name: str) -> tuple[str, ...]:
    """The objects of a ready set; `Misuse` names the sets that there are."""
    found = SETS.get(name.casefold())
    if found is None:
        raise Misuse(f"There is no set {name!r}.", hint=near(name, SETS) or f"There are: {', '.join(SETS)}.")
    return found


def parents_first(schemas: Sequence[ObjectSchema]) -> tuple[ObjectSchema, ...]:
    """The same objects, each behind those that it refers to, otherwise as they were given.

    Where objects refer to each other in a circle, a reference that may be empty gives way to one that may not.
    """
    left = {each.name: each for each in schemas}
    done: list[ObjectSchema] = []
    while left:
        ready = _first(left.values(), left.keys(), _refers_to)
        if ready is None:
            circle = _first_circle(left)
            ready = _first(circle, left.keys(), _fills_in) or _first(circle, left.keys(), _needs) or circle[0]
        done.append(left.pop(ready.name))
    return tuple(done)


_Parents = Callable[[ObjectSchema], set[str]]


def _first(among: Iterable[ObjectSchema], left: Set[str], parents_of: _Parents) -> ObjectSchema | None:
    """The first that waits for none of those that are left."""
    return next((each for each in among if not (parents_of(each) & left) - {each.name}), None)


def _first_circle(left: Mapping[str, ObjectSchema]) -> list[ObjectSchema]:
    """Those that refer to each other, and to nobody else who is left."""
    above = {name: _ancestors(name, left) for name in left}
    return [schema for name, schema in left.items() if all(name in above[each] for each in above[name])]


def _ancestors(name: str, left: Mapping[str, ObjectSchema]) -> set[str]:
    found: set[str] = set()
    new = {name}
    while new:
        new = {parent for each in new for parent in _refers_to(left[each]) & left.keys()} - found
        found |= new
    return found


_AUDIT: Final = ("CreatedById", "LastModifiedById")


def _refers_to(schema: ObjectSchema) -> set[str]:
    """The objects that its lookups lead to, without who saved it."""
    return {name for field in schema.columns if field.name not in _AUDIT for name in field.reference_to}


def _fills_in(schema: ObjectSchema) -> set[str]:
    """Those of lookups that a new record can be given."""
    return {name for field in schema.columns if field.createable for name in field.reference_to}


def _needs(schema: ObjectSchema) -> set[str]:
    """Those of lookups that a new record must be given."""
    return {name for field in schema.columns if field.required for name in field.reference_to}
