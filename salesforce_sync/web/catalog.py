"""Which group an object belongs to, and what it is called, for people who look for it in a list."""

from __future__ import annotations

import re
from typing import Final

_GROUPS: Final = {
    "Sales": (
        "Account Contact Lead Opportunity OpportunityLineItem Campaign CampaignMember Contract Quote QuoteLineItem"
    ),
    "Products": (
        "Product2 ProductCatalog ProductCategory ProductCategoryProduct ProductClassification"
        " ProductClassificationAttr ProductAttributeDefinition ProductComponentGroup ProductRelatedComponent"
        " ProductRelComponentOverride ProductSellingModel ProductSellingModelOption ProrationPolicy"
        " AttributeDefinition AttributeCategory AttributeCategoryAttribute AttributePicklist AttributePicklistValue"
        " UnitOfMeasure UnitOfMeasureClass"
    ),
    "Pricing": (
        "Pricebook2 PricebookEntry PricebookEntryDerivedPrice PriceAdjustmentSchedule PriceAdjustmentTier"
        " AttributeBasedAdjRule AttributeBasedAdjustment AttributeAdjustmentCondition BundleBasedAdjustment"
        " CostBook CostBookEntry"
    ),
    "Billing and tax": "LegalEntity TaxEngine TaxPolicy TaxTreatment BillingPolicy BillingTreatment Invoice",
    "Orders and assets": "Order OrderItem Asset AssetAction AssetActionSource",
    "People and access": "User Group Profile UserRole RecordType",
}

CATEGORIES: Final = (*_GROUPS, "Custom", "Other")
"""In the order in which people look for them."""

_BY_NAME: Final = {name.casefold(): group for group, names in _GROUPS.items() for name in names.split()}


def category(object_name: str, *, custom: bool = False) -> str:
    """The object's group: `Custom` for the org's own, `Other` for what no group names."""
    known = _BY_NAME.get(object_name.casefold())
    if known is not None:
        return known
    return "Custom" if custom or object_name.endswith("__c") else "Other"


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+")
_IN_FULL: Final = {
    "Adj": "Adjustment",
    "Attr": "Attribute",
    "Def": "Definition",
    "Pricebook": "Price Book",
    "Rel": "Related",
}


def usual_label(object_name: str) -> str:
    """What an object that nobody has described is most likely called: its API name, in words a person reads.

    `Price Book Entry` for PricebookEntry, `Product` for Product2, `Order Line` for pkg__Order_Line__c.
    """
    own = re.sub(r"__[a-z]{1,3}$", "", object_name)
    words = _WORD.findall(own.rpartition("__")[2])
    if len(words) > 1 and words[-1] == "2":
        del words[-1]
    return " ".join(_IN_FULL.get(word, word[:1].upper() + word[1:]) for word in words) or object_name
