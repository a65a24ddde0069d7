"""Who asks, and of which connection: what a route depends on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from msgspec import Struct

from salesforce_sync.access import BrowserSession, Deed, Role, User, address_key
from salesforce_sync.errors import ConnectionNotFound
from salesforce_sync.models.schema import ObjectSummary
from salesforce_sync.web import wording
from salesforce_sync.web.bodies import Body
from salesforce_sync.web.failures import Forbidden, NotAuthenticated, Refused
from salesforce_sync.web.house import House
from salesforce_sync.web.replicas import Replica
from salesforce_sync.web.ways import Words, for_people, for_programs

_SAFE: Final = "__Host-"
"""The name where the connection is encrypted: no other host, and no plain connection, can set it."""

DEFAULT: Final = "default"
_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

B = TypeVar("B", bound=Body)
T = TypeVar("T")


class Caller(Struct, frozen=True):
    """Who asks. `browser` is set where a cookie said so, and not a token."""

    user: User
    address: str
    browser: BrowserSession | None = None


class Asked(Struct, frozen=True):
    """Who asks, and the replica of the connection that is asked for."""

    house: House
    caller: Caller
    replica: Replica

    def deed(self, action: str, subject: str = "", detail: str = "") -> Deed:
        """What the caller does, as the audit log names it."""
        where = self.replica.id if not subject else f"{self.replica.id}/{subject}"
        return self.house.deed(self.caller.user, self.caller.address, action, where, detail)

    @property
    def words(self) -> Words:
        """How this caller is told of errors."""
        return for_programs if self.caller.browser is None else for_people

    async def waited_for(self, kind: str, which: Hashable, work: Callable[[], T]) -> T:
        """What this comes to, done in a thread of the errands; `StillAtWork` if nothing is heard of it for long."""
        quiet_seconds = self.house.settings.quiet_seconds
        return await self.replica.awaited.answer(kind, which, lambda: self.house.errands.submit(work), quiet_seconds)

    async def org_list(self) -> tuple[ObjectSummary, ...]:
        """The org's own list of objects. However many ask, one thread waits for the org."""
        names = self.replica.names
        return await self.replica.listing.answer(lambda: self.house.errands.submit(names.listed))


def house_of(request: Request) -> House:
    """What the server holds."""
    house: House = request.app.state.house
    return house


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""


def cookie_name(request: Request) -> str:
    """The session cookie's name on this connection."""
    name = house_of(request).cookie
    return f"{_SAFE}{name}" if request.url.scheme == "https" else name


def words_for(request: Request) -> Words:
    """How whoever asks is told of errors: a program sends a token, and a browser none."""
    return for_programs if "authorization" in request.headers else for_people


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def caller_of(request: Request) -> Caller:
    """Who asks: by a bearer token, or by a browser's cookie. `NotAuthenticated` if nobody says so."""
    caller = await _known_caller(request)
    house_of(request).throttle(house_of(request).by_user, caller.user.name, "requests")
    return caller


async def _known_caller(request: Request) -> Caller:
    house, header = house_of(request), request.headers.get("authorization")
    if header is None:
        return await run_in_threadpool(_by_cookie, house, request)
    address = address_of(request)
    return Caller(await house.known.get(("token", header, address), _by_token, house, header, address), address)


async def still_may(request: Request, asked: Asked) -> bool:
    """Whether whoever began a stream may still see it: a user is revoked, a connection forgotten, while it goes on."""
    try:
        user = (await _known_caller(request)).user
        await asked.house.known.get(
            ("replica", asked.replica.id, user.id), asked.house.replicas.get, asked.replica.id, user
        )
    except (Refused, ConnectionNotFound):
        return False
    return True


def _by_token(house: House, header: str, address: str) -> User:
    scheme, _, token = header.partition(" ")
    user = house.access.users.by_token(token.strip()) if scheme.casefold() == "bearer" else None
    if user is None:
        raise failed_login(house, address)
    return user


def _by_cookie(house: House, request: Request) -> Caller:
    cookie, address = request.cookies.get(cookie_name(request)), address_of(request)
    if cookie is None:
        raise NotAuthenticated(
            "Nobody is logged in.",
            hint="Send 'Authorization: Bearer TOKEN'; `salesforce-sync user add NAME` prints a token.",
        )
    session = house.access.logins.session(cookie)
    if session is None:
        raise NotAuthenticated("This login has ended.", hint="Log in again.")
    if request.method in _CHANGING and not session.takes(request.headers.get("x-csrf-token", "")):
        raise Forbidden("The CSRF token is missing or wrong.", code="WRONG_CSRF_TOKEN", hint="See GET /api/me.")
    return Caller(session.user, address, session)


def failed_login(house: House, address: str) -> Refused:
    """Count a wrong token, and write it down; gives what to raise. `Throttled` where there were many.

    Whoever has a right one is never kept waiting: nobody guesses 256 bits, and somebody else's mistakes at the same
    address (a proxy, another program of this machine) must not lock people out.
    """
    house.throttle(house.by_failures, address_key(address), "wrong tokens from this address")
    house.access.audit.append(Deed("unknown", "login", "", f"web {address}"), "refused")
    hint = "A link works once, for 15 minutes. `salesforce-sync user add NAME` prints a new token."
    return NotAuthenticated("This token is nobody's.", hint=hint)


class CallerWith:
    """Who asks, if his role is enough."""

    def __init__(self, role: Role) -> None:
        self._role = role

    async def __call__(self, request: Request) -> Caller:
        caller = await caller_of(request)
        if not caller.user.role.allows(self._role):
            raise Forbidden(
                f"This needs the role {self._role.value}; {caller.user.name} is {caller.user.role.value}.",
                hint=f"An admin can give it: `salesforce-sync user role {caller.user.name} {self._role.value}`.",
            )
        return caller


ViewingCaller = Annotated[Caller, Depends(CallerWith(Role.VIEWER))]
EditingCaller = Annotated[Caller, Depends(CallerWith(Role.EDITOR))]
AdminCaller = Annotated[Caller, Depends(CallerWith(Role.ADMIN))]

# ── of which connection ──────────────────────────────────────────────────────────────────────────────────────────


class AskedWith:
    """Who asks, if his role is enough, and of which connection, if it is his."""

    def __init__(self, role: Role) -> None:
        self._caller = CallerWith(role)

    async def __call__(self, request: Request) -> Asked:
        caller, house = await self._caller(request), house_of(request)
        # Read by hand, here and in `routes_records.wanted_of`: FastAPI takes half a millisecond for it.
        name = request.headers.get("x-connection-id") or _connection_in_query(request) or DEFAULT
        replica = await house.known.get(("replica", name, caller.user.id), house.replicas.get, name, caller.user)
        house.throttle(house.by_connection, replica.id, "requests for this connection")
        return Asked(house, caller, replica)


def _connection_in_query(request: Request) -> str | None:
    return request.query_params.get("connection") if request.scope["query_string"] else None


asked_by_viewer = AskedWith(Role.VIEWER)
Viewing = Annotated[Asked, Depends(asked_by_viewer)]
Editing = Annotated[Asked, Depends(AskedWith(Role.EDITOR))]
Admin = Annotated[Asked, Depends(AskedWith(Role.ADMIN))]

# ── with which body ──────────────────────────────────────────────────────────────────────────────────────────────


def sent(kind: type[B], *, optional: bool = False, else_all: bool = False) -> Callable[[Request], Awaitable[B]]:
    """The request's JSON body as this type; an empty one has its defaults where it is optional.

    `else_all`: they mean everything. Whoever sends only keys that are not known did not mean that, and is refused.
    """
    decoder = msgspec.json.Decoder(kind, float_hook=Decimal)

    async def read(request: Request) -> B:
        body = await request.body() or (b"{}" if optional else b"")
        found = decoded(decoder, kind, body)
        if else_all and found == kind() and (says := wording.of_strangers(kind, body)):
            raise Refused(says, hint="See /docs.")
        return found

    return read


def decoded(decoder: msgspec.json.Decoder[T], kind: type[Any], body: bytes) -> T:
    """The body as the decoder's type, which is `kind`; `Refused` says what of it is not."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Refused(wording.of_body(kind, body), hint="See /docs.") from None
