"""Edits by the command line, by Python and by plain SQL on their way to the org; what waits, and what is decided."""

import sqlite3
import subprocess
import sys
import time

import pytest
from openpyxl import load_workbook

from salesforce_sync import Contact, Lead, SFSync
from salesforce_sync.errors import Misuse, NotSynced
from salesforce_sync.models.history import Origin
from simorg import triggers

HOUR = 3600


@pytest.fixture
def jane(simorg):
    made = simorg.add("Contact", FirstName="Jane", LastName="Doe", Phone="555-0000")
    simorg.clock.advance(10)  # what is as young as its stamp is read again before it is edited
    return made


@pytest.fixture
def replica(user, simorg, jane):
    """The command line of somebody who has synced contacts and accounts."""
    user.settle(simorg.url, objects="Contact, Account")
    assert user("sync").code == 0
    return user


@pytest.fixture
def sync(replica):
    """Python's way into the same replica."""
    with SFSync(replica.folder / "config.yaml") as sync:
        yield sync


def plain_sql(cli, statement, *values):
    """Run a statement in a process of its own, with Python's sqlite3 and none of our code; what it printed."""
    code = (
        "import sqlite3, sys\n"
        "with sqlite3.connect('data/salesforce.db', timeout=10) as db:\n"
        "    db.execute(sys.argv[1], sys.argv[2:])\n"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", code, statement, *values], cwd=cli.folder, capture_output=True, text=True
    )


def meanwhile(simorg, record_id, **values):
    """Somebody changes a record in the org, long after the last sync."""
    simorg.clock.advance(HOUR)
    simorg.change(record_id, **values)
    simorg.clock.advance(HOUR)


def conflict(replica, simorg, jane):
    """One field of one record, changed on both sides; the number of its item."""
    meanwhile(simorg, jane, Phone="555-9999")
    assert replica("edit", "Contact", jane, "Phone=555-1111").code == 0
    replica("sync")
    (item,) = replica("inbox", "--json").json["items"]
    assert (item["kind"], item["id"]) == ("conflict", jane)
    assert item["conflicts"] == [{"field": "Phone", "base": "555-0000", "local": "555-1111", "org": "555-9999"}]
    return str(item["item"])


@pytest.mark.parametrize("command", ["sync", "push"])
def test_an_edit_that_meets_another_one_makes_the_command_partial_that_meets_it(replica, simorg, jane, command):
    meanwhile(simorg, jane, Phone="555-9999")
    replica("edit", "Contact", jane, "Phone=555-1111")

    first, second = replica(command), replica(command)

    assert (first.code, second.code) == (3, 0)
    assert "partial: " in first.out and "What needs a decision waits in the inbox" in first.err
    assert replica("sync", "--json").json["inbox"] == 1


# ── edits ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_edits_of_every_door_reach_the_org_in_one_push(replica, simorg, jane):
    joe = simorg.add("Contact", LastName="Joe", Phone="1")
    ann = simorg.add("Contact", LastName="Ann", Phone="2")
    replica("sync")
    edited = replica("edit", "Contact", jane[:15], "Phone=555-1234", "title=Dr")
    with SFSync(replica.folder / "config.yaml") as sync:
        contact = sync.contacts.get(joe)
        contact.phone = None
        sync.contacts.update(contact)
        acme = sync.accounts.create(name="Acme Rockets")
        child = sync.contacts.create(Contact(last_name="Roe", account_id=acme.id))
        told = plain_sql(replica, "UPDATE Contact SET Phone = ?, Title = '' WHERE Id = ?", "555 🦊", ann)
        inserted = plain_sql(replica, "INSERT INTO Contact (LastName, Email) VALUES (?, ?)", "Sql", "sql@example.com")

        pushed = replica("push")

        assert (edited.code, told.stderr, inserted.stderr, pushed.err) == (0, "", "", "")
        assert pushed.code == 0
        account = sync.accounts.get(acme.id).id
        assert simorg.row(sync.contacts.get(child.id).id)["AccountId"] == account
    assert simorg.row(account)["Name"] == "Acme Rockets"
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("555-1234", "Dr")
    assert (simorg.row(joe)["Phone"], simorg.row(ann)["Phone"]) == (None, "555 🦊")
    (row,) = replica("query", "SELECT Id FROM Contact WHERE LastName = 'Sql'", "--json").json["rows"]
    assert simorg.row(row["Id"])["Email"] == "sql@example.com"
    assert replica("diff", "--json").json["changes"] == []


def test_the_dry_run_foretells_the_calls_of_what_is_sent_after_its_record_is_made(sync):
    first = sync.accounts.create(name="First")
    second = sync.accounts.create(name="Second", parent_id=first.id)
    sync.accounts.update(first.id, parent_id=second.id)

    diff, push = sync.diff(), sync.push()

    assert [each.operation for each in diff.orders] == [each.operation for each in push.changes]
    assert (push.complete, push.calls) == (True, diff.calls)


REFUSED = [
    ("UPDATE Contact SET CreatedDate = '2026-01-01T00:00:00.000Z'", "Contact.CreatedDate is read-only"),
    ("UPDATE Contact SET LastName = NULL", "Contact.LastName is required"),
    ("INSERT INTO Contact (FirstName) VALUES ('Jane')", "Contact.LastName is required"),
    ("UPDATE Contact SET Phone = x'3535'", "holds text of 40 characters at most, and no binary value (a blob)"),
    ("UPDATE Contact SET Birthdate = '31.01.2026'", "Contact.Birthdate is a date, written like 2026-01-31"),
]


def test_plain_sql_is_told_why_it_is_refused(replica):
    assert sqlite3.sqlite_version_info >= (3, 24)
    told = [(why, plain_sql(replica, statement).stderr) for statement, why in REFUSED]

    assert [(why, error) for why, error in told if why not in error] == []
    assert replica("diff", "--json").json["changes"] == []


def test_an_edit_is_shown_at_once_and_again_in_the_diff(replica, jane):
    edited = replica("edit", "Contact", jane, "Phone=555-1234", "email=jane@example.com")

    assert edited.out.splitlines()[:3] == [
        f"update Contact {jane} (Jane Doe)",
        "  Email  (empty) → jane@example.com",
        "  Phone  555-0000 → 555-1234",
    ]
    assert replica("diff").out.splitlines()[-1] == "1 change to send: 1 API call."
    assert "1 record with edits that the org does not have" in replica("status").out
    back = replica("edit", "Contact", jane, "Phone=555-0000", "Email=")
    assert back.out == f"Contact {jane} (Jane Doe): nothing to send, this is what the org has.\n"
    assert replica("diff").out == "Nothing to send.\n"


def test_an_argument_in_another_encoding_is_named_as_such(replica, jane):
    edited = replica.afresh("edit", "Contact", jane, "Title=M\udcfcller", PYTHONUTF8="1")

    assert edited.code == 2
    assert "is not UTF-8 text: it has the byte FC.\n  Convert it first" in edited.err
    assert replica("diff").out == "Nothing to send.\n"


def test_a_new_record_keeps_its_local_id_as_a_name_and_can_be_deleted_and_brought_back(replica, simorg):
    made = replica("new", "Contact", "last_name=Roe", "--json").json
    replica("push")
    (row,) = replica("query", "SELECT Id FROM Contact WHERE LastName = 'Roe'", "--json").json["rows"]

    deleted = replica("rm", "Contact", made["id"], "--json").json
    replica("push")
    gone = simorg.row(row["Id"])["IsDeleted"]
    back = replica("undelete", "Contact", made["id"])

    assert made["id"].startswith("local-")
    assert (made["operation"], made["fields"]["LastName"]["here"]) == ("create", "Roe")
    assert (deleted["id"], deleted["operation"], bool(gone)) == (row["Id"], "delete", True)
    assert (back.code, back.out.splitlines()[0]) == (0, f"undelete Contact {row['Id']} (Roe)")


@pytest.mark.parametrize("how", ["rm", "inbox drop"])
def test_what_referred_to_a_record_that_is_gone_is_named(replica, simorg, jane, how):
    account = replica("new", "Account", "Name=Acme", "--json").json["id"]
    replica("edit", "Contact", jane, f"AccountId={account}")
    if how == "rm":
        gone = [replica("rm", "Account", account)]
    else:
        simorg.rules.add_validation("Account", "Name = 'Acme'", "No Acme.")
        replica("push")
        (item,) = replica("inbox", "--json").json["items"]
        gone = [replica("inbox", "drop", str(item["item"]))]

    assert gone[0].out.splitlines()[-2:] == [
        "1 reference to it went back to what the org has:",
        f"  Contact {jane} (Jane Doe): AccountId",
    ]
    assert replica("diff").out == "Nothing to send.\n"


def test_what_referred_to_a_record_that_is_gone_is_told_to_a_program(replica, jane):
    account = replica("new", "Account", "Name=Acme", "--json").json["id"]
    replica("edit", "Contact", jane, f"AccountId={account}")

    gone = replica("rm", "Account", account, "--json").json

    assert gone["let_go"] == [{"object": "Contact", "id": jane, "field": "AccountId"}]


MISTAKES = [
    (
        ("edit", "Contact", "JANE", "Phon=1"),
        2,
        "FIELD_NOT_FOUND: Contact has no field 'Phon'.\n  Did you mean phone",
    ),
    (("edit", "Contact", "JANE", "Birthdate=soon"), 2, "Birthdate: 'soon' is not a date, such as 2026-01-31."),
    (("edit", "Contact", "JANE", "CreatedDate="), 2, "Contact.CreatedDate is read-only for the connected user."),
    (("edit", "Contact", "JANE", "Phone"), 2, "'Phone' has no value. Write Phone=VALUE, or Phone= to clear"),
    (("edit", "Contact", "JANE", "Phone=1", "phone=2"), 2, "'phone' is given twice."),
    (("edit", "Contact", "JANE", "Id=003000000000001"), 2, "Contact.Id is read-only"),
    (("undelete", "Contact", "JANE"), 6, "NOT_FOUND: Contact has no deleted record"),
    (("edit", "Contact", "JANE"), 2, "Nothing to change. Write FIELD=VALUE behind the id"),
    (("edit", "Contact", "12", "Phone=1"), 2, "'12' is not a Salesforce id."),
    (("edit", "Contact", "003000000000001", "Phone=1"), 6, "NOT_FOUND: Contact has no such record"),
    (("edit", "Contakt", "JANE", "Phone=1"), 6, "Did you mean Contact?"),
    (("new", "Contact", "Phone=1"), 2, "Contact.LastName is required."),
    (("new", "Lead", "LastName=Roe"), 6, "Run 'salesforce-sync sync Lead' first."),
    (("rm", "Contact", "003000000000001"), 6, "NOT_FOUND"),
    (("undo", "nothing"), 6, "'salesforce-sync pushes' lists them."),
    (("inbox", "show", "7"), 6, "There is no item 7 in the inbox."),
    (("inbox", "take", "7", "org"), 6, "There is no item 7 in the inbox."),
    (("inbox", "take", "org"), 2, "'org' is not the number of an item. Name one item, or --all OBJECT."),
    (("inbox", "take", "7"), 2, "Say what to take: org, local or FIELD=VALUE."),
    (("inbox", "take", "--all", "Contact"), 2, "[ITEM] org|local|FIELD=VALUE"),
    (("inbox", "take", "--all", "Contact", "Phone=1"), 2, "With --all take one side: org or local."),
    (("inbox", "take", "--all", "Contact", "org", "--seen", "x"), 2, "--seen is about one item: name it."),
    (("inbox", "take", "--all", "Contakt", "org"), 6, "Did you mean Contact?"),
    (("inbox", "retry"), 2, "Name one item, or --all CODE."),
]


def test_a_push_of_which_a_part_is_disputed_is_partial_and_points_to_the_inbox(replica, simorg, jane):
    meanwhile(simorg, jane, Phone="555-9999")
    replica("edit", "Contact", jane, "Phone=555-1111", "Title=Dr")

    pushed = replica("push")
    shown = replica("inbox", "show", "1").out

    assert pushed.code == 3
    assert "\npartial: 1 of 2 changes in the org, " in pushed.out
    assert [line.partition(" : ")[2].partition(",")[0] for line in pushed.out.splitlines()[-3:]] == [
        "conflict",
        "records_updated",
        "push_complete",
    ]
    assert "waits in the inbox" in pushed.err
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("555-9999", "Dr")
    assert "555-1111" in shown
    assert "not in dispute" not in shown


def gone_after_an_edit(replica, simorg, jane, how):
    """The lines of the item of a record that was edited here, and that a verify finds gone."""
    simorg.clock.advance(HOUR)
    simorg.add("Contact", LastName="Stays")
    replica("sync")
    simorg.clock.advance(HOUR)
    replica("edit", "Contact", jane, "Phone=555-1111")
    how(jane)
    replica("verify", "Contact")
    return replica("inbox", "show", "1").out.splitlines(), replica("inbox").out


def test_an_edit_of_a_record_that_is_only_hidden_says_so_and_goes_on_once_that_is_shown(replica, simorg, jane):
    shown, listed = gone_after_an_edit(replica, simorg, jane, simorg.hide_record)
    simorg.show_record(jane)
    simorg.clock.advance(HOUR)
    verified = replica("verify", "Contact")

    assert shown[0].startswith("Item 1: no longer visible, ")
    assert "deleted there" not in "".join(shown) + listed
    assert "Let the connected user see the record, then verify: the edit goes on by itself. Or drop the edit." in shown
    assert [each.strip() for each in shown if each.startswith("  salesforce-sync")] == ["salesforce-sync inbox drop 1"]
    assert verified.code == 0, verified.err
    assert replica("inbox").out == "The inbox is empty.\n"
    assert replica("push").code == 0
    assert simorg.row(jane)["Phone"] == "555-1111"


def test_an_edit_of_a_purged_record_can_only_be_dropped(replica, simorg, jane):
    shown, _ = gone_after_an_edit(replica, simorg, jane, lambda each: simorg.purge([each]))

    dropped = replica("inbox", "drop", "1")

    assert "It was deleted in the org, and is not in its bin any more." in shown
    assert [each.strip() for each in shown if each.startswith("  salesforce-sync")] == ["salesforce-sync inbox drop 1"]
    assert dropped.code == 0, dropped.err
    assert replica("inbox").out == "The inbox is empty.\n"


def test_a_mistake_says_what_to_do(replica, jane):
    for command, code, words in MISTAKES:
        done = replica(*(jane if word == "JANE" else word for word in command))

        assert (done.code, done.out) == (code, ""), command
        assert words in done.err
    assert replica("diff", "--json").json["changes"] == []


# ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_dry_run_writes_nothing_and_lists_what_the_real_run_does(replica, simorg, jane):
    account = replica("new", "Account", "Name=Acme", "--json").json["id"]
    replica("new", "Contact", "LastName=Roe", f"AccountId={account}")
    replica("edit", "Contact", jane, "Phone=1")
    before = simorg.usage.used

    dry = replica("push", "--dry-run", "--json").json
    assert simorg.usage.used == before
    assert dry == replica("diff", "--json").json
    real = replica("push", "--json").json

    def told(changes):
        return [(each["object"], each["operation"], sorted(each["fields"])) for each in changes]

    assert told(dry["changes"]) == told(real["changes"])
    assert dry["api_calls"] == real["api_calls"]
    assert (real["state"], real["applied"]) == ("complete", 3)


def test_the_dry_run_lists_the_edits_of_a_record_that_is_brought_back(replica, jane):
    replica("rm", "Contact", jane)
    replica("push")
    replica("undelete", "Contact", jane)
    replica("edit", "Contact", jane, "Phone=555-0200")

    foretold, done = replica("push", "--dry-run", "--json").json, replica("push", "--json").json

    sent = [(each["operation"], each["fields"]) for each in done["changes"]]
    assert [(each["operation"], each["fields"]) for each in foretold["changes"]] == sent
    assert [each for each, _ in sent] == ["undelete", "update"]
    assert foretold["api_calls"] == done["api_calls"]


def test_sync_brings_and_sends_and_can_be_told_only_to_bring(replica, simorg, jane):
    meanwhile(simorg, jane, Title="Dr")
    replica("edit", "Contact", jane, "Phone=1")

    brought = replica("sync", "--no-push", "--json").json
    still = simorg.row(jane)["Phone"]
    sent = replica("sync", "--json").json

    assert (brought["changed"], brought["pushed"], still) == (1, None, "555-0000")
    assert (sent["pushed"]["state"], sent["pushed"]["applied"], sent["inbox"]) == ("complete", 1, 0)
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("1", "Dr")
    assert replica("sync", "--json").json["pushed"] is None


def test_a_local_id_of_one_s_own_names_one_record_of_all_objects(replica, simorg):
    contact = "INSERT INTO Contact (Id, LastName, AccountId) VALUES (?1, 'Roe', 'local-1')"
    told = [
        plain_sql(replica, "INSERT INTO Account (Id, Name) VALUES ('local-1', 'Acme')"),
        plain_sql(replica, contact, "local-1"),
        plain_sql(replica, contact, "local-Contact-1"),
    ]
    pushed = replica("push", "--json").json
    later = plain_sql(replica, "INSERT INTO Contact (Id, LastName) VALUES ('local-1', 'Poe')")

    assert [each.returncode for each in (*told, later)] == [0, 1, 0, 1]
    for each in (told[1], later):
        assert "A record of another object has this local id" in each.stderr
    assert (pushed["state"], pushed["applied"]) == ("complete", 2)
    (made,) = [each for each in simorg.database.rows("SELECT AccountId FROM Contact WHERE LastName = 'Roe'", ())]
    assert made[0].startswith("001")


def test_plain_sql_may_go_on_naming_a_record_by_its_local_id(replica, simorg, jane):
    replica("new", "Account", "Name=Acme")
    (account,) = replica("query", "SELECT Id FROM Account WHERE Name = 'Acme'", "--json").json["rows"]
    replica("push")
    insert = plain_sql(replica, "INSERT INTO Contact (LastName, AccountId) VALUES ('Late', ?)", account["Id"])
    refer = "UPDATE Contact SET AccountId = ?1, Description = ?1 WHERE Id = ?2"
    update = plain_sql(replica, refer, account["Id"], jane)
    pushed = replica("push", "--json").json

    again = replica("diff", "--json").json

    (acme,) = (key for (key,) in simorg.database.rows("SELECT Id FROM Account WHERE Name = 'Acme'"))
    asked = "SELECT LastName, AccountId FROM Contact WHERE LastName IN ('Late', 'Doe') ORDER BY LastName"
    here = replica("query", asked, "--json").json["rows"]
    assert (insert.returncode, update.returncode, pushed["applied"], again["changes"]) == (0, 0, 2, [])
    assert (simorg.row(jane)["AccountId"], simorg.row(jane)["Description"]) == (acme, account["Id"])
    assert here == [{"LastName": "Doe", "AccountId": acme}, {"LastName": "Late", "AccountId": acme}]


def test_a_refused_change_waits_in_the_inbox_and_the_others_go(replica, simorg, jane):
    rule = simorg.rules.add_validation("Contact", "Phone = 'bad'", "That is no number.", field="Phone")
    joe = simorg.add("Contact", LastName="Joe")
    replica("sync")
    replica("edit", "Contact", jane, "Phone=bad")
    replica("edit", "Contact", joe, "Phone=2")

    pushed = replica("push")
    (item,) = replica("inbox", "--json").json["items"]
    shown = replica("inbox", "show", str(item["item"])).out
    again = replica("push")
    simorg.rules.validations.remove(rule)
    released = replica("inbox", "retry", "--all", item["code"])
    replica("push")

    assert (pushed.code, simorg.row(joe)["Phone"]) == (3, "2")
    assert "That is no number." in pushed.err
    assert (item["kind"], item["code"]) == ("rejected", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert f"salesforce-sync inbox retry {item['item']}" in shown
    assert (again.code, again.out) == (0, "complete: nothing to send\n")
    assert released.out == "1 change will be sent again with the next `salesforce-sync push` or `sync`.\n"
    assert simorg.row(jane)["Phone"] == "bad"
    assert replica("inbox").out == "The inbox is empty.\n"


def test_a_duplicate_can_be_linked_saved_all_the_same_or_dropped(replica, simorg):
    simorg.rules.add_duplicate_rule("Contact", ["Email"])
    twin = simorg.add("Contact", LastName="Twin", Email="twin@example.com")
    replica("sync")
    for name in ("Link", "Save", "Drop"):
        replica("new", "Contact", f"LastName={name}", "Email=twin@example.com")
    assert replica("push").code == 3
    items = {each["edits"]["LastName"]["here"]: str(each["item"]) for each in replica("inbox", "--json").json["items"]}

    shown = replica("inbox", "show", items["Link"]).out
    linked = replica("inbox", "link", items["Link"], twin, "--local")
    sent = replica("push")  # on its own: beside the saved one, the org would find it a duplicate too
    saved = replica("inbox", "retry", items["Save"], "--allow-duplicates")
    dropped = replica("inbox", "drop", items["Drop"])
    pushed = replica("push")

    assert f"salesforce-sync inbox link {items['Link']} {twin}" in shown
    assert (linked.code, sent.code, saved.code, dropped.code, pushed.code) == (0, 0, 0, 0, 0)
    names = replica("query", "SELECT LastName FROM Contact WHERE Email = 'twin@example.com'", "--json").json["rows"]
    assert sorted(each["LastName"] for each in names) == ["Link", "Save"]
    assert dropped.out.endswith(": nothing to send, what was made here is given up.\n")
    assert simorg.row(twin)["LastName"] == "Link"


def test_a_push_can_be_undone_where_nobody_has_changed_it_since(replica, simorg, jane):
    replica("edit", "Contact", jane, "Phone=1", "Title=Dr")
    replica("push")
    (pushed,) = replica("pushes", "--json").json["pushes"]
    meanwhile(simorg, jane, Title="Prof")
    replica("sync")

    undone = replica("undo", pushed["push_id"], "--json")
    history = replica("history", "Contact", jane, "--json").json["history"]

    assert (undone.code, undone.json["state"]) == (3, "partial")
    assert undone.json["left"] == [
        {"object": "Contact", "id": jane, "field": "Title", "why": "It has been changed since."}
    ]
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("555-0000", "Prof")
    assert [(each["field"], each["old"], each["new"], each["origin"]) for each in history[:2]] == [
        ("Phone", "1", "555-0000", "push"),
        ("Title", "Dr", "Prof", "pull"),
    ]


# ── conflicts ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "phone"),
    [(("take", "ITEM", "local"), "555-1111"), (("take", "ITEM", "org"), "555-9999"),
     (("take", "ITEM", "phone=555-3333"), "555-3333"), (("drop", "ITEM"), "555-9999")],
)  # fmt: skip
def test_a_conflict_overwrites_nobody_until_it_is_decided(replica, simorg, jane, words, phone):
    item = conflict(replica, simorg, jane)
    untouched = simorg.row(jane)["Phone"]
    shown = replica("inbox", "show", item).out

    decided = replica("inbox", *(item if word == "ITEM" else word for word in words))
    replica("push")

    assert untouched == "555-9999"
    assert "Phone  555-0000  555-1111  555-9999" in shown
    assert decided.code == 0
    assert simorg.row(jane)["Phone"] == phone
    assert replica("query", f"SELECT Phone FROM Contact WHERE Id = '{jane}'", "--json").json["rows"] == [
        {"Phone": phone}
    ]
    assert replica("inbox", "--json").json["items"] == []


@pytest.mark.parametrize("words", [("take", "ITEM", "local"), ("drop", "ITEM"), ("take", "ITEM", "phone=555-3333")])
def test_a_decision_is_about_what_was_seen(replica, simorg, jane, words):
    item = conflict(replica, simorg, jane)
    seen = replica("inbox", "show", item, "--json").json["version"]
    shown = replica("inbox", "show", item).out
    meanwhile(simorg, jane, Phone="555-7777")
    replica("sync")
    words = [item if word == "ITEM" else word for word in words]

    refused = replica("inbox", *words, "--seen", seen)
    replica("push")
    untouched = simorg.row(jane)["Phone"]
    now = replica("inbox", "show", item, "--json").json["version"]
    decided = replica("inbox", *words, "--seen", now)

    assert f"--seen {seen} " in shown
    assert (refused.code, untouched) == (2, "555-7777")
    assert f"Item {item} has changed since you have seen it" in refused.err
    assert (decided.code, replica("inbox", "--json").json["items"]) == (0, [])


def test_policies_decide_where_the_settings_say_so(replica, simorg, jane):
    policies = "  conflicts: {default: org, Contact.Phone: local}\n"
    replica.settle(simorg.url, objects="Contact, Account", more=policies)
    meanwhile(simorg, jane, Phone="555-9999", Title="Prof")
    replica("edit", "Contact", jane, "Phone=555-1111", "Title=Dr")

    replica("sync")

    assert replica("inbox", "--json").json["items"] == []
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("555-1111", "Prof")


@pytest.mark.parametrize("made_by", ["somebody else", "the same user"])
def test_a_record_that_somebody_made_while_a_create_was_lost_is_not_taken_for_it(replica, simorg, made_by):
    simorg.faults.add(path="/composite", drop="before")
    made = replica("new", "Contact", "LastName=Roe", "FirstName=Jane", "Ext__c=C1", "Phone=111", "--json").json["id"]
    assert replica("push").code != 0
    simorg.clock.advance(3)
    users = [user for (user,) in simorg.database.rows("SELECT Id FROM User WHERE IsActive = 1", ())]
    user = next(each for each in users if each != simorg.user_id) if made_by == "somebody else" else None
    simorg.create("Contact", [{"LastName": "Roe", "FirstName": "Robert", "Ext__c": "C1", "Phone": "999"}], user=user)
    simorg.clock.advance(20)

    assert replica("push").code == 3

    (item,) = replica("inbox", "--json").json["items"]
    assert (item["id"], item["edits"]["Phone"]["here"]) == (made, "111")
    row = replica("query", f"SELECT FirstName, Phone FROM Contact WHERE Id = '{made}'", "--json").json["rows"]
    assert row == [{"FirstName": "Jane", "Phone": "111"}]
    assert item["kind"] == ("rejected" if user else "uncertain")


def test_python_has_the_same_decisions(sync, simorg, jane):
    meanwhile(simorg, jane, Phone="555-9999")
    sync.contacts.update(jane, phone="555-1111")
    sync.sync()
    (item,) = sync.inbox()
    sync.take(item.number, phone="555-3333")

    pushed = sync.push()

    assert (pushed.complete, simorg.row(jane)["Phone"]) == (True, "555-3333")
    newest = sync.history("Contact", jane)[0]
    assert (newest.field, newest.old, newest.new) == ("Phone", "555-9999", "555-3333")
    assert sync.undo(pushed.push_id).push.complete
    assert simorg.row(jane)["Phone"] == "555-9999"


def test_an_address_is_in_dispute_as_one(replica, simorg, jane):
    meanwhile(simorg, jane, MailingCity="Rome", Title="Dr")
    replica("edit", "Contact", jane, "MailingStreet=Main St 1", "Phone=555-1111")

    replica("sync")
    (item,) = replica("inbox", "--json").json["items"]
    replica("inbox", "take", str(item["item"]), "local")
    pushed = replica("push")

    there = simorg.row(jane)
    assert pushed.code == 0
    assert [each["field"] for each in item["conflicts"]] == ["MailingStreet"]
    assert (there["MailingStreet"], there["MailingCity"], there["Phone"], there["Title"]) == (
        "Main St 1",
        "Rome",
        "555-1111",
        "Dr",
    )


def test_policies_decide_by_object_and_field(replica, simorg, jane):
    more = "  conflicts: {Contact: org, Contact.Phone: local, Contact.Title: ask}\n"
    replica.settle(simorg.url, objects="Contact, Account", more=more)
    meanwhile(simorg, jane, Phone="555-9999", Department="theirs", Title="theirs")
    replica("edit", "Contact", jane, "Phone=555-1111", "Department=ours", "Title=ours")

    synced = replica("sync")

    there = simorg.row(jane)
    (item,) = replica("inbox", "--json").json["items"]
    assert (there["Phone"], there["Department"], there["Title"]) == ("555-1111", "theirs", "theirs")
    assert [each["field"] for each in item["conflicts"]] == ["Title"]
    assert "conflict" in synced.out


def test_a_deletion_of_what_has_no_stamp_does_not_take_along_what_was_changed_there(user, simorg):
    simorg.permissions.hide_field("Widget__c", "CreatedDate", "LastModifiedDate", "SystemModstamp")
    user.settle(simorg.url, objects="Widget__c")
    user("sync")
    changed, gone = (row["Id"] for row in user("query", "SELECT Id FROM Widget__c LIMIT 2", "--json").json["rows"])
    for each in (changed, gone):
        user("rm", "Widget__c", each)
    simorg.change(changed, Text__c="theirs")

    pushed = user("push", "--json")

    assert (pushed.code, pushed.json["state"]) == (3, "partial")
    assert {each["id"]: each["outcome"] for each in pushed.json["changes"]} == {gone: "applied", changed: "conflicted"}
    (item,) = user("inbox", "--json").json["items"]
    assert (item["id"], item["kind"]) == (changed, "changed there")
    assert (simorg.row(changed)["IsDeleted"], simorg.row(gone)["IsDeleted"]) == (0, 1)


def test_what_waits_in_the_inbox_is_not_said_to_go_with_the_next_push(replica, simorg, jane):
    item = conflict(replica, simorg, jane)
    replica("rm", "Contact", jane)
    replica("push")  # it was changed there, which is another question

    decided = replica("inbox", "take", item, "org")

    assert [each["kind"] for each in replica("inbox", "--json").json["items"]] == ["changed there"]
    assert "nothing to send" in replica("push").out
    assert "It waits in the inbox" in decided.out and "next" not in decided.out, decided


def test_a_deletion_does_not_take_along_what_a_conflict_is_about(replica, simorg, jane):
    conflict(replica, simorg, jane)
    replica("rm", "Contact", jane)

    foretold, first = replica("push", "--dry-run", "--json").json, replica("push", "--json")

    assert ([each["code"] for each in foretold["rejected"]], foretold["changes"]) == (["CONFLICT"], [])
    assert foretold["api_calls"] == first.json["api_calls"]
    alive, (asked,) = (
        simorg.row(jane),
        [each for each in replica("inbox", "--json").json["items"] if each["kind"] == "changed there"],
    )
    assert (first.code, alive["IsDeleted"], alive["Phone"]) == (3, 0, "555-9999")
    replica("inbox", "take", str(asked["item"]), "local")
    assert (replica("push").code, simorg.row(jane)["IsDeleted"]) == (0, 1)
    assert replica("inbox", "--json").json["items"] == []


def test_what_the_org_holds_is_neither_sent_nor_taken_back_by_an_undo(replica, simorg, jane):
    """The record was pushed within the second of its stamp, so that it is read by a call of its own before."""
    settings = replica.folder / "config.yaml"
    policies = "conflicts: {default: ask, Contact.Phone: org, Contact.Title: newest}"
    settings.write_text(f"{settings.read_text(encoding='utf-8')}  {policies}\n", encoding="utf-8")
    replica("edit", "Contact", jane, "Phone=p0", "Title=t0")
    assert replica("push").code == 0
    replica("edit", "Contact", jane, "Phone=mine", "Title=mine", "Department=mine", "MobilePhone=same")
    time.sleep(3)
    theirs = {"Phone": "third", "Title": "third", "MobilePhone": "same"}
    simorg.change(jane, **theirs)

    pushed = replica("push", "--json").json

    (change,) = pushed["changes"]
    told = replica("history", "Contact", jane, "--json").json["history"]
    assert (change["outcome"], list(change["fields"])) == ("applied", ["Department"])
    assert {each["field"] for each in told if each["push_id"] == pushed["push_id"]} == {"Department"}
    replica("undo", pushed["push_id"])
    assert {name: simorg.row(jane)[name] for name in theirs} == theirs
    assert simorg.row(jane)["Department"] != "mine"


def test_the_newest_is_told_by_field_and_by_the_org_s_clock(replica, simorg, jane):
    """Which is an hour ahead of this machine's."""
    settings = replica.folder / "config.yaml"
    settings.write_text(f"{settings.read_text(encoding='utf-8')}  conflicts: newest\n", encoding="utf-8")
    simorg.clock.advance(HOUR)
    plain_sql(replica, "UPDATE Contact SET Phone = 'older here' WHERE Id = ?", jane)
    time.sleep(3)
    simorg.change(jane, Phone="newer there", Title="older there")
    time.sleep(3)
    plain_sql(replica, "UPDATE Contact SET Title = 'newer here' WHERE Id = ?", jane)

    assert replica("sync").code == 0

    there = simorg.row(jane)
    assert (there["Phone"], there["Title"]) == ("newer there", "newer here")


def test_what_the_org_brings_back_with_its_master_is_brought_back_and_edited(user, simorg):
    account = simorg.add("Account", Name="Master")
    widget = simorg.add("Widget__c", Account__c=account, Text__c="old")
    simorg.clock.advance(10)
    user.settle(simorg.url, objects="Account, Widget__c")
    user("sync")
    user("rm", "Account", account)
    user("sync")
    simorg.clock.advance(10)
    user("sync")
    user("undelete", "Account", account)
    user("undelete", "Widget__c", widget)
    user("edit", "Widget__c", widget, "Text__c=new")

    pushed = user("push", "--json").json

    assert (pushed["state"], simorg.row(widget)["IsDeleted"], simorg.row(widget)["Text__c"]) == ("complete", 0, "new")
    assert user("inbox", "--json").json["items"] == []


def test_what_a_deletion_takes_along_is_told_before_and_what_was_changed_in_it_after(user, simorg):
    account = simorg.add("Account", Name="Master")
    theirs, mine, other = (simorg.add("Widget__c", Account__c=account, Text__c="old") for _ in range(3))
    simorg.clock.advance(10)
    user.settle(simorg.url, objects="Account, Widget__c")
    user("sync")
    simorg.change(theirs, Text__c="theirs")
    simorg.clock.advance(10)

    removed, told = user("rm", "Account", account), user("diff")
    user("edit", "Widget__c", mine, "Text__c=mine")
    changes = user("push", "--dry-run", "--json").json["changes"]

    assert "(Master), and 3 Widget__c with it" in removed.out
    assert "(Master), and 3 Widget__c with it" in told.out
    assert [each["with_it"] for each in changes if each["id"] == account] == [{"Widget__c": 3}]
    user("push")
    synced = user("sync")
    items = {each["id"]: each for each in user("inbox", "--json").json["items"]}
    assert synced.code == 3
    assert {key: each["kind"] for key, each in items.items()} == {theirs: "deleted over", mine: "deleted there"}
    messages = [each["message"] for each in items.values()]
    assert [f"with Account {account}, which was deleted here" in each for each in messages] == [True, True], messages
    assert simorg.row(other)["IsDeleted"] == 1


def test_what_an_account_takes_along_of_other_objects_is_told_before_and_after(user, simorg):
    """Of which only its own describe tells."""
    account = simorg.add("Account", Name="Master")
    theirs, mine, other = (simorg.add("Contact", AccountId=account, LastName="old") for _ in range(3))
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2030-01-01"}
    deals = [simorg.add("Opportunity", **deal, AccountId=account) for _ in range(2)]
    simorg.clock.advance(10)
    user.settle(simorg.url, objects="Account, Contact, Opportunity")
    user("sync")
    simorg.change(theirs, Title="theirs")
    simorg.change(deals[0], NextStep="theirs")
    simorg.clock.advance(10)

    removed, told = user("rm", "Account", account), user("diff")
    user("edit", "Contact", mine, "Title=mine")
    changes = user("push", "--dry-run", "--json").json["changes"]
    user("push")
    user("sync")

    assert "(Master), and 3 Contact and 2 Opportunity with it" in removed.out
    assert "(Master), and 3 Contact and 2 Opportunity with it" in told.out
    assert [each["with_it"] for each in changes if each["id"] == account] == [{"Contact": 3, "Opportunity": 2}]
    items = {each["id"]: each for each in user("inbox", "--json").json["items"]}
    kinds = {theirs: "deleted over", deals[0]: "deleted over", mine: "deleted there"}
    assert {key: each["kind"] for key, each in items.items()} == kinds
    messages = [each["message"] for each in items.values()]
    assert [f"with Account {account}, which was deleted here" in each for each in messages] == [True] * 3, messages
    user("undelete", "Account", account)
    user("inbox", "take", str(items[mine]["item"]), "local")
    assert user("push", "--json").json["state"] == "complete"
    assert [simorg.row(each)["IsDeleted"] for each in (account, theirs, mine, other, *deals)] == [0] * 6
    assert simorg.row(mine)["Title"] == "mine"


def test_what_somebody_deleted_an_account_with_comes_back_with_it_and_says_so(user, simorg):
    account = simorg.add("Account", Name="Master")
    contact = simorg.add("Contact", AccountId=account, LastName="Doe")
    simorg.clock.advance(10)
    user.settle(simorg.url, objects="Account, Contact")
    user("sync")
    user("edit", "Contact", contact, "Title=mine")
    simorg.remove(account)
    user("sync")
    (gone,) = user("inbox", "--json").json["items"]
    user("inbox", "take", str(gone["item"]), "local")
    user("push")

    (refused,) = user("inbox", "--json").json["items"]
    user("undelete", "Account", account)
    user("inbox", "retry", str(refused["item"]))
    pushed = user("push", "--json").json

    assert refused["code"] == "UNDELETE_FAILED"
    assert f"If it went with Account {account}, which is deleted, it comes back with that one." in refused["message"]
    assert (pushed["state"], simorg.row(contact)["IsDeleted"], simorg.row(contact)["Title"]) == ("complete", 0, "mine")


def test_a_conflict_beside_a_later_item_of_its_record_is_counted(replica, simorg, jane):
    """It joins one that is open. The record has just been pushed, so that it is read before it is written again."""
    conflict(replica, simorg, jane)
    replica("edit", "Contact", jane, "Fax=f0")
    replica("push")
    told = "INSERT INTO _sync_inbox (object_name, record_id, kind, at, operation, replaced) VALUES "
    values = f"('Contact', '{jane}', 'replaced', '2026-01-01T00:00:00Z', 'update', '[]')"
    assert plain_sql(replica, told + values).returncode == 0
    replica("edit", "Contact", jane, "Title=mine", "Department=mine")
    time.sleep(1.1)
    simorg.change(jane, Title="third")

    pushed = replica("push", "--json").json

    assert pushed["state"] == "partial"
    assert (simorg.row(jane)["Title"], simorg.row(jane)["Department"]) == ("third", "mine")


def test_an_item_that_is_decided_in_part_says_so(replica, simorg, jane):
    meanwhile(simorg, jane, Phone="555-9999", Fax="555-9998")
    replica("edit", "Contact", jane, "Phone=555-1111", "Fax=555-1112")
    replica("sync")
    (item,) = replica("inbox", "--json").json["items"]

    some = replica("inbox", "take", str(item["item"]), "Phone=555-3333")
    rest = replica("inbox", "take", str(item["item"]), "org")

    assert "is decided in part: the rest of it waits." in some.out
    assert "is decided." in rest.out
    assert replica("inbox", "retry", "--all", "DUPLICATES_DETECTED", "--allow-duplicates").code == 2


@pytest.mark.parametrize(
    ("side", "said"), [("org", "the org's values hold."), ("local", "yours hold. See `salesforce-sync diff`")]
)
def test_all_conflicts_of_an_object_are_decided_for_one_side_and_nothing_else_is(replica, simorg, jane, side, said):
    joe, gone = simorg.add("Contact", LastName="Joe", Phone="1"), simorg.add("Contact", LastName="Gone", Phone="1")
    acme = simorg.add("Account", Name="Acme", Phone="1")
    replica("sync", "Contact", "Account")
    for each in (jane, joe, gone):
        replica("edit", "Contact", each, "Phone=555-HERE")
    replica("edit", "Account", acme, "Phone=555-HERE")
    simorg.remove(gone)
    for each in (jane, joe, acme):
        meanwhile(simorg, each, Phone="555-THERE")
    replica("sync", "Contact", "Account")

    decided = replica("inbox", "take", "--all", "contact", side)
    waits = [(each["object"], each["kind"]) for each in replica("inbox", "--json").json["items"]]
    again = replica("inbox", "take", "--all", "Contact", side, "--json").json
    pushed = replica("push")

    assert decided.out.startswith(f"2 conflicts decided: {said}")
    assert sorted(waits) == [("Account", "conflict"), ("Contact", "deleted there")]
    assert (again["decided"], pushed.code) == (0, 0)
    assert {simorg.row(each)["Phone"] for each in (jane, joe)} == {"555-THERE" if side == "org" else "555-HERE"}
    assert replica("inbox", "take", "--all", "Contact", side).out == "No conflict of Contact is in the inbox.\n"


def test_an_edit_of_what_was_deleted_there_is_not_said_to_go_with_the_next_push(replica, simorg, jane):
    replica("edit", "Contact", jane, "Phone=555-1111")
    simorg.remove(jane)
    replica("sync")

    edited, pushed = replica("edit", "Contact", jane, "Title=CEO"), replica("push")

    assert "nothing to send" in pushed.out
    assert "It waits in the inbox" in edited.out and "next" not in edited.out, edited


def test_an_edit_that_a_duplicate_rule_refuses_is_not_offered_to_be_linked(replica, simorg, jane):
    twin = simorg.add("Contact", LastName="Poe", Email="poe@example.com")
    replica("sync")
    simorg.rules.add_duplicate_rule("Contact", ["Email"])
    replica("edit", "Contact", jane, "Email=poe@example.com")
    replica("push")
    (item,) = replica("inbox", "--json").json["items"]

    shown = replica("inbox", "show", str(item["item"]))

    assert (item["kind"], [each["id"] for each in item["matches"]]) == ("duplicate", [twin])
    assert "Link" not in item["hint"] and "inbox link" not in shown.out
    assert f"inbox take {item['item']} FIELD=VALUE" in shown.out
    assert replica("inbox", "take", str(item["item"]), "Email=jane.poe@example.com").code == 0
    assert replica("push").code == 0
    assert simorg.row(jane)["Email"] == "jane.poe@example.com"


def test_what_is_linked_to_the_record_that_it_was_merged_into_is_shown_there(replica, simorg, jane):
    winner = simorg.add("Contact", LastName="Poe")
    replica("sync")
    replica("edit", "Contact", jane, "Title=CEO")
    simorg.merge(winner, [jane])
    replica("sync")
    (item,) = replica("inbox", "--json").json["items"]

    linked = replica("inbox", "link", str(item["item"]), winner, "--local")

    assert "nothing to send" not in linked.out and f"update Contact {winner}" in linked.out, linked
    assert replica("push").code == 0
    assert simorg.row(winner)["Title"] == "CEO"


def test_a_new_record_under_one_that_was_merged_away_is_told_where_that_went(replica, simorg):
    loser, between, winner = (simorg.add("Account", Name=name) for name in ("Loser", "Between", "Winner"))
    replica("sync", "Account", "Contact")
    replica("new", "Contact", "LastName=Nut", f"AccountId={loser}")
    simorg.merge(between, [loser])
    simorg.merge(winner, [between])

    replica("sync")

    (item,) = replica("inbox", "--json").json["items"]
    assert item["message"].endswith(f" AccountId: Account {loser} was merged into {winner}.")
    assert replica("inbox", "take", str(item["item"]), f"AccountId={winner}").code == 0
    assert replica("push").code == 0
    (made,) = replica("query", "SELECT Id FROM Contact WHERE LastName = 'Nut'", "--json").json["rows"]
    assert simorg.row(made["Id"])["AccountId"] == winner


def test_an_edit_of_a_lead_that_was_converted_says_what_to_do(replica, simorg):
    lead = simorg.add("Lead", LastName="Roe", Company="Acme")
    replica("sync", "Lead")
    replica("edit", "Lead", lead, "Phone=555-1111")
    simorg.convert_lead(lead, None, False)
    replica("sync", "Lead")

    (item,) = replica("inbox", "--json").json["items"]

    assert item["code"] == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert "ConvertedContactId" in item["hint"]


def test_a_misspelt_object_that_is_not_here_yet_is_told_its_near_match(user, simorg):
    user.settle(simorg.url, objects="Account")
    with SFSync(user.folder / "config.yaml") as sync:
        sync.sync("Account")

        with pytest.raises(NotSynced, match="Conttact") as told:
            sync.objects["Conttact"]

    assert "Contact" in told.value.hint


def test_prices_may_be_written_in_any_order(replica, simorg):
    assert replica("sync", "Product2", "Pricebook2", "PricebookEntry").code == 0
    before = simorg.count("PricebookEntry")
    with SFSync(replica.folder / "config.yaml") as sync:
        standard = sync.objects["Pricebook2"].search(IsStandard=True).first().Id
        own = sync.objects["Pricebook2"].create(Name="Own", IsActive=True).Id
        product = sync.objects["Product2"].create(Name="A new one", IsActive=True).Id
        for book in (own, standard):
            sync.objects["PricebookEntry"].create(
                Pricebook2Id=book, Product2Id=product, UnitPrice="9.50", IsActive=True
            )

        pushed = sync.push()

    assert [(each.outcome, each.problem) for each in pushed.changes] == [("applied", None)] * 4
    assert simorg.count("PricebookEntry") == before + 2


def test_a_record_that_was_read_before_a_sync_overwrites_nothing_that_the_sync_brought(sync, simorg, jane):
    contact = sync.contacts.get(jane)
    meanwhile(simorg, jane, Phone="555-9999", Title="Dr")
    sync.sync()

    contact.phone, contact.email = "555-1111", "jane@example.com"
    sync.contacts.update(contact)
    pushed = sync.push()

    (item,) = sync.inbox()
    assert [(each.field, each.base, each.local, each.org) for each in item.conflicts] == [
        ("Phone", "555-0000", "555-1111", "555-9999")
    ]
    assert pushed.complete
    row = simorg.row(jane)
    assert (row["Phone"], row["Title"], row["Email"]) == ("555-9999", "Dr", "jane@example.com")


def test_a_record_that_was_read_before_somebody_edited_it_here_replaces_no_edit(sync, replica, jane):
    contact = sync.contacts.get(jane)
    replica("edit", "Contact", jane, "Phone=555-2222")

    contact.phone = "555-1111"
    with pytest.raises(Misuse, match="edited here since") as refused:
        sync.contacts.update(contact)

    assert refused.value.code == "EDITED_SINCE"
    assert sync.contacts.get(jane).phone == "555-2222"
    contact.title = "Dr"
    with pytest.raises(Misuse, match="not deleted: Phone"):
        sync.contacts.delete(contact)
    assert sync.contacts.get(jane) is not None


def test_a_record_that_was_read_before_a_sync_is_not_deleted_over_what_the_sync_brought(sync, simorg, jane):
    contact = sync.contacts.get(jane)
    meanwhile(simorg, jane, Phone="555-9999")
    sync.sync()

    with pytest.raises(Misuse, match="changed since, so it is not deleted: Phone"):
        sync.contacts.delete(contact)

    sync.contacts.delete(sync.contacts.get(jane))
    assert sync.push().complete
    assert simorg.row(jane)["IsDeleted"] == 1


@pytest.mark.parametrize("policy", ["ask", "org"])
def test_what_the_org_makes_of_our_own_push_is_nobody_s_change(user, simorg, jane, monkeypatch, policy):
    monkeypatch.setenv("SF_SYNC_CONFLICTS", policy)
    user.settle(simorg.url, objects="Lead, Contact")
    triggers.normalise(simorg, "Contact", "Title", "upper")
    with SFSync(user.folder / "config.yaml") as sync:
        sync.sync()
        lead = sync.leads.create(Lead(last_name="Roe", company="Acme"))  # the org gives it a status
        contact = sync.contacts.get(jane)
        contact.title = "boss"
        sync.contacts.update(contact)
        sync.push()

        lead.status, contact.title = "Working - Contacted", "chief"
        sync.leads.update(lead)
        sync.contacts.update(contact)
        pushed = sync.push()
        made = sync.contacts.create(Contact(last_name="Poe"))
        sync.push()
        sync.contacts.delete(made)
        gone = sync.push()

    assert (pushed.complete, pushed.count("applied"), gone.complete) == (True, 2, True)
    assert simorg.row(jane)["Title"] == "CHIEF"
    assert simorg.row(lead.id)["Status"] == "Working - Contacted"


def test_what_the_org_replaces_as_it_saves_our_push_is_in_the_history(sync, simorg, jane):
    """Whatever way the push goes: here the row comes back with the answer."""

    def also(org, operation, row, old):
        row["Title"] = f"called {row['Phone']}"

    simorg.rules.on_save("Contact", "before", also)
    sync.contacts.update(jane, phone="555-1111", title="Boss")
    sync.push()
    sync.contacts.update(jane, phone="555-2222")
    sync.push()

    titles = [each for each in sync.history("Contact", jane) if each.field == "Title"]
    assert [(each.old, each.new, each.origin) for each in titles] == [
        ("called 555-1111", "called 555-2222", Origin.SAVE),
        ("Boss", "called 555-1111", Origin.SAVE),
        (None, "Boss", Origin.PUSH),
    ]
    assert {each.push_id for each in titles[1:]} == {titles[1].push_id}


def test_a_local_value_that_was_taken_back_is_no_base(sync, replica, simorg, jane):
    contact = sync.contacts.get(jane)
    contact.phone = "555-1111"
    sync.contacts.update(contact)
    plain_sql(replica, "UPDATE Contact SET Phone = '555-0000' WHERE Id = ?", jane)

    contact.phone = "555-2222"
    sync.contacts.update(contact)

    assert (sync.inbox(), sync.push().complete, simorg.row(jane)["Phone"]) == ((), True, "555-2222")


def test_what_a_policy_gives_up_of_a_record_that_was_read_before_is_in_its_history(user, simorg, jane, monkeypatch):
    monkeypatch.setenv("SF_SYNC_CONFLICTS", "org")
    user.settle(simorg.url, objects="Contact")
    with SFSync(user.folder / "config.yaml") as sync:
        sync.sync()
        contact = sync.contacts.get(jane)
        meanwhile(simorg, jane, Phone="555-9999")
        sync.sync()

        contact.phone = "555-1111"
        sync.contacts.update(contact)
        history = sync.history("Contact", jane)

    assert contact.phone == "555-9999"
    assert ("Phone", "555-1111", "555-9999") in [(each.field, each.old, each.new) for each in history]


def test_the_newest_of_two_values_may_be_that_of_a_record_that_was_read_before(user, simorg, jane, monkeypatch):
    monkeypatch.setenv("SF_SYNC_CONFLICTS", "newest")
    user.settle(simorg.url, objects="Contact")
    with SFSync(user.folder / "config.yaml") as sync:
        sync.sync()
        contact = sync.contacts.get(jane)
        simorg.change(jane, Phone="555-9999")
        simorg.clock.advance(30)
        sync.sync()

        contact.phone = "555-1111"
        sync.contacts.update(contact)

        assert (sync.inbox(), sync.push().complete, simorg.row(jane)["Phone"]) == ((), True, "555-1111")


def test_an_edit_that_somebody_made_here_and_a_push_has_sent_is_not_replaced_unseen(sync, replica, simorg, jane):
    first, second = sync.contacts.get(jane), sync.contacts.get(jane)
    plain_sql(replica, "UPDATE Contact SET Phone = 'THEIRS' WHERE Id = ?", jane)
    replica("push")

    first.phone = "MINE"
    with pytest.raises(Misuse, match="edited here since"):
        sync.contacts.update(first)
    with pytest.raises(Misuse, match="not deleted: Phone"):
        sync.contacts.delete(second)
    second.title = "Dr"
    sync.contacts.update(second)

    assert sync.push().complete
    assert (simorg.row(jane)["Phone"], simorg.row(jane)["Title"]) == ("THEIRS", "Dr")


# ── a create whose answer was lost ───────────────────────────────────────────────────────────────────────────────


def lost(replica, simorg, drop, **values):
    """A new contact, and no answer from the org."""
    replica("sync", "Contact")
    simorg.faults.add(path="/composite", drop=drop, times=1)
    replica("new", "Contact", *(f"{name}={value}" for name, value in values.items()))
    replica("push")
    simorg.clock.advance(60)


def named(simorg, last_name):
    """Who has made the contacts of this name in the org."""
    found = 'SELECT "CreatedById" FROM "Contact" WHERE "LastName" = ? AND NOT "IsDeleted"'
    return [maker for (maker,) in simorg.database.rows(found, (last_name,))]


def test_a_lost_create_is_looked_for_among_ones_own_though_the_session_has_ended_meanwhile(replica, simorg):
    lost(replica, simorg, "before", LastName="Equal", Email="equal@example.com")
    (other, *_) = [each for (each,) in simorg.database.rows('SELECT "Id" FROM "User" WHERE "IsActive"', ())][-1:]
    simorg.create("Contact", [{"LastName": "Equal", "Email": "equal@example.com"}], user=other)
    simorg.clock.advance(60)
    simorg.sessions.end_all()

    pushed = replica("push")

    assert pushed.code == 0, pushed.err
    makers = named(simorg, "Equal")
    assert (len(makers), len(set(makers)), other in makers) == (2, 2, True)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_create_is_not_made_twice_though_another_user_is_connected_since(replica, simorg, drop):
    lost(replica, simorg, drop, LastName="Once", Email="once@example.com")
    (other,) = simorg.database.rows('SELECT "Id" FROM "User" WHERE "IsActive" ORDER BY "Id" DESC LIMIT 1', ())[0]
    pasted = simorg.sessions.open(other).token
    (replica.folder / ".env").write_text(f"SF_INSTANCE_URL={simorg.url}\nSF_ACCESS_TOKEN={pasted}\n")
    assert replica("connect").code == 0

    pushed = replica("push")

    assert len(named(simorg, "Once")) == (drop == "after")
    items = replica("inbox", "--json").json["items"]
    if drop == "after":
        assert (pushed.code, items) == (0, [])
    else:
        (item,) = items
        assert item["code"] == "CREATE_UNCERTAIN" and "Look for it in the org" in item["message"]
        replica("inbox", "retry", str(item["item"]))
        assert replica("push").code == 0
        assert named(simorg, "Once") == [other]


def test_a_lost_create_that_another_user_does_not_see_can_be_linked_by_its_id(replica, simorg):
    lost(replica, simorg, "after", LastName="Once", Email="once@example.com")
    ((made,),) = simorg.database.rows('SELECT "Id" FROM "Contact" WHERE "LastName" = ?', ("Once",))
    (other,) = simorg.database.rows('SELECT "Id" FROM "User" WHERE "IsActive" ORDER BY "Id" DESC LIMIT 1', ())[0]
    before = (replica.folder / ".env").read_text("utf-8")
    pasted = simorg.sessions.open(other).token
    (replica.folder / ".env").write_text(f"SF_INSTANCE_URL={simorg.url}\nSF_ACCESS_TOKEN={pasted}\n", "utf-8")
    assert replica("connect").code == 0
    nothing = {"totalSize": 0, "done": True, "records": []}
    simorg.faults.add(path="CreatedById", times=None, status=200, body=nothing)  # which that user may not see
    replica("push")
    simorg.faults.clear()
    (replica.folder / ".env").write_text(before, "utf-8")
    assert replica("connect").code == 0
    (item,) = replica("inbox", "--json").json["items"]
    number = str(item["item"])

    assert f"salesforce-sync inbox link {number} ID" in replica("inbox", "show", number).out
    assert "Sync it first, then link." in replica("inbox", "link", number, made).err
    replica("sync", "Contact")
    linked = replica("inbox", "link", number, made)

    assert linked.code == 0, linked.err
    assert replica("sync", "Contact").code == 0
    assert replica("query", "SELECT Id FROM Contact WHERE LastName = 'Once'", "--json").json["rows"] == [{"Id": made}]
    assert (len(named(simorg, "Once")), replica("inbox", "--json").json["items"]) == (1, [])


@pytest.mark.parametrize("hidden", ["object", "field"])
def test_a_lost_create_is_found_without_what_is_hidden_meanwhile_and_never_made_twice(replica, simorg, hidden):
    lost(replica, simorg, "after", LastName="Once", Email="once@example.com", Department="Once")
    if hidden == "object":
        simorg.permissions.deny("Contact", "read")
    else:
        simorg.permissions.hide_field("Contact", "Department")

    first = replica("sync", "Contact")
    waits = replica("inbox", "--json").json["items"]
    simorg.permissions.reset()
    simorg.clock.advance(4000)
    then = replica("sync", "Contact")

    assert (first.code == 0, waits) == (hidden == "field", [])
    assert then.code == 0, then.err
    assert len(named(simorg, "Once")) == 1
    assert replica("diff", "--json").json["changes"] == []


def test_an_undo_says_that_what_it_would_delete_was_merged_away(replica, simorg, jane):
    replica("new", "Contact", "LastName=Twice", "Phone=777")
    replica("push")
    ((made,),) = simorg.database.rows('SELECT "Id" FROM "Contact" WHERE "LastName" = ?', ("Twice",))
    (push,) = replica("pushes", "--json").json["pushes"]
    simorg.merge(jane, [made])
    simorg.clock.advance(60)
    replica("sync", "Contact")

    undone = replica("undo", push["push_id"], "--json")

    assert undone.code == 3
    assert [(each["id"], each["field"]) for each in undone.json["left"]] == [(made, "MasterRecordId")]


@pytest.mark.parametrize("of_all", [False, True])
def test_a_field_that_was_refused_is_sent_again_once_the_rule_is_changed(replica, simorg, jane, of_all):
    replica("edit", "Contact", jane, "Title=Precious")
    simorg.permissions.make_read_only("Contact", "Title")
    replica("push")
    meanwhile(simorg, jane, Department="Sales")
    replica("sync", "Contact")
    (item,) = replica("inbox", "--json").json["items"]
    assert item["code"] == "INVALID_FIELD_FOR_INSERT_UPDATE" and "Title" in item["message"]
    number = str(item["item"])
    assert f"salesforce-sync inbox retry {number}" in replica("inbox", "show", number).out

    said = replica("inbox", "retry", *(("--all", item["code"]) if of_all else (number,)))
    simorg.permissions.reset()
    assert replica("sync", "Contact").code == 0

    assert said.code == 0, said.err
    assert simorg.row(jane)["Title"] == "Precious"
    assert replica("inbox", "--json").json["items"] == []


def test_a_refused_field_is_known_as_that_though_another_field_comes_into_conflict(replica, simorg, jane):
    replica("edit", "Contact", jane, "Title=Precious")
    simorg.permissions.make_read_only("Contact", "Title")
    replica("push")
    replica("export", "Contact")
    meanwhile(simorg, jane, Department="Sales")
    replica("sync", "Contact")
    book = replica.folder / "Revenue_Cloud_Data.xlsx"
    edited = load_workbook(book)
    heads = [str(cell.value) for cell in edited["Contact"][1]]
    column = next(number for number, head in enumerate(heads, 1) if head.startswith("Department"))
    row = next(row for row in edited["Contact"].iter_rows(min_row=2) if jane in {cell.value for cell in row})
    row[column - 1].value = "Mine"
    edited.save(book)
    replica("import", str(book), "--apply")
    (item,) = replica("inbox", "--json").json["items"]
    number = str(item["item"])

    assert (item["code"], len(item["conflicts"])) == ("INVALID_FIELD_FOR_INSERT_UPDATE", 2)
    assert item["hint"] == "Take the org's values, the local ones, or write others."
    assert replica("inbox", "retry", number).code != 0  # one of its fields needs a decision
    assert replica("inbox", "take", number, "Department=Mine").code == 0
    simorg.permissions.reset()
    assert replica("inbox", "retry", "--all", item["code"], "--json").json["released"] == 1
    assert replica("sync", "Contact").code == 0
    assert (simorg.row(jane)["Title"], simorg.row(jane)["Department"]) == ("Precious", "Mine")


def test_what_the_org_has_refused_is_not_decided_with_all_conflicts(replica, simorg, jane):
    joe = simorg.add("Contact", LastName="Joe", Phone="1")
    replica("sync", "Contact")
    replica("edit", "Contact", joe, "Title=Precious")
    simorg.permissions.make_read_only("Contact", "Title")
    replica("push")
    replica("edit", "Contact", jane, "Phone=555-1111")
    meanwhile(simorg, jane, Phone="555-9999")
    replica("sync", "Contact")
    assert len(replica("inbox", "--json").json["items"]) == 2

    decided = replica("inbox", "take", "--all", "Contact", "org", "--json").json

    assert decided["decided"] == 1
    (left,) = replica("inbox", "--json").json["items"]
    assert left["id"] == joe
