"""SOQL text to a tree: what is accepted, and how the rest is refused."""

import pytest

from simorg.soql import SoqlError, ast, parse
from simorg.soql.lexer import tokens

GOOD = [
    "SELECT Id FROM Account",
    "select id from account",
    "SELECT Id, Name FROM Account a WHERE a.Name = 'x'",
    "SELECT COUNT() FROM Contact c, c.Account a WHERE a.Name = 'x'",
    "SELECT Id FROM Order ORDER BY Id",
    "SELECT Id FROM Group",
    "SELECT (SELECT Id FROM Contacts WHERE Name != null LIMIT 2) FROM Account",
    "SELECT TYPEOF Owner WHEN User THEN Id, Email WHEN Group THEN Name ELSE Name END FROM Lead",
    "SELECT FIELDS(ALL) FROM Account LIMIT 200",
    "SELECT Id FROM Account USING SCOPE mine WHERE Name = 'a' WITH SECURITY_ENFORCED ORDER BY Name LIMIT 1 OFFSET 2",
    "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
    "SELECT GROUPING(Industry) FROM Account GROUP BY ROLLUP(Industry, Type)",
    "SELECT Industry FROM Account GROUP BY CUBE(Industry, Type)",
    "SELECT DAY_ONLY(convertTimezone(CreatedDate)) d FROM Account GROUP BY DAY_ONLY(convertTimezone(CreatedDate))",
    "SELECT toLabel(Status), FORMAT(convertCurrency(Amount)) amt FROM Opportunity",
    "SELECT Id FROM Account WHERE CreatedDate > 2024-01-15T10:30:00.000Z OR CreatedDate < 2024-01-15T10:30:00+02:00",
    "SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:7 AND CloseDate >= N_FISCAL_QUARTERS_AGO:2",
    "SELECT Id FROM W WHERE Tags__c INCLUDES ('A;B','C') AND Tags__c EXCLUDES ('D')",
    "SELECT Id FROM W WHERE DISTANCE(Place__c, GEOLOCATION(37.7,-122.4), 'mi') < 20",
    "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact WHERE Name LIKE '%a')",
    "SELECT Id FROM Account WHERE NOT (Name = 'a' OR NOT Name = 'b') AND Amount > USD5000.5",
    "SELECT Id FROM W WHERE Clock__c = 10:15:00.000Z AND Ratio__c > -1.5e3",
    "SELECT Id FROM Account ORDER BY Name ASC NULLS LAST, Id DESC NULLS FIRST FOR VIEW",
    "SELECT Id FROM Account FOR REFERENCE UPDATE TRACKING, VIEWSTAT",
    "SELECT\n  Id\nFROM\tAccount",
]


@pytest.mark.parametrize("text", GOOD)
def test_the_grammar_is_accepted(text: str) -> None:
    assert isinstance(parse(text), ast.Query)


BAD = [
    ("SELEKT Id FROM Account", "unexpected token: SELEKT"),
    ("", "SOQL statements cannot be empty or null"),
    ("SELECT FROM Account", "unexpected token: 'FROM'"),
    ("SELECT Id, FROM Account", "unexpected token: 'FROM'"),
    ("SELECT Id", "unexpected token: '<EOF>'"),
    ("SELECT Id FROM Account WHERE", "unexpected token: '<EOF>'"),
    ("SELECT Id FROM Account WHERE Name = 'x", "unclosed string literal"),
    ('SELECT Id FROM Account WHERE Name = "x"', "unexpected char: '\"'"),
    ("SELECT Id FROM Account WHERE Name = x", "Bind variables only allowed in Apex code"),
    ("SELECT Id FROM Account WHERE Name = :x", "Bind variables only allowed in Apex code"),
    ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "unexpected token: 'OR'"),
    ("SELECT Id FROM Account WHERE a = 1 OR b = 2 AND c = 3", "unexpected token: 'AND'"),
    ("SELECT Id FROM Account WHERE Name = '\\q'", "invalid character escape '\\q'"),
    ("SELECT Id FROM Account WHERE Name == 'a'", "unexpected token: '='"),
    ("SELECT Id FROM Account LIMIT x", "unexpected token: 'x'"),
    ("SELECT Id FROM Account LIMIT -1", "unexpected token: '-1'"),
    ("SELECT Id FROM Account; DROP TABLE x", "unexpected char: ';'"),
    ("SELECT * FROM Account", "unexpected char: '*'"),
    ("SELECT Id FROM Account WHERE (Name = 'a'", "unexpected token: '<EOF>'"),
    ("SELECT Id FROM Account ORDER Name", "unexpected token: 'Name'"),
    ("SELECT FIELDS(SOME) FROM Account", "unexpected token: 'SOME'"),
    ("SELECT Nonsense(Id) FROM Account", "Invalid function: Nonsense"),
    ("SELECT COUNT(), Id FROM Account", "count() must be the only element in the select list"),
    ("SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS", "Bind variables only allowed in Apex code"),
    ("SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:x", "unexpected token: 'x'"),
    ("SELECT Id FROM Account a b", "unexpected token: 'b'"),
    ("SELECT Id FROM Account WHERE Id IN ()", "unexpected token: ')'"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_no_soql_is_malformed(text: str, message: str) -> None:
    with pytest.raises(SoqlError) as caught:
        parse(text)

    assert caught.value.code == "MALFORMED_QUERY"
    assert caught.value.message.splitlines()[-1] == message


def test_the_caret_stands_under_the_token_and_the_place_is_counted_from_one() -> None:
    with pytest.raises(SoqlError) as caught:
        parse("SELECT Id\nFROM Account\nWHERE Name ~ 'x'")

    assert caught.value.message == "\nWHERE Name ~ 'x'\n           ^\nERROR at Row:3:Column:12\nunexpected char: '~'"


def test_a_wide_query_is_shown_around_the_error_only() -> None:
    with pytest.raises(SoqlError) as caught:
        parse("SELECT " + "Name, " * 500 + "FROM Account")

    line, caret, place = caught.value.message.split("\n")[1:4]
    assert len(line) <= 200
    assert line[caret.index("^") :].startswith("FROM Account")
    assert place == "ERROR at Row:1:Column:3008"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'a\'b'", "a'b"),
        (r"'\n\r\t\b\f\"\\'", '\n\r\t\b\f"\\'),
        (r"'\u00e9'", "é"),
        (r"'\u005c'", "\\"),
        ("'two\nlines 🎉'", "two\nlines 🎉"),
    ],
)
def test_string_escapes_have_their_meaning(written: str, meant: str) -> None:
    where = parse(f"SELECT Id FROM Account WHERE Name = {written}").where

    assert isinstance(where, ast.Comparison)
    assert where.right.value == meant


def test_a_query_beyond_100000_characters_is_malformed() -> None:
    with pytest.raises(SoqlError, match="100000"):
        parse("SELECT Id FROM Account WHERE Name = '" + "x" * 100_000 + "'")


def test_a_literal_beyond_4000_characters_is_malformed() -> None:
    with pytest.raises(SoqlError, match="4000"):
        parse("SELECT Id FROM Account WHERE Name = '" + "x" * 4001 + "'")


@pytest.mark.parametrize("opening", ["(", "NOT "])
def test_bottomless_nesting_is_refused_and_not_a_crash(opening: str) -> None:
    with pytest.raises(SoqlError) as caught:
        parse("SELECT Id FROM Account WHERE " + opening * 5000 + "a = 1")

    assert caught.value.code == "MALFORMED_QUERY"


def test_tokens_keep_their_place() -> None:
    assert [(token.text, token.at) for token in tokens("a >= 1")] == [("a", 0), (">=", 2), ("1", 5), ("<EOF>", 6)]
