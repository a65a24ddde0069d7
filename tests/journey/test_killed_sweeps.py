"""What reads some columns of all rows (a verify, formulas, new fields) and is killed in the middle of its pages.

The next run reads on, and the Bulk job is not paid for twice.
"""

import signal

import apsw
import pytest

from tests.journey.killing import start, until


@pytest.fixture
def many(user, simorg):
    """Somebody who has the org's forty contacts here."""
    user.settle(simorg.url, objects="Contact")
    assert user("sync").code == 0
    return user


def on_the_disk(user):
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        return sum(rows for (rows,) in db.execute("SELECT durable FROM _sync_staging"))


def kill_at_a_page(user, simorg, command, number):
    """Start the command, and kill it while the org sends this page of a Bulk result; those before are on the disk."""
    fault = simorg.faults.add(path="/results", nth=number, delay=60)
    running = command()
    until(lambda: simorg.faults.happened(fault))
    until(lambda: on_the_disk(user) == 8 * (number - 1))
    running.send_signal(signal.SIGKILL)
    running.communicate()
    simorg.faults.remove(fault)


def calls(simorg, method, end):
    return sum(n for name, n in simorg.usage.counters.items() if name.startswith(method) and name.endswith(end))


def proofs(user):
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        return db.execute("SELECT rows, org_rows, repaired FROM _sync_proof").fetchall()


def test_a_killed_verify_reads_on_in_the_next_one(many, simorg):
    kill_at_a_page(many, simorg, lambda: start(many, "verify"), 3)
    (changed,), (gone,) = simorg.database.rows('SELECT "Id" FROM "Contact" ORDER BY "Id" LIMIT 2', ())
    simorg.change(changed, LastName="Changed")
    simorg.remove(gone)
    simorg.add("Contact", LastName="New")

    running = start(many, "verify", "--json")
    out, err = running.communicate(timeout=60)

    assert running.returncode == 0, (out, err)
    assert calls(simorg, "POST", "/jobs/query") == 1
    assert proofs(many) == [(40, 40, "[]")]
    # The five pages of forty rows, each once, and the one in which the kill came, if it had been counted.
    assert calls(simorg, "GET", "/results") in (5, 6)


def test_a_killed_daemon_goes_on_with_its_verify(many, simorg):
    many.settle(simorg.url, objects="Contact", more="  refresh_hours: 0\n")
    with apsw.Connection(str(many.folder / "data/salesforce.db")) as db:
        db.execute("UPDATE _sync_run SET started = '2020-01-01T00:00:00.000Z', finished = '2020-01-01T00:00:01.000Z'")
    kill_at_a_page(many, simorg, lambda: start(many, "daemon"), 4)

    running = start(many, "daemon")
    until(lambda: proofs(many))
    running.terminate()
    running.communicate(timeout=60)

    assert proofs(many) == [(40, 40, "[]")]
    assert calls(simorg, "POST", "/jobs/query") == 1


def titles(user):
    with apsw.Connection(str(user.folder / "data/salesforce.db")) as db:
        return dict(db.execute("SELECT Id, Title FROM Contact").fetchall())


def in_the_org(simorg, field):
    return dict(simorg.database.rows(f'SELECT "Id", "{field}" FROM "Contact" WHERE "IsDeleted" = 0', ()))


def test_a_killed_refresh_reads_on_in_the_next_sync(many, simorg):
    many.settle(simorg.url, objects="Contact", more="  refresh_hours: 1\n  refresh_fields: [Contact.Title]\n")
    with apsw.Connection(str(many.folder / "data/salesforce.db")) as db:
        db.execute("UPDATE _sync_object SET refreshed_at = '2020-01-01T00:00:00.000Z'")
    simorg.clock.advance(3600)
    with simorg.transaction():
        for each in in_the_org(simorg, "Title"):
            simorg.database.update("Contact", each, {"Title": "as a formula"})
    kill_at_a_page(many, simorg, lambda: start(many, "sync"), 3)
    (changed,) = simorg.database.rows('SELECT "Id" FROM "Contact" ORDER BY "Id" LIMIT 1', ())[0]
    simorg.change(changed, Title="Changed")

    running = start(many, "sync", "--json")
    out, err = running.communicate(timeout=60)

    assert running.returncode == 0, (out, err)
    assert calls(simorg, "POST", "/jobs/query") == 1
    assert titles(many) == in_the_org(simorg, "Title")
    assert calls(simorg, "GET", "/results") in (5, 6)


def test_a_killed_filling_of_a_new_field_reads_on_in_the_next_sync(many, simorg):
    simorg.clock.advance(3600)
    simorg.add_field("Contact", "Colour__c", "string 40")
    with simorg.transaction():
        for each in in_the_org(simorg, "Colour__c"):
            simorg.database.update("Contact", each, {"Colour__c": "red"})
    kill_at_a_page(many, simorg, lambda: start(many, "sync"), 3)

    running = start(many, "sync", "--json")
    out, err = running.communicate(timeout=60)

    assert running.returncode == 0, (out, err)
    assert calls(simorg, "POST", "/jobs/query") == 1
    with apsw.Connection(str(many.folder / "data/salesforce.db")) as db:
        assert dict(db.execute("SELECT Id, Colour__c FROM Contact").fetchall()) == in_the_org(simorg, "Colour__c")
    assert calls(simorg, "GET", "/results") in (5, 6)
