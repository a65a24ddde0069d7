"""SQL expressions for fields: as JSON text, as CSV text, as a sort key and as a comparable value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simorg.database import quote
from simorg.schema import NUMBER_TYPES, TEXT_TYPES, SField, SObject

_MAX_ARGUMENTS = 900  # SQLite takes 1,000 arguments to a function


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a joined row: what it is, and the SQL that reads it; `alias` is its row's alias."""

    field: SField
    sql: str
    owner: SObject
    alias: str


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL among literal pieces (which are plain `str`)."""

    text: str


Piece = str | Sql


def literal(text: str) -> str:
    """Write a text that comes from the schema or the grammar as an SQL literal; values are always parameters."""
    return "'" + text.replace("'", "''") + "'"


def concat(pieces: Iterable[Piece]) -> str:
    """One SQL expression that joins the pieces; NULL counts as empty."""
    arguments: list[str] = []
    pending = ""
    for piece in pieces:
        if isinstance(piece, str):
            pending += piece
            continue
        if pending:
            arguments.append(literal(pending))
            pending = ""
        arguments.append(piece.text)
    if pending:
        arguments.append(literal(pending))
    while len(arguments) > _MAX_ARGUMENTS:
        arguments = [
            f"concat({', '.join(arguments[at : at + _MAX_ARGUMENTS])})"
            for at in range(0, len(arguments), _MAX_ARGUMENTS)
        ]
    return f"concat({', '.join(arguments)})"


def read(field: SField, alias: str) -> str:
    """The SQL that reads a stored or calculated field of the row `alias`."""
    if field.formula is not None:
        return f"({field.formula.replace('{alias}', alias)})"
    return f"{alias}.{quote(field.name)}"


def is_text(field: SField) -> bool:
    """Whether the field holds text that compares without letter case (or with it, if it is case sensitive)."""
    return field.type in TEXT_TYPES


def folded(sql: str) -> str:
    """Text in lower case; the function of Python is called only for texts that are not plain ASCII."""
    return f"iif(octet_length({sql}) = length({sql}), lower({sql}), sf_lower({sql}))"


def sort_key(field: SField, sql: str) -> str:
    """What ORDER BY, GROUP BY and < compare."""
    if is_text(field) and not field.case_sensitive:
        return folded(sql)
    return f"CAST({sql} AS REAL)" if field.type in NUMBER_TYPES else sql


def json_value(column: Column, version: str) -> str:
    """The JSON text of a field, `null` included."""
    kind, sql = column.field.type, column.sql
    if kind == "base64":
        return _blob_url(column, version)
    if kind in ("address", "location"):
        return _compound(column)
    return json_of(kind, sql)


def json_of(kind: str, sql: str) -> str:
    """The JSON text of a value of a simple type."""
    if kind == "boolean":
        return f"iif({sql}, 'true', 'false')"
    if kind in ("int", "long"):
        return f"coalesce({sql}, 'null')"
    if kind in NUMBER_TYPES:
        return f"coalesce({with_point(sql)}, 'null')"
    if kind == "date":
        return f"coalesce('\"' || {sql} || '\"', 'null')"
    if kind == "datetime":
        return f"coalesce({_moment(sql, quotes=True)}, 'null')"
    return f"json_quote({sql})"


def csv_value(column: Column) -> str:
    """The text of a field in a Bulk result, without the quotes around it; null is empty."""
    kind, sql = column.field.type, column.sql
    if kind == "boolean":
        # A missing parent has no boolean at all, which is not false.
        return f"CASE WHEN {sql} THEN 'true' WHEN {sql} IS NOT NULL THEN 'false' END"
    if kind in NUMBER_TYPES:
        return with_point(sql)
    if kind == "datetime":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {sql} / 1000.0, 'unixepoch')"
    if kind in ("int", "long", "id", "reference", "date", "time"):
        return sql
    return f"replace({sql}, '\"', '\"\"')"


def with_point(sql: str) -> str:
    """A decimal's digits, always with a decimal point."""
    return f"iif(instr({sql}, '.'), {sql}, {sql} || '.0')"


def _moment(sql: str, *, quotes: bool) -> str:
    mark = '"' if quotes else ""
    return f"strftime('{mark}%Y-%m-%dT%H:%M:%f+0000{mark}', {sql} / 1000.0, 'unixepoch')"


def _blob_url(column: Column, version: str) -> str:
    start = f'"/services/data/v{version}/sobjects/{column.owner.name}/'
    url = concat([start, Sql(f'{column.alias}."Id"'), f'/{column.field.name}"'])
    return f"iif({column.sql} IS NULL, 'null', {url})"


def _compound(column: Column) -> str:
    parts = compound_parts(column.owner, column.field)
    columns = [(key, part.type, read(part, column.alias)) for key, part in parts]
    pieces: list[Piece] = []
    for number, (key, kind, sql) in enumerate(columns):
        pieces += [f'{"," if number else "{"}"{key}":', Sql(json_of(kind, sql))]
    missing = f"coalesce({', '.join(sql for _, _, sql in columns)}) IS NULL"
    return f"iif({missing}, 'null', {concat([*pieces, '}'])})"


def compound_parts(owner: SObject, field: SField) -> Sequence[tuple[str, SField]]:
    """The parts of an address or location under their JSON keys, in the order of the wire (keys sorted)."""
    stem = field.name.removesuffix("__c").removesuffix("Address")
    keyed = [(_part_key(part.name.removesuffix("__s").removeprefix(stem)), part) for part in owner.parts_of(field.name)]
    return sorted(keyed, key=lambda pair: pair[0])


def _part_key(name: str) -> str:
    bare = name.strip("_")
    return bare[:1].lower() + bare[1:]
