"""REST: what objects there are, what they look like, and small results page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from salesforce_sync.api.query import Query, is_identifier
from salesforce_sync.api.resume import RestPoint, mark
from salesforce_sync.api.rows import Outline, PageDecoder, QueryPage
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.api.wire import origin
from salesforce_sync.errors import (
    ConfigError,
    ForeignAnswer,
    Incomplete,
    LocatorExpired,
    LoginRefused,
    Misuse,
    ObjectNotFound,
    RequestRefused,
    SessionInvalid,
    Unreachable,
)
from salesforce_sync.models.connection import Session
from salesforce_sync.models.page import Page, Priority, Rows
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema, ObjectSummary

PAGE_SIZE = (("Sforce-Query-Options", "batchSize=2000"),)
"""The most that Salesforce gives in a page; it may give fewer."""

EMPTY_PAGES = 10
"""So many pages in a row may have no row: a page may be of any length, but a result has an end."""


def objects(transport: Transport) -> tuple[ObjectSummary, ...]:
    """Every object that the connected user may see (describe global). One call."""
    try:
        body = transport.send(Call("list the org's objects", "sobjects")).body
    except ObjectNotFound as missing:
        # There is no object in this path, so what is missing is the API version.
        raise ConfigError(
            f"The org has no API at {transport.root}.", hint="Check salesforce.api_version and salesforce.instance_url."
        ) from missing
    return tuple(_summary(entry) for entry in _json(body, "list of objects")["sobjects"])


def _summary(entry: dict[str, Any]) -> ObjectSummary:
    return ObjectSummary(
        name=entry["name"],
        label=entry.get("label") or entry["name"],
        queryable=entry.get("queryable", True),
        custom=entry.get("custom", False),
        key_prefix=entry.get("keyPrefix"),
    )


def describe(transport: Transport, object_name: str) -> ObjectSchema:
    """The object's fields and rights. One call."""
    hint = "Check the API name (custom objects end with __c) and that the connected user may see the object."
    if not is_identifier(object_name):
        raise ObjectNotFound(f"There is no object {object_name!r}.", hint=hint)
    try:
        body = transport.send(Call(f"describe {object_name}", f"sobjects/{object_name}/describe")).body
    except ObjectNotFound as missing:
        raise ObjectNotFound(
            f"There is no object {object_name!r}, or it is hidden from this user.", hint=hint
        ) from missing
    return read_schema(body, object_name)


def read_schema(body: bytes, object_name: str) -> ObjectSchema:
    """The schema that a describe's body tells."""
    told = _json(body, f"description of {object_name}")
    try:
        schema = ObjectSchema.from_describe(told)
    except (KeyError, TypeError, AttributeError) as bad:
        raise RequestRefused(f"The description of {object_name} cannot be read: {bad!r}.", code="BAD_DESCRIBE") from bad
    if schema.ambiguous:
        names = " and ".join(schema.ambiguous)
        hint = "Hide all but one of them from the connected user, or rename them."
        raise RequestRefused(f"{schema.name} has fields of one name: {names}.", code="AMBIGUOUS_FIELD", hint=hint)
    return schema


def _json(body: bytes, what: str) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as bad:
        told = bad
    if isinstance(told, dict):
        return told
    hint = "Check salesforce.instance_url and that no proxy or login page stands in between."
    raise Unreachable(f"The org's {what} is not JSON.", hint=hint)


class _Made(msgspec.Struct):
    id: str


_MADE = msgspec.json.Decoder(_Made)
"""Made at import, when there is one thread."""


def read_id(body: bytes) -> str | None:
    """The 18-character id that the answer to a create tells; None if it tells none."""
    try:
        return from_org(_MADE.decode(body).id)
    except (msgspec.MsgspecError, UnicodeDecodeError, Misuse):
        return None


def query_path(query: Query) -> str:
    """The path, below the version's root, that asks this query."""
    return f"{query.resource}?q={quote(query.soql, safe='')}"


def query_fits(transport: Transport, query: Query) -> bool:
    """Whether the query is short enough to be asked by a GET."""
    return transport.fits(query_path(query), PAGE_SIZE)


class Purpose(Struct, frozen=True):
    """Why calls are made: in words, and how long they may go on when the day's calls run out."""

    doing: str
    priority: Priority = Priority.PULL


class FirstPage(Struct, frozen=True):
    """A query's first page, the session that its locator belongs to, and the org's time just before it was asked."""

    page: QueryPage
    session: Session
    asked: datetime | None


class Glance(Struct, frozen=True):
    """A query's first page as it came, and what it says of itself: its rows may never be wanted."""

    body: bytes
    outline: Outline
    session: Session
    asked: datetime | None

    def first_page(self, decoder: PageDecoder) -> FirstPage:
        return FirstPage(decoder.decode(self.body), self.session, self.asked)


def glance(transport: Transport, query: Query, decoder: PageDecoder, purpose: Purpose) -> Glance:
    """Ask a query, and read of the answer only how large the result is. One call."""
    answer = transport.send(_first_call(query, purpose))
    return Glance(answer.body, decoder.outline(answer.body), answer.session, answer.asked)


def ask(transport: Transport, query: Query, decoder: PageDecoder, purpose: Purpose) -> FirstPage:
    """Ask a query. One call."""
    answer = transport.send(_first_call(query, purpose))
    return FirstPage(decoder.decode(answer.body), answer.session, answer.asked)


def _first_call(query: Query, purpose: Purpose) -> Call:
    return Call(purpose.doing, query_path(query), headers=PAGE_SIZE, priority=purpose.priority)


class RestPull:
    """The pages of one query's result, one call each, up to the last. All of them belong to one session."""

    def __init__(self, transport: Transport, schema: ObjectSchema, session: Session, purpose: Purpose) -> None:
        self._transport = transport
        self._schema = schema
        self._decoder = PageDecoder(schema)
        self._session = session
        self._purpose = purpose

    def after(self, first: FirstPage) -> Iterator[Page]:
        """The first page and all that follow."""
        return self._pages(first.page, 0, first.page.total, first.asked)

    def go_on(self, point: RestPoint) -> Iterator[Page]:
        """The pages after a durable point; `LocatorExpired` if another session than this one began the pull."""
        if point.path is None:
            yield Page(self._schema, Rows(()), resume=str(point), total=point.rows, last=True)
            return
        if point.session != mark(self._session):
            hint = "The query is asked anew by the new one."
            raise LocatorExpired(f"The session that began to {self._purpose.doing} has ended.", hint=hint)
        try:
            page = self._fetch(point.path)
        except LoginRefused:
            raise
        except SessionInvalid as ended:
            # It may be that this session is good but for the locator; asked anew, the org tells which.
            raise LocatorExpired(f"The org does not go on with a result: {ended.message}") from ended
        total = page.total if point.total is None else point.total
        yield from self._pages(page, point.rows, total, None, point.path)

    def _pages(
        self, page: QueryPage, seen: int, total: int, asked: datetime | None, path: str | None = None
    ) -> Iterator[Page]:
        """`total` is what the first page said: the result is made by then, and no later page may say less."""
        fetched, empty = {path}, 0
        while True:
            seen, empty = seen + len(page.rows), 0 if page.rows else empty + 1
            self._check(page, seen, total, empty)
            point = RestPoint(seen, None if page.done else page.next_path, total, mark(self._session))
            yield self._page(page, point, total, asked)
            if page.done:
                return
            path = page.next_path
            if path in fetched:
                raise LocatorExpired(f"The org sends the same page of {self._schema.name} again and again.")
            fetched.add(path)
            del page  # it is not held while the next one comes
            page = self._fetch(path or "")

    def _check(self, page: QueryPage, seen: int, total: int, empty: int) -> None:
        """`empty`: how many pages without a row have come in a row, this one counted."""
        name = self._schema.name
        if page.total < total:
            raise Incomplete(f"The org said that there are {total} rows of {name}, and then only {page.total}.")
        if seen > total or (page.done and seen < total):
            raise Incomplete(f"The org said that there are {total} rows of {name} and sent {seen}.")
        if not page.done and not page.next_path:
            raise Incomplete(f"The org did not say where the rest of {name} is.")
        if empty > EMPTY_PAGES:
            raise Incomplete(f"The org sends page after page of {name} without a row.")

    def _page(self, page: QueryPage, point: RestPoint, total: int, asked: datetime | None) -> Page:
        rows = Rows(page.rows, page.stored)
        return Page(self._schema, rows, resume=str(point), total=total, server_time=asked, last=page.done)

    def _fetch(self, next_path: str) -> QueryPage:
        path = locator_path(next_path, self._transport.root, self._session.instance_url)
        try:
            return self._decoder.decode(self._transport.send(self._call(path)).body)
        except ForeignAnswer:
            raise  # nothing that the org has said
        except (ObjectNotFound, RequestRefused) as gone:
            # Whatever its own reason is: the same locator would be refused again, in all runs that follow.
            raise LocatorExpired(f"The org has forgotten the rest of a result: {gone.message}") from gone

    def _call(self, path: str) -> Call:
        return Call(self._purpose.doing, path, session=self._session, priority=self._purpose.priority)


def locator_path(next_url: str, root: str, instance_url: str) -> str:
    """The path that fetches the next page, from nextRecordsUrl in whatever form: absolute, rooted or bare.

    Never another host: the token would go with it.
    """
    if "://" in next_url:
        parts = urlsplit(next_url)
        if origin(next_url) != instance_url:
            raise RequestRefused("The org's next page is on another host.", code="FOREIGN_HOST")
        next_url = parts.path + (f"?{parts.query}" if parts.query else "")
    if next_url.startswith("/services/"):
        return next_url
    bare = next_url.lstrip("/")
    return f"{root}/{bare}" if "/" in bare else f"{root}/query/{bare}"
