"""Random WHERE conditions against an evaluator in plain Python that shares no code with the compiler."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simorg.org import SimOrg
from simorg.query import Asker, queries_of

Row = dict[str, Any]
Test = Callable[[Row], bool]

TEXTS = ["alpha", "ALPHA", "Beta", "ä%b", "Ä_B", "x'y\\z", "line\nbreak", "🎉 two", "null", "#N/A"]
CODES = ["K1", "k1", "K2", "Ä*[1]", "ä*[1]"]
NUMBERS = ["0", "-1.5", "2", "2.01", "1234567890123456.78", "1234567890123456.79"]
TAGS = ["Red", "Green", "Blue"]
DAYS = ["1700-01-01", "2024-02-29", "2024-05-14", "2024-05-15", "4000-12-31"]
MOMENTS = ["1969-12-31T23:59:59Z", "2024-05-15T00:00:00Z", "2024-05-15T12:00:00Z", "2999-01-01T00:00:00Z"]
NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Clause:
    """A condition as SOQL and as a function of a row."""

    text: str
    test: Test


def quoted(text: str) -> str:
    """A SOQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def ordered(op: str, left: Any, right: Any) -> bool:
    """A comparison of two values, neither of them null."""
    return bool(
        {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[op]
    )


def against(field: str, op: str, shown: str, value: Any, key: Callable[[Any], Any]) -> Clause:
    """A comparison with a literal: null is unequal to everything and neither smaller nor greater."""

    def test(row: Row) -> bool:
        if row[field] is None:
            return op == "!="
        return ordered(op, key(row[field]), key(value))

    return Clause(f"{field} {op} {shown}", test)


def same(value: Any) -> Any:
    """The value itself."""
    return value


def lowered(value: str) -> str:
    """Text without letter case."""
    return value.lower()


ORDERED = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUAL = st.sampled_from(["=", "!="])


def like(field: str, pattern: str, flags: int) -> Clause:
    """LIKE: `%` any run, `_` one character, a backslash makes them plain."""
    parts = re.findall(r"\\.|.", pattern, flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    regex = "".join(re.escape(part[-1]) if len(part) == 2 else wild.get(part, re.escape(part)) for part in parts)
    compiled = re.compile(regex, re.DOTALL | flags)
    shown = "'" + pattern.replace("'", "\\'").replace("\n", "\\n") + "'"
    return Clause(f"{field} LIKE {shown}", lambda row: row[field] is not None and bool(compiled.fullmatch(row[field])))


def within(field: str, values: list[str], key: Callable[[Any], Any], negated: bool) -> Clause:
    """IN and NOT IN: a null is in no list."""
    wanted = {key(value) for value in values}
    shown = f"{field} {'NOT ' if negated else ''}IN ({', '.join(quoted(value) for value in values)})"
    return Clause(shown, lambda row: (row[field] is not None and key(row[field]) in wanted) != negated)


def sets(values: list[list[str]], negated: bool) -> Clause:
    """INCLUDES and EXCLUDES."""

    def test(row: Row) -> bool:
        has = set((row["Tags__c"] or "").lower().split(";"))
        return any({one.lower() for one in value} <= has for value in values) != negated

    shown = ", ".join(quoted(";".join(value)) for value in values)
    return Clause(f"Tags__c {'EXCLUDES' if negated else 'INCLUDES'} ({shown})", test)


def day_literal(field: str, op: str, word: str, first: date, after: date) -> Clause:
    """A date literal: `=` within its days, `<` before, `>` after them."""

    def test(row: Row) -> bool:
        value = row[field]
        if value is None:
            return op == "!="
        day = value.date() if isinstance(value, datetime) else value
        inside = first <= day < after
        return {
            "=": inside,
            "!=": not inside,
            "<": day < first,
            "<=": day < after,
            ">": day >= after,
            ">=": day >= first,
        }[op]

    return Clause(f"{field} {op} {word}", test)


def negate(clause: Clause) -> Clause:
    """NOT."""
    return Clause(f"NOT ({clause.text})", lambda row: not clause.test(row))


def join(op: str, clauses: list[Clause]) -> Clause:
    """AND, OR."""
    every = all if op == "AND" else any
    return Clause(
        f" {op} ".join(f"({one.text})" for one in clauses), lambda row: every(one.test(row) for one in clauses)
    )


PATTERNS = st.lists(st.sampled_from(["%", "_", "a", "A", "ä", "b", "\\%", "\\_", "1", "*", "[", "e", "🎉"]), max_size=5)
TODAY = NOW.date()
LITERALS = [
    ("TODAY", TODAY, TODAY + timedelta(days=1)),
    ("YESTERDAY", TODAY - timedelta(days=1), TODAY),
    ("THIS_MONTH", date(2024, 5, 1), date(2024, 6, 1)),
    ("LAST_N_DAYS:1", TODAY - timedelta(days=1), TODAY + timedelta(days=1)),
    ("N_MONTHS_AGO:3", date(2024, 2, 1), date(2024, 3, 1)),
]


def leaves() -> st.SearchStrategy[Clause]:
    """One comparison of every kind."""
    texts = st.sampled_from([*TEXTS, "gamma", "BETA"])
    fields = st.sampled_from(["Text__c", "Contact__r.LastName"])
    return st.one_of(
        st.builds(lambda f, op, v: against(f, op, quoted(v), v, lowered), fields, ORDERED, texts),
        st.builds(lambda op, v: against("Code__c", op, quoted(v), v, same), ORDERED, st.sampled_from(CODES)),
        st.builds(lambda f, p: like(f, "".join(p), re.IGNORECASE), fields, PATTERNS),
        st.builds(lambda p: like("Code__c", "".join(p), 0), PATTERNS),
        st.builds(
            lambda f, v, n: within(f, v, lowered, n), fields, st.lists(texts, min_size=1, max_size=3), st.booleans()
        ),
        st.builds(
            lambda op, v: against("Price__c", op, v, v, Decimal), ORDERED, st.sampled_from([*NUMBERS, "2.0", "-1"])
        ),
        st.builds(
            lambda op, v: against("Active__c", op, v, v == "TRUE", same), EQUAL, st.sampled_from(["TRUE", "FALSE"])
        ),
        st.builds(lambda op, v: against("Day__c", op, v, v, str), ORDERED, st.sampled_from(DAYS)),
        st.builds(
            lambda op, v: against("Moment__c", op, v, datetime.fromisoformat(v), same),
            ORDERED,
            st.sampled_from(MOMENTS),
        ),
        st.builds(
            lambda f, op, x: day_literal(f, op, *x), st.sampled_from(["Moment__c"]), ORDERED, st.sampled_from(LITERALS)
        ),
        st.builds(
            sets,
            st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=2), min_size=1, max_size=2),
            st.booleans(),
        ),
        st.builds(
            lambda f, op: Clause(f"{f} {op} null", lambda row: (row[f] is None) == (op == "=")),
            st.sampled_from(["Text__c", "Price__c", "Day__c", "Moment__c", "Contact__r.LastName", "Contact__c"]),
            EQUAL,
        ),
    )


CONDITIONS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(negate, inner),
        st.builds(join, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


@dataclass(frozen=True)
class Widgets:
    """An org with widgets of every kind of value, and the same rows for the evaluator."""

    org: SimOrg
    rows: list[Row]


def pick(values: list[str], number: int) -> str | None:
    """A value or, now and then, none."""
    place = number % (len(values) + 1)
    return values[place] if place < len(values) else None


@pytest.fixture(scope="module")
def widgets() -> Iterator[Widgets]:
    with SimOrg(start_ms=int(NOW.timestamp() * 1000)) as org:
        org.clock.freeze()
        org.database.rows('UPDATE "User" SET "TimeZoneSidKey" = ?', ("UTC",))
        account = org.add("Account", Name="owner")
        contacts = {name: org.add("Contact", LastName=name) for name in TEXTS}
        org.database.rows('DELETE FROM "Widget__c"')
        yield Widgets(org, [make(org, account, contacts, number) for number in range(60)])


def make(org: SimOrg, account: str, contacts: dict[str, str], number: int) -> Row:
    """Write one widget and return it as the evaluator sees it."""
    parent = pick(TEXTS, number * 7)
    tags = [tag for place, tag in enumerate(TAGS) if number >> place & 1]
    moment = pick(MOMENTS, number)
    values = {
        "Text__c": pick(TEXTS, number),
        "Price__c": pick(NUMBERS, number),
        "Active__c": number % 2 == 0,
        "Day__c": pick(DAYS, number),
        "Moment__c": moment,
        "Contact__c": contacts[parent] if parent else None,
    }
    made = org.add("Widget__c", Account__c=account, **values)
    # Unique codes would allow five rows only, and the picklists of the tags are their own matter.
    code, joined = pick(CODES, number), ";".join(tags) or None
    org.database.rows('UPDATE "Widget__c" SET "Code__c" = ?, "Tags__c" = ? WHERE "Id" = ?', (code, joined, made))
    return values | {
        "Id": made,
        "Code__c": code,
        "Tags__c": joined,
        "Contact__r.LastName": parent,
        "Moment__c": datetime.fromisoformat(moment) if moment else None,
    }


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONDITIONS)
def test_where_finds_the_rows_that_the_evaluator_finds(widgets: Widgets, clause: Clause) -> None:
    soql = f"SELECT Id FROM Widget__c WHERE {clause.text}"

    found = json.loads(queries_of(widgets.org).run(soql, Asker("58.0", widgets.org.user_id)))

    assert {row["Id"] for row in found["records"]} == {row["Id"] for row in widgets.rows if clause.test(row)}
    assert found["totalSize"] == len(found["records"])
