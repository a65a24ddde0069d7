"""The screen of what was edited here and is not in the org yet: what a push would do, the push, and taking it back."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from salesforce_sync.errors import ProductionUnconfirmed, RecordNotFound
from salesforce_sync.models.outbox import Change, ChangeState, Operation, Wanted
from salesforce_sync.models.push import Diff
from salesforce_sync.web import bodies, routes_two_way
from salesforce_sync.web.asking import Asked
from salesforce_sync.web.page.frame import Changing, Looking, PageRoute, show
from salesforce_sync.web.page.words import plural

SHOWN: Final = 500
"""Of what is sent, and of what is held back, so many are on the screen."""

router = APIRouter(prefix="/org/{connection}/changes", route_class=PageRoute, include_in_schema=False)


@router.get("")
def changes(request: Request, asked: Looking, dry: bool = False) -> Response:
    """What a push would send, what it would not, and the last pushes. No API call."""
    waiting = _waiting(asked)
    return _shown(request, asked, ("run", _would(waiting)) if dry else None, waiting=waiting)


def _would(waiting: Diff) -> str:
    sends = f"a push would send {plural(waiting.total, 'change')} in {plural(waiting.calls, 'API call')}"
    kept = f", and hold back {_held(waiting):,}" if _held(waiting) else ""
    return f"Dry run: {sends}{kept}. Nothing was sent."


def _held(waiting: Diff) -> int:
    """How many changes a push would not send now; of very many only some are told one by one."""
    besides = sum(count for name, count in waiting.beyond.items() if name != "orders")
    return len(waiting.unknown) + len(waiting.blocked) + len(waiting.rejected) + len(waiting.held) + besides


def _shown(
    request: Request,
    asked: Asked,
    notice: tuple[str, str] | None = None,
    done: bodies.PushBody | None = None,
    production: str = "",
    title: str = "What was sent",
    waiting: Diff | None = None,
) -> Response:
    sync, shown = asked.replica.sync, asked.replica.shown
    waiting = waiting or _waiting(asked)
    return show(
        request,
        asked,
        "changes.html",
        "changes",
        diff=_unsendable(asked, waiting) if sync.connected_to is None else shown.diff(waiting, SHOWN),
        total=waiting.total,
        held=_held(waiting),
        can_push=waiting.total > 0 or bool(waiting.unknown) or waiting.beyond.get("unknown", 0) > 0,
        most=SHOWN,
        pushes=[(shown.push(each, asked.words), each.total) for each in sync.pushes(10, listed=3)],
        can_take_back={each.number for each in _all_of(waiting) if each.state is ChangeState.WAITING},
        done=done,
        production=production,
        done_title=title,
        notice=notice,
    )


def _waiting(asked: Asked) -> Diff:
    """What a push would do; without an org all that was edited is held back."""
    sync = asked.replica.sync
    if sync.connected_to is not None:
        return sync.diff()
    held = sync.outbox(Wanted(most=SHOWN))
    return Diff((), 0, held=held, beyond={"held": sync.outbox_count() - len(held)})


def _unsendable(asked: Asked, waiting: Diff) -> bodies.DiffBody:
    held = [asked.replica.shown.change(each, "no org is connected") for each in waiting.held]
    return bodies.DiffBody(calls=0, changes=[], held=held)


def _all_of(waiting: Diff) -> tuple[Change, ...]:
    blocked = (each.change for each in waiting.blocked)
    rejected = (each.change for each in waiting.rejected)
    return (*waiting.orders, *blocked, *rejected, *waiting.held)


@router.post("/push")
async def push(request: Request, asked: Changing, confirm_production: Annotated[bool, Form()] = False) -> Response:
    """Send what can be sent, and show what became of each change. A production org is asked for before the first."""
    wanted = bodies.PushRequest(confirm_production=confirm_production)

    def send() -> Response:
        try:
            done = routes_two_way.send(asked, wanted)
        except ProductionUnconfirmed as error:
            return _shown(request, asked, production=error.message)
        return _shown(request, asked, _told_of(asked, done), done)

    return await asked.house.run(send)


def _told_of(asked: Asked, done: bodies.PushBody) -> tuple[str, str]:
    if _was_nothing(done):
        return "run", "Nothing to send."
    if done.success:
        return "good", f"{plural(done.applied, 'change is', 'changes are')} in the org now."
    if done.problem is not None:
        return "bad", f"{done.problem.error}: {done.problem.details}"
    told = done.overwrote + done.hidden
    if done.state == "partial" and told and all(each.outcome == "applied" for each in done.changes):
        some = plural(told, "change has", "changes have")
        return "warn", f"All is in the org now. Of what became of it, {some} to be looked at: see the inbox."
    pushes = asked.replica.sync.pushes(10, listed=1)  # of a very large one `done` lists a part only
    left = next((each.total for each in pushes if each.push_id == done.push_id), len(done.changes)) - done.applied
    return "warn", f"{plural(done.applied, 'change is', 'changes are')} in the org now; {left:,} not. See below."


def _was_nothing(done: bodies.PushBody) -> bool:
    return done.success and not done.applied and not done.changes


@router.post("/undo/{push_id}")
async def undo(request: Request, asked: Changing, push_id: str) -> Response:
    """Send what a push replaced, as far as nobody has changed it since."""

    def take_back() -> Response:
        done = routes_two_way.send_back(asked, push_id)
        kind, text = _told_of(asked, done)
        said = text if done.problem is not None or _was_nothing(done) else f"Undone: {text}"
        return _shown(request, asked, (kind, said), done, title="What the undo sent")

    return await asked.house.run(take_back)


@router.post("/{number}/take-back")
def take_back(request: Request, asked: Changing, number: int) -> Response:
    """Give up edits that were not sent yet: the record is again as the org has it."""
    change = next(iter(asked.replica.sync.outbox(Wanted(numbers=(number,)))), None)
    if change is None:
        raise RecordNotFound("This change is not waiting any more.", hint="Load the screen again.")
    deed = asked.deed("take back", f"{change.object_name}/{change.record_id}", change.operation.value)
    with asked.house.doing(deed):
        _take_back(asked, change)
    return _shown(request, asked, ("good", "Taken back: nothing of it is sent."))


def _take_back(asked: Asked, change: Change) -> None:
    collection = asked.replica.sync.objects[change.object_name]
    match change.operation:
        case Operation.CREATE | Operation.UNDELETE:
            collection.delete(change.record_id)
        case Operation.DELETE:
            collection.undelete(change.record_id)
        case Operation.UPDATE:  # a field that is back at its base is no edit any more
            bases = {each.field: each.base for each in change.edits}
            collection.store.update(change.object_name, change.record_id, bases)
