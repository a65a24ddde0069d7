"""From an empty folder to records on the screen, and the next sync after the org has changed."""

import json
import stat

import apsw
import pytest

from salesforce_sync import SFSync


def rows(cli, sql):
    connection = apsw.Connection(str(cli.folder / "data/salesforce.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_init_makes_the_database_and_keeps_the_connection(user, simorg):
    done = user("init")
    (user.folder / ".env").unlink()

    assert (done.code, done.err) == (0, "")
    assert simorg.url in done.out
    assert user("status", "--json").json["connected_to"] == simorg.url
    assert user("sync", "Lead").code == 0


def test_init_without_credentials_makes_the_database_and_says_what_comes_next(cli):
    done = cli("init")

    assert done.code == 0
    assert (cli.folder / "data/salesforce.db").is_file()
    assert "salesforce-sync connect" in done.out


def test_the_first_sync_brings_every_row_of_the_four_objects(user, simorg):
    done = user("sync")

    assert (done.code, [line for line in done.err.splitlines() if " rows, " not in line]) == (0, [])
    for name in ("Contact", "Lead", "Account", "Opportunity"):
        assert rows(user, f'SELECT count(*) FROM "{name}"') == [(simorg.count(name),)]
    assert "✔️ FND → OS : sync_complete" in done.out.splitlines()
    assert any(line.startswith("📊 FND → OS : records_updated, count=") for line in done.out.splitlines())


def test_without_a_terminal_progress_is_plain_lines(user, simorg):
    done = user("sync", "Contact")

    assert f"Contact: {simorg.count('Contact')} of {simorg.count('Contact')} rows" in done.err
    assert "\x1b" not in done.out + done.err


def test_signals_can_be_off_and_addressed_to_somebody_else(user, simorg):
    user.settle(simorg.url, more="signals: {target: MESH}\n")
    addressed = user("sync", "Lead")
    user.settle(simorg.url, more="signals: {enabled: false}\n")
    off = user("sync", "Account")

    assert "✔️ FND → MESH : sync_complete" in addressed.out
    assert "FND" not in off.out


def test_the_second_sync_brings_what_has_changed(user, simorg):
    changed, deleted = simorg.add("Contact", LastName="To change"), simorg.add("Contact", LastName="To delete")
    user("sync")
    simorg.clock.advance(3600)
    simorg.change(changed, LastName="Changed")
    simorg.remove(deleted)
    created = simorg.add("Contact", LastName="Created")
    simorg.clock.advance(3600)

    done = user("sync", "--json")

    contact = next(each for each in done.json["objects"] if each["object"] == "Contact")
    assert (done.code, done.json["state"], done.json["changed"]) == (0, "complete", 3)
    assert (contact["inserted"], contact["updated"], contact["deleted"]) == (1, 1, 1)
    assert rows(user, "SELECT Id FROM Contact WHERE LastName = 'Created'") == [(created,)]
    assert rows(user, f"SELECT LastName FROM Contact WHERE Id = '{changed}'") == [("Changed",)]
    assert rows(user, f"SELECT IsDeleted FROM Contact WHERE Id = '{deleted}'") == [(1,)]


def test_a_field_that_the_org_has_no_more_is_told(user, simorg):
    simorg.add_field("Contact", "Passing__c", "string 40")
    passing = simorg.add("Contact", LastName="Passing", Passing__c="kept")
    user("sync", "Contact")
    simorg.remove_field("Contact", "Passing__c")

    done = user("sync", "Contact")

    assert done.code == 0
    assert "🧩 FND → OS : schema_changed, object=Contact, removed=Passing__c" in done.out
    assert rows(user, f"SELECT Passing__c FROM Contact WHERE Id = '{passing}'") == [("kept",)]


def test_a_sync_of_nothing_new_changes_nothing_and_says_complete(user):
    first = user("sync", "--json")

    again = user("sync", "--json")

    assert (first.code, first.err) == (0, "")
    assert (again.code, again.json["state"], again.json["changed"]) == (0, "complete", 0)


def test_an_object_that_is_not_configured_can_be_named(user, simorg):
    done = user("sync", "Widget__c", "--json")

    assert [each["object"] for each in done.json["objects"]] == ["Widget__c"]
    assert rows(user, "SELECT count(*) FROM Widget__c") == [(simorg.count("Widget__c"),)]


def test_status_shows_what_is_here_without_asking_the_org(user, simorg):
    user("sync")
    before = simorg.usage.used

    text, document = user("status"), user("status", "--json").json

    assert simorg.usage.used == before
    assert "Contact" in text.out and "complete" in text.out
    assert document["database"] == str(user.folder / "data/salesforce.db")
    assert {each["object"]: each["rows"] for each in document["objects"]}["Contact"] == simorg.count("Contact")
    assert {each["last_run"]["state"] for each in document["objects"]} == {"complete"}


def test_query_answers_from_the_replica(user, simorg):
    user("sync", "Contact")

    text = user("query", "SELECT count(*) AS contacts FROM Contact")
    document = user("query", "SELECT Id, LastName FROM Contact", "--limit", "3", "--json").json

    assert text.out.split() == ["contacts", "─" * 8, str(simorg.count("Contact"))]
    assert (document["columns"], len(document["rows"]), document["cut"]) == (["Id", "LastName"], 3, True)
    assert all(len(row["Id"]) == 18 for row in document["rows"])


def test_an_answer_in_json_is_json_whatever_sql_reckons(user):
    user("init")

    answer = user("query", "SELECT 1e999 AS most, -1e999 AS least", "--json").out

    strict = json.loads(answer, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert strict["rows"] == [{"most": "Infinity", "least": "-Infinity"}]


@pytest.mark.parametrize("sql", ["DELETE FROM Contact", "DROP TABLE Contact", "PRAGMA user_version = 9"])
def test_query_can_only_read(user, simorg, sql):
    user("sync", "Contact")

    refused = user("query", sql)

    assert refused.code != 0
    assert rows(user, "SELECT count(*) FROM Contact") == [(simorg.count("Contact"),)]


def test_the_objects_of_the_org_are_listed(user):
    listed = user("objects", "--json").json["objects"]

    assert {"object": "Widget__c", "label": "Widget", "custom": True} in listed
    assert "Contact" in user("objects").out


def test_python_reads_what_the_command_line_synced(user, simorg, monkeypatch):
    user("sync")
    monkeypatch.chdir(user.folder)

    with SFSync() as sync:
        contacts = list(sync.contacts.all())
        one = sync.contacts.get(contacts[0].id[:15])

    assert len(contacts) == simorg.count("Contact")
    assert one.id == contacts[0].id


def test_every_file_is_private(user):
    user("init")
    user("sync")

    modes = {
        str(each.relative_to(user.folder)): stat.S_IMODE(each.stat().st_mode)
        for each in (user.folder / "data").rglob("*")
    }
    assert "data/salesforce.db" in modes and "data/salesforce.db.connection" in modes
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_the_options_may_stand_before_or_after_the_command(user):
    user("sync", "Lead")
    (user.folder / "config.yaml").rename(user.folder / "other.yaml")

    before = user("--json", "--config", "other.yaml", "status")
    after = user("status", "--config", "other.yaml", "--json")

    assert before.json == after.json
    assert [each["object"] for each in before.json["objects"]] == ["Lead"]


def test_a_new_field_of_archived_activities_is_filled_too(user, simorg):
    fields = {"Subject": "string 255 name", "IsArchived": "boolean readonly"}
    simorg.add_object("Task", {"label": "Task", "plural": "Tasks", "prefix": "00T", "fields": fields})
    old = simorg.add("Task", Subject="called")
    with simorg.transaction():
        simorg.database.update("Task", old, {"IsArchived": 1})
    simorg.clock.advance(3600)  # the newest rows come whole with every poll
    simorg.add("Task", Subject="to call")
    first = user("sync", "Task")
    simorg.add_field("Task", "Counts__c", "boolean default:true")

    second = user("sync", "Task")

    assert (first.code, second.code) == (0, 0)
    assert rows(user, "SELECT Subject, IsArchived, Counts__c FROM Task ORDER BY Subject") == [
        ("called", 1, 1),
        ("to call", 0, 1),
    ]
