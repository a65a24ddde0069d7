"""`OrgFacts`: what an org is: the one that a business runs on, or one to try things in."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct


class OrgKind(StrEnum):
    """What an org is for."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    SCRATCH = "scratch"
    DEVELOPER = "developer"
    TRIAL = "trial"
    SIMULATED = "simulated"


class OrgFacts(Struct, frozen=True):
    """What the org says of itself; `name` and `edition` are empty where it does not."""

    host: str
    org_id: str
    name: str
    edition: str
    kind: OrgKind

    def __str__(self) -> str:
        told = ", ".join(each for each in (self.name, self.edition, self.host) if each)
        return f"{told} (org {self.org_id})" if self.org_id else told


_SALESFORCE: Final = r"(.*\.)?(salesforce\.com|force\.com|cloudforce\.com|salesforce\.mil|sfcrmproducts\.cn)"
_BY_HOST: Final = (
    (r"test\.salesforce\.com|cs\d+(\..*)?\.salesforce\.com", OrgKind.SANDBOX),
    (r".+\.sandbox\.my\.[a-z.]+|.+--.+\.my\.[a-z.]+", OrgKind.SANDBOX),
    (r".+\.scratch\.my\.[a-z.]+", OrgKind.SCRATCH),
    (r".+\.(develop|trailblaze)\.my\.[a-z.]+|.+-dev-ed(\..+)?\.my\.[a-z.]+", OrgKind.DEVELOPER),
    (r".+\.(demo|trial|stm|orgfarm)\.my\.[a-z.]+", OrgKind.TRIAL),
)
"""The partitions of enhanced domains and the older forms (Salesforce help, "My Domain URL formats")."""


def kind_by_host(host: str) -> OrgKind | None:
    """What the address alone tells; None where the org has to be asked."""
    return next((kind for pattern, kind in _BY_HOST if re.fullmatch(pattern, host.lower())), None)


def is_salesforces(host: str) -> bool:
    """Whether the address is one of Salesforce's."""
    return re.fullmatch(_SALESFORCE, host.lower()) is not None


def kind_by_row(is_sandbox: object, edition: object, trial_ends: object) -> OrgKind:
    """What an org's row of Organization tells: IsSandbox, OrganizationType, TrialExpirationDate.

    A scratch org, and a sandbox, say IsSandbox; an org that says none of it is a business's own.
    """
    if is_sandbox is True:
        return OrgKind.SANDBOX
    if edition == "Developer Edition":
        return OrgKind.DEVELOPER
    return OrgKind.TRIAL if trial_ends else OrgKind.PRODUCTION
