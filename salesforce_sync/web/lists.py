"""Lists of records: which are wanted, one page of them, and where the next one is."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.collection import Collection
from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Place, Selection
from salesforce_sync.web import bodies, places
from salesforce_sync.web.asking import DEFAULT, Asked

MOST: Final = 2000
SHORT: Final = 200
_OWN: Final = frozenset({"limit", "after", "sort", "search", "fields", "connection"})
"""Query parameters that are not conditions."""


class Wanted(Struct, frozen=True):
    """A selection of records: conditions as they stand in the URL, `Amount__gte=1000`."""

    selection: Selection
    conditions: dict[str, str]
    search: str
    fields: tuple[str, ...]

    @property
    def read(self) -> tuple[str, ...]:
        """The fields that are read of each row where some are to be shown: what it is sorted by, too."""
        return (*self.fields, self.selection.sort) if self.fields else ()

    @property
    def narrowed(self) -> bool:
        """Whether only a part of the records is wanted: how many pass is not known without looking."""
        return bool(self.conditions or self.search)

    @property
    def short(self) -> bool:
        """Whether it is read in the order of an index, from its place on, and few records are given."""
        return self.selection.sort == "Id" and self.selection.most <= SHORT and not self.narrowed

    def parsed(self, collection: Collection[Any]) -> dict[str, Any]:
        """The conditions as `search` takes them."""
        conditions: dict[str, Any] = collection.parse_conditions(self.conditions) if self.conditions else {}
        if self.search:
            name = collection.schema.name_field
            conditions[f"{name.name if name else 'Id'}__contains"] = self.search
        return conditions

    def texts(self) -> dict[str, str]:
        """All of it but the place, as a URL has it."""
        own = {
            "limit": str(self.selection.most),
            "sort": ("-" if self.selection.descending else "") + self.selection.sort,
            "search": self.search,
            "fields": ",".join(self.fields),
        }
        usual = {"limit": "100", "sort": "Id", "search": "", "fields": ""}
        return {name: value for name, value in own.items() if value != usual[name]} | self.conditions


ALL: Final = Wanted(Selection(most=100), {}, "", ())
"""The first page of everything: what a URL without a query means."""


async def wanted_of(request: Request) -> Wanted:
    """Which records are wanted, and what of them."""
    if not request.scope["query_string"]:
        return ALL
    given = request.query_params
    if len(given.multi_items()) > len(given):
        raise Misuse("A parameter stands in the address more than once.", hint="Several values are Name__in=A,B.")
    after, sort = given.get("after"), given.get("sort") or "Id"
    field, descending = sort.removeprefix("-"), sort.startswith("-")
    place = None if after is None else places.read(after, field)
    selection = Selection(sort=field, descending=descending, after=place, most=_limit(given.get("limit")))
    conditions = {name: value for name, value in given.items() if name not in _OWN}
    chosen = tuple(each.strip() for each in (given.get("fields") or "").split(",") if each.strip())
    return Wanted(selection, conditions, given.get("search") or "", chosen)


def _limit(text: str | None) -> int:
    if text is None:
        return 100
    if not (text.isdecimal() and text.isascii() and len(text) < 5 and 1 <= int(text) <= MOST):
        raise Misuse(f"limit is a number from 1 to {MOST}.")
    return int(text)


def page_of(asked: Asked, name: str, wanted: Wanted, total: int | None = None) -> bodies.RecordPage:
    """A page of records, and the URL of the next one. They are counted where nobody says how many there are."""
    collection = asked.replica.sync.objects[name]
    conditions, most = wanted.parsed(collection), wanted.selection.most
    more = replace(wanted.selection, most=most + 1, fields=wanted.read)
    schema, rows = collection.page(more, **conditions)
    has_more = len(rows) > most
    if has_more:
        rows.pop()
    return bodies.RecordPage(
        object_api_name=schema.name,
        records=asked.replica.form(schema, wanted.fields, more.fields).shaped(rows),
        has_more=has_more,
        total_size=collection.matching(**conditions) if total is None else total,
        done=not has_more,
        next_records_url=_next_url(asked, wanted, schema, place_of(schema, more, rows[-1])) if has_more else None,
    )


def place_of(schema: ObjectSchema, selection: Selection, row: tuple[Any, ...]) -> Place:
    """The place of a row in the order."""
    if selection.sort == "Id":
        return Place(str(row[0]), None)
    field = schema.field(selection.sort)
    return Place(str(row[0]), None if field.name == "Id" else row[schema.chosen(selection.fields).index(field)])


def _next_url(asked: Asked, wanted: Wanted, schema: ObjectSchema, place: Place) -> str:
    query = wanted.texts() | {"after": places.written(place, wanted.selection.sort)}
    if asked.replica.id != DEFAULT:
        query["connection"] = asked.replica.id
    return f"/api/objects/{quote(schema.name)}/records?{urlencode(query)}"
