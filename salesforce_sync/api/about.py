"""What the org says of itself: its name, its edition, and whether a business runs on it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from salesforce_sync.api import rest
from salesforce_sync.api.query import Query
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.api.wire import is_loopback
from salesforce_sync.errors import ObjectTrouble
from salesforce_sync.models.org_kind import OrgFacts, OrgKind, is_salesforces, kind_by_host, kind_by_row
from salesforce_sync.models.page import Priority


class _Row(msgspec.Struct, rename="pascal"):
    id: str = ""
    name: str | None = None
    is_sandbox: bool | None = None
    organization_type: str | None = None
    trial_expiration_date: str | None = None


class _Rows(msgspec.Struct):
    records: list[_Row] = []


_ROWS = msgspec.json.Decoder(_Rows)
_FIELDS = "Id, Name, IsSandbox, OrganizationType, TrialExpirationDate"


def kind_without_asking(instance_url: str) -> OrgKind | None:
    """What the address alone tells: an org on this machine is a simulated one."""
    host = urlsplit(instance_url).hostname or ""
    return OrgKind.SIMULATED if is_loopback(host) else kind_by_host(host)


def about(transport: Transport) -> OrgFacts:
    """Ask the org; one call. Of what it does not say, the careful thing is taken to be true: it is production."""
    instance = transport.session().instance_url
    host = urlsplit(instance).hostname or ""
    known = kind_without_asking(instance)
    row = _asked(transport)
    if row is None:
        unknown = OrgKind.PRODUCTION if is_salesforces(host) else OrgKind.SIMULATED
        return OrgFacts(host, "", "", "", known or unknown)
    kind = known or kind_by_row(row.is_sandbox, row.organization_type, row.trial_expiration_date)
    return OrgFacts(host, row.id[:15], transport.said(row.name or ""), row.organization_type or "", kind)


def _asked(transport: Transport) -> _Row | None:
    path = rest.query_path(Query(f"SELECT {_FIELDS} FROM Organization", "query"))
    call = Call("ask which org this is", path, priority=Priority.PUSH)
    try:
        rows = _ROWS.decode(transport.send(call).body).records
    except (ObjectTrouble, msgspec.MsgspecError):
        return None
    return rows[0] if rows else None
