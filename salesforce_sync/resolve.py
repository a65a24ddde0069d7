"""Three-way merge: local edits against a newer row of the org, by their base. Pure.

It stands below the ports, and not in `sync`, because every store asks it within its merge's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from salesforce_sync.models.inbox import Contested, Verdict
from salesforce_sync.models.schema import ObjectSchema


class Policy(StrEnum):
    """What happens to a field that both sides have changed."""

    ASK = "ask"
    ORG = "org"
    LOCAL = "local"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of each object and field: keys are `Object.Field`, `Object` or nothing (`default`), in lower case."""

    default: Policy = Policy.ASK
    named: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, object_name: str, field_name: str = "") -> Policy:
        """The narrowest policy that was named."""
        keys = f"{object_name}.{field_name}".casefold(), object_name.casefold()
        return next((self.named[key] for key in keys if key in self.named), self.default)


ASK_ALWAYS = Policies()


def judge(contested: Contested, schema: ObjectSchema, policies: Policies) -> Verdict:
    """What becomes of the record's edits now that the org shows this row."""
    raise AssertionError((contested, schema, policies))
