"""The screen of connections: which orgs there are, and logging in to one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from msgspec import Struct
from msgspec.structs import replace
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response

from salesforce_sync.access import KnownConnection, Role
from salesforce_sync.app import SystemClock
from salesforce_sync.config import Config
from salesforce_sync.connecting import forgotten, unused
from salesforce_sync.errors import ConnectionNotFound, Misuse, NotConnected, RecordNotFound, SyncError
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.web.asking import DEFAULT, Asked, house_of
from salesforce_sync.web.browser_logins import LIFE_SECONDS, Begun, Target
from salesforce_sync.web.failures import Forbidden, without_secrets
from salesforce_sync.web.house import House
from salesforce_sync.web.page.frame import Changing, Looking, PageRoute, rendered, show
from salesforce_sync.web.refused_logins import told_by
from salesforce_sync.web.routes_connections import CALLBACK, callback_of, check_address, home_of
from salesforce_sync.web.ways import in_the_form

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PATH: Final = "/org/{connection}/connections"

METHODS: Final = {
    "client-credentials": LoginMethod.CLIENT_CREDENTIALS,
    "jwt": LoginMethod.JWT_BEARER,
    "refresh-token": LoginMethod.REFRESH_TOKEN,
    "session": LoginMethod.PASTED_SESSION,
}
_FIELDS: Final = ("client_id", "client_secret", "username", "refresh_token", "access_token", "login_url")


class ShownConnection(Struct, frozen=True):
    """A connection in the list."""

    known: KnownConnection
    connected_to: str | None
    outbox: int
    inbox: int
    may_connect: bool
    may_remove: bool


@router.get(_PATH)
def connections(request: Request, asked: Looking) -> Response:
    """The screen."""
    return _shown(request, asked)


def _shown(request: Request, asked: Asked, notice: tuple[str, str] | None = None, **more: Any) -> Response:
    user = asked.caller.user
    listed = [_listed(asked, each) for each in asked.house.access.connections.list(user)]
    values = {"listed": listed, "callback": callback_of(request), "why": "", "given": {}, "certificate": ""} | more
    return show(request, asked, "connections.html", "connections", notice=notice, **values)


def _listed(asked: Asked, known: KnownConnection) -> ShownConnection:
    sync = asked.house.replicas.get(known.id, asked.caller.user).sync
    may = _may_connect(asked, known)
    return ShownConnection(
        known, sync.connected_to, sync.outbox_count(), sync.inbox_count(), may, may and known.id != DEFAULT
    )


def _may_connect(asked: Asked, known: KnownConnection) -> bool:
    """The default connection is everybody's: an admin logs it in. The others are their owners'."""
    user = asked.caller.user
    return user.role is Role.ADMIN or (user.role.allows(Role.EDITOR) and known.owner_id == user.id)


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post(_PATH)
async def connect(request: Request, asked: Changing) -> Response:
    """Log in to an org, and keep the connection if that works."""
    form = await request.form()
    return await asked.house.run(lambda: _connect(request, asked, form))


def _connect(request: Request, asked: Asked, form: FormData) -> Response:
    given = {name: str(value).strip() for name, value in form.items() if str(value).strip()}
    target: Target | None = None
    try:
        target = _target(asked, given)
        config = _settings(asked, target, given)
        if given.get("method") == "browser":
            return _begin(request, asked, target, config, _shown_again(given))
        connection, session = _login(asked, given, config)
        with told_by({name: label for name, label in _LABELS.items() if name in given}):
            address = keep(asked.house, target, given["method"], connection, session)
    except SyncError as error:
        if target is not None:
            give_up(asked.house, target)
        return _shown(request, asked, why=_why(error), given=_shown_again(given))
    return _went(target, address)


def _why(error: SyncError) -> str:
    return in_the_form(without_secrets(str(error)))


_LABELS: Final = {
    "client_id": "“Consumer key of the app”",
    "client_secret": "“Consumer secret”",
    "refresh_token": "“Refresh token”",
    "username": "“User name in the org”",
    "instance_url": "“Address of the org”",
}
"""What the fields of the form are called there."""

_PLAIN: Final = ("method", "where", "name", "instance_url", "client_id", "username", "login_url", "target_org")


def _shown_again(given: Mapping[str, str]) -> dict[str, str]:
    """What was typed, without its secrets: these are typed again."""
    return {name: value for name, value in given.items() if name in _PLAIN}


def _went(target: Target, address: str) -> Response:
    return Response(status_code=204, headers={"HX-Redirect": f"/org/{target.connection_id}/objects"})


def _target(asked: Asked, given: Mapping[str, str]) -> Target:
    """The connection that is meant: one that is here, or a new one of the caller's."""
    user, known = asked.caller.user, asked.house.access.connections
    if given.get("where", DEFAULT) == "new":
        if "instance_url" not in given:
            raise Misuse("A new connection needs the org's address.", hint="https://yourdomain.my.salesforce.com")
        made = asked.house.add_connection(given.get("name", ""), given["instance_url"], user)
        return Target(made.id, user, asked.caller.address, is_new=True)
    found = known.get(given.get("where", DEFAULT), user)
    if not _may_connect(asked, found):
        raise Forbidden("This connection is not yours to log in.", hint="Its owner or an admin can do it.")
    return Target(found.id, user, asked.caller.address)


def _settings(asked: Asked, target: Target, given: Mapping[str, str]) -> Config:
    """The connection's settings, with what was typed; secrets that were typed are kept with the login only."""
    config = asked.house.access.connections.config_of(target.connection_id, target.user)
    address = given.get("instance_url", "").rstrip("/") or config.salesforce.instance_url
    for each in (address, given.get("login_url")):
        if each is not None:
            check_address(asked.caller, each)
    typed: dict[str, Any] = {name: given[name] for name in _FIELDS if name in given}
    return replace(
        config,
        salesforce=replace(config.salesforce, instance_url=address),
        credentials=replace(config.credentials, **typed),
    )


def _login(asked: Asked, given: Mapping[str, str], config: Config) -> tuple[Connection, Session | None]:
    method = given.get("method", "")
    if method == "sf":
        from salesforce_sync.api.sf_login import take_over

        if asked.caller.user.role is not Role.ADMIN:
            raise Forbidden("sf's login is that of this machine's account.", hint="An admin can take it over.")
        return take_over(given.get("target_org"))
    if method not in METHODS:
        raise Misuse("How to log in is not said.", hint="Choose one of the ways.")
    if method == "jwt":
        from salesforce_sync.api.jwt_key import files_beside

        file = files_beside(config.storage.path).key_file
        if not file.exists():
            hint = "Press “Make the key, show the certificate”, and let the app have the certificate."
            raise Misuse("This connection has no key yet.", hint=hint)
        keys = replace(config.credentials, jwt_key_file=file)
        config = replace(config, credentials=keys)
    return config.connection_by(METHODS[method]), None


def keep(house: House, target: Target, method: str, connection: Connection, session: Session | None) -> str:
    """Log in, and keep the connection if that works; gives the org's address."""
    deed = house.deed(target.user, target.address, "login", target.connection_id, f"org by {method}")
    with house.doing(deed) as ending:
        sync = house.replicas.get(target.connection_id, target.user).sync
        address = sync.connect(connection, session)
        ending.detail = address
    return address


def give_up(house: House, target: Target) -> None:
    """What did not come to a login is not left behind as a connection, unless another way has led to one."""
    with suppress(ConnectionNotFound):  # somebody has forgotten it meanwhile
        if target.is_new and house.replicas.get(target.connection_id, target.user).sync.connected_to is None:
            known = forgotten(house.access, target.connection_id, target.user)
            house.replicas.forget(known.id, lambda: unused(known))


@router.post(_PATH + "/{other}/remove")
def remove(request: Request, asked: Changing, other: str) -> Response:
    """Forget a connection, and its login. Its replica stays on the disk."""
    owned = asked.house.access.connections.owned(other, asked.caller.user)
    with asked.house.doing(asked.house.deed(asked.caller.user, asked.caller.address, "connection remove", owned.name)):
        forgotten(asked.house.access, owned.id, asked.caller.user)
        asked.house.replicas.forget(owned.id)
    if owned.id == asked.replica.id:
        return Response(status_code=204, headers={"HX-Redirect": f"/org/{DEFAULT}/connections"})
    return _shown(request, asked, ("good", f"{owned.name} and its login are forgotten. Its replica stays on the disk."))


@router.post(_PATH + "/key")
async def key(request: Request, asked: Changing) -> Response:
    """Make the key pair for a JWT login, if there is none, and show the certificate.

    A new connection is kept for it: between the key and the login a person sets up the app in the org.
    """
    form = await request.form()
    return await asked.house.run(lambda: _key(request, asked, form))


def _key(request: Request, asked: Asked, form: FormData) -> Response:
    given = {name: str(value).strip() for name, value in form.items() if str(value).strip()}
    try:
        target = _kept_target(asked, given)
        certificate = _certificate(asked, target)
    except SyncError as error:
        return _shown(request, asked, why=_why(error), given=_shown_again(given))
    return _shown(request, asked, given=_shown_again(given) | {"where": target.connection_id}, certificate=certificate)


def _kept_target(asked: Asked, given: Mapping[str, str]) -> Target:
    if given.get("where") != "new":
        return _target(asked, given)
    check_address(asked.caller, given.get("instance_url", ""))
    with asked.house.doing(asked.deed("connection add", given.get("name", ""))):
        return _target(asked, given)


def _certificate(asked: Asked, target: Target) -> str:
    from salesforce_sync.api.jwt_key import files_beside, make

    config = asked.house.access.connections.config_of(target.connection_id, target.user)
    pair = make(files_beside(config.storage.path), SystemClock().now())
    return pair.certificate_file.read_text(encoding="ascii")


@router.get(_PATH + "/{other}/certificate")
def certificate(asked: Changing, other: str) -> Response:
    """The certificate as a file, as Salesforce wants it to be uploaded."""
    from salesforce_sync.api.jwt_key import files_beside

    target = _target(asked, {"where": other})
    config = asked.house.access.connections.config_of(target.connection_id, target.user)
    file = files_beside(config.storage.path).certificate_file
    if not file.exists():
        raise RecordNotFound("This connection has no key yet.", hint="Make one: Connections, JWT.")
    headers = {"Content-Disposition": 'attachment; filename="salesforce-sync.crt"', "Cache-Control": "no-store"}
    return Response(file.read_bytes(), media_type="application/x-pem-file", headers=headers)


# ── by the browser ───────────────────────────────────────────────────────────────────────────────────────────────


def _begin(request: Request, asked: Asked, target: Target, config: Config, given: Mapping[str, str]) -> Response:
    from salesforce_sync.api.browser_login import app_for, begin

    keys, instance = config.credentials, config.salesforce.instance_url
    app = app_for(keys.client_id, keys.login_url or instance, keys.client_secret)
    begun = asked.house.browser_logins.begin(begin(app, callback_of(request)), target, home_of(request), given)
    answer = show(request, asked, "connecting.html", "connections", begun=begun)
    safe = request.url.scheme == "https"
    # Lax, and not Strict as the session's: it has to come along when the org sends the browser back.
    name = _cookie_of(asked.house, begun)
    answer.set_cookie(name, "1", LIFE_SECONDS, path=CALLBACK, secure=safe, httponly=True, samesite="lax")
    return answer


def _cookie_of(house: House, begun: Begun) -> str:
    return f"{house.cookie}_login_{begun.number}"


@router.get(_PATH + "/login/{number}")
def progress(request: Request, asked: Changing, number: str) -> Response:
    """Whether the browser has come back: asked now and then by the page that waits."""
    begun = _mine(asked, number)
    if begun.connected_to:
        return _went(begun.target, begun.connected_to)
    if begun.failed:
        return _shown(request, asked, why=begun.failed, given=begun.given)
    return Response(status_code=204)


@router.post(_PATH + "/login/{number}")
async def pasted(request: Request, asked: Changing, number: str) -> Response:
    """The address by which a browser on another machine has come back, as a person pasted it."""
    form, begun = await request.form(), _mine(asked, number)
    came_back = str(form.get("address", ""))

    def go_on() -> Response:
        if begun.is_open:
            complete(asked.house, begun, came_back)
        if begun.failed:
            return _shown(request, asked, why=begun.failed, given=begun.given)
        return _went(begun.target, begun.connected_to)

    return await asked.house.run(go_on)


def _mine(asked: Asked, number: str) -> Begun:
    begun = asked.house.browser_logins.find(number, asked.caller.user)
    if begun is None:
        raise NotConnected("This login is not waiting any more.", hint="Start the login again.")
    return begun


@router.get(CALLBACK)
async def came_back(request: Request) -> Response:
    """Where the org sends the browser after its login: to `localhost`, and from there to the name that has its cookies.

    Only the browser that has begun a login completes it. Somebody else, who was only sent through the org by whoever
    began it, would give him his own access.
    """
    house, query = house_of(request), request.url.query
    state = parse_qs(query).get("state", [""])[-1]
    begun = house.browser_logins.waiting(state)
    home = house.logins.home_of(state) if begun is None else begun.home
    if home is not None and home != home_of(request):
        return RedirectResponse(f"{home}{CALLBACK}?{query}", 303, _NO_STORE)
    if begun is None:  # one that the HTTP API has begun: the browser completes it, with the cookie of its session
        return HTMLResponse(rendered("callback.html"), headers=_NO_STORE)
    failed = _FOREIGN
    if _cookie_of(house, begun) in request.cookies and house.browser_logins.take(state) is begun:
        await house.run(lambda: complete(house, begun, f"?{query}"))
        failed = begun.failed
    told = rendered("came_back.html", failed=failed, connected_to=begun.connected_to)
    return HTMLResponse(told, 400 if failed else 200, _NO_STORE)


_NO_STORE: Final = {"Cache-Control": "no-store"}
_FOREIGN: Final = (
    "This browser has not begun the login. If you have, elsewhere: paste this page's address there. If somebody sent"
    " you here: do not, it would give him your access to the org."
)


def complete(house: House, begun: Begun, came_back: str) -> None:
    """Exchange the code that came back, and keep the connection; the login knows how it ended."""
    from salesforce_sync.api.browser_login import complete as exchange
    from salesforce_sync.api.wire import Wire

    try:
        with closing(Wire()) as wire:
            connection, session = exchange(begun.login, came_back, wire, SystemClock())
        begun.connected_to = keep(house, begun.target, "browser", connection, session)
    except SyncError as error:
        begun.failed = _why(error)
        give_up(house, begun.target)
