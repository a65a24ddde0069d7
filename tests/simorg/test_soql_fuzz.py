"""Queries put together at random: each is answered or refused with a 400, never with a crash."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simorg.http import ApiError
from simorg.org import SimOrg
from simorg.query import Asker, queries_of
from simorg.soql import Context, Csv, SoqlError, compile_csv, parse

PATHS = [
    *("Id", "Name", "Industry", "AnnualRevenue", "NumberOfEmployees", "CreatedDate", "IsDeleted", "Description"),
    *("BillingAddress", "Owner.Name", "Parent.Owner.Name", "Account.Name", "a.Name", "Nope", "Owner.Nope", "Nope.Id"),
    *("LastActivityDate", "OwnerId", "Widget_Total__c", "Owner.IsActive", "Contacts", "PhotoUrl", "SystemModstamp"),
]
FUNCTIONS = [
    *("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", "GROUPING", "toLabel", "FORMAT", "convertCurrency"),
    *("convertTimezone", "CALENDAR_YEAR", "FISCAL_QUARTER", "DAY_ONLY", "HOUR_IN_DAY", "WEEK_IN_YEAR", "Nonsense"),
]
VALUES = [
    *("'x'", "''", "'Ä%'", "5", "-1.5e3", "TRUE", "NULL", "TODAY", "LAST_N_DAYS:3", "2024-01-01", "USD5", "nope"),
    *(
        "2024-01-01T00:00:00Z",
        "10:00:00Z",
        "LAST_N_YEARS:99999999",
        "N_WEEKS_AGO:99999999",
        "1e400",
        "'001000000000000'",
    ),
]

path = st.sampled_from(PATHS)
call = st.builds(lambda name, inner: f"{name}({inner})", st.sampled_from(FUNCTIONS), path)
far = "DISTANCE(BillingAddress, GEOLOCATION(1,-2), 'km')"
expression = st.one_of(path, path, call, st.just(far), st.just("CALENDAR_MONTH(convertTimezone(CreatedDate))"))
value = st.sampled_from(VALUES)
listed = st.lists(value, min_size=1, max_size=3).map(lambda values: f"({', '.join(values)})")
comparison = st.one_of(
    st.builds(
        lambda left, op, right: f"{left} {op} {right}",
        expression,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "LIKE"]),
        value,
    ),
    st.builds(
        lambda left, op, right: f"{left} {op} {right}",
        expression,
        st.sampled_from(["IN", "NOT IN", "INCLUDES", "EXCLUDES"]),
        listed,
    ),
    st.sampled_from(["Id IN (SELECT AccountId FROM Contact)", "OwnerId NOT IN (SELECT Id FROM User)"]),
)
condition = st.recursive(
    comparison,
    lambda inner: st.one_of(
        inner.map(lambda one: f"NOT ({one})"),
        st.builds(lambda one, op, two: f"({one}) {op} ({two})", inner, st.sampled_from(["AND", "OR"]), inner),
    ),
    max_leaves=4,
)
item = st.one_of(
    expression,
    st.builds(lambda one, alias: f"{one} {alias}", expression, st.sampled_from(["x", "y", "expr0"])),
    st.sampled_from(["COUNT()", "FIELDS(STANDARD)", "FIELDS(ALL)", "TYPEOF Owner WHEN User THEN Id END"]),
    st.builds(lambda inner: f"(SELECT {inner} FROM Contacts ORDER BY Id LIMIT 3)", path),
)
group = st.builds(
    lambda kind, items: f" GROUP BY {kind}({', '.join(items)})" if kind else f" GROUP BY {', '.join(items)}",
    st.sampled_from(["", "ROLLUP", "CUBE"]),
    st.lists(expression, min_size=1, max_size=2),
)
order = st.builds(
    lambda one, way, nulls: f" ORDER BY {one}{way}{nulls}",
    expression,
    st.sampled_from(["", " DESC"]),
    st.sampled_from(["", " NULLS LAST"]),
)
soql = st.builds(
    lambda items, where, *rest: f"SELECT {', '.join(items)} FROM Account a{where}{''.join(rest)}",
    st.lists(item, min_size=1, max_size=3),
    st.one_of(st.just(""), condition.map(lambda one: f" WHERE {one}")),
    st.one_of(st.just(""), group, group.map(lambda one: f"{one} HAVING COUNT(Id) > 0")),
    st.one_of(st.just(""), order),
    st.sampled_from(["", " LIMIT 5", " LIMIT 0", " LIMIT 99999999999999999999", " LIMIT 3 OFFSET 1", " FOR VIEW"]),
)


@pytest.fixture(scope="module")
def org() -> Iterator[SimOrg]:
    with SimOrg(records=30) as made:
        queries_of(made)  # gives the database the functions that compiled queries call
        yield made


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(soql)
def test_every_query_is_answered_or_refused(org: SimOrg, text: str) -> None:
    try:
        page = json.loads(queries_of(org).run(text, Asker("58.0", org.user_id)))
    except ApiError as error:
        assert error.status == 400
        # That code would mean that SQLite did not understand what the compiler wrote.
        assert error.code not in ("QUERY_TOO_COMPLICATED", "UNKNOWN_EXCEPTION")
    else:
        assert len(page["records"]) <= page["totalSize"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="SELECTFROMIdAccount'\\(),.=<>! \n:%_19-é\x00", max_size=60))
def test_every_text_is_a_query_or_a_soql_error(text: str) -> None:
    try:
        query = parse(f"SELECT {text}")
    except SoqlError as error:
        assert error.message
    else:
        assert query.items


@settings(max_examples=300, deadline=None)
@given(soql)
def test_bulk_compiles_or_refuses(org: SimOrg, text: str) -> None:
    try:
        plan = compile_csv(parse(text), Context(org, "58.0", org.user_id, plain_only=True), Csv())
    except SoqlError as error:
        assert error.code.isupper()
    else:
        found = next(iter(org.db.execute(plan.ids_sql, plan.params)))[0]
        assert found is None or all(part.isdigit() for part in found.split(","))
