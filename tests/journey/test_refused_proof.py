"""A verify that finds too much gone, and asks: what was proved before it does not stand any more."""

from datetime import timedelta

import pytest

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.models.run import RunState

REFUSED = "22 of 40 rows of Contact are gone in the org, or no longer visible."


@pytest.fixture
def hidden(user, simorg):
    """Rows of a proved object that the user does not see any more, so that no stamp moves."""
    user("sync", "Contact")
    user("verify", "Contact")
    ids = [record_id for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"')][:22]
    for record_id in ids:
        simorg.hide_record(record_id)
    simorg.clock.advance(7200)
    assert user("verify", "Contact").code == 1
    return ids


def test_no_sync_is_complete_while_rows_that_a_verify_missed_wait_for_a_yes(user, hidden):
    ran = user("sync", "Contact")

    assert ran.code == 1
    assert REFUSED in ran.err


def test_status_says_beside_the_old_proof_that_rows_were_found_gone_since(user, hidden):
    (line,) = (each for each in user("status").out.splitlines() if "proved" in each)
    (shown,) = user("status", "--json").json["objects"]

    assert line.startswith("Contact 40 = 40, proved ")
    assert line.endswith(f"; refused since: {REFUSED} If that is right: `salesforce-sync sync --accept-loss Contact`.")
    assert shown["loss_refused"] == REFUSED


def test_a_yes_to_a_sync_takes_the_rows_out_and_proves_the_object(user, hidden):
    assert user("sync", "Contact", "--accept-loss", "Contact").code == 0

    (shown,) = user("status", "--json").json["objects"]
    assert (shown["rows"], shown["proof"]["rows"], shown["loss_refused"]) == (18, 18, None)


def test_rows_that_are_shown_again_need_no_yes(user, simorg, hidden):
    for record_id in hidden:
        simorg.show_record(record_id)

    assert user("sync", "Contact").code == 0

    (shown,) = user("status", "--json").json["objects"]
    assert (shown["proof"]["rows"], shown["loss_refused"]) == (40, None)


def test_a_sync_is_partial_where_the_calls_are_too_few_to_look_for_them(user, simorg, hidden):
    simorg.usage.reset(used=simorg.usage.limit * 85 // 100)  # proofs stop at 80 %

    ran = user("sync", "Contact")

    assert ran.code == 5
    assert "API_BUDGET_SPENT: Contact: " in ran.err
    assert REFUSED in user("status").out


# ── what a loss costs while nobody has decided ───────────────────────────────────────────────────────────────────


@pytest.fixture
def sync(synced, clock):
    """The replica of the four default objects, all of them proved."""
    assert synced.verify()[0].state is RunState.COMPLETE
    clock.advance(timedelta(seconds=1))
    return synced


def contacts(simorg):
    return [each for (each,) in simorg.database.rows('SELECT "Id" FROM "Contact"')]


def hide(simorg, ids):
    simorg.clock.advance(7200)
    for each in ids:
        simorg.hide_record(each)


def told(run):
    (record,) = (each for each in run.objects if each.object_name == "Contact")
    return record.problem and record.problem.message


def test_a_quiet_sync_of_all_tells_it_again_for_no_more_than_its_one_call(sync, simorg, clock):
    hide(simorg, contacts(simorg)[:22])
    sync.verify()
    simorg.add("Contact", LastName="New")

    for _ in range(3):
        clock.advance(timedelta(minutes=15))
        run = sync.sync()

        assert (run.state, told(run), run.calls) == (RunState.PARTIAL, REFUSED, 1)
    assert sync.contacts.search(last_name="New")
    assert sync.status().objects[1].loss_refused == REFUSED


def test_after_an_hour_it_is_looked_for_again(sync, simorg, clock):
    gone = contacts(simorg)[:22]
    hide(simorg, gone)
    sync.verify()
    for each in gone:
        simorg.show_record(each)
    clock.advance(timedelta(minutes=59))
    assert told(sync.sync()) == REFUSED
    clock.advance(timedelta(minutes=1))

    run = sync.sync()

    assert run.state is RunState.COMPLETE
    assert sync.status().objects[1].loss_refused is None


def test_whoever_names_the_object_has_it_looked_for(sync, simorg):
    gone = contacts(simorg)[:22]
    hide(simorg, gone)
    sync.verify()
    for each in gone:
        simorg.show_record(each)

    assert sync.sync("Contact").state is RunState.COMPLETE


def test_without_a_schedule_of_proofs_it_is_told_all_the_same(user, simorg, sync, clock):
    user.settle(simorg.url, more="  verify_hours: 0\n")
    gone = contacts(simorg)[:22]
    hide(simorg, gone)
    sync.verify()
    clock.advance(timedelta(hours=3))

    with SFSync(Config.load(user.folder / "config.yaml"), clock=clock) as unscheduled:
        run = unscheduled.sync()
        assert (told(run), run.calls) == (REFUSED, 1)
        assert unscheduled.sync("Contact", accept_loss=["Contact"]).state is RunState.COMPLETE
    assert len(sync.contacts.all()) == 18


def test_young_rows_that_are_gone_are_not_listed_again_in_each_sync(sync, simorg, clock):
    simorg.clock.advance(7200)
    simorg.create("Contact", [{"LastName": f"Many {number}"} for number in range(60)])
    sync.sync()
    young = [each for (each,) in simorg.database.rows("""SELECT "Id" FROM "Contact" WHERE "LastName" LIKE 'Many%'""")]
    for each in young[:22]:
        simorg.hide_record(each)
    said = told(sync.sync())
    assert said == "22 of 100 rows of Contact are gone in the org, or no longer visible."

    clock.advance(timedelta(minutes=15))
    run = sync.sync()

    assert (told(run), run.calls) == (said, 1)


def test_what_comes_late_among_many_young_rows_comes_while_a_loss_waits(sync, simorg):
    hide(simorg, contacts(simorg)[:22])
    sync.verify()
    with simorg.late_commit(60):
        simorg.add("Contact", LastName="Late")
    simorg.clock.advance(5)
    simorg.create("Contact", [{"LastName": f"Many {number}"} for number in range(300)])
    simorg.clock.advance(30)
    sync.sync()
    assert not sync.contacts.search(last_name="Late")
    simorg.clock.advance(30)

    assert told(sync.sync()) == REFUSED

    assert sync.contacts.search(last_name="Late")


@pytest.fixture
def deleted(sync, simorg):
    """Contacts that somebody has deleted in the org, and that a sync has left here."""
    gone = contacts(simorg)[:22]
    simorg.clock.advance(7200)
    for each in gone:
        simorg.remove(each)
    assert told(sync.sync()) == "22 of 40 rows of Contact are gone in the org."
    return gone


def test_a_loss_that_a_sync_has_met_costs_nothing_until_somebody_decides(sync, simorg, clock, deleted):
    sync.sync()

    for _ in range(3):
        clock.advance(timedelta(minutes=10))
        run = sync.sync()

        assert (told(run), run.calls) == ("22 of 40 rows of Contact are gone in the org.", 1)


@pytest.mark.parametrize("names", [(), ("Contact",)])
def test_deletions_that_were_taken_back_need_no_yes(sync, simorg, clock, deleted, names):
    for each in deleted:
        simorg.undelete([each])
    clock.advance(timedelta(hours=1 if not names else 0))

    assert sync.sync(*names).state is RunState.COMPLETE

    assert len(sync.contacts.all()) == 40
    assert sync.status().objects[1].loss_refused is None


def test_what_is_there_again_is_not_removed_by_a_yes(sync, simorg, deleted):
    sync.sync()
    for each in deleted[:20]:
        simorg.undelete([each])

    run = sync.sync("Contact", accept_loss=["Contact"])

    assert run.state is RunState.COMPLETE
    assert [each.counts.deleted for each in run.objects] == [2]
    assert len(sync.contacts.all()) == 38


@pytest.mark.parametrize("more", ["", "  verify_hours: 0\n"])
def test_a_loss_that_somebody_agreed_to_is_not_refused_again_because_the_proof_behind_it_failed(user, simorg, more):
    user.settle(simorg.url, objects="Contact", more=more)
    user("sync")
    simorg.clock.advance(3600)
    simorg.delete([key for (key,) in simorg.database.rows('SELECT "Id" FROM "Contact" LIMIT 15')])
    assert user("sync").code == 1
    refused = [{"errorCode": "API_DISABLED_FOR_ORG", "message": "Not now."}]
    simorg.faults.add(path=r"jobs/query|/query\?", status=403, body=refused, times=None)
    cut = user("sync", "Contact", "--accept-loss", "Contact")
    simorg.faults.clear()

    ran = user("sync")

    assert (cut.code, ran.code) == (1, 0), ran.err
    (shown,) = user("status", "--json").json["objects"]
    assert (shown["rows"], shown["loss_refused"]) == (25, None)
