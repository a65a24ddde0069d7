"""Names as Salesforce's API has them, and as Python does."""

from __future__ import annotations

import re

from salesforce_sync.errors import ObjectNotFound

_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def is_api_name(name: str) -> bool:
    """Whether this has the form of an object's or field's API name."""
    return bool(_API_NAME.fullmatch(name))


def check_api_name(name: str) -> str:
    """The name, if it has the form of an object's or field's API name; `ObjectNotFound` otherwise.

    Checked before a name reaches a URL, a query, a path or a statement.
    """
    if not is_api_name(name):
        raise ObjectNotFound(f"{name!r} is not an API name.", hint="API names look like Contact or Widget__c.")
    return name


_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`FirstName` → `first_name`, `AccountId` → `account_id`, `Foo_Bar__c` → `foo_bar__c`."""
    return re.sub(r"(?<!_)_(?=_[a-z]$)", "_", _WORDS.sub("_", name)).lower()
