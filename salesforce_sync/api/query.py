"""SOQL text: the only place that writes a query, checks a name or quotes a value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from salesforce_sync.errors import Misuse, RequestRefused
from salesforce_sync.models.schema import ObjectSchema

MAX_SOQL = 100_000
"""Characters that Salesforce takes in one query (SOQL limits)."""

ARCHIVED = frozenset({"Task", "Event"})
"""Objects whose old rows Salesforce archives: only queryAll shows them (REST guide, QueryAll)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ESCAPES = str.maketrans(
    {"\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
)


class Query(Struct, frozen=True):
    """A query and the resource that runs it: `query` hides deleted and archived rows, `queryAll` shows them."""

    soql: str
    resource: str


def is_identifier(name: str) -> bool:
    """Whether the text can be the API name of an object or field."""
    return _NAME.fullmatch(name) is not None


def identifier(name: str) -> str:
    """The name, if it can stand in a query; `Misuse` otherwise, so that no text can smuggle a clause in."""
    if not is_identifier(name):
        raise Misuse(f"{name!r} is not an API name.", hint="API names have letters, digits and underscores only.")
    return name


def text_literal(value: str) -> str:
    """The text as a SOQL string."""
    return f"'{value.translate(_ESCAPES)}'"


def datetime_literal(moment: datetime) -> str:
    """The moment as a SOQL datetime in UTC, cut (never rounded up) to milliseconds."""
    if moment.tzinfo is None:
        raise Misuse(f"{moment!r} has no time zone.", hint="Give a datetime in UTC.")
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z" if utc.year >= 1000 else _early(utc)


def _early(utc: datetime) -> str:
    # strftime does not pad years below 1000 on Linux.
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def everything(schema: ObjectSchema) -> Query:
    """All rows that are not deleted, archived ones too.

    Of an archived object whose `IsDeleted` is not asked for, the deleted ones come as well: there is no other way to
    the archived ones.
    """
    if schema.name not in ARCHIVED:
        return Query(_select(schema), "query")
    living = " WHERE IsDeleted = false" if schema.has("IsDeleted") else ""
    return Query(_select(schema) + living, "queryAll")


def changed_since(schema: ObjectSchema, stamp: str, since: datetime) -> Query:
    """All rows, deleted ones too, whose stamp is at or after `since`.

    `>=` and not `>`: a row saved in the same second as the last one read would be lost.
    """
    return Query(f"{_select(schema)} WHERE {identifier(stamp)} >= {datetime_literal(since)}", "queryAll")


def in_order(query: Query, schema: ObjectSchema, stamp: str) -> Query:
    """The same query in the order of (stamp, Id), where the org can sort by them.

    Not for Bulk: an ORDER BY switches its chunking off.
    """
    keys = [name for name in (stamp, "Id") if schema.field(name).sortable]
    return Query(f"{query.soql} ORDER BY {', '.join(keys)}", query.resource) if keys else query


def within(query: Query, stamp: str, start: datetime | None, end: datetime | None) -> Query:
    """The same query for stamps from `start` on and before `end`; None: no end at this side."""
    bounds = ((">=", start), ("<", end))
    conditions = [f"{identifier(stamp)} {sign} {datetime_literal(at)}" for sign, at in bounds if at is not None]
    return _and(query, conditions)


def next_by_id(query: Query, after: str, most: int) -> Query:
    """The rows with the lowest ids after this one (empty: from the first), at most so many of them."""
    narrowed = _and(query, [f"Id > {text_literal(after)}"] if after else [])
    return Query(f"{narrowed.soql} ORDER BY Id LIMIT {most}", query.resource)


def _and(query: Query, conditions: list[str]) -> Query:
    if not conditions:
        return query
    joint = " AND " if " WHERE " in query.soql else " WHERE "
    return Query(query.soql + joint + " AND ".join(conditions), query.resource)


def newest_first(query: Query, schema: ObjectSchema, stamp: str) -> Query:
    """The same query with the newest stamps at the front, where the org can sort by them."""
    keys = [f"{name} DESC" for name in (stamp, "Id") if schema.field(name).sortable]
    return Query(f"{query.soql} ORDER BY {', '.join(keys)}", query.resource) if keys else query


def with_ids(schema: ObjectSchema, ids: Iterable[str]) -> Query:
    """The records of these ids, deleted ones too."""
    return Query(f"{_select(schema)} WHERE Id IN ({','.join(map(text_literal, ids))})", "queryAll")


def made_since(schema: ObjectSchema, since: datetime, user_id: str | None) -> Query:
    """The records that were made at or after `since`, deleted ones too, by this user if one is given."""
    mine = f" AND CreatedById = {text_literal(user_id)}" if user_id else ""
    return Query(f"{_select(schema)} WHERE CreatedDate >= {datetime_literal(since)}{mine}", "queryAll")


def as_it_was(schema: ObjectSchema, record_id: str, stamp: str, moment: datetime) -> Query:
    """The id of this record, if it lives and has this stamp; nothing otherwise.

    The stamp is asked for by its millisecond: SOQL's datetimes have no finer grain.
    """
    condition = f"Id = {text_literal(record_id)} AND {identifier(stamp)} = {datetime_literal(moment)}"
    return Query(f"SELECT Id FROM {identifier(schema.name)} WHERE {condition}", "query")


def not_queryable(schema: ObjectSchema) -> RequestRefused:
    """What is said of an object that the org describes and does not let anybody query."""
    return RequestRefused(
        f"{schema.name} cannot be queried.",
        code="NOT_QUERYABLE",
        hint="The org describes it so; it is asked again at each sync. If that is meant, take it out of sync.objects.",
    )


def too_long(schema: ObjectSchema, query: Query) -> RequestRefused | None:
    """Why Salesforce would not take a query of this length by any way; None where it would."""
    if len(query.soql) <= MAX_SOQL:
        return None
    size = f"{len(query.soql):,} characters, and {MAX_SOQL:,} is the most"
    return RequestRefused(f"{schema.name} has too many fields for one query: {size}.", code="QUERY_TOO_LONG")


def _select(schema: ObjectSchema) -> str:
    columns = ", ".join(identifier(field.name) for field in schema.columns)
    return f"SELECT {columns} FROM {identifier(schema.name)}"
