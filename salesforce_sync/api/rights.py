"""What the connected user may do in the org as a whole."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from salesforce_sync.api import rest
from salesforce_sync.api.query import Query
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.errors import ObjectTrouble


class Rights(Struct, frozen=True):
    """The user's permissions that reach over all objects. (That the API may be used, the answer itself has shown.)"""

    view_all: bool
    modify_all: bool


class _Row(msgspec.Struct):
    PermissionsViewAllData: bool = False
    PermissionsModifyAllData: bool = False


class _Rows(msgspec.Struct):
    records: list[_Row] = []


_ROWS = msgspec.json.Decoder(_Rows)


def rights(transport: Transport) -> Rights | None:
    """Ask for them; None where the org does not tell. One call (object reference: UserPermissionAccess)."""
    soql = "SELECT PermissionsViewAllData, PermissionsModifyAllData FROM UserPermissionAccess"
    try:
        answer = transport.send(Call("ask what the user may do", rest.query_path(Query(soql, "query"))))
        rows = _ROWS.decode(answer.body).records
    except (ObjectTrouble, msgspec.MsgspecError):
        return None
    return Rights(rows[0].PermissionsViewAllData, rows[0].PermissionsModifyAllData) if rows else None
