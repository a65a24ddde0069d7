"""What is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from salesforce_sync.web.bodies.base import Body, Values

Objects = Annotated[list[str], Meta(min_length=1, max_length=500)]
Losing = Annotated[list[str], Meta(max_length=500, description="Those of the objects that may lose any number of rows")]


class SyncRequest(Body, frozen=True, kw_only=True):
    """The objects to sync; without any, the configured ones.

    An object that would lose more rows than the set share is LOSS_REFUSED, unless `acceptLoss` names it.
    """

    objects: Objects | None = None
    accept_loss: Losing = field(default_factory=list)


class ObjectSyncRequest(Body, frozen=True, kw_only=True):
    """The session that the object belongs to, if there is one; and in `acceptLoss` its name, if it may lose rows."""

    session_id: str | None = None
    accept_loss: Losing = field(default_factory=list)


class Login(Body, frozen=True, kw_only=True):
    """A user's token, or the one-time token of a link."""

    token: Annotated[str, Meta(min_length=1, max_length=400)]


class Decision(Body, frozen=True, kw_only=True):
    """What becomes of an inbox item.

    `take`: `side` holds for every field that `values` does not name. `drop`: the local edit ends. `retry`: it is sent
    again, with `allowDuplicates` past the org's duplicate rules. `link`: the new record is `recordId` of the org, or
    that is what the record was merged into. `version` is the item's, as it was seen: if something of it has changed
    since, nothing is done.
    """

    action: Literal["take", "drop", "retry", "link"]
    side: Literal["org", "local"] | None = None
    values: Values | None = None
    record_id: str | None = None
    allow_duplicates: bool = False
    version: str | None = None


class Release(Body, frozen=True, kw_only=True):
    """Every change that the org refused with this code is sent again."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


class TakeAll(Body, frozen=True, kw_only=True):
    """Every conflict of this object, in which both sides changed a field, is decided for this side."""

    object_api_name: Annotated[str, Meta(min_length=1, max_length=100)]
    side: Literal["org", "local"]


class VerifyRequest(Body, frozen=True, kw_only=True):
    """The objects to compare with the org; without any, all that are here. `acceptLoss` as for a sync."""

    objects: Objects | None = None
    accept_loss: Losing = field(default_factory=list)
