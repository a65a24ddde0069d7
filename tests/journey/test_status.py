"""What `status` tells in a process of its own: calls and proofs, and how each object is kept complete."""

from openpyxl import load_workbook

STAMPS = ["SystemModstamp", "LastModifiedDate", "CreatedDate"]


def lines(user, *arguments):
    done = user(*arguments)
    assert done.code == 0
    return done.out.splitlines()


def test_who_reads_an_object_whose_first_sync_has_not_ended_is_told(user, simorg):
    user.settle(simorg.url, objects="Contact, Account")
    simorg.add("Contact", LastName="Doe")
    simorg.add("Account", Name="Acme")
    simorg.faults.add(path="FROM%20Contact", status=400, times=20)
    assert user("sync").code != 0

    said = user("query", "SELECT count(*) FROM Contact").err
    other = user("query", "SELECT count(*) FROM Account").err
    told = user("query", "WITH c AS (SELECT * FROM contact) SELECT count(*) FROM c", "--json").json
    named = user("query", "SELECT Name AS Contact FROM Account WHERE 'Contact' <> '' ORDER BY Contact")
    exported = user("export")

    assert "Contact: its first sync has not come to its end, so rows are missing." in said
    assert (other, named.err, told["unfinished"]) == ("", "", ["Contact"])
    assert "Contact: its first sync" in exported.err and "Account: its first" not in exported.err
    assert user("export", "--json").json["unfinished"] == ["Contact"]
    rows = load_workbook(user.folder / "Revenue_Cloud_Data.xlsx")["_Metadata"].iter_rows(values_only=True)
    assert [row[0] for row in rows if any("rows are missing" in str(cell) for cell in row)] == ["Contact"]
    simorg.faults.clear()
    assert user("sync").code == 0
    assert user("query", "SELECT count(*) FROM Contact").err == ""


def test_before_the_first_sync_nothing_is_known_and_that_is_said(user):
    told = "\n".join(lines(user, "status"))

    assert "at most 15,000 in 24 hours; the org has not said how many are used" in told
    assert "at least 8 API calls (first load of Contact, Lead, Account, Opportunity)" in told


def test_another_process_knows_what_is_used_left_and_to_be_expected(user, simorg):
    user("sync")

    calls = user("status", "--json").json["api_calls"]
    told = "\n".join(lines(user, "status"))

    assert (calls["used"], calls["limit"], calls["ceiling"]) == (simorg.usage.used, 15_000, 15_000)
    assert calls["left"] == 14_250 - simorg.usage.used
    assert calls["next_sync"] == {
        "calls": 1,
        "shared": 1,
        "objects": {"Contact": 0, "Lead": 0, "Account": 0, "Opportunity": 0},
    }
    assert calls["told"] is not None
    assert not calls["warning"]
    assert f"{simorg.usage.used} of 15,000 used in 24 hours" in told
    assert "the next sync takes about 1 API call;" in told
    assert f"; {calls['day']} a day, each object at its interval" in told
    before = simorg.usage.used
    assert user("sync").code == 0
    assert simorg.usage.used == before + calls["next_sync"]["calls"]


def test_the_smaller_limit_holds_and_a_person_is_warned_from_four_fifths_on(user, simorg):
    user.settle(simorg.url, more="  api_calls_per_day: 1000\n")
    simorg.usage.add(850)

    synced = user("sync", "Lead")
    calls = user("status", "--json").json["api_calls"]

    assert "api_limit_warning" in synced.out
    assert (calls["limit"], calls["ceiling"], calls["warning"]) == (15_000, 1000, True)
    assert any(line.startswith("WARNING") for line in lines(user, "status"))


def test_at_the_wall_a_run_is_partial_and_says_when_to_try_again(user, simorg):
    user("init")
    simorg.usage.reset(14_990)

    done, document = user("sync", "Lead"), user("sync", "Account", "--json")

    assert (done.code, document.code) == (5, 5)
    assert document.json["state"] == "partial"
    assert "The next try is at " in done.out
    assert document.json["again_at"] is not None
    assert simorg.usage.used < 14_995


def test_a_proof_stands_with_its_repairs_and_its_time(user, simorg):
    user("sync", "Contact")
    simorg.purge([row[0] for row in simorg.db.execute('SELECT "Id" FROM "Contact" LIMIT 2')])
    user("verify", "Contact")

    (proof,) = [line for line in lines(user, "status") if line.startswith("Contact 38 = 38, proved ")]

    assert proof.endswith(", 2 purged rows repaired")


def test_what_is_purged_as_a_minute_begins_is_told_as_purged(user, simorg):
    """The org's log of deletions has whole minutes, and answers tell the second in which they began."""
    user("sync", "Contact")
    simorg.clock.set(simorg.clock.now_ms() // 60_000 * 60_000 + 60_000)
    simorg.purge([row[0] for row in simorg.db.execute('SELECT "Id" FROM "Contact" LIMIT 2')])
    user("verify", "Contact")

    (proof,) = [line for line in lines(user, "status") if line.startswith("Contact 38 = 38, proved ")]

    assert proof.endswith(", 2 purged rows repaired")


def test_an_object_without_a_stamp_is_read_whole_and_status_says_so(user, simorg):
    simorg.permissions.hide_field("Widget__c", *STAMPS)
    user("sync", "Widget__c")
    (widget,) = simorg.db.execute('SELECT "Id" FROM "Widget__c" LIMIT 1').fetchone()
    simorg.change(widget, Text__c="another")
    user("sync", "Widget__c")

    told = lines(user, "status")

    assert any(line.startswith("Widget__c") and "reading every row" in line for line in told)
    assert "Widget__c has no stamp to ask by: every sync reads all its rows, so none is missed." in told
    assert user("query", f"SELECT Text__c FROM Widget__c WHERE Id = '{widget}'", "--json").json["rows"] == [
        {"Text__c": "another"}
    ]


def test_of_an_object_that_cannot_be_queried_status_does_not_say_how_it_is_read(user, simorg):
    fields = {"Text__c": "string 9"}
    declaration = {"label": "Note", "plural": "Notes", "prefix": "e00", "fields": fields, "flags": {"queryable": False}}
    simorg.add_object("Note__e", declaration)
    simorg.permissions.hide_field("Note__e", *STAMPS)
    assert user("sync", "Note__e").code == 6

    (shown,) = user("status", "--json").json["objects"]

    assert "has no stamp to ask by" not in user("status").out
    assert (shown["changes_found_by"], shown["last_run"]["problem"]["code"]) == ("", "NOT_QUERYABLE")


def test_of_an_object_that_was_never_read_whole_status_does_not_say_that_none_is_missed(user, simorg):
    simorg.permissions.hide_field("Widget__c", *STAMPS)
    simorg.faults.add(path="FROM%20Widget__c", status=400, times=20)
    assert user("sync", "Widget__c").code != 0

    told = lines(user, "status")

    assert any(line.startswith("Widget__c") and "reading every row" in line for line in told)
    assert not any("none is missed" in line for line in told)


def test_rows_of_a_history_that_are_gone_are_found_by_verify_and_status_says_so(user, simorg):
    fields = {"Field": "string 40 name"}
    simorg.add_object("AccountHistory", {"label": "History", "plural": "Histories", "prefix": "017", "fields": fields})
    simorg.permissions.hide_field("AccountHistory", "LastModifiedDate", "SystemModstamp")
    old = simorg.add("AccountHistory", Field="Phone")
    simorg.clock.advance(3600)
    simorg.add("AccountHistory", Field="Fax")
    user("sync", "AccountHistory")
    simorg.remove(old)
    user("sync", "AccountHistory")

    told = lines(user, "status")

    assert "AccountHistory has no stamp that moves when a row is deleted: verify finds what is gone." in told
    assert user("verify", "AccountHistory").code == 0
    assert user("query", "SELECT Field FROM AccountHistory WHERE IsDeleted = 0", "--json").json["rows"] == [
        {"Field": "Fax"}
    ]


def test_deletions_that_the_stamp_does_not_tell_of_are_found_by_verify_and_status_says_so(user, simorg):
    simorg.permissions.hide_field("Contact", "SystemModstamp")
    user("sync", "Contact", "Lead")
    gone = simorg.db.execute('SELECT "Id" FROM "Contact" LIMIT 1').fetchone()[0]
    simorg.clock.advance(3600)
    simorg.remove(gone)
    user("sync", "Contact")

    told = "\n".join(lines(user, "status"))

    assert (
        "Contact is asked by LastModifiedDate, which a deletion does not move, nor an undeletion: "
        "verify finds what is deleted or back." in told
    )
    assert "Lead is asked by" not in told
    assert user("verify", "Contact").code == 0
    assert user("query", "SELECT COUNT(*) AS n FROM Contact WHERE IsDeleted = 0", "--json").json["rows"] == [{"n": 39}]


def test_a_refresh_or_an_interval_of_something_that_is_not_there_is_told(user, simorg):
    user("sync", "Account")
    named = "refresh_fields: [Account.Skore__c, account.sic, Contakt.Score__c, Lead.Score__c], intervals: {Konto: 5}"
    user.settle(simorg.url, more="  " + named.replace("], ", "]\n  ") + "\n")

    told = user("status", "--json").json["warnings"]

    assert [" ".join(each.split()[:3]) for each in told] == [
        "sync.refresh_fields names Account.Skore__c:",
        "sync.refresh_fields names Contakt.Score__c:",
        "sync.intervals names konto:",
    ]
    assert user("sync", "Account").code == 0


def test_a_policy_for_something_that_is_not_there_is_told(user, simorg):
    user("sync", "Account", "Contact")
    named = "{Contakt: org, Contact.Fone: local, Contact.Phone: org, Account: newest}"
    user.settle(simorg.url, more=f"  conflicts: {named}\n")

    synced, status = user("sync", "Account"), user("status", "--json")

    assert synced.code == 0
    assert "sync.conflicts names contakt: no object contakt is synced here." in synced.err
    assert "sync.conflicts names contact.fone: Contact has no field 'fone'." in synced.err
    assert [each.split()[2] for each in status.json["warnings"]] == ["contakt:", "contact.fone:"]


def test_formulas_of_an_object_whose_first_load_did_not_end_were_never_read(user, simorg):
    refusal = [{"message": "Not now.", "errorCode": "SOME_REASON"}]
    simorg.faults.add(path="/query.*FROM.Lead|/query.*FROM%20Lead", status=400, body=refusal, times=None)
    user("sync", "Lead")

    (lead,) = user("status", "--json").json["objects"]
    (told,) = [line for line in lines(user, "status") if line.startswith("Lead  ")]

    assert (lead["formulas_read"], lead["has_formulas"], lead["last_complete"]) == (None, True, None)
    assert told.endswith("never")
