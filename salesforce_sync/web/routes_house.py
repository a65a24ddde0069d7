"""Logging in, connections, the budget, the audit log, and whether the server is well."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from salesforce_sync import __version__
from salesforce_sync.access import Deed, KnownConnection, User, address_key
from salesforce_sync.web import bodies, documents
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import (
    AdminCaller,
    Caller,
    Viewing,
    ViewingCaller,
    address_of,
    cookie_name,
    failed_login,
    house_of,
    sent,
)
from salesforce_sync.web.describing import gives
from salesforce_sync.web.house import House
from salesforce_sync.web.metrics import measured
from salesforce_sync.web.waiting import Route

router = APIRouter(tags=["around"], route_class=Route)


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/api/login", **gives(bodies.Me, connection=False, takes=bodies.Login, known=False))
def log_in(request: Request, wanted: Annotated[bodies.Login, Depends(sent(bodies.Login))]) -> Response:
    """Log a browser in, with a user's token or the token of a one-time link. The answer sets a cookie."""
    house, address = house_of(request), address_of(request)
    user = user_of(house, wanted.token, address)
    opened = house.access.logins.open(user)
    house.access.audit.append(Deed(f"user:{user.name}", "login", "", f"web {address}"))
    answer = answered(_me(user, opened.session.csrf))
    give_cookie(request, answer, opened.cookie)
    return answer


def user_of(house: House, token: str, address: str) -> User:
    """Whose token this is, or who was to follow this link; a wrong one is counted."""
    user = house.access.users.by_token(token) or house.access.logins.follow(token)
    if user is None:
        raise failed_login(house, address)
    house.by_failures.forget(address_key(address))
    return user


def give_cookie(request: Request, answer: Response, cookie: str) -> None:
    """Let the browser keep this: no script can read it, and no other site send it."""
    safe = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), cookie, path="/", secure=safe, httponly=True, samesite="strict")


@router.post("/api/logout", **gives(bodies.Done, connection=False))
def log_out(request: Request, caller: ViewingCaller) -> Response:
    """End the browser's login."""
    cookie = request.cookies.get(cookie_name(request))
    if caller.browser is not None and cookie is not None:
        house_of(request).access.logins.close(cookie)
    answer = answered(bodies.Done())
    # Secure as when it was set: a browser takes no cookie of that name, not even an empty one, without.
    safe = request.url.scheme == "https"
    answer.delete_cookie(cookie_name(request), path="/", secure=safe, httponly=True, samesite="strict")
    return answer


@router.get("/api/me", **gives(bodies.Me, connection=False))
def me(caller: ViewingCaller) -> Response:
    """Who is asking."""
    return answered(_me(caller.user, None if caller.browser is None else caller.browser.csrf))


def _me(user: User, csrf: str | None) -> bodies.Me:
    return bodies.Me(user=user.name, role=user.role.value, csrf_token=csrf)


# ── connections and calls ────────────────────────────────────────────────────────────────────────────────────────


@router.get("/api/connections", **gives(bodies.ConnectionList, connection=False))
def connections(request: Request, caller: ViewingCaller) -> Response:
    """The connections that the caller may use, the default one first."""
    return answered(bodies.ConnectionList(connections=list_connections(house_of(request), caller)))


def list_connections(house: House, caller: Caller) -> list[bodies.ConnectionBody]:
    """What the caller may use."""
    return [connection_body(house, caller, each) for each in house.access.connections.list(caller.user)]


def connection_body(house: House, caller: Caller, of: KnownConnection) -> bodies.ConnectionBody:
    """One connection, and what waits there."""
    sync = house.replicas.get(of.id, caller.user).sync
    url = sync.connected_to
    return bodies.ConnectionBody(
        id=of.id,
        name=of.name,
        instance_url=url or of.instance_url,
        connected=url is not None,
        owner=of.owner or "",
        outbox=sync.outbox_count(),
        inbox=sync.inbox_count(),
    )


@router.get("/api/budget", **gives(bodies.BudgetBody))
def budget(asked: Viewing) -> Response:
    """The org's API calls of the last 24 hours as it last told, and what is to be expected. No API call."""
    return answered(documents.budget(asked.replica.sync.budget()))


# ── the audit log ────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/api/audit", **gives(bodies.AuditBody, connection=False))
def audit(
    request: Request,
    caller: AdminCaller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, lt=2**62, description="Entries before this number")] = None,
) -> Response:
    """Who did what, newest first; for admins."""
    entries = [
        bodies.AuditEntry(
            number=each.number,
            at=documents.stamp(each.at) or "",
            who=each.deed.who,
            action=each.deed.action,
            subject=each.deed.subject,
            origin=each.deed.origin,
            outcome=each.outcome,
            detail=each.deed.detail,
            begun=each.begun,
        )
        for each in house_of(request).access.audit.entries(most=limit, before=before)
    ]
    return answered(bodies.AuditBody(entries=entries))


@router.get("/api/audit/verify", **gives(bodies.AuditVerdict, connection=False))
def verify_audit(request: Request, caller: AdminCaller) -> Response:
    """Go through the whole chain of the log; for admins."""
    found = house_of(request).access.audit.verify()
    whole = found.broken is None
    return answered(
        bodies.AuditVerdict(success=whole, sound=found.sound, broken=found.broken, why=found.why, head=found.head)
    )


# ── is it well ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/healthz", **gives(bodies.Health, connection=False, fails=(), known=False))
async def health() -> Response:
    """The server answers. It tells nothing of what it holds, and asks nobody who they are."""
    return answered(bodies.Health(version=__version__))


@router.get("/metrics", **gives(connection=False, media="text/plain"))
def metrics(request: Request, caller: ViewingCaller) -> Response:
    """Numbers for Prometheus, of the connections that the caller may use."""
    house = house_of(request)
    opened = [house.replicas.get(each.id, caller.user) for each in house.access.connections.list(caller.user)]
    body, media = measured(opened)
    return Response(body, media_type=media)
