"""What SOQL means, as a table: each query against eight accounts and their contacts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from simorg.http import ApiError
from simorg.org import SimOrg
from simorg.query import Asker, queries_of
from simorg.times import parse_datetime

NOW = parse_datetime("2024-05-15T12:00:00Z")
ACCOUNTS: list[dict[str, Any]] = [
    {"Name": "acme", "Industry": "Banking", "AnnualRevenue": "100", "NumberOfEmployees": 5, "BillingCity": "Ulm"},
    {"Name": "Acme", "Industry": "banking", "AnnualRevenue": "201", "NumberOfEmployees": 50},
    {"Name": "ÄRZTE", "Industry": "Media", "AnnualRevenue": "999999999999999998", "Site": "100%_sure"},
    {"Name": "ärzte ohne", "Industry": None, "AnnualRevenue": "999999999999999999", "Site": r"back\slash"},
    {"Name": 'O\'Neil "x"', "Industry": "Media", "AnnualRevenue": None, "Site": "it's"},
    {"Name": "zed 🎉", "Industry": None, "AnnualRevenue": "0", "NumberOfEmployees": -1},
    {"Name": "multi\nline", "Industry": "Energy", "AnnualRevenue": "-7"},
    {"Name": "gone", "Industry": "Energy", "AnnualRevenue": "1"},
]


class Small:
    """The org of this file and short words for asking it."""

    def __init__(self, org: SimOrg) -> None:
        self.org = org
        self.asker = Asker("58.0", org.user_id, "token")
        for object_name in ("Contact", "Opportunity", "Lead", "Account"):
            schema = org.object(object_name)
            assert schema is not None
            org.database.rows(f'DELETE FROM "{object_name}"')
        self.ids = [org.add("Account", **row) for row in ACCOUNTS]
        self.contacts = [
            org.add(
                "Contact", LastName=f"C{number}", AccountId=self.ids[number % 3], Birthdate=f"2024-05-{number + 10}"
            )
            for number in range(7)
        ]
        self.contacts.append(org.add("Contact", LastName="Alone"))
        org.remove(self.ids[7])

    def run(self, soql: str, *, all_rows: bool = False) -> dict[str, Any]:
        """The first page of a result."""
        found: dict[str, Any] = json.loads(queries_of(self.org).run(soql, self.asker, all_rows=all_rows))
        return found

    def names(self, where: str, *, all_rows: bool = False) -> list[str]:
        """The names of the accounts that a condition finds, in order of creation."""
        rows = self.run(f"SELECT Id, Name FROM Account WHERE {where} ORDER BY Id", all_rows=all_rows)["records"]
        return [row["Name"] for row in rows]

    def error(self, soql: str) -> tuple[str, str]:
        """Code and last line of the error of a query."""
        with pytest.raises(ApiError) as caught:
            self.run(soql)
        assert caught.value.status == 400
        return caught.value.code, caught.value.message.splitlines()[-1]


@pytest.fixture(scope="module")
def small() -> Iterator[Small]:
    with SimOrg(start_ms=NOW) as org:
        org.clock.freeze()
        yield Small(org)


ALIVE = [row["Name"] for row in ACCOUNTS[:7]]
BY_CONDITION = [
    ("Name = 'ACME'", ["acme", "Acme"]),
    ("Name != 'ACME'", ALIVE[2:]),
    ("Name = 'ärzte'", ["ÄRZTE"]),
    ("Name LIKE 'äR%'", ["ÄRZTE", "ärzte ohne"]),
    ("Name LIKE 'a___'", ["acme", "Acme"]),
    ("Name LIKE '_rzte'", ["ÄRZTE"]),
    ("Name LIKE '%🎉'", ["zed 🎉"]),
    (r"Site LIKE '100\%\_%'", ["ÄRZTE"]),
    (r"Site = '100%_sure'", ["ÄRZTE"]),
    (r"Site LIKE 'back\\%'", ["ärzte ohne"]),
    (r"Site = 'it\'s'", ['O\'Neil "x"']),
    (r"Name = 'O\'Neil \"x\"'", ['O\'Neil "x"']),
    (r"Name = 'multi\nline'", ["multi\nline"]),
    ("Name IN ('acme', 'ÄRZTE')", ["acme", "Acme", "ÄRZTE"]),
    ("Industry = null", ["ärzte ohne", "zed 🎉"]),
    ("Industry = ''", ["ärzte ohne", "zed 🎉"]),
    ("Industry != null", ["acme", "Acme", "ÄRZTE", 'O\'Neil "x"', "multi\nline"]),
    ("Industry != 'media'", ["acme", "Acme", "ärzte ohne", "zed 🎉", "multi\nline"]),
    ("Industry NOT IN ('media', 'banking')", ["ärzte ohne", "zed 🎉", "multi\nline"]),
    ("Industry IN ('media', null)", ["ÄRZTE", "ärzte ohne", 'O\'Neil "x"', "zed 🎉"]),
    ("NOT Industry = 'media'", ["acme", "Acme", "ärzte ohne", "zed 🎉", "multi\nline"]),
    ("NOT (Industry = 'media' OR Industry = null)", ["acme", "Acme", "multi\nline"]),
    ("Name > 'n'", ["ÄRZTE", "ärzte ohne", 'O\'Neil "x"', "zed 🎉"]),
    ("Name <= 'ACME'", ["acme", "Acme"]),
    ("AnnualRevenue = 100", ["acme"]),
    ("AnnualRevenue = 100.0", ["acme"]),
    ("AnnualRevenue = USD100", ["acme"]),
    ("AnnualRevenue > 100", ["Acme", "ÄRZTE", "ärzte ohne"]),
    ("AnnualRevenue = 999999999999999998", ["ÄRZTE"]),
    ("AnnualRevenue > 999999999999999998", ["ärzte ohne"]),
    ("AnnualRevenue >= 999999999999999999", ["ärzte ohne"]),
    ("AnnualRevenue != 999999999999999998 AND AnnualRevenue > 1e17", ["ärzte ohne"]),
    ("AnnualRevenue < 0", ["multi\nline"]),
    ("AnnualRevenue < 1 AND AnnualRevenue > -7", ["zed 🎉"]),
    ("AnnualRevenue = null", ['O\'Neil "x"']),
    ("AnnualRevenue IN (0, 100)", ["acme", "zed 🎉"]),
    ("NumberOfEmployees > 4", ["acme", "Acme"]),
    ("NumberOfEmployees = -1", ["zed 🎉"]),
    ("NumberOfEmployees < 4.5", ["zed 🎉"]),
    ("IsDeleted = false AND Name LIKE 'a%'", ["acme", "Acme"]),
    ("IsDeleted = null AND Name = 'acme'", ["acme", "Acme"]),
    ("IsDeleted = true", []),
    ("CreatedDate = TODAY", ALIVE),
    ("CreatedDate < TODAY", []),
    ("CreatedDate >= LAST_N_DAYS:1", ALIVE),
    ("CreatedDate > 2024-05-15T11:59:59Z", ALIVE),
    ("CreatedDate = 2024-05-15T14:00:00+02:00", ALIVE),
    ("CreatedDate <> 2024-05-15T12:00:00.000Z", []),
    ("CALENDAR_YEAR(CreatedDate) = 2024 AND DAY_IN_WEEK(CreatedDate) = 4", ALIVE),
    ("DAY_ONLY(CreatedDate) = 2024-05-15 AND HOUR_IN_DAY(CreatedDate) = 12", ALIVE),
    ("Id IN (SELECT AccountId FROM Contact WHERE LastName IN ('C0', 'C1'))", ["acme", "Acme"]),
    ("Id NOT IN (SELECT AccountId FROM Contact)", ALIVE[3:]),
    ("Owner.IsActive = true AND Owner.Name != null AND Name = 'zed 🎉'", ["zed 🎉"]),
    ("Parent.Name = null AND Name LIKE 'z%'", ["zed 🎉"]),
    ("Parent.Name != 'x' AND Name LIKE 'z%'", ["zed 🎉"]),
    ("Parent.AnnualRevenue > 0", []),
]


@pytest.mark.parametrize(("where", "expected"), BY_CONDITION)
def test_a_condition_finds(small: Small, where: str, expected: list[str]) -> None:
    assert small.names(where) == expected


def test_ids_match_with_15_and_18_characters_but_not_in_another_case(small: Small) -> None:
    whole = small.ids[0]

    assert small.names(f"Id = '{whole}'") == small.names(f"Id = '{whole[:15]}'") == ["acme"]
    assert small.names(f"Id IN ('{whole[:15]}', '{small.ids[1]}')") == ["acme", "Acme"]
    assert small.names(f"Id != '{whole[:15]}' AND Name = 'acme'") == ["Acme"]
    assert small.error(f"SELECT Id FROM Account WHERE Id = '{whole.lower()}'")[0] == "INVALID_QUERY_FILTER_OPERATOR"


def test_deleted_rows_come_with_query_all_only(small: Small) -> None:
    assert small.names("Name = 'gone'") == []
    assert small.names("Name = 'gone'", all_rows=True) == ["gone"]
    assert small.names("IsDeleted = true", all_rows=True) == ["gone"]


def test_nulls_come_first_up_and_down_unless_told_otherwise(small: Small) -> None:
    def industries(order: str) -> list[str | None]:
        rows = small.run(f"SELECT Industry FROM Account ORDER BY {order}")["records"]
        return [row["Industry"] and row["Industry"].lower() for row in rows]

    assert industries("Industry") == [None, None, "banking", "banking", "energy", "media", "media"]
    assert industries("Industry DESC") == [None, None, "media", "media", "energy", "banking", "banking"]
    assert industries("Industry DESC NULLS LAST") == ["media", "media", "energy", "banking", "banking", None, None]
    assert industries("Industry NULLS LAST")[-1] is None


def test_numbers_are_ordered_as_numbers_and_texts_without_case(small: Small) -> None:
    rows = small.run("SELECT Name FROM Account WHERE AnnualRevenue < 1000 ORDER BY AnnualRevenue DESC")["records"]
    texts = small.run("SELECT Name FROM Account ORDER BY Name, Id LIMIT 3 OFFSET 1")["records"]

    assert [row["Name"] for row in rows] == ["Acme", "acme", "zed 🎉", "multi\nline"]
    assert [row["Name"] for row in texts] == ["Acme", "multi\nline", 'O\'Neil "x"']


def test_a_row_has_attributes_first_then_the_fields_in_select_order_in_the_spelling_of_describe(small: Small) -> None:
    soql = f"SELECT name, ID, owner.NAME, annualrevenue, Owner.Id FROM account WHERE Id = '{small.ids[0]}'"

    row = small.run(soql)["records"][0]

    assert list(row) == ["attributes", "Name", "Id", "Owner", "AnnualRevenue"]
    assert list(row["Owner"]) == ["attributes", "Name", "Id"]
    url = f"/services/data/v58.0/sobjects/Account/{small.ids[0]}"
    assert row["attributes"] == {"type": "Account", "url": url}


def test_decimals_keep_their_digits_and_have_a_point(small: Small) -> None:
    where = f"Id IN ('{small.ids[2]}', '{small.ids[0]}', '{small.ids[4]}') ORDER BY Id"
    raw = queries_of(small.org).run(f"SELECT AnnualRevenue FROM Account WHERE {where}", small.asker)

    assert b'"AnnualRevenue":100.0}' in raw
    assert b'"AnnualRevenue":999999999999999998.0}' in raw
    assert b'"AnnualRevenue":null}' in raw


def test_compound_fields_are_objects_or_null(small: Small) -> None:
    soql = "SELECT BillingAddress FROM Account WHERE Id IN ('{}', '{}') ORDER BY Id".format(*small.ids[:2])

    first, second = small.run(soql)["records"]

    assert list(first["BillingAddress"]) == (
        ["city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street"]
    )
    assert first["BillingAddress"]["city"] == "Ulm"
    assert second["BillingAddress"] is None


def test_a_missing_parent_and_an_empty_child_query_are_null(small: Small) -> None:
    alone = small.run("SELECT Account.Name FROM Contact WHERE LastName = 'Alone'")["records"][0]
    childless = small.run(f"SELECT (SELECT Id FROM Contacts) FROM Account WHERE Id = '{small.ids[4]}'")["records"][0]

    assert alone["Account"] is None
    assert childless["Contacts"] is None


def test_a_child_query_has_its_own_where_order_and_limit(small: Small) -> None:
    soql = (
        "SELECT Name, (SELECT LastName, Account.Name FROM Contacts WHERE LastName != 'C0' ORDER BY LastName DESC"
        " LIMIT 1)"
        f" FROM Account WHERE Id = '{small.ids[0]}'"
    )

    children = small.run(soql)["records"][0]["Contacts"]

    assert (children["totalSize"], children["done"]) == (1, True)
    assert children["records"][0]["LastName"] == "C6"
    assert children["records"][0]["Account"]["Name"] == "acme"


def test_children_of_children_are_allowed_from_version_58_on(small: Small) -> None:
    soql = "SELECT (SELECT Id, (SELECT Id FROM Cases__r) FROM Contacts) FROM Account"
    deep = "SELECT (SELECT Id, (SELECT LastName FROM ContactsReporting) FROM Contacts) FROM Account LIMIT 1"

    assert small.error(soql)[0] == "INVALID_TYPE"
    assert small.run(deep)["totalSize"] == 1
    with pytest.raises(ApiError, match="MALFORMED_QUERY"):
        queries_of(small.org).run(deep, Asker("57.0", small.org.user_id))


GROUPED = [
    ("SELECT COUNT(Id) FROM Contact", [{"expr0": 8}]),
    ("SELECT COUNT(Id) c, COUNT(AccountId) FROM Contact", [{"c": 8, "expr0": 7}]),
    ("SELECT COUNT_DISTINCT(Industry) FROM Account", [{"expr0": 3}]),
    ("SELECT MAX(NumberOfEmployees), SUM(NumberOfEmployees) s FROM Account", [{"expr0": 50, "s": 54}]),
    ("SELECT AVG(AnnualRevenue) FROM Account WHERE AnnualRevenue < 1000", [{"expr0": 73.5}]),
    (
        "SELECT SUM(AnnualRevenue), MIN(AnnualRevenue) FROM Account WHERE Name = 'nobody'",
        [{"expr0": None, "expr1": None}],
    ),
    (
        "SELECT Account.Name, COUNT(Id) FROM Contact WHERE AccountId != null GROUP BY Account.Name"
        " ORDER BY COUNT(Id) DESC",
        [{"Name": "acme", "expr0": 5}, {"Name": "ÄRZTE", "expr0": 2}],
    ),
    (
        "SELECT AccountId, COUNT(Id) n FROM Contact GROUP BY AccountId HAVING COUNT(Id) > 2",
        [{"AccountId": "first", "n": 3}],
    ),
    (
        "SELECT CALENDAR_MONTH(Birthdate) m, MIN(Birthdate) FROM Contact WHERE Birthdate != null"
        " GROUP BY CALENDAR_MONTH(Birthdate)",
        [{"m": 5, "expr0": "2024-05-10"}],
    ),
    (
        "SELECT Industry, GROUPING(Industry) g, COUNT(Id) FROM Account WHERE Industry = 'Energy'"
        " GROUP BY ROLLUP(Industry)",
        [{"Industry": "Energy", "g": 0, "expr0": 1}, {"Industry": None, "g": 1, "expr0": 1}],
    ),
    (
        "SELECT Industry FROM Account GROUP BY Industry ORDER BY Industry NULLS LAST LIMIT 1 OFFSET 1",
        [{"Industry": "Energy"}],
    ),
    ("SELECT Industry FROM Account WHERE Name = 'nobody' GROUP BY Industry", []),
]


@pytest.mark.parametrize(("soql", "expected"), GROUPED)
def test_aggregates(small: Small, soql: str, expected: list[dict[str, Any]]) -> None:
    found = small.run(soql)

    rows = [{key: value for key, value in row.items() if key != "attributes"} for row in found["records"]]
    for row in rows:
        if row.get("AccountId") == small.ids[0]:
            row["AccountId"] = "first"
    assert rows == expected
    assert all(row["attributes"] == {"type": "AggregateResult"} for row in found["records"])
    assert (found["totalSize"], found["done"]) == (len(rows), True)


def test_a_sum_of_decimals_is_exact(small: Small) -> None:
    where = "WHERE AnnualRevenue > 1e17"

    raw = queries_of(small.org).run(f"SELECT SUM(AnnualRevenue) s FROM Account {where}", small.asker)

    assert b'"s":1999999999999999997.0' in raw


def test_count_without_a_field_gives_no_rows(small: Small) -> None:
    assert small.run("SELECT COUNT() FROM Contact LIMIT 3") == {"totalSize": 3, "done": True, "records": []}


def test_cube_has_every_grouping_set(small: Small) -> None:
    soql = "SELECT Industry, Name, COUNT(Id) c FROM Account WHERE Industry = 'Energy' GROUP BY CUBE(Industry, Name)"

    rows = [(row["Industry"], row["Name"], row["c"]) for row in small.run(soql)["records"]]

    assert sorted(rows, key=str) == sorted(
        [("Energy", "multi\nline", 1), ("Energy", None, 1), (None, "multi\nline", 1), (None, None, 1)], key=str
    )


REFUSED = [
    ("SELECT Bacon__c FROM Account LIMIT 2", "INVALID_FIELD", "No such column 'Bacon__c' on entity 'Account'."),
    ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported."),
    ("SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
    ("SELECT Nope.Id FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Nope' in field path."),
    (
        "SELECT (SELECT Id FROM Nopes) FROM Account",
        "INVALID_TYPE",
        "Didn't understand relationship 'Nopes' in FROM part",
    ),
    ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered"),
    (
        "SELECT Id FROM Account WHERE BillingAddress = 'x'",
        "INVALID_FIELD",
        "Address fields can only be filtered using Distance",
    ),
    ("SELECT Id FROM Account ORDER BY Description", "MALFORMED_QUERY", "field 'Description' can not be sorted"),
    (
        "SELECT AnnualRevenue FROM Account GROUP BY AnnualRevenue",
        "MALFORMED_QUERY",
        "field 'AnnualRevenue' can not be grouped",
    ),
    ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
    ("SELECT COUNT(Id) FROM Account LIMIT 1", "MALFORMED_QUERY", "Non-grouped query that uses overall aggregate"),
    (
        "SELECT COUNT(IsDeleted) FROM Account",
        "MALFORMED_QUERY",
        "field IsDeleted does not support aggregate operator COUNT",
    ),
    ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field"),
    (
        "SELECT Id FROM Widget__c WHERE Tags__c LIKE 'a%'",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on multipicklist field",
    ),
    ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "field Name does not support aggregate operator SUM"),
    ("SELECT Name n FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
    ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
    (
        "SELECT Id FROM Account WHERE AnnualRevenue = '5'",
        "INVALID_FIELD",
        "value of filter criterion for field 'AnnualRev",
    ),
    (
        "SELECT Id FROM Account WHERE Name = 5",
        "INVALID_FIELD",
        "value of filter criterion for field 'Name' must be of type s",
    ),
    (
        "SELECT Id FROM Account WHERE CreatedDate = 2024-01-01",
        "INVALID_FIELD",
        "value of filter criterion for field 'Creat",
    ),
    ("SELECT Id FROM Account WHERE CreatedDate > 2024-13-01T00:00:00Z", "MALFORMED_QUERY", "Invalid datetime"),
    ("SELECT Id FROM Contact WHERE Birthdate > 1699-12-31", "MALFORMED_QUERY", "Invalid date: 1699-12-31"),
    ("SELECT Id FROM Account WHERE AnnualRevenue LIKE 'x'", "INVALID_FIELD", "value of filter criterion"),
    (
        "SELECT Id FROM Account WHERE Name INCLUDES ('x')",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on string field",
    ),
    ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200"),
    ("SELECT FIELDS(ALL), Id FROM Account LIMIT 1", "INVALID_FIELD", "duplicate field selected: Id"),
    (
        "SELECT FIELDS(CUSTOM) FROM Group LIMIT 1",
        "MALFORMED_QUERY",
        "The SOQL FIELDS function must return at least one",
    ),
    (
        "SELECT TYPEOF Account WHEN Account THEN Id END FROM Contact",
        "MALFORMED_QUERY",
        "'Account' is not a polymorphic",
    ),
    (
        "SELECT Id FROM Account WHERE Name = 'a' OR Id IN (SELECT AccountId FROM Contact)",
        "MALFORMED_QUERY",
        "Semi join sub-selects are only allowed at the top level",
    ),
    (
        "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)",
        "MALFORMED_QUERY",
        "The inner and outer selects",
    ),
    (
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)",
        "MALFORMED_QUERY",
        "Semi join sub-selects cannot use ORDER BY, LIMIT",
    ),
    ("SELECT Id FROM Account USING SCOPE team", "MALFORMED_QUERY", "Unsupported scope: team"),
    ("SELECT Id FROM Account WITH NONSENSE", "MALFORMED_QUERY", "unexpected token: NONSENSE"),
    (
        "SELECT Id FROM Contact WHERE Account.Parent.Parent.Parent.Parent.Parent.Name = 'x'",
        "MALFORMED_QUERY",
        "SOQL relation",
    ),
]


@pytest.mark.parametrize(("soql", "code", "text"), REFUSED)
def test_a_query_is_refused_with_salesforces_code_and_text(small: Small, soql: str, code: str, text: str) -> None:
    found, message = small.error(soql)

    assert found == code
    assert message.startswith(text)


def test_the_caret_block_is_that_of_the_api_guide(small: Small) -> None:
    with pytest.raises(ApiError) as caught:
        small.run("SELECT Bacon__c FROM Account LIMIT 2")

    message = (
        "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on "
        "entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom "
        "field name. Please reference your WSDL or the describe call for the appropriate names."
    )
    assert caught.value.item() == {"message": message, "errorCode": "INVALID_FIELD"}


def test_typeof_gives_the_fields_of_the_object_that_is_there(small: Small) -> None:
    small.org.add("Lead", LastName="L", Company="Co")
    soql = "SELECT TYPEOF Owner WHEN User THEN Id, Username ELSE Name END, Owner.Type, Owner.Name FROM Lead"

    with pytest.raises(ApiError, match="duplicate field selected"):
        small.run(soql)
    row = small.run(soql.split(", Owner.Type")[0] + " FROM Lead")["records"][0]
    plain = small.run("SELECT Owner.Type, Owner.Name FROM Lead")["records"][0]

    assert list(row["Owner"]) == ["attributes", "Id", "Username"]
    assert row["Owner"]["attributes"]["type"] == "User"
    assert plain["Owner"]["Type"] == "User"
    assert plain["Owner"]["attributes"]["url"].endswith(f"/User/{small.org.user_id}")


def test_fields_standard_and_custom_share_out_all_fields(small: Small) -> None:
    def keys(group: str) -> set[str]:
        return set(small.run(f"SELECT FIELDS({group}) FROM Account LIMIT 1")["records"][0]) - {"attributes"}

    schema = small.org.object("Account")

    assert schema is not None
    assert keys("ALL") == {one.name for one in schema.fields}
    assert keys("STANDARD") | keys("CUSTOM") == keys("ALL")
    assert keys("CUSTOM") == {name for name in keys("ALL") if name.endswith("__c")}


def test_format_and_label_keep_the_key_of_the_field(small: Small) -> None:
    soql = f"SELECT toLabel(Industry), FORMAT(NumberOfEmployees) n FROM Account WHERE Id = '{small.ids[1]}'"

    row = small.run(soql)["records"][0]

    assert (row["Industry"].lower(), row["n"]) == ("banking", "50")


def test_scope_mine_is_what_the_user_owns(small: Small) -> None:
    assert small.run("SELECT Id FROM Account USING SCOPE mine")["totalSize"] == 7
    assert small.run("SELECT Id FROM Account USING SCOPE everything")["totalSize"] == 7


def test_for_view_notes_the_time_without_moving_the_stamp(small: Small) -> None:
    query = f"SELECT LastViewedDate, SystemModstamp FROM Account WHERE Id = '{small.ids[6]}'"
    before = small.run(query)["records"][0]

    small.run(f"SELECT Id FROM Account WHERE Id = '{small.ids[6]}' FOR VIEW")

    after = small.run(query)["records"][0]
    assert after["LastViewedDate"] == "2024-05-15T12:00:00.000+0000"
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_a_thousand_conditions_are_not_too_deep(small: Small) -> None:
    either = " OR ".join(f"Name = 'n{number}'" for number in range(3000))

    assert small.names(f"{either} OR Name = 'zed 🎉'") == ["zed 🎉"]


def test_explain_tells_a_plan(small: Small) -> None:
    plan = queries_of(small.org).explain("SELECT Id FROM Account WHERE Name = 'a'", small.asker)

    assert plan["plans"][0]["sobjectType"] == "Account"
