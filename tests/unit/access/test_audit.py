"""The audit log: appended to by many, changed by nobody unnoticed."""

import subprocess
import sys

import apsw
import pytest

from salesforce_sync.access import Deed
from salesforce_sync.errors import NotConnected, Stopped, StoreTrouble

DEED = Deed("os:pi", "sync", "Contact", "cli")


def forged(access, *statements):
    """What somebody with a SQLite tool does to the file."""
    db = apsw.Connection(str(access.path))
    for name in ("audit_is_not_changed", "audit_is_not_shortened", "audit_is_not_replaced"):
        db.execute(f"DROP TRIGGER {name}")
    for each in statements:
        db.execute(each)
    db.close()


def test_entries_come_newest_first_and_hold_what_was_said(access, clock):
    access.audit.append(DEED)
    access.audit.append(Deed("user:ada", "login", origin="web 10.0.0.1"), "refused")

    newest, oldest = access.audit.entries()

    assert (newest.deed.who, newest.outcome, newest.number, newest.at) == ("user:ada", "refused", 2, clock.now())
    assert (oldest.deed, oldest.outcome) == (DEED, "done")
    assert [each.number for each in access.audit.entries(before=2)] == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'os:somebody' WHERE number = 1",
        "DELETE FROM audit WHERE number = 1",
        "INSERT OR REPLACE INTO audit SELECT number, at, 'os:somebody', action, subject, origin, outcome, detail, "
        "begun, hash FROM audit WHERE number = 1",
    ],
)
def test_plain_sql_only_appends(access, statement):
    access.audit.append(DEED)
    db = apsw.Connection(str(access.path))

    with pytest.raises(apsw.ConstraintError, match="only appended to"):
        db.execute(statement)
    db.close()

    assert access.audit.entries()[0].deed == DEED


def test_a_deed_is_written_down_before_it_is_done_and_its_outcome_after(access):
    with access.audit.doing(DEED) as ending:
        during = [each.outcome for each in access.audit.entries()]
        ending.outcome, ending.detail = "partial", "3 rows"

    end, begin = access.audit.entries()

    assert during == ["begun"]
    assert (end.outcome, end.deed.detail, end.begun) == ("partial", "3 rows", begin.number)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotConnected("no"), "failed: NOT_CONNECTED"),
        (Stopped(), "stopped"),
        (GeneratorExit(), "stopped"),
        (KeyboardInterrupt(), "failed: KeyboardInterrupt"),
        (ValueError("s3cr3t"), "failed: ValueError"),
    ],
)
def test_a_deed_that_fails_says_why_without_the_words_of_the_error(access, error, outcome):
    with pytest.raises(type(error)), access.audit.doing(DEED):
        raise error

    assert access.audit.entries()[0].outcome == outcome


def test_what_cannot_be_written_down_is_not_begun(access):
    access.close()
    done = []

    with pytest.raises(StoreTrouble), access.audit.doing(DEED):
        done.append(1)

    assert done == []


def test_nobody_writes_a_second_line_or_a_book(access):
    access.audit.append(Deed("os:pi", "edit", "Contact\n2 2024 os:root login", detail="x" * 10_000))

    (entry,) = access.audit.entries()

    assert "\n" not in entry.deed.subject
    assert entry.deed.detail == "x" * 4000 + "… (6,000 characters more)"


def test_what_a_session_of_many_objects_was_of_is_told_whole(access):
    subject = ",".join(f"Some_Object_{number}__c" for number in range(150))

    access.audit.append(Deed("user:ada", "sync", subject))

    assert access.audit.entries()[0].deed.subject == subject


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit", "DELETE FROM audit LIMIT 1"])
def test_plain_sql_cannot_change_it_by_mistake(access, statement):
    access.audit.append(DEED)

    with pytest.raises(apsw.Error):
        apsw.Connection(str(access.path)).execute(statement)


TAMPERING = {
    "a word changed": (["UPDATE audit SET who = 'os:eve' WHERE number = 3"], 3),
    "an outcome changed": (["UPDATE audit SET outcome = 'done' WHERE number = 1"], 1),
    "a time changed": (["UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE number = 5"], 5),
    "a hash changed": ([f"UPDATE audit SET hash = '{'0' * 64}' WHERE number = 4"], 4),
    "an end given to another deed": (["UPDATE audit SET begun = 1 WHERE number = 2"], 2),
    "one taken out": (["DELETE FROM audit WHERE number = 3"], 3),
    "the first taken out": (["DELETE FROM audit WHERE number = 1"], 1),
    "the end cut off": (["DELETE FROM audit WHERE number > 4"], 5),
    "all gone": (["DELETE FROM audit"], 1),
    "two changed places": (
        [
            "UPDATE audit SET number = 99 WHERE number = 2",
            "UPDATE audit SET number = 2 WHERE number = 3",
            "UPDATE audit SET number = 3 WHERE number = 99",
        ],
        2,
    ),
    "one put at the end": (["INSERT INTO audit SELECT 7, at, who, action, subject, origin, outcome, detail, begun, hash"
                            " FROM audit WHERE number = 6"], 7),
    "words moved between columns": (["UPDATE audit SET who = who || action, action = '' WHERE number = 2"], 2),
}  # fmt: skip


@pytest.mark.parametrize("attack", TAMPERING)
def test_tampering_is_found_and_the_first_broken_entry_named(access, attack):
    statements, first = TAMPERING[attack]
    for number in range(6):
        access.audit.append(Deed("os:pi", "sync", f"Object{number}"), "failed: X" if number == 0 else "done")
    assert access.audit.verify().broken is None

    forged(access, *statements)
    verdict = access.audit.verify()

    assert (verdict.broken, verdict.sound) == (first, first - 1)
    assert verdict.why


def test_a_whole_new_chain_is_found_by_what_was_noted_elsewhere(access, config, clock):
    for _ in range(3):
        access.audit.append(DEED)
    noted = access.audit.verify()
    forged(access, "DELETE FROM audit", "DELETE FROM sqlite_sequence")
    for _ in range(4):
        access.audit.append(Deed("os:eve", "sync"))

    assert access.audit.verify().broken is None
    assert access.audit.verify((noted.last, noted.head)).broken == 3


def test_an_end_that_was_cut_off_with_its_counter_is_found_by_what_was_noted(access):
    for _ in range(3):
        access.audit.append(DEED)
    noted = access.audit.verify()
    forged(access, "DELETE FROM audit WHERE number = 3", "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit'")

    assert access.audit.verify((noted.last, noted.head)).broken == 3


def test_what_is_appended_during_a_verify_is_no_end_that_was_cut_off(access, config, clock):
    for _ in range(3):
        access.audit.append(DEED)
    reading = access._database.rows

    def slow(*arguments):
        found = reading(*arguments)
        access.audit.append(DEED)
        return found

    access._database.rows = slow

    assert access.audit.verify().broken is None


APPENDING = """
import sys
from pathlib import Path
from salesforce_sync.access import Access, Deed
from salesforce_sync.app import SystemClock
from salesforce_sync.config import Config
with Access(Config.load(environ={}, storage_path=sys.argv[1]), SystemClock()) as access:
    for number in range(25):
        access.audit.append(Deed(f"os:{sys.argv[2]}", "edit", str(number)))
"""


def test_several_processes_make_one_chain_from_a_file_that_was_not_there(tmp_path, clock):
    from salesforce_sync.access import Access
    from salesforce_sync.config import Config

    path = tmp_path / "data" / "salesforce.db"
    started = [subprocess.Popen([sys.executable, "-c", APPENDING, str(path), str(number)]) for number in range(4)]
    codes = [each.wait(60) for each in started]

    with Access(Config.load(environ={}, storage_path=path), clock) as access:
        verdict = access.audit.verify()
        entries = access.audit.entries(most=1000)

    assert codes == [0, 0, 0, 0]
    assert (verdict.sound, verdict.broken) == (100, None)
    for number in range(4):  # nobody's entries are lost, and each one's stay in their order
        assert [int(e.deed.subject) for e in entries if e.deed.who == f"os:{number}"] == [*reversed(range(25))]
