"""Edits on their way to the org, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from salesforce_sync.errors import Misuse
from salesforce_sync.models.inbox import InboxItem, Side
from salesforce_sync.models.outbox import Change, Wanted
from salesforce_sync.ports import MOST_LISTED
from salesforce_sync.web import bodies
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import Asked, Editing, Viewing, sent
from salesforce_sync.web.describing import REMOTE, gives
from salesforce_sync.web.replicas import object_name
from salesforce_sync.web.waiting import Route

router = APIRouter(prefix="/api", tags=["two-way"], route_class=Route)

After = Annotated[int, Query(ge=0, lt=2**63, description="Those behind this number")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many a page has")]
Listed = TypeVar("Listed", Change, InboxItem)


def _page(asked: Asked, path: str, found: Sequence[Listed], limit: int) -> tuple[Sequence[Listed], str | None]:
    """A page of what was found, which is one more than it has, and the URL of the next one."""
    here = found[:limit]
    more = len(found) > limit
    return here, asked.replica.address(path, after=here[-1].number, limit=limit) if more else None


# ── the outbox ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/outbox", **gives(bodies.OutboxBody))
def outbox(asked: Viewing, after: After = 0, limit: Limit = 1000) -> Response:
    """Every edit that the org has not taken yet, one change a record, in the order in which they were begun."""
    sync, shown = asked.replica.sync, asked.replica.shown
    found = sync.outbox(Wanted(after, most=limit + 1))
    here, following = _page(asked, "/api/outbox", found, limit)
    changes = [shown.change(each) for each in here]
    return answered(bodies.OutboxBody(total=sync.outbox_count(), changes=changes, next_url=following))


@router.get("/diff", **gives(bodies.DiffBody))
def diff(asked: Viewing) -> Response:
    """What a push would send now, old and new, and at how many API calls; and what it would not. No API call."""
    return answered(asked.replica.shown.diff(asked.replica.sync.diff()))


@router.post("/push", **gives(bodies.PushBody, takes=bodies.PushRequest, fails=REMOTE))
async def push(
    asked: Editing, wanted: Annotated[bodies.PushRequest, Depends(sent(bodies.PushRequest, optional=True))]
) -> Response:
    """Send every edit that can be sent; the answer says what became of each.

    The first push to a production org is refused with PRODUCTION_UNCONFIRMED, which names it, until somebody says
    `confirmProduction`; it holds from then on. Where nothing is heard of the org for 150 seconds the answer is 503,
    PUSH_UNDER_WAY: the push goes on, and the same request, once more, waits for its end.
    """
    return answered(await asked.waited_for("push", None, lambda: send(asked, wanted)))


def send(asked: Asked, wanted: bodies.PushRequest) -> bodies.PushBody:
    """A push, and what became of it."""
    if wanted.confirm_production:
        asked.replica.sync.confirm_production(f"user:{asked.caller.user.name}")
    with asked.house.doing(asked.deed("push")) as ending:
        done = asked.replica.sync.push()
        ending.outcome, ending.detail = done.state.value, done.push_id
    return asked.replica.shown.push(done, asked.words)


@router.get("/pushes", **gives(bodies.PushList))
def pushes(asked: Viewing, limit: Annotated[int, Query(ge=1, le=500)] = 20) -> Response:
    """The last pushes, newest first."""
    found = asked.replica.sync.pushes(limit)
    return answered(bodies.PushList(pushes=[asked.replica.shown.push(each, asked.words) for each in found]))


@router.post("/pushes/{pushId}/undo", **gives(bodies.PushBody, fails=REMOTE))
async def undo(asked: Editing, pushId: str) -> Response:
    """Send the values that this push replaced, as far as nobody has changed them since."""
    return answered(await asked.waited_for("push", pushId, lambda: send_back(asked, pushId)))


def send_back(asked: Asked, push_id: str) -> bodies.PushBody:
    """An undo, and what became of it."""
    with asked.house.doing(asked.deed("undo", push_id)) as ending:
        undone = asked.replica.sync.undo(push_id)
        ending.outcome, ending.detail = undone.push.state.value, undone.push.push_id
    return asked.replica.shown.push(undone.push, asked.words, undone.left)


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────

ItemNumber = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/inbox", **gives(bodies.InboxBody))
def inbox(asked: Viewing, after: After = 0, limit: Limit = 1000) -> Response:
    """Conflicts, and changes that the org refused, oldest first."""
    sync, shown = asked.replica.sync, asked.replica.shown
    found = sync.inbox(after=after, most=limit + 1)
    here, following = _page(asked, "/api/inbox", found, limit)
    items = [shown.item(each) for each in here]
    return answered(bodies.InboxBody(total=sync.inbox_count(), items=items, next_url=following))


@router.post("/inbox/retry", **gives(bodies.Released, takes=bodies.Release))
def retry_all(asked: Editing, wanted: Annotated[bodies.Release, Depends(sent(bodies.Release))]) -> Response:
    """Let every change be sent again that the org refused with this code."""
    with asked.house.doing(asked.deed("decision", f"retry {wanted.code}")):
        return answered(bodies.Released(released=asked.replica.sync.retry_all(wanted.code)))


@router.post("/inbox/take", **gives(bodies.DecidedAll, takes=bodies.TakeAll))
def take_all(asked: Editing, wanted: Annotated[bodies.TakeAll, Depends(sent(bodies.TakeAll))]) -> Response:
    """Decide every conflict of an object for one side. What was deleted or refused waits for a look of its own."""
    name = object_name(wanted.object_api_name)
    with asked.house.doing(asked.deed("decision", name, f"take all: {wanted.side}")):
        return answered(bodies.DecidedAll(decided=asked.replica.sync.take_all(name, wanted.side)))


@router.get("/inbox/{number}", **gives(bodies.ItemBody))
def item(asked: Viewing, number: ItemNumber) -> Response:
    """One item: before, here and in the org, and which decisions can be taken."""
    return answered(asked.replica.shown.item(_item(asked, number)))


@router.post("/inbox/{number}", **gives(bodies.Decided, takes=bodies.Decision))
def decide(
    asked: Editing, number: ItemNumber, wanted: Annotated[bodies.Decision, Depends(sent(bodies.Decision))]
) -> Response:
    """Decide an item. What that leaves to send goes with the next push.

    With `version`, what was seen of the item is decided about: if something of it has changed since, the answer is 409,
    CHANGED_SINCE, and nothing is done.
    """
    item = _item(asked, number)
    what = f"{item.object_name}/{item.record_id}"
    with asked.house.doing(asked.deed("decision", what, f"item {number}: {wanted.action} {wanted.side or ''}".strip())):
        _carry_out(asked, item, wanted)
    full = asked.replica.sync.objects[item.object_name].full_id(item.record_id)
    return answered(bodies.Decided(number=number, pending=asked.replica.shown.pending(item.object_name, full)))


def _item(asked: Asked, number: int) -> InboxItem:
    return asked.replica.sync.inbox_item(number)


def _carry_out(asked: Asked, item: InboxItem, wanted: bodies.Decision) -> None:
    sync = asked.replica.sync
    match wanted.action:
        case "take":
            sync.take(item.number, wanted.side, wanted.version, **_values(wanted.values))
        case "drop":
            sync.drop(item.number, wanted.version)
        case "retry":
            sync.retry(item.number, wanted.version, allow_duplicates=wanted.allow_duplicates)
        case "link":
            if wanted.record_id is None:
                raise Misuse("Which record it is, is not said.", hint="Give recordId.")
            sync.link(item.number, wanted.record_id, wanted.side or Side.ORG, wanted.version)


def _values(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict(given or {})
