"""A workbook out, edited, and back: from the command line to the org."""

import openpyxl
import pytest

from salesforce_sync import SFSync
from tests.workbook.books import column, edit, put, row_of


@pytest.fixture
def replica(user, simorg):
    """The command line of somebody who has synced accounts, contacts and widgets."""
    user.settle(simorg.url, objects="Account, Contact, Widget__c")
    assert user("sync").code == 0
    return user


@pytest.fixture
def book(replica):
    path = replica.folder / "book.xlsx"
    assert replica("export", "-o", str(path)).code == 0
    return path


@pytest.fixture
def jane(simorg):
    return simorg.add("Contact", FirstName="Jane", LastName="Doe", Phone="555-0000")


def test_a_workbook_that_was_not_edited_has_nothing_to_import(replica, book):
    done = replica("import", str(book))

    assert (done.code, done.err) == (0, "")
    assert "nothing to import" in done.out


def test_edits_new_rows_and_deletions_reach_the_org(jane, simorg, replica, book):
    with SFSync(replica.folder / "config.yaml") as sync:
        other = next(each.id for each in sync.contacts.all() if each.id != jane)

    def write(page):
        put(page, row_of(page, jane), **{"Business Phone": "555-1234"})
        put(page, row_of(page, other), Change="delete")
        put(page, page.max_row + 1, **{"Last Name": "Roe", "Account ID": "new:acme"})

    edit(book, write, "Contact")
    edit(book, lambda page: put(page, page.max_row + 1, **{"Id": "new:acme", "Account Name": "Acme"}), "Account")

    counted = simorg.count("Contact")

    seen = replica("import", str(book))
    before = replica("diff", "--json").json
    done = replica("import", str(book), "--apply", "--json")
    pushed = replica("push")

    assert (seen.code, done.code, pushed.code) == (0, 0, 0), (seen, done, pushed)
    assert "555-0000 → 555-1234" in seen.out
    assert before["changes"] == []
    told = done.json["imported"]
    assert (told["created"], told["updated"], told["deleted"], told["problems"]) == (2, 1, 1, 0)
    assert replica("verify").code == 0
    phone = replica("query", f"SELECT Phone FROM Contact WHERE Id = '{jane}'", "--json").json["rows"]
    assert phone == [{"Phone": "555-1234"}]
    assert simorg.count("Contact") == counted


@pytest.mark.parametrize("between", [["push"], ["sync"]])
def test_a_workbook_goes_on_from_what_it_has_sent(jane, simorg, replica, book, between):
    def type_(phone, name):
        edit(book, lambda page: put(page, row_of(page, jane), **{"Business Phone": phone}), "Contact")
        edit(book, lambda page: put(page, row_of(page, "new:acme"), **{"Account Name": name}), "Account")

    edit(book, lambda page: put(page, page.max_row + 1, **{"Id": "new:acme"}), "Account")
    accounts = simorg.count("Account")
    for phone, name in (("555-1234", "Acme"), ("555-9999", "Acme 2"), ("555-0000", "Acme")):
        type_(phone, name)
        done = replica("import", str(book), "--apply", "--json").json["imported"]
        again = replica("import", str(book), "--json").json
        assert replica(*between).code == 0

        assert (done["created"] + done["updated"], done["conflicts"], done["problems"]) == (2, 0, 0)
        assert (again["good"], again["problems"]) == (0, 0)
        asked = f"SELECT (SELECT Phone FROM Contact WHERE Id = '{jane}') p, Name n FROM Account WHERE Name LIKE 'Acme%'"
        assert {"p": phone, "n": name} in replica("query", asked, "--json").json["rows"]

    assert simorg.count("Account") == accounts + 1
    assert replica("inbox", "--json").json["items"] == []
    assert replica("verify").code == 0


def test_a_preview_is_one_json_document_of_bounded_size(replica, book):
    edit(book, lambda page: [put(page, at, **{"Last Name": f"N{at}"}) for at in range(2, 12)], "Contact")

    done = replica("import", str(book), "--json", "--limit", "3")

    assert done.code == 0
    assert [each["kind"] for each in done.json["changes"]] == ["edited"] * 3
    assert done.json["more"] == 7
    counts = {each["object"]: each["edited"] for each in done.json["objects"]}
    assert not any("object_name" in each for each in done.json["objects"])
    assert counts == {"Account": 0, "Contact": 10, "Widget__c": 0}


def test_rows_with_problems_end_a_command_as_partial_and_come_back(jane, replica, book):
    edit(book, lambda page: put(page, row_of(page, jane), **{"Last Name": None}), "Contact")

    seen, done = replica("import", str(book)), replica("import", str(book), "--apply")

    assert (seen.code, done.code) == (3, 3)
    assert "Last Name (LastName): cannot be empty." in seen.out
    page = openpyxl.load_workbook(replica.folder / "book.result.xlsx")["Contact"]
    assert page.cell(row_of(page, jane), column(page, "Status")).value == "Last Name (LastName): cannot be empty."


def test_a_file_that_is_no_workbook_is_a_clear_error(replica):
    path = replica.folder / "book.csv"
    path.write_text("Id,Name\n")

    told, as_json = replica("import", str(path)), replica("import", str(path), "--json")

    assert (told.code, as_json.code) == (6, 6)
    assert "not an .xlsx workbook" in told.err
    assert as_json.json["error"] == "NOT_A_WORKBOOK"


def test_a_workbook_with_a_password_comes_back_with_it(replica):
    path = replica.folder / "locked.xlsx"
    replica("export", "-o", str(path), "--password", SF_WORKBOOK_PASSWORD="secret")

    without = replica("import", str(path))
    told = replica("import", str(path), "--password", SF_WORKBOOK_PASSWORD="secret")
    typed = replica("import", str(path), "--password", stdin="secret\n")
    wrong = replica("import", str(path), "--password", stdin="guess\n")

    assert [each.code for each in (without, told, typed, wrong)] == [6, 0, 0, 6]
    assert "--password" in without.err


def test_python_previews_and_applies(jane, replica, book):
    edit(book, lambda page: put(page, row_of(page, jane), **{"Business Phone": "555-1234"}), "Contact")

    with SFSync(replica.folder / "config.yaml") as sync, sync.import_workbook(book) as preview:
        (change,) = preview.changes()
        imported = sync.apply(preview)

        assert [(each.field, each.new) for each in change.cells] == [("Phone", "555-1234")]
        assert imported.updated == 1
        assert sync.contacts.get(jane).phone == "555-1234"


def test_nobody_is_said_to_have_changed_in_the_org_what_was_dropped_here(jane, simorg, replica):
    """An edit that the org refused was exported, mended in the workbook, and then dropped."""
    simorg.rules.add_validation("Contact", "Phone = 'bad'", "That is no number.", field="Phone")
    replica("edit", "Contact", jane, "Phone=bad")
    replica("push")
    path = replica.folder / "book.xlsx"
    replica("export", "Contact", "-o", str(path))
    edit(path, lambda page: put(page, row_of(page, jane), **{"Business Phone": "555-1234"}), "Contact")
    (item,) = replica("inbox", "--json").json["items"]
    replica("inbox", "drop", str(item["item"]))

    done = replica("import", str(path), "--apply")

    (asked,) = replica("inbox", "--json").json["items"]
    assert [(each["local"], each["org"]) for each in asked["conflicts"]] == [("555-1234", "555-0000")]
    assert "1 row waits in the inbox: the org has another value" in done.out, done
    assert "changed in the org" not in done.out


@pytest.mark.parametrize("pushed", ["before the import", "after it"])
def test_rows_of_records_that_were_made_here_go_on_once_the_org_has_them(replica, pushed):
    """Exported by their local ids, which they have no more."""
    acme = replica("new", "Account", "Name=Acme", "--json").json["id"]
    roe = replica("new", "Contact", "LastName=Roe", f"AccountId={acme}", "--json").json["id"]
    path = replica.folder / "book.xlsx"
    replica("export", "Account", "Contact", "-o", str(path))
    edit(path, lambda page: put(page, row_of(page, acme), **{"Account Phone": "555-1234"}), "Account")
    edit(path, lambda page: put(page, row_of(page, roe), **{"Business Phone": "555-1234"}), "Contact")
    edit(path, lambda page: put(page, page.max_row + 1, **{"Last Name": "Poe", "Account ID": acme}), "Contact")

    if pushed == "before the import":
        assert replica("push").code == 0
    first = replica("import", str(path), "--apply", "--json").json
    assert replica("push").code == 0
    again = replica("import", str(path), "--json").json

    told = first["imported"]
    assert (told["created"], told["updated"], told["problems"]) == (1, 2, 0), first
    for each in again["objects"]:
        assert (each["new"], each["edited"], each["problems"]) == (0, 0, 0), again


def test_a_preview_tells_of_a_lookup_whose_record_was_dropped_since_the_export(replica):
    acme = replica("new", "Account", "Name=Acme", "--json").json["id"]
    path = replica.folder / "book.xlsx"
    replica("export", "Account", "Contact", "-o", str(path))
    edit(path, lambda page: put(page, page.max_row + 1, **{"Last Name": "Roe", "Account ID": acme}), "Contact")
    replica("rm", "Account", acme)

    seen = replica("import", str(path))
    done = replica("import", str(path), "--apply", "--json").json["imported"]

    assert "is the id of no record that was made here" in seen.out, seen
    assert (done["created"], done["problems"]) == (0, 1)
