"""What a preview promises is what the import does."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import Operation
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from salesforce_sync.workbook.changes import Kind
from tests.contract.edits import ACCOUNT, ACME, BOLT, ONE, TWO, acme, arrive, item, push
from tests.workbook.books import edit, export_to, row_of
from tests.workbook.deeds import apply_to, change, outbox, told, typed


def test_a_deletion_of_what_has_changed_since_is_a_problem_already_in_the_preview(store, book):
    typed(book, Change="delete")
    arrive(store, ACCOUNT, acme(ONE, Phone="9"))

    assert told(store, book).startswith("The record has changed since, so it is not deleted: Phone.")


def test_a_field_that_was_edited_here_since_is_a_problem_already_in_the_preview(store, book):
    typed(book, Phone="2", Rating="Warm")
    store.update("Account", ACME, {"Phone": "7"})

    found = change(store, book)

    assert (found.kind, [each.field for each in found.problems]) == (Kind.PROBLEM, ["Phone"])
    assert "edited here since the export, to '7'" in found.message


def test_an_edit_of_another_field_here_is_no_obstacle(store, book):
    typed(book, Rating="Warm")
    store.update("Account", ACME, {"Phone": "7"})

    assert change(store, book).kind is Kind.EDITED
    assert apply_to(store, book).updated == 1


def test_an_edit_that_was_sent_since_waits_for_a_person_and_is_no_problem(store, book):
    typed(book, Phone="2")
    store.update("Account", ACME, {"Phone": "7"})
    push(store)

    assert change(store, book).kind is Kind.EDITED
    assert apply_to(store, book).conflicts == 1


def test_a_cell_that_this_workbook_has_written_can_be_edited_again_before_it_is_sent(store, book):
    typed(book, Phone="2")
    apply_to(store, book)
    typed(book, Phone="3")

    assert change(store, book).kind is Kind.EDITED
    assert apply_to(store, book).updated == 1
    assert outbox(store) == {ACME: (Operation.UPDATE, {"Phone": "3"})}


def test_a_record_that_is_as_it_was_is_deleted(store, book):
    typed(book, record_id=BOLT, Change="delete")
    arrive(store, ACCOUNT, acme(ONE, Phone="9"))

    assert change(store, book).kind is Kind.DELETED
    assert apply_to(store, book).deleted == 1


def test_a_missing_row_deletes_no_record_that_was_edited_here_since(store, book):
    edit(book, lambda page: page.delete_rows(row_of(page, BOLT)), "Account")
    store.update("Account", BOLT, {"Phone": "7"})

    assert "was edited here since the export" in told(store, book, delete_missing=True)
    assert apply_to(store, book, delete_missing=True).deleted == 0


def test_a_missing_row_deletes_no_record_that_was_decided_about_since(store, tmp_path):
    store.update("Account", ACME, {"Phone": "2"})
    arrive(store, ACCOUNT, acme(TWO, Phone="9"))
    path = tmp_path / "later.xlsx"
    export_to(store, path, now=datetime.now(UTC))
    edit(path, lambda page: page.delete_rows(row_of(page, ACME)), "Account")
    assert change(store, path, delete_missing=True).kind is Kind.DELETED

    with closing(SqliteStore(tmp_path / "replica.db", FrozenClock(datetime.now(UTC)))) as now:
        now.resolve(item(now).number, Resolution(Side.ORG))  # the row showed 2, the record shows what somebody wrote

    assert "was edited here since the export" in told(store, path, delete_missing=True)
    assert apply_to(store, path, delete_missing=True).deleted == 0


def test_a_missing_row_deletes_a_record_that_was_edited_here_before_the_export(store, tmp_path):
    store.update("Account", BOLT, {"Phone": "7"})
    export_to(store, tmp_path / "later.xlsx", now=datetime.now(UTC) + timedelta(seconds=1))
    edit(tmp_path / "later.xlsx", lambda page: page.delete_rows(row_of(page, BOLT)), "Account")

    assert apply_to(store, tmp_path / "later.xlsx", delete_missing=True).deleted == 1
