"""The screen of what waits for a person: before, here and in the org side by side, and one click each."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.inbox import InboxItem, beyond_reach, told_as
from salesforce_sync.models.outbox import Kind
from salesforce_sync.web import bodies, routes_two_way
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.bodies import ItemBody
from salesforce_sync.web.page.frame import Changing, Looking, PageRoute, show

router = APIRouter(prefix="/org/{connection}/inbox", route_class=PageRoute, include_in_schema=False)

_SAID = {
    "org": "The org's values hold.",
    "local": "Your values hold, and go with the next push.",
    "base": "The value from before goes with the next push.",
    "drop": "The local edit is given up.",
    "retry": "It is sent again with the next push.",
}
_OF_A_RECORD = {
    (Kind.DELETED_THERE, "org"): "The record is deleted here, too.",
    (Kind.DELETED_THERE, "local"): "The record comes back with its edits by the next push.",
    (Kind.CHANGED_THERE, "org"): "The record stays, as it is in the org.",
    (Kind.CHANGED_THERE, "local"): "The record is deleted with the next push.",
    (Kind.DELETED_OVER, "org"): "The record comes back by the next push.",
    (Kind.DELETED_OVER, "local"): "The record stays deleted.",
    (Kind.REPLACED, "org"): "The org's value from before goes back with the next push.",
    (Kind.REPLACED, "local"): "Your values stay.",
    (Kind.NOT_SHOWN, "drop"): "It is put away.",
}


def _said(item: InboxItem, action: str, side: str | None) -> str:
    """What a decision comes to."""
    if beyond_reach(item.kind, item.code):
        return "The edits are given up, and the record leaves."
    told = (side or "org") if action in ("take", "link") else action
    return _OF_A_RECORD.get((item.kind, told), _SAID[told])


SHOWN: Final = 50
"""Items of a page: an import that went wrong leaves thousands, and each is a card with its buttons."""

After = Annotated[int, Query(ge=0, lt=2**63)]


@router.get("")
def inbox(request: Request, asked: Looking, after: After = 0) -> Response:
    """What waits, oldest first: those behind a number."""
    return _shown(request, asked, after)


def _shown(request: Request, asked: Asked, after: int, said: str = "", kind: str = "good") -> Response:
    """The items behind that number; the first ones, if there is none behind it any more."""
    sync = asked.replica.sync
    found = sync.inbox(after=after, most=SHOWN + 1)
    if not found and after:
        after, found = 0, sync.inbox(most=SHOWN + 1)
    items = [asked.replica.shown.item(each) for each in found[:SHOWN]]
    return show(
        request,
        asked,
        "inbox.html",
        "inbox",
        items=items,
        after=after,
        next=items[-1].number if len(found) > SHOWN else None,
        labels=_Labels(asked),
        notice=(kind, said) if said else None,
    )


def _decided_already(request: Request, asked: Asked, after: int) -> Response:
    """What waits still, to whoever decides on what somebody else has decided since he looked."""
    return _shown(request, asked, after, "This does not wait any more: somebody has decided it meanwhile.", "warn")


def _waiting(asked: Asked, number: int) -> InboxItem | None:
    """The item, if it waits still."""
    try:
        return asked.replica.sync.inbox_item(number)
    except RecordNotFound:
        return None


class _Labels:
    """Fields by what the org calls them, and items by what a person is told."""

    def __init__(self, asked: Asked) -> None:
        self._objects = asked.replica.sync.objects

    def of(self, object_name: str, field: str) -> str:
        """The field's label; its name where it is not known any more."""
        schema = self._objects[object_name].schema if object_name in self._objects else None
        return schema.field(field).label if schema is not None and schema.has(field) else field

    def what(self, item: ItemBody) -> str:
        """Its kind in words."""
        return told_as(Kind(item.kind), item.code)

    def beyond_reach(self, item: ItemBody) -> bool:
        """Whether its edits can only be given up."""
        return beyond_reach(Kind(item.kind), item.code)


@router.post("/all/{object_name}")
def take_all(
    request: Request, asked: Changing, object_name: str, side: Annotated[Literal["org", "local"], Form()]
) -> Response:
    """Decide every conflict of an object for one side."""
    routes_two_way.take_all(asked, bodies.TakeAll(object_api_name=object_name, side=side))
    return _shown(request, asked, 0, f"{object_name}: {_SAID[side]}")


@router.post("/{number}")
def decide(
    request: Request,
    asked: Changing,
    number: int,
    action: Annotated[Literal["take", "drop", "retry", "link"], Form()],
    side: Annotated[Literal["org", "local"] | None, Form()] = None,
    record_id: Annotated[str | None, Form()] = None,
    allow_duplicates: Annotated[bool, Form()] = False,
    version: Annotated[str | None, Form()] = None,
    after: After = 0,
) -> Response:
    """Decide an item as a whole."""
    item = _waiting(asked, number)
    if item is None:
        return _decided_already(request, asked, after)
    wanted = bodies.Decision(
        action=action, side=side, record_id=record_id, allow_duplicates=allow_duplicates, version=version
    )
    routes_two_way.decide(asked, number, wanted)
    return _shown(request, asked, after, _said(item, action, side))


@router.post("/{number}/{field}")
def decide_field(
    request: Request,
    asked: Changing,
    number: int,
    field: str,
    side: Annotated[Literal["org", "local", "base"], Form()],
    version: Annotated[str | None, Form()] = None,
    after: After = 0,
) -> Response:
    """Decide one field of a conflict; the others go on waiting."""
    item = _waiting(asked, number)
    if item is None:
        return _decided_already(request, asked, after)
    conflict = next((each for each in item.conflicts if each.field == field), None)
    if conflict is None:
        raise Misuse(f"{field} is in no conflict any more.", hint="Load the inbox again.")
    value: Any = getattr(conflict, side)
    routes_two_way.decide(asked, number, bodies.Decision(action="take", values={field: value}, version=version))
    return _shown(request, asked, after, f"{field}: {_SAID[side]}")


@router.post("")
def retry_all(request: Request, asked: Changing, code: Annotated[str, Form()]) -> Response:
    """Let every change be sent again that the org refused with this code."""
    routes_two_way.retry_all(asked, bodies.Release(code=code))
    return _shown(request, asked, 0, f"Everything that was refused with {code} is sent again with the next push.")
