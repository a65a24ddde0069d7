"""Connections: add one, and log in to its org, by the browser or with credentials."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from salesforce_sync.access import Role, User
from salesforce_sync.app import SystemClock
from salesforce_sync.connecting import forgotten
from salesforce_sync.errors import Misuse
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.settings import is_address, is_by_domain, org_address
from salesforce_sync.web import bodies
from salesforce_sync.web.answers import answered
from salesforce_sync.web.asking import Asked, Caller, EditingCaller, house_of, sent
from salesforce_sync.web.describing import REMOTE, gives
from salesforce_sync.web.failures import Forbidden
from salesforce_sync.web.house import House
from salesforce_sync.web.refused_logins import SETTINGS, told_by
from salesforce_sync.web.replicas import Replica
from salesforce_sync.web.routes_house import connection_body
from salesforce_sync.web.waiting import Route

router = APIRouter(prefix="/api/connections", tags=["connections"], route_class=Route)

CALLBACK = "/connect/callback"


@router.post("", **gives(bodies.ConnectionBody, connection=False, status=201, takes=bodies.NewConnection))
def add(
    request: Request,
    caller: EditingCaller,
    wanted: Annotated[bodies.NewConnection, Depends(sent(bodies.NewConnection))],
) -> Response:
    """Add a connection of the caller's own, with a replica of its own. It has no login yet."""
    house = house_of(request)
    check_address(caller, org_address(wanted.instance_url))
    with house.doing(house.deed(caller.user, caller.address, "connection add", wanted.name)):
        made = house.add_connection(wanted.name, wanted.instance_url, caller.user)
    return answered(connection_body(house, caller, made), 201)


@router.delete("/{connectionId}", **gives(bodies.Done, connection=False))
def remove(request: Request, caller: EditingCaller, connectionId: str) -> Response:
    """Forget a connection of the caller's own, and its login. Its replica, and edits that were not sent, stay here."""
    house = house_of(request)
    owned = house.access.connections.owned(connectionId, caller.user)
    with house.doing(house.deed(caller.user, caller.address, "connection remove", owned.name)):
        forgotten(house.access, owned.id, caller.user)
        house.replicas.forget(owned.id)
    return answered(bodies.Done())


def check_address(caller: Caller, url: str) -> None:
    """What else listens on this machine and in its network is an admin's business: others name an org by its domain."""
    if not is_address(url):
        raise Misuse("This is not an org's address.", hint="Such as https://yourdomain.my.salesforce.com.")
    if not is_by_domain(url) and caller.user.role is not Role.ADMIN:
        raise Forbidden(
            "Only an admin may connect to an address of this machine or its network.",
            hint="Give the org's https address.",
        )


def home_of(request: Request) -> str:
    """This server as whoever asks calls it: a browser keeps its cookie for that name alone."""
    return f"{request.url.scheme}://{request.url.netloc}"


def callback_of(request: Request) -> str:
    """Where the org's login comes back to. Salesforce takes plain http for `localhost` only."""
    url = request.url
    if url.scheme == "http" and url.hostname in ("127.0.0.1", "::1"):
        url = url.replace(hostname="localhost")
    return f"{url.scheme}://{url.netloc}{CALLBACK}"


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/complete", **gives(bodies.ConnectionBody, connection=False, takes=bodies.CameBack, fails=REMOTE))
async def complete(
    request: Request, caller: EditingCaller, wanted: Annotated[bodies.CameBack, Depends(sent(bodies.CameBack))]
) -> Response:
    """Complete a browser login: with the address that the browser was sent back to, pasted or by the page itself."""
    from salesforce_sync.api.browser_login import complete as exchange
    from salesforce_sync.api.wire import Wire

    house = house_of(request)
    begun = house.logins.take(wanted.came_back, caller.user.id)

    def finish() -> bodies.ConnectionBody:
        replica = _own(house, begun.connection_id, caller.user)
        with closing(Wire()) as wire:
            connection, session = exchange(begun.login, wanted.came_back, wire, SystemClock())
        return _connected(house, caller, replica, connection, session)

    return answered(await house.run(finish))


@router.post("/{connectionId}/login", **gives(bodies.LoginBegun, connection=False, takes=bodies.BrowserLoginRequest))
def begin(
    request: Request,
    caller: EditingCaller,
    connectionId: str,
    wanted: Annotated[bodies.BrowserLoginRequest, Depends(sent(bodies.BrowserLoginRequest))],
) -> Response:
    """Begin a browser login (authorization code with PKCE). The browser goes to `authorizeUrl`, and comes back to
    `redirectUri`, which the app in the org has to know as its callback URL."""
    from salesforce_sync.api.browser_login import app_for, begin

    house = house_of(request)
    replica = _own(house, connectionId, caller.user)
    url = wanted.login_url or replica.sync.config.salesforce.instance_url
    if url is not None:
        check_address(caller, url)
    redirect = callback_of(request)
    login = begin(app_for(wanted.client_id, url, wanted.client_secret), redirect)
    house.logins.keep(login, replica.id, caller.user.id, home_of(request))
    return answered(bodies.LoginBegun(authorize_url=login.authorize_url, redirect_uri=redirect))


@router.post(
    "/{connectionId}/connect", **gives(bodies.ConnectionBody, connection=False, takes=bodies.Credentials, fails=REMOTE)
)
async def connect(
    request: Request,
    caller: EditingCaller,
    connectionId: str,
    wanted: Annotated[bodies.Credentials, Depends(sent(bodies.Credentials))],
) -> Response:
    """Log in with credentials, which are kept, encrypted, if the org takes them."""
    house = house_of(request)

    def log_in() -> bodies.ConnectionBody:
        replica = _own(house, connectionId, caller.user)
        with told_by(_named(wanted)):
            return _connected(house, caller, replica, _connection(caller, replica, wanted), None)

    return answered(await house.run(log_in))


def _named(wanted: bodies.Credentials) -> dict[str, str]:
    """What was sent, by the names of its members."""
    given = msgspec.structs.fields(wanted)
    return {each.name: each.encode_name for each in given if each.name in SETTINGS and getattr(wanted, each.name)}


def _own(house: House, connection_id: str, user: User) -> Replica:
    """The replica of a connection that the user may log in to: his own; the house's is an admin's business."""
    replica = house.replicas.get(connection_id, user)
    if user.role is not Role.ADMIN:
        house.access.connections.owned(replica.id, user)
    return replica


def _connection(caller: Caller, replica: Replica, wanted: bodies.Credentials) -> Connection:
    instance = wanted.instance_url or replica.sync.config.salesforce.instance_url
    if instance is None:
        raise Misuse("Which org it is, is not said.", hint="Give instanceUrl: https://yourdomain.my.salesforce.com.")
    instance = org_address(instance)
    for url in (instance, wanted.login_url or instance):
        check_address(caller, url)
    method = LoginMethod(wanted.method)
    needed = {
        LoginMethod.CLIENT_CREDENTIALS: (wanted.client_id, wanted.client_secret),
        LoginMethod.REFRESH_TOKEN: (wanted.client_id, wanted.refresh_token),
        LoginMethod.PASTED_SESSION: (wanted.access_token,),
    }[method]
    if not all(needed):
        raise Misuse(f"The credentials for {method.value} are not complete.", hint="See /docs: Credentials.")
    pasted = method is LoginMethod.PASTED_SESSION
    return Connection(
        method=method,
        instance_url=instance.rstrip("/"),
        login_url=None if pasted else wanted.login_url,
        client_id=None if pasted else wanted.client_id,
        client_secret=None if pasted else wanted.client_secret,
        refresh_token=wanted.refresh_token if method is LoginMethod.REFRESH_TOKEN else None,
        access_token=wanted.access_token if pasted else None,
    )


def _connected(
    house: House, caller: Caller, replica: Replica, connection: Connection, session: Session | None
) -> bodies.ConnectionBody:
    deed = Asked(house, caller, replica).deed("login", detail=connection.method.value)
    with house.doing(deed):
        replica.sync.connect(connection, session)
    return connection_body(house, caller, house.access.connections.get(replica.id, caller.user))
