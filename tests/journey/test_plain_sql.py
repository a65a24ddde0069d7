"""Statements of any SQLite tool that insert, replace or edit rows: of the org, edited here, or on their way."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from salesforce_sync.errors import NotText
from salesforce_sync.models.inbox import Resolution
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied
from salesforce_sync.models.salesforce_id import to_18
from tests.contract.writing import WIDGET
from tests.journey.test_push import Rig

REPLACED = "use UPDATE|UNIQUE"
IN_THE_ORG = "is in the org by now"
MADE = "a005e0000000099AAA"


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path, None)
    yield made
    made.close()


@pytest.fixture(params=["", "PRAGMA recursive_triggers = ON"], ids=["as it comes", "recursive triggers"])
def tool(request, rig):
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as db:
        db.execute(request.param)
        yield db


def put(how, text, rig, key="local-7"):
    columns, values = "(Id, Text__c, Account__c)", (key, text, rig.world.account)
    return f"{how} INTO Widget__c {columns} VALUES (?, ?, ?)", values


def upsert(text, rig, key="local-7"):
    statement, values = put("INSERT", text, rig, key)
    return f"{statement} ON CONFLICT (Id) DO UPDATE SET Text__c = excluded.Text__c", values


def edits(rig):
    return [(each.record_id, each.operation, dict(each.values)) for each in rig.store.changes()]


def texts(rig, text):
    return [key for key, found in rig.there().items() if found == text]


def test_an_upsert_edits_the_record_that_is_here(rig, tool):
    tool.execute(*upsert("new", rig, rig.ids[0]))
    tool.execute(
        "INSERT INTO Widget__c (Id, Text__c) VALUES (?, 'newer') ON CONFLICT (Id) DO UPDATE SET"
        " Text__c = excluded.Text__c",
        (rig.ids[1],),
    )

    assert edits(rig) == [
        (rig.ids[0], Operation.UPDATE, {"Text__c": "new"}),
        (rig.ids[1], Operation.UPDATE, {"Text__c": "newer"}),
    ]


def test_an_upsert_makes_a_record_and_edits_it_while_it_waits(rig, tool):
    for text in ("one", "two"):
        tool.execute(*upsert(text, rig))

    rig.push()

    assert (len(texts(rig, "two")), texts(rig, "one"), rig.store.changes()) == (1, [], ())


@pytest.mark.parametrize("how", ["INSERT OR REPLACE", "REPLACE"])
def test_a_record_of_the_org_is_not_replaced(rig, tool, how):
    before = rig.here()

    with pytest.raises(sqlite3.IntegrityError, match=REPLACED):
        tool.execute(*put(how, "new", rig, rig.ids[0]))

    assert (rig.here(), rig.store.changes()) == (before, ())


@pytest.mark.parametrize("how", ["INSERT", "INSERT OR IGNORE"])
def test_what_is_here_is_not_inserted_again(rig, tool, how):
    before = rig.here()

    try:
        tool.execute(*put(how, "new", rig, rig.ids[0]))
    except sqlite3.IntegrityError as refused:
        assert how == "INSERT"
        assert "UNIQUE" in str(refused)

    assert (rig.here(), rig.store.changes()) == (before, ())


def test_a_record_that_is_on_its_way_is_not_replaced_and_made_twice(rig, tool):
    tool.execute(*put("INSERT", "one", rig))
    (change,) = rig.store.changes()
    rig.store.sending([change], "push", rig.clock.now(), None)

    with pytest.raises(sqlite3.IntegrityError):
        tool.execute(*put("INSERT OR REPLACE", "two", rig))
    rig.store.settle("push", [Applied(change, MADE)])

    assert rig.store.changes() == ()
    assert rig.here()[MADE] == "one"


@pytest.mark.parametrize(
    "again",
    [
        lambda rig: put("INSERT", "one", rig),
        lambda rig: put("INSERT OR REPLACE", "one", rig),
        lambda rig: upsert("one", rig),
    ],
    ids=["insert", "replace", "upsert"],
)
def test_a_script_that_runs_again_makes_no_record_twice(rig, tool, again):
    tool.execute(*put("INSERT", "one", rig))
    rig.push()

    with pytest.raises(sqlite3.IntegrityError, match=IN_THE_ORG):
        tool.execute(*again(rig))
    rig.push()

    assert len(texts(rig, "one")) == 1


def test_a_replaced_record_that_waits_sends_nothing_that_is_not_shown(rig, tool):
    tool.execute(
        "INSERT INTO Widget__c (Id, Text__c, Long__c, Account__c) VALUES ('local-7', 'one', 'long', ?)",
        (rig.world.account,),
    )

    try:
        tool.execute(*put("INSERT OR REPLACE", "two", rig))
    except sqlite3.IntegrityError as refused:
        assert "use UPDATE" in str(refused)

    (change,) = rig.store.changes()
    shown = dict(tool.execute("SELECT Id, Long__c FROM Widget__c").fetchall())
    assert shown["local-7"] == change.values.get("Long__c")


def test_a_statement_that_is_refused_in_the_middle_changes_nothing(rig, tool):
    tool.execute("BEGIN")
    tool.execute("UPDATE Widget__c SET Text__c = 'before' WHERE Id = ?", (rig.ids[0],))

    with pytest.raises(sqlite3.IntegrityError, match="255 characters"):
        tool.execute(
            "UPDATE Widget__c SET Text__c = CASE Id WHEN ? THEN printf('%300s', 'x') ELSE 'new' END", (rig.ids[3],)
        )
    tool.execute("COMMIT")

    assert edits(rig) == [(rig.ids[0], Operation.UPDATE, {"Text__c": "before"})]


@pytest.mark.parametrize("how", ["UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE", "UPDATE OR FAIL"])
def test_an_edit_of_an_edit_keeps_its_base(rig, tool, how):
    for text in ("one", "two"):
        tool.execute(f"{how} Widget__c SET Text__c = ? WHERE Id = ?", (text, rig.ids[0]))

    ((edit,),) = (each.edits for each in rig.store.changes())
    assert (edit.base, edit.value) == ("first 0", "two")


def test_what_is_rolled_back_leaves_no_edit(rig, tool):
    tool.execute("BEGIN")
    tool.execute("UPDATE Widget__c SET Text__c = 'kept' WHERE Id = ?", (rig.ids[0],))
    tool.execute("SAVEPOINT inner")
    tool.execute("DELETE FROM Widget__c")
    tool.execute(*put("INSERT", "one", rig))
    tool.execute("ROLLBACK TO inner")
    tool.execute("COMMIT")

    assert edits(rig) == [(rig.ids[0], Operation.UPDATE, {"Text__c": "kept"})]


def test_rows_are_edited_from_another_table(rig, tool):
    tool.execute("CREATE TEMP TABLE wanted (id TEXT, text TEXT)")
    tool.executemany("INSERT INTO wanted VALUES (?, ?)", [(key, f"new {number}") for number, key in enumerate(rig.ids)])
    tool.execute("UPDATE Widget__c SET Text__c = text FROM wanted WHERE wanted.id = Widget__c.Id")

    push = rig.push()

    assert push.complete
    assert sorted(rig.there().values()) == [f"new {number}" for number in range(5)]
    assert WIDGET in {each.object_name for each in push.changes}


CAF = "CAST(x'436166e9a0' AS TEXT)"
"""`Café` and a no-break space in Windows-1252: SQLite takes the two for one character, and so do the checks."""
READ_ANYWAY = "Café\u00a0"


def unchecked(tool, statement):
    """Run it as a tool does that has dropped the checks, or that SQLite does not let fire triggers."""
    (check,) = tool.execute("SELECT sql FROM sqlite_master WHERE name = '_sync_on_check_update_Widget__c'").fetchone()
    tool.execute("DROP TRIGGER _sync_on_check_update_Widget__c")
    tool.execute(statement)
    tool.execute(check)


def test_a_text_that_is_none_parks_itself_and_nothing_else(rig, tool):
    tool.execute(f"UPDATE Widget__c SET Text__c = {CAF}, Long__c = 'fine' WHERE Id = ?", (rig.ids[0],))
    tool.execute(f"INSERT INTO Widget__c (Text__c, Account__c) VALUES ({CAF}, ?)", (rig.world.account,))
    tool.execute("UPDATE Widget__c SET Text__c = 'good' WHERE Id = ?", (rig.ids[1],))
    with pytest.raises(NotText, match="written by another tool"):
        rig.here()

    rig.push()

    assert (rig.there()[rig.ids[0]], rig.there()[rig.ids[1]], len(rig.there())) == ("first 0", "good", 5)
    assert [(each.operation, each.code, each.fields) for each in rig.store.inbox()] == [
        (Operation.UPDATE, "NOT_TEXT", ("Text__c",)),
        (Operation.CREATE, "NOT_TEXT", ("Text__c",)),
    ]
    assert "Windows-1252" in rig.store.inbox()[0].message
    assert texts(rig, "good") == [rig.ids[1]]
    assert sorted(rig.here().values()) == sorted([READ_ANYWAY, READ_ANYWAY, "good", "first 2", "first 3", "first 4"])


def test_such_a_text_is_sent_as_it_reads_or_is_written_again(rig, tool):
    tool.execute(f"UPDATE Widget__c SET Text__c = {CAF} WHERE Id IN (?, ?)", rig.ids[:2])
    rig.sync()
    first, _ = rig.store.inbox()

    rig.store.resolve(first.number, Resolution(again=True))
    tool.execute("UPDATE Widget__c SET Text__c = 'Café' WHERE Id = ?", (rig.ids[1],))
    rig.sync()

    assert (rig.there()[rig.ids[0]], rig.there()[rig.ids[1]]) == (READ_ANYWAY, "Café")
    assert (rig.store.inbox(), rig.store.changes()) == ((), ())


def test_such_a_text_is_met_by_a_sync_of_what_others_have_changed(rig, tool):
    tool.execute(f"UPDATE Widget__c SET Text__c = {CAF} WHERE Id = ?", (rig.ids[0],))
    rig.world.tick(60)
    rig.world.edit(rig.ids[0], Text__c="theirs")
    rig.world.edit(rig.ids[1], Text__c="theirs too")

    rig.sync()

    assert (rig.here()[rig.ids[0]], rig.here()[rig.ids[1]]) == (READ_ANYWAY, "theirs too")
    assert {each.code for each in rig.store.inbox()} >= {"CONFLICT"}
    assert rig.there()[rig.ids[0]] == "theirs"


def test_what_passed_no_check_is_met_too(rig, tool):
    unchecked(tool, f"UPDATE Widget__c SET Long__c = CAST(x'ff' AS TEXT) WHERE Id = '{rig.ids[0]}'")
    tool.execute(
        "INSERT INTO Widget__c (Id, Text__c, Account__c) VALUES (CAST(x'6c6f63616c2de9a0' AS TEXT), 'new', ?)",
        (rig.world.account,),
    )

    rig.push()

    assert [each.code for each in rig.store.inbox()] == ["NOT_TEXT"]
    assert len(texts(rig, "new")) == 1


# ── values in another form than the stored one, as CSV files have them ───────────────────────────────────────────


def cells(tool, key, *names):
    row = tool.execute(f"SELECT {', '.join(names)} FROM Widget__c WHERE Id = ?", (key,)).fetchone()
    return dict(zip(names, row, strict=True))


@pytest.fixture
def priced(rig):
    """A widget with numbers that the org has, of few digits and of many."""
    key = rig.world.add(Price__c=278896.64, Count__c=10, Big__c=Decimal("1234567890123457"), Active__c=True)
    rig.sync()
    return key


def test_a_number_that_comes_as_text_and_is_the_same_is_no_edit(rig, tool, priced):
    same = {"Price__c": "278896.640", "Count__c": "10", "Big__c": "+1234567890123457.0", "Active__c": "1"}
    before = cells(tool, priced, *same)

    for name, text in same.items():
        tool.execute(f"UPDATE Widget__c SET {name} = ? WHERE Id = ?", (text, priced))
    tool.execute("UPDATE Widget__c SET Price__c = '278896.64', Text__c = 'edited' WHERE Id = ?", (priced,))

    assert edits(rig) == [(priced, Operation.UPDATE, {"Text__c": "edited"})]
    assert cells(tool, priced, *same) == before


def test_a_number_that_comes_as_text_is_stored_as_a_number(rig, tool, priced):
    tool.execute("UPDATE Widget__c SET Price__c = '5000', Big__c = '007.50', Count__c = '-.5' WHERE Id = ?", (priced,))
    tool.execute(
        "INSERT INTO Widget__c (Id, Price__c, Big__c, Account__c)"
        " VALUES ('local-7', '12.50', '01234567890123456.780', ?)",
        (rig.world.account,),
    )

    made = {"Price__c": 12.5, "Big__c": "1234567890123456.78"}
    wanted = {"Price__c": 5000.0, "Big__c": 7.5, "Count__c": -0.5}
    assert (cells(tool, priced, *wanted), cells(tool, "local-7", *made)) == (wanted, made)
    assert edits(rig) == [
        (priced, Operation.UPDATE, wanted),
        ("local-7", Operation.CREATE, made | {"Account__c": rig.world.account}),
    ]
    tool.execute(
        "UPDATE Widget__c SET Price__c = '278896.64', Big__c = '1234567890123457', Count__c = '10' WHERE Id = ?",
        (priced,),
    )
    assert [each[0] for each in edits(rig)] == ["local-7"]


def test_an_upsert_of_numbers_as_text_edits_what_differs(rig, tool, priced):
    tool.execute(
        "INSERT INTO Widget__c (Id, Price__c, Count__c) VALUES (?, '278896.64', '11') ON CONFLICT (Id) DO UPDATE SET"
        " Price__c = excluded.Price__c, Count__c = excluded.Count__c",
        (priced,),
    )

    assert edits(rig) == [(priced, Operation.UPDATE, {"Count__c": 11.0})]
    assert cells(tool, priced, "Price__c", "Count__c") == {"Price__c": 278896.64, "Count__c": 11.0}


def test_a_table_that_was_written_to_a_csv_file_comes_back_without_an_edit(rig, tool, priced):
    tool.execute(
        "CREATE TEMP TABLE came AS SELECT Id, CAST(Price__c AS TEXT) AS p, CAST(Big__c AS TEXT) AS b,"
        " substr(Account__c, 1, 15) AS a FROM Widget__c"
    )
    before = tool.execute("SELECT * FROM Widget__c ORDER BY Id").fetchall()

    tool.execute("UPDATE Widget__c SET Price__c = p, Big__c = b, Account__c = a FROM came WHERE came.Id = Widget__c.Id")

    assert edits(rig) == []
    assert tool.execute("SELECT * FROM Widget__c ORDER BY Id").fetchall() == before


def test_an_id_of_15_characters_is_the_one_of_18(rig, tool):
    tool.execute("UPDATE Widget__c SET Account__c = ? WHERE Id = ?", (rig.world.account[:15], rig.ids[0]))
    assert edits(rig) == []

    tool.execute("INSERT INTO Widget__c (Id, Account__c) VALUES ('local-123456789', '0015e00000000Ab')")

    other = {"Account__c": to_18("0015e00000000Ab")}
    assert edits(rig) == [("local-123456789", Operation.CREATE, other)]
    assert cells(tool, "local-123456789", "Account__c") == other
    assert cells(tool, rig.ids[0], "Account__c") == {"Account__c": rig.world.account}


def test_a_number_put_back_as_text_ends_its_edit(rig, tool, priced):
    tool.execute("UPDATE Widget__c SET Price__c = 1 WHERE Id = ?", (priced,))
    tool.execute("UPDATE Widget__c SET Price__c = '278896.64' WHERE Id = ?", (priced,))

    assert edits(rig) == []
    assert cells(tool, priced, "Price__c") == {"Price__c": 278896.64}
