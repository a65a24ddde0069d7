"""The checks of the triggers: in another SQLite than the store's, in their order, and within bounds of memory."""

import json
import subprocess
import sys

import apsw
import pytest
from msgspec.structs import replace

from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_field, make_schema
from tests.contract.edits import ACCOUNT, ACME, fill

EACH = """
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
told = []
for statement in json.loads(sys.argv[2]):
    try:
        db.execute(statement)
        told.append("")
    except sqlite3.IntegrityError as error:
        told.append(str(error))
    db.rollback()
print(json.dumps(told))
"""
REFUSED = {
    "Name = ''": "Account.Name is required: it cannot be emptied",
    "Phone = '12345678901'": "Account.Phone holds text of 10 characters at most, and no binary value (a blob)",
    "Phone = x'31'": "Account.Phone holds text of 10 characters at most, and no binary value (a blob)",
    "Rating = 'Lukewarm'": "Account.Rating takes only values of its picklist: Hot, Warm",
    "Rating = 'Cold'": "Account.Rating takes only values of its picklist: Hot, Warm",
    "Tags__c = 'red;pink'": "Account.Tags__c takes only values of its picklist: red, blue",
    "Code__c = 'x'": "Account.Code__c can only be set when the record is made",
    "Score__c = 1": "Account.Score__c is calculated by Salesforce and cannot be written",
    "SystemModstamp = '2020-01-15T12:00:00.000Z'": "Account.SystemModstamp is read-only for the connected user",
    "Active__c = 2": "Account.Active__c is 0 or 1",
    "Active__c = NULL": "Account.Active__c is 0 or 1",
    "Active__c = ''": "Account.Active__c is 0 or 1",
    "Employees__c = 1.5": "Account.Employees__c is a whole number",
    "Revenue__c = '1.2.3'": "Account.Revenue__c is a number, written like 1234.5",
    "Revenue__c = '--1'": "Account.Revenue__c is a number, written like 1234.5",
    "Revenue__c = '1e3'": "Account.Revenue__c is a number, written like 1234.5",
    "Revenue__c = x'31'": "Account.Revenue__c is a number, written like 1234.5",
    "Revenue__c = 9e999": "Account.Revenue__c is a number, written like 1234.5",
    "Founded__c = '2026-02-30'": "Account.Founded__c is a date, written like 2026-01-31",
    "Seen__c = 'noon'": "Account.Seen__c is a datetime in UTC, written like 2026-01-31T14:30:00.000Z",
    "Opens__c = '25:00:00.000Z'": "Account.Opens__c is a time, written like 14:30:00.000Z",
    "ParentId = 'Acme'": "Account.ParentId is an id, a text of 15 or 18 characters",
    "ParentId = 'local-nobody'": "Account.ParentId is the id of no record that was made here",
    "Id = '001000000000009AAA'": "An Id cannot be changed",
    "IsDeleted = 2": "IsDeleted is 0 or 1",
    "Phone = '12345678901', Founded__c = 'x'": "Account.Founded__c is a date",  # the first field that is wrong
}
TAKEN = ["Phone = '1234567890'", "Tags__c = 'blue;red'", "Rating = 'hot'", "Revenue__c = '1234567890123456.78'"]


@pytest.fixture
def path(tmp_path):
    store = SqliteStore(tmp_path / "replica.db", FrozenClock())
    fill(store)
    store.close()
    return tmp_path / "replica.db"


def told_by_python(path, statements):
    """What Python's own sqlite3 says of each statement, which is taken back."""
    done = subprocess.run(
        [sys.executable, "-c", EACH, path, json.dumps(statements)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_another_sqlite_says_why_a_change_is_refused(path):
    told = told_by_python(path, [f"UPDATE Account SET {change} WHERE Id = '{ACME}'" for change in REFUSED])

    assert [(why, words) for why, words in zip(REFUSED.values(), told, strict=True) if not words.startswith(why)] == []


def test_a_change_of_a_deleted_record_is_refused_with_both_ways_out(path):
    db = apsw.Connection(str(path))
    db.execute("UPDATE Account SET IsDeleted = 1 WHERE Id = ?", (ACME,))
    db.close()

    told = told_by_python(
        path, ["UPDATE Account SET Phone = '2'", "UPDATE Account SET Phone = '2' WHERE IsDeleted = 0"]
    )

    assert told == ["A deleted record: leave it out (WHERE IsDeleted = 0), or first set IsDeleted = 0", ""]


def test_another_sqlite_takes_what_is_right(path):
    assert set(told_by_python(path, [f"UPDATE Account SET {change}" for change in TAKEN])) == {""}


def as_text(written):
    """Bytes as SQLite's shell takes them from a file for text, whatever they are."""
    return f"CAST(x'{written.hex()}' AS TEXT)"


NOT_TEXT = "Account.BillingStreet is not UTF-8 text: convert the file first, such as by iconv -f WINDOWS-1252 -t UTF-8"
IN_ANOTHER_CODE = ["Müller", "Köln, 5 €", "Société", "naïve – À propos", "“hi”", "\u00a0", "«", "Grüße\naus Köln"]
IN_UTF_8 = [*IN_ANOTHER_CODE, "🦊", "\ufffd", "M\ufffdller", "\ufffe", "日本語", "Jane\tDoe\r\n", "\x01", "\x80"]


def test_a_text_that_is_not_utf_8_is_refused(path):
    alone = [bytes([each]) for each in range(128, 256)]
    written = [*alone, *(b"M" + each + b"ller" for each in alone), *(each.encode("cp1252") for each in IN_ANOTHER_CODE)]
    changes = [f"UPDATE Account SET BillingStreet = {as_text(each)} WHERE Id = '{ACME}'" for each in written]
    rows = [f"INSERT INTO Account (Name, BillingStreet) VALUES ('Nut', {as_text(each)})" for each in written]

    assert set(told_by_python(path, [*changes, *rows])) == {NOT_TEXT}


def test_every_text_in_utf_8_is_taken(path):
    written = [as_text(each.encode()) for each in IN_UTF_8]

    assert set(told_by_python(path, [f"UPDATE Account SET BillingStreet = {each}" for each in written])) == {""}


def test_an_id_that_is_no_text_is_refused(path):
    cut = as_text(b"local-M\xfcller")
    long = as_text(ACME[:17].encode() + b"\xfc")
    told = told_by_python(
        path,
        [
            f"INSERT INTO Account (Id, Name) VALUES ({cut}, 'Nut')",
            f"UPDATE Account SET ParentId = {long}",
            "INSERT INTO Account (Id, Name) VALUES ('local-Müller', 'Nut')",
        ],
    )

    assert told[0].startswith("Account.Id is not UTF-8 text")
    assert told[1:] == ["Account.ParentId is an id, a text of 15 or 18 characters", ""]


def test_another_sqlite_says_why_a_new_row_is_refused(path):
    rows = {
        "(Phone) VALUES ('1')": "Account.Name is required",
        "(Name, Score__c) VALUES ('Nut', 1)": "Account.Score__c is calculated by Salesforce and cannot be written",
        "(Name, Late__c) VALUES ('Nut', '')": "Account.Late__c is read-only for the connected user",
        "(Name, Founded__c) VALUES ('Nut', '31.01.2026')": "Account.Founded__c is a date, written like 2026-01-31",
        "(Id, Name) VALUES ('001000000000009AAA', 'Nut')": "Salesforce gives the Id",
        "(Name, Active__c) VALUES ('Nut', NULL)": "",
    }

    told = told_by_python(path, [f"INSERT INTO Account {row}" for row in rows])

    assert [(why, words) for why, words in zip(rows.values(), told, strict=True) if why not in words] == []
    assert told[-1] == ""


def test_the_checks_follow_the_describe(path):
    store = SqliteStore(path, FrozenClock())
    fields = [make_field("Phone", length=3) if each.name == "Phone" else each for each in ACCOUNT.fields]
    store.adopt(replace(ACCOUNT, fields=tuple(fields)))
    store.close()

    told = told_by_python(path, ["UPDATE Account SET Phone = '1234'", "UPDATE Account SET Phone = '123'"])

    assert told == ["Account.Phone holds text of 3 characters at most, and no binary value (a blob)", ""]


def test_a_field_that_the_org_has_no_more_is_not_written_for_nothing(path):
    told = [
        f"UPDATE Account SET Phone = '2' WHERE Id = '{ACME}'",
        "INSERT INTO Account (Name, Phone) VALUES ('New', '1')",
        f"UPDATE Account SET Name = 'Other' WHERE Id = '{ACME}'",
        "INSERT INTO Account (Name) VALUES ('New')",
    ]
    store = SqliteStore(path, FrozenClock())
    store.adopt(ACCOUNT.without("Phone"))
    gone = told_by_python(path, told)
    store.adopt(ACCOUNT)
    back = told_by_python(path, told)
    store.close()

    assert all(words.startswith("Account.Phone is not in the org any more") for words in gone[:2])
    assert gone[2:] + back == [""] * 6


def test_a_database_of_an_earlier_version_gets_the_triggers_of_this_one(path):
    before = apsw.Connection(str(path))
    for (name,) in list(before.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        before.execute(f"DROP TRIGGER {name}")
    before.execute("ALTER TABLE _sync_edit DROP COLUMN edited_at; ALTER TABLE _sync_outbox DROP COLUMN sent_by")
    before.execute("ALTER TABLE _sync_push DROP COLUMN besides; ALTER TABLE _sync_staging DROP COLUMN kind")
    before.execute("ALTER TABLE _sync_object DROP COLUMN bereaved; DROP TABLE _sync_orphan")
    for name in ("unfilled", "loss_found_at", "loss", "loss_hint"):
        before.execute(f"ALTER TABLE _sync_object DROP COLUMN {name}")
    before.execute(
        "ALTER TABLE _sync_inbox DROP COLUMN operation; DROP TABLE _sync_written; DROP TABLE _sync_own_stamp"
    )
    before.execute("DROP TABLE _sync_rule; DROP TABLE Task")
    before.execute("DROP TABLE _sync_open_run; DROP TABLE _sync_lost_field; DROP TABLE _sync_sweep")
    before.execute("DROP TABLE _sync_missed; DROP TABLE _sync_aside")
    before.pragma("user_version", 12)
    before.close()
    SqliteStore(path, FrozenClock()).close()

    assert told_by_python(path, ["UPDATE Account SET Phone = '12345678901'"])[0].startswith("Account.Phone holds text")


def test_a_wide_object_takes_little_of_every_connection(tmp_path):
    kinds = ("string", "double", "date", "reference", "picklist")
    wide = [make_field(f"Field{at}__c", kinds[at % len(kinds)], length=80) for at in range(300)]
    store = SqliteStore(tmp_path / "replica.db", FrozenClock())
    store.adopt(make_schema("Wide__c", *wide))
    store.close()
    connection = apsw.Connection(str(tmp_path / "replica.db"), flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute("SELECT 1 FROM Wide__c").fetchone()

    # With each condition beside each field it was 13,000 bytes a field.
    assert connection.status(apsw.SQLITE_DBSTATUS_SCHEMA_USED)[0] < 300 * 6_500
