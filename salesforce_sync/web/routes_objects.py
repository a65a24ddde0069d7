"""Objects: what is here, how fresh it is, what is proved; and what the org has besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from salesforce_sync.errors import ObjectNotFound
from salesforce_sync.models.change import agreement
from salesforce_sync.models.run import ObjectStatus, Problem, RunState
from salesforce_sync.models.schema import ObjectSummary
from salesforce_sync.web import bodies, documents
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import Asked, Editing, Viewing, sent
from salesforce_sync.web.catalog import category, usual_label
from salesforce_sync.web.describing import REMOTE, gives
from salesforce_sync.web.progress import Status
from salesforce_sync.web.replicas import Replica, losses, object_name
from salesforce_sync.web.routes_records import ObjectName
from salesforce_sync.web.waiting import Route

router = APIRouter(prefix="/api", tags=["objects"], route_class=Route)

NOT_SYNCED: Final = "not synced"


@router.get("/objects", **gives(bodies.ObjectList, fails=REMOTE))
async def objects(
    asked: Viewing,
    available: Annotated[bool, Query(description="The org's other objects too; one API call in ten minutes")] = False,
) -> Response:
    """The objects of the replica and those that are configured, with counts, freshness and proof."""
    others = await asked.org_list() if available else ()
    return answered(object_list(await run_in_threadpool(known_objects, asked, (), others)))


def object_list(found: list[bodies.ObjectBody]) -> bodies.ObjectList:
    """The objects, and how many of them are how far."""
    states = [each.status for each in found]
    return bodies.ObjectList(
        total=len(found),
        synced=states.count("synced"),
        pending=states.count("pending") + states.count("syncing"),
        not_synced=states.count(NOT_SYNCED) + states.count("error"),
        objects=found,
    )


@router.get("/objects/{objectApiName}", **gives(bodies.ObjectBody))
def one_object(asked: Viewing, objectApiName: ObjectName) -> Response:
    """One object."""
    name = object_name(objectApiName).casefold()
    found = next((each for each in known_objects(asked) if each.object_api_name.casefold() == name), None)
    if found is None:
        return answered(_body(asked, _status_of(asked, objectApiName), _described(asked.replica)))
    return answered(found)


def _status_of(asked: Asked, name: str) -> ObjectStatus:
    """Of an object that is in no list: `NotSynced` where the replica does not have it."""
    return _never_synced(asked.replica.sync.objects[name].object_name)


@router.get("/objects/{objectApiName}/fields", **gives(bodies.FieldList))
def fields(asked: Viewing, objectApiName: ObjectName) -> Response:
    """The object's fields, as describe showed them."""
    schema = asked.replica.sync.objects[object_name(objectApiName)].schema
    return answered(
        bodies.FieldList(object_api_name=schema.name, fields=[documents.field(each) for each in schema.fields])
    )


def known_objects(
    asked: Asked, also: Sequence[str] = (), listed: Sequence[ObjectSummary] = ()
) -> list[bodies.ObjectBody]:
    """Every object that is here, wanted, was tried, or is named in `also` or in the org's list. No API call."""
    replica = asked.replica
    tried = {each.object_name.casefold(): each for each in replica.sync.tried()}
    described = _described(replica)
    shown = [_body(asked, each, described) for each in replica.sync.status().objects]
    known = {each.object_api_name.casefold() for each in shown}
    names = [*replica.sync.config.sync.objects, *also, *(each.name for each in listed if each.queryable)]
    names += filter(replica.names.may_have, replica.sessions.interrupted)
    for name in (*names, *(each.object_name for each in tried.values() if _may_be_one(replica, each))):
        if name.casefold() not in known:
            shown.append(_body(asked, tried.get(name.casefold()) or _never_synced(name), described))
            known.add(name.casefold())
    return sorted(shown, key=lambda each: each.object_api_name)


def _may_be_one(replica: Replica, tried: ObjectStatus) -> bool:
    """Whether a name that was tried, and of which nothing is here, is an object of the org as far as anybody knows."""
    run = tried.last_run
    not_found = run is not None and run.problem is not None and run.problem.code == ObjectNotFound.code
    return not not_found and replica.names.may_have(tried.object_name)


def _never_synced(name: str) -> ObjectStatus:
    return ObjectStatus(name, 0, 0, None, None, None)


def _described(replica: Replica) -> frozenset[str]:
    """The names that the replica knows, in lower case. Asked one by one, it would read all again for each other one."""
    return frozenset(name.casefold() for name in replica.sync.objects)


def _body(asked: Asked, status: ObjectStatus, described: frozenset[str]) -> bodies.ObjectBody:
    name, replica = status.object_name, asked.replica
    schema = replica.sync.objects[name].schema if name.casefold() in described else None
    summary = schema or replica.names.summary(name)
    configured = {each.casefold() for each in replica.sync.config.sync.objects}
    state, met = _state(replica, status)
    return bodies.ObjectBody(
        object_api_name=name,
        label=usual_label(name) if summary is None else summary.label,
        category=category(name, custom=summary is not None and summary.custom),
        status=state,
        synced=status.last_complete is not None,
        configured=name.casefold() in configured,
        record_count=status.rows,
        tombstones=status.tombstones,
        last_synced=documents.stamp(status.last_complete),
        checkpoint=documents.stamp(status.checkpoint),
        changes_found_by=status.method,
        createable=schema is not None and schema.createable,
        updateable=schema is not None and schema.updateable,
        deletable=schema is not None and schema.deletable,
        proof=documents.proof(status.proof),
        loss_refused=status.loss_refused,
        problem=documents.problem(met, asked.words),
    )


def _state(replica: Replica, status: ObjectStatus) -> tuple[Any, Problem | None]:
    """What is under way here, else how the last run of any process ended."""
    under_way = replica.sessions.under_way(status.object_name)
    if under_way is not None and under_way.status in (Status.PENDING, Status.SYNCING):
        return under_way.status.value, None
    last = status.last_run
    if last is not None and last.state is not RunState.COMPLETE:
        return "error", last.problem
    met = replica.sessions.failure(status.object_name)
    cut_off = replica.sessions.interruption(status.object_name, None if last is None else last.finished)
    if cut_off is not None:
        return "error", met or cut_off
    if status.last_complete is not None:
        return "synced", None
    return (NOT_SYNCED, None) if met is None else ("error", met)


@router.post("/verify", tags=["sync"], **gives(bodies.VerifyBody, takes=bodies.VerifyRequest, fails=REMOTE))
async def verify(
    asked: Editing,
    wanted: Annotated[bodies.VerifyRequest, Depends(sent(bodies.VerifyRequest, optional=True, else_all=True))],
) -> Response:
    """Compare every id and stamp of these objects, or of all that are here, with the org, and repair: some calls.

    Where nothing is heard of the org for 150 seconds the answer is 503, VERIFY_UNDER_WAY: it goes on, and the same
    request, once more, waits for its end.
    """
    names = tuple(map(object_name, wanted.objects or ()))
    accepted = losses(wanted.accept_loss, names or asked.replica.sync.objects)

    def compare() -> bodies.VerifyBody:
        missing = [name for name in names if name not in asked.replica.sync.objects]
        if missing:
            asked.replica.sync.objects[missing[0]]
        told = agreement(accepted)
        with asked.house.doing(asked.deed("verify", ",".join(names), told)) as ending:
            run, proofs = asked.replica.sync.verify(*names, accept_loss=accepted)
            ending.outcome, ending.detail = run.state.value, told
        problems = {each.object_name: documents.problem(each.problem, asked.words) for each in run.objects}
        return bodies.VerifyBody(
            success=all(each.state is RunState.COMPLETE for each in run.objects),
            calls=run.calls,
            proofs={each.object_name: proof for each in proofs if (proof := documents.proof(each)) is not None},
            problems={name: met for name, met in problems.items() if met is not None},
        )

    return answered(await asked.waited_for("verify", (names, accepted), compare))
