"""The 30 columns of the contact-like object that is loaded, as an org would describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """One field: API name, Salesforce type, and whether it may be null."""

    name: str
    type: str
    nillable: bool = True

    def describe(self) -> dict[str, Any]:
        """The field's entry in describe, with the keys that matter here."""
        return {
            "name": self.name,
            "label": self.name,
            "type": self.type,
            "nillable": self.nillable,
            "length": 18 if self.type in ("id", "reference") else 255,
            "precision": 18 if self.type in ("currency", "double") else 0,
            "scale": 2 if self.type in ("currency", "double") else 0,
            "filterable": self.type != "textarea",
            "sortable": self.type != "textarea",
            "nameField": self.name == "Name",
        }


COLUMNS = (
    Column("Id", "id", nillable=False),
    Column("IsDeleted", "boolean", nillable=False),
    Column("AccountId", "reference"),
    Column("LastName", "string", nillable=False),
    Column("FirstName", "string"),
    Column("Salutation", "picklist"),
    Column("Name", "string", nillable=False),
    Column("MailingStreet", "textarea"),
    Column("MailingCity", "string"),
    Column("MailingState", "string"),
    Column("MailingPostalCode", "string"),
    Column("MailingCountry", "string"),
    Column("Phone", "phone"),
    Column("MobilePhone", "phone"),
    Column("Email", "email"),
    Column("Title", "string"),
    Column("Department", "string"),
    Column("LeadSource", "picklist"),
    Column("Birthdate", "date"),
    Column("Description", "textarea"),
    Column("OwnerId", "reference", nillable=False),
    Column("HasOptedOutOfEmail", "boolean", nillable=False),
    Column("CreatedDate", "datetime", nillable=False),
    Column("CreatedById", "reference", nillable=False),
    Column("LastModifiedDate", "datetime", nillable=False),
    Column("LastModifiedById", "reference", nillable=False),
    Column("SystemModstamp", "datetime", nillable=False),
    Column("LastActivityDate", "date"),
    Column("Balance__c", "currency"),
    Column("Score__c", "double"),
)

NAMES = tuple(column.name for column in COLUMNS)


def describe() -> dict[str, Any]:
    """The body of the object's describe."""
    return {
        "name": "Contact",
        "label": "Contact",
        "labelPlural": "Contacts",
        "keyPrefix": "003",
        "queryable": True,
        "createable": True,
        "updateable": True,
        "deletable": True,
        "replicateable": True,
        "fields": [column.describe() for column in COLUMNS],
    }
