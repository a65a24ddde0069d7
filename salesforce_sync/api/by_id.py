"""The records of certain ids, in as few calls as their number allows: one GET, or five queries in a composite call."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.composite import MAX_QUERIES, CompositeAnswer, Part
from salesforce_sync.api.resume import RestPoint
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.errors import ObjectTrouble, QueryTimeout, RequestRefused
from salesforce_sync.models.page import Page, Rows
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema

log = logging.getLogger("salesforce_sync.api")

FEWEST_AT_ONCE = 10
MOST_TIMEOUTS = 20
"""Queries of one pull by id that may take the org longer than its two minutes before the pull is given up."""

_IN_SOQL = len("'003000000000001AAA',")
_IN_PATH = len("%27003000000000001AAA%27%2C")


class ById:
    """One pull of certain records, deleted ones too. Ids that the org does not show are left out of the pages."""

    def __init__(self, transport: Transport, schema: ObjectSchema, ids: Sequence[str], purpose: rest.Purpose) -> None:
        self._transport = transport
        self._schema = schema
        self._ids = tuple(dict.fromkeys(map(from_org, ids)))
        self._purpose = purpose
        self._timeouts = 0
        self._at_once = schema.records_together // MAX_QUERIES

    def pages(self) -> Iterator[Page]:
        """The rows. Only the final page, which is empty, is a durable point: it costs little to ask again."""
        rows, asked = 0, None
        for first in self._results():
            asked = asked or first.asked
            for page in rest.RestPull(self._transport, self._schema, first.session, self._purpose).after(first):
                rows += len(page.body.values) if isinstance(page.body, Rows) else 0
                yield replace(page, resume=None, total=None, server_time=asked, last=False)
            del first, page  # they are not held while the next answer comes
        yield Page(self._schema, Rows(()), str(RestPoint(rows, None)), rows, rows, asked, last=True)

    def _results(self) -> Iterator[rest.FirstPage]:
        """The first page of every query that it takes."""
        by_get, by_part = self._room_in_get(), self._room_in_part()
        if len(self._ids) <= min(by_get, self._at_once):
            yield from self._patiently(self._ids)
            return
        left: Sequence[str] = self._ids
        while left:
            some = left[: min(by_part, self._at_once) * MAX_QUERIES]
            groups = _cut(some, min(by_part, self._at_once))
            try:
                answer = self._together(groups)
            except QueryTimeout as slow:
                self._halve(groups[0], slow)
                continue
            except ObjectTrouble as refused:
                if by_get <= 0:
                    raise self._no_way(refused) from refused
                log.warning("%s: records are read with more calls: %s", self._schema.name, refused.message)
                for ids in _cut(left, by_get):
                    yield from self._patiently(ids)
                return
            yield from self._first_pages(answer, groups)
            del answer  # the next one may be as large
            left = left[len(some) :]

    def _room_in_get(self) -> int:
        """How many ids a GET can name; 0 or less where the fields alone are too many for one."""
        path = rest.query_path(query.with_ids(self._schema, ()))
        return self._transport.room(path, rest.PAGE_SIZE) // _IN_PATH

    def _room_in_part(self) -> int:
        """How many ids a query of a composite call can name: its length is bounded as a query's, not as a URI's."""
        bare = query.with_ids(self._schema, ())
        room = (query.MAX_SOQL - len(bare.soql)) // _IN_SOQL
        if room > 0:
            return min(self._at_once, room)
        raise RequestRefused(f"{self._schema.name} has too many fields for one query.", code="QUERY_TOO_LONG")

    def _no_way(self, refused: ObjectTrouble) -> RequestRefused:
        """Neither way is open. It is not the object that the org refused, so the error's class must not say that."""
        message = f"{self._schema.name} has too many fields for a GET, and composite is refused: {refused.message}"
        return RequestRefused(message, code="URI_TOO_LONG")

    def _patiently(self, ids: Sequence[str]) -> Iterator[rest.FirstPage]:
        """A query of its own for these ids; several where that takes the org too long."""
        left = ids
        while left:
            some = left[: self._at_once]
            asked = query.with_ids(self._schema, some)
            try:
                yield composite.first_page(self._transport, asked, PageDecoder(self._schema), self._purpose)
            except QueryTimeout as slow:
                self._halve(some, slow)
            else:
                left = left[len(some) :]

    def _halve(self, ids: Sequence[str], slow: QueryTimeout) -> None:
        self._timeouts += 1
        if len(ids) <= FEWEST_AT_ONCE or self._timeouts >= MOST_TIMEOUTS:
            raise slow
        self._at_once = min(self._at_once, -(-len(ids) // 2))
        log.info("%s is read %d records at a time: %s", self._schema.name, self._at_once, slow.message)

    def _together(self, groups: Sequence[Sequence[str]]) -> CompositeAnswer:
        paths = [rest.query_path(query.with_ids(self._schema, ids)) for ids in groups]
        parts = [Part(f"rows{number}", path, rest.PAGE_SIZE) for number, path in enumerate(paths)]
        return composite.ask(self._transport, parts, self._purpose, rest.PAGE_SIZE)

    def _first_pages(self, answer: CompositeAnswer, groups: Sequence[Sequence[str]]) -> Iterator[rest.FirstPage]:
        decoder = PageDecoder(self._schema)
        for number, ids in enumerate(groups):
            try:
                body = answer.part(f"rows{number}").checked(self._purpose.doing)
            except QueryTimeout as slow:
                self._halve(ids, slow)
                yield from self._patiently(ids)
            else:
                page = decoder.decode(body)
                if not page.done and page.rows:
                    # What comes next is asked for by so few ids that it fits on first pages.
                    self._at_once = min(self._at_once, max(FEWEST_AT_ONCE, len(page.rows)))
                yield rest.FirstPage(page, answer.session, answer.asked)


def _cut(ids: Sequence[str], size: int) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
