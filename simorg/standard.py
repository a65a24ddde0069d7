"""What the platform itself derives on save for standard objects: names, stages, fiscal periods, files, prices."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from simorg.database import Row, Value
from simorg.results import Refused

if TYPE_CHECKING:
    from simorg.org import SimOrg

# stage: probability, forecast category, its name, closed, won
STAGES: dict[str, tuple[str, str, str, int, int]] = {
    "Prospecting": ("10.0", "Pipeline", "Pipeline", 0, 0),
    "Qualification": ("10.0", "Pipeline", "Pipeline", 0, 0),
    "Needs Analysis": ("20.0", "Pipeline", "Pipeline", 0, 0),
    "Value Proposition": ("50.0", "Pipeline", "Pipeline", 0, 0),
    "Id. Decision Makers": ("60.0", "Pipeline", "Pipeline", 0, 0),
    "Perception Analysis": ("70.0", "Pipeline", "Pipeline", 0, 0),
    "Proposal/Price Quote": ("75.0", "BestCase", "Best Case", 0, 0),
    "Negotiation/Review": ("90.0", "Forecast", "Commit", 0, 0),
    "Closed Won": ("100.0", "Closed", "Closed", 1, 1),
    "Closed Lost": ("0.0", "Omitted", "Omitted", 1, 0),
}
# Standard fields that the platform itself reads or writes: administrators cannot remove, rename or retype them.
_PERSON = "FirstName LastName Name "
_ACTIVATION = "Status StatusCode ActivatedDate ActivatedById"
_CONVERTED = "IsConverted ConvertedDate ConvertedAccountId ConvertedContactId ConvertedOpportunityId"
_NEEDED = {
    "Contact": _PERSON + "AccountId",
    "User": _PERSON + "Username Email IsActive CommunityNickname TimeZoneSidKey LocaleSidKey LanguageLocaleKey",
    "Lead": _PERSON + "Company Status " + _CONVERTED,
    "Opportunity": "AccountId StageName CloseDate Probability ForecastCategory ForecastCategoryName "
    "IsClosed IsWon FiscalYear FiscalQuarter Fiscal",
    "Pricebook2": "IsStandard",
    "PricebookEntry": "Pricebook2Id Product2Id UnitPrice UseStandardPrice",
    "Contract": _ACTIVATION,
    "Order": _ACTIVATION,
    "ProductCategory": "CatalogId",
    "ProductCategoryProduct": "ProductCategoryId CatalogId",
    "ContentVersion": "PathOnClient VersionData ContentSize Checksum FileExtension FileType ContentDocumentId "
    "VersionNumber IsLatest",
}
# Rows that begin as drafts and never become one again.
ONCE_ACTIVE = ("TaxPolicy", "TaxTreatment", "BillingPolicy", "BillingTreatment", "BillingTreatmentItem")
_NEEDED |= dict.fromkeys(ONCE_ACTIVE, "Status")
NEEDED = {name: frozenset(words.split()) for name, words in _NEEDED.items()}
FORECASTS = {
    "Omitted": "Omitted",
    "Pipeline": "Pipeline",
    "Best Case": "BestCase",
    "Commit": "Forecast",
    "Closed": "Closed",
}


def derive(org: "SimOrg", object_name: str, row: Row, given: set[str], old: Row | None) -> None:
    """Fill in the derived fields of a row that is about to be saved; `given` are the fields that the caller set."""
    rule = _RULES.get(object_name)
    if rule is not None:
        rule(org, row, given, old)


def full_name(first: Value, last: Value) -> str:
    """Return the Name of a person: first and last name, at most 121 characters."""
    return " ".join(str(part) for part in (first, last) if part)[:121]


def _person(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    row["Name"] = full_name(row.get("FirstName"), row.get("LastName"))


def _lead(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    if old is not None and old["IsConverted"]:
        raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    _person(org, row, given, old)


def _opportunity(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    if "StageName" in given:
        probability, category, category_name, closed, won = STAGES.get(
            str(row["StageName"]), ("0.0", "Pipeline", "Pipeline", 0, 0)
        )
        row |= {"IsClosed": closed, "IsWon": won}
        if "Probability" not in given:
            row["Probability"] = probability
        if "ForecastCategoryName" not in given:
            row |= {"ForecastCategory": category, "ForecastCategoryName": category_name}
    if "ForecastCategoryName" in given:
        row["ForecastCategory"] = FORECASTS.get(str(row["ForecastCategoryName"]), "Pipeline")
    day = str(row["CloseDate"])
    quarter = (int(day[5:7]) + 2) // 3
    row |= {"FiscalYear": int(day[:4]), "FiscalQuarter": quarter, "Fiscal": f"{day[:4]} {quarter}"}


def _price(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    if old is not None:
        return
    is_standard = org.database.value('SELECT "IsStandard" FROM "Pricebook2" WHERE "Id" = ?', (row["Pricebook2Id"],))
    sql = (
        'SELECT e."UnitPrice" FROM "PricebookEntry" e JOIN "Pricebook2" b ON b."Id" = e."Pricebook2Id" '
        'WHERE b."IsStandard" = 1 AND e."IsDeleted" = 0 AND e."Product2Id" = ?'
    )
    standard_price = org.database.value(sql, (row["Product2Id"],))
    if not is_standard and standard_price is None:
        raise Refused("STANDARD_PRICE_NOT_DEFINED", "Before creating a custom price, create a standard price.")
    if row.get("UseStandardPrice") and standard_price is not None:
        row["UnitPrice"] = standard_price


def _status(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    known = {"Draft": "Draft", "In Approval Process": "InApproval", "Activated": "Activated"}
    row["StatusCode"] = known.get(str(row.get("Status")), "Draft")
    if row["StatusCode"] == "Activated" and row.get("ActivatedDate") is None:
        row |= {"ActivatedDate": org.now_stamp(), "ActivatedById": row.get("LastModifiedById") or org.user_id}


def _file(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    data = row.get("VersionData")
    content = data if isinstance(data, bytes) else b""
    extension = str(row["PathOnClient"]).rpartition(".")[2] if "." in str(row["PathOnClient"]) else None
    row |= {"ContentSize": len(content), "Checksum": hashlib.md5(content, usedforsecurity=False).hexdigest()}
    row |= {"FileExtension": extension, "FileType": (extension or "UNKNOWN").upper()[:20]}
    if old is not None:
        return
    earlier = row.get("ContentDocumentId")
    if earlier is None:
        row |= {"ContentDocumentId": org.numbering.new_id("069"), "VersionNumber": "1"}
    else:
        count = org.database.value('SELECT COUNT(*) FROM "ContentVersion" WHERE "ContentDocumentId" = ?', (earlier,))
        org.database.write('UPDATE "ContentVersion" SET "IsLatest" = 0 WHERE "ContentDocumentId" = ?', (earlier,))
        row["VersionNumber"] = str(count + 1)
    row["IsLatest"] = 1


def _category_product(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    sql = 'SELECT "CatalogId" FROM "ProductCategory" WHERE "Id" = ?'
    row["CatalogId"] = org.database.value(sql, (row["ProductCategoryId"],))


def _no_way_back(org: "SimOrg", row: Row, given: set[str], old: Row | None) -> None:
    if old is not None and old["Status"] != "Draft" and row["Status"] == "Draft":
        # that it is refused is known, with which code and text is not
        raise Refused("FIELD_INTEGRITY_EXCEPTION", "The status cannot be changed back to Draft", "Status")


_Rule = Callable[["SimOrg", Row, set[str], Row | None], None]
_NO_WAY_BACK: dict[str, _Rule] = dict.fromkeys(ONCE_ACTIVE, _no_way_back)
_RULES: dict[str, _Rule] = _NO_WAY_BACK | {
    "Contact": _person,
    "User": _person,
    "Lead": _lead,
    "Opportunity": _opportunity,
    "PricebookEntry": _price,
    "Contract": _status,
    "Order": _status,
    "ContentVersion": _file,
    "ProductCategoryProduct": _category_product,
}
