"""What a parsed SOQL query is. Every node that can be wrong keeps `at`, its 0-based place in the text."""

from __future__ import annotations

from dataclasses import dataclass

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
DATE_FUNCTIONS = frozenset(
    {
        "CALENDAR_YEAR",
        "CALENDAR_QUARTER",
        "CALENDAR_MONTH",
        "FISCAL_YEAR",
        "FISCAL_QUARTER",
        "FISCAL_MONTH",
        "DAY_ONLY",
        "DAY_IN_WEEK",
        "DAY_IN_MONTH",
        "DAY_IN_YEAR",
        "WEEK_IN_MONTH",
        "WEEK_IN_YEAR",
        "HOUR_IN_DAY",
    }
)
FORMATTERS = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY", "CONVERTTIMEZONE"})


@dataclass(frozen=True, slots=True)
class Path:
    """A field, by its relationship names and its own: `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Func:
    """A function of one expression; `name` is in capitals."""

    name: str
    arg: Path | Func
    at: int


@dataclass(frozen=True, slots=True)
class Distance:
    """DISTANCE(field, GEOLOCATION(lat, lon), unit), unit being 'mi' or 'km'."""

    field: Path
    latitude: str
    longitude: str
    unit: str
    at: int


Expr = Path | Func | Distance


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: `kind` is string, number, boolean, null, date, datetime, time, dateliteral or currency.

    `value` is the text (capitals for date literals); a string has its escapes resolved, except those of LIKE;
    `n` is the number of `LAST_N_DAYS:n`.
    """

    kind: str
    value: str
    at: int
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`; `op` is =, !=, <, <=, >, >= or LIKE."""

    left: Expr
    op: str
    right: Literal
    at: int


@dataclass(frozen=True, slots=True)
class InList:
    """`left [NOT] IN (values)`."""

    left: Expr
    negated: bool
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """`left [NOT] IN (SELECT field FROM object WHERE …)`."""

    left: Expr
    negated: bool
    query: Query
    at: int


@dataclass(frozen=True, slots=True)
class Includes:
    """`left INCLUDES|EXCLUDES (sets)`; each value is one `;`-joined set."""

    left: Expr
    negated: bool
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by one operator, AND or OR; the two never mix on one level."""

    op: str
    parts: tuple[Condition, ...]


Condition = Comparison | InList | SemiJoin | Includes | Not | Junction


@dataclass(frozen=True, slots=True)
class FieldItem:
    """A selected field or function, with its alias."""

    expr: Expr
    alias: str | None


@dataclass(frozen=True, slots=True)
class CountAll:
    """`SELECT COUNT()`: no rows, only their number."""

    at: int


@dataclass(frozen=True, slots=True)
class FieldsItem:
    """FIELDS(ALL|STANDARD|CUSTOM)."""

    group: str
    at: int


@dataclass(frozen=True, slots=True)
class TypeofItem:
    """TYPEOF relation WHEN object THEN paths … ELSE paths END."""

    relation: str
    whens: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]
    at: int


@dataclass(frozen=True, slots=True)
class SubqueryItem:
    """A child subquery; its FROM names a child relationship."""

    query: Query
    at: int


Item = FieldItem | CountAll | FieldsItem | TypeofItem | SubqueryItem


@dataclass(frozen=True, slots=True)
class Grouping:
    """GROUP BY; `kind` is PLAIN, ROLLUP or CUBE."""

    kind: str
    items: tuple[Path | Func, ...]


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One ORDER BY term; without NULLS Salesforce puts nulls first, ascending or not."""

    expr: Expr
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. `aliases` are the `, path alias` parts of FROM; `text` is the whole text it came from."""

    text: str
    items: tuple[Item, ...]
    object: str
    object_at: int
    alias: str | None
    aliases: tuple[tuple[Path, str], ...] = ()
    scope: str | None = None
    where: Condition | None = None
    with_: str | None = None
    group: Grouping | None = None
    having: Condition | None = None
    order: tuple[OrderItem, ...] = ()
    limit: int | None = None
    offset: int | None = None
    for_: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    at: int = 0
