"""The verifier: a listing that broke off goes on, in whatever run, and tells no more differences than there are."""

from datetime import timedelta

import pytest

from salesforce_sync.errors import LossRefused, RequestRefused, Stopped, Unreachable
from salesforce_sync.models.change import LossLimit
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import RunState
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from salesforce_sync.sync.verify import MOST_REPAIRS
from salesforce_sync.testing import make_field, make_schema
from tests.unit.orgs import FORMS, Asked, fill, replica

HOUR = 3_600


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    return FORMS[request.param](tmp_path)


class Rig(Asked):
    """Runs between an org and a store."""

    def verify(self, share=0.2):
        rules = Rules(loss=LossLimit(share, 1))
        return SyncEngine(self.org, self.world.store, self.world.clock, Bus(), rules).verify(["Account"])

    def listings(self):
        """Where each listing of all rows began that was asked for: None is the start."""
        return [each.resume for each in self.asked if each.since is None and each.schema == each.schema.listed]


@pytest.fixture
def rig(org, world):
    """An org with eleven accounts, all of them here: ten are older than the next pulls look back."""
    fill(org)
    org.tick(HOUR)
    org.put("Account", Name="Newest")
    rig = Rig(org, world)
    SyncEngine(org, world.store, world.clock, Bus()).run(["Account"])
    org.tick(HOUR)
    rig.asked.clear()
    return rig


def miss_a_late_row(rig):
    """One becomes visible hours after its stamp, when newer ones have been read."""
    with rig.org.late_commit() as late:
        rig.org.put("Account", Name="Late")
    rig.org.tick(HOUR)
    rig.org.put("Account", Name="Newest")
    rig.org.tick(HOUR)
    SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus()).run(["Account"])
    late()


def break_off(rig):
    """A verify that ends after its first page, as if it were killed."""
    rig.org.fail(Stopped(), "Account", page=2)
    assert rig.verify().state is not RunState.COMPLETE
    rig.world.restart()


def test_a_verify_that_broke_off_goes_on_in_the_next_run(rig):
    break_off(rig)

    assert rig.verify().state is RunState.COMPLETE
    first, second = rig.listings()
    assert first is None
    assert second is not None
    assert rig.world.store.proof("Account").org_rows == 11


def test_what_has_changed_meanwhile_is_no_difference(rig):
    made = sorted(rig.org.live("Account"))
    break_off(rig)
    rig.org.put("Account", made[0], Name="Changed")
    rig.org.delete("Account", made[9])
    rig.org.put("Account", Name="New")
    rig.org.tick(HOUR)

    run = rig.verify()

    proof = rig.world.store.proof("Account")
    assert run.state is RunState.COMPLETE
    assert (proof.org_rows, proof.rows, proof.repaired) == (11, 11, ())
    assert len(rig.listings()) == 2
    assert rig.equal


def test_a_row_that_was_missing_all_the_time_is_still_found(rig):
    miss_a_late_row(rig)
    break_off(rig)

    rig.verify()

    assert rig.world.store.proof("Account").repaired == ((Cause.LATE, 1),)
    assert rig.equal


def test_a_row_that_was_purged_after_it_was_listed_is_found_by_a_new_listing(rig):
    made = sorted(rig.org.live("Account"))
    break_off(rig)
    rig.org.purge("Account", made[0])
    rig.org.tick(HOUR)

    assert rig.verify().state is RunState.COMPLETE

    assert rig.equal
    assert [each is None for each in rig.listings()] == [True, False, True]


def test_a_row_that_became_visible_late_after_it_was_not_listed_is_found_by_a_new_listing(rig):
    with rig.org.late_commit() as late:
        rig.org.put("Account", Name="Late")
    rig.org.tick(HOUR)
    rig.org.put("Account", Name="Newest")
    rig.org.tick(HOUR)
    SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus()).run(["Account"])
    break_off(rig)
    late()

    assert rig.verify().state is RunState.COMPLETE

    assert rig.equal


def test_a_proof_is_of_the_time_when_its_listing_was_begun(rig):
    """Of what was purged since, while as many became visible late, it knows nothing."""
    break_off(rig)
    rig.org.tick(20 * HOUR)
    rig.world.clock.advance(timedelta(hours=20))

    assert rig.verify().state is RunState.COMPLETE

    age = rig.world.clock.now() - rig.world.store.proof("Account").at
    assert timedelta(hours=20) <= age < timedelta(hours=21)


def test_rows_that_are_shown_again_are_no_loss(rig):
    """They were hidden by a mistake of the org's when the listing was begun: nobody has to agree to that any more."""
    table = rig.org._rows["Account"]
    hidden = {key: table.pop(key) for key in sorted(table)[5:]}
    fill(rig.org, 8)
    break_off(rig)
    table.update(hidden)

    assert rig.verify().state is RunState.COMPLETE
    assert rig.equal


def test_a_loss_is_judged_by_a_listing_of_its_own(rig):
    made = sorted(rig.org.live("Account"))
    break_off(rig)
    for each in made[3:10]:
        rig.org.purge("Account", each)
    rig.org.tick(HOUR)
    rig.org.expire_locators()

    (record,) = rig.verify().objects

    assert record.problem.code == LossRefused("").code
    assert rig.world.store.kept(PullRequest(rig.world.store.schema("Account").listed)) is None


def test_a_listing_that_the_org_has_forgotten_is_begun_anew(rig):
    break_off(rig)
    rig.org.expire_locators()

    assert rig.verify().state is RunState.COMPLETE
    assert rig.listings()[0] is rig.listings()[2] is None
    assert rig.equal


def test_a_listing_that_is_days_old_is_begun_anew(rig):
    break_off(rig)
    rig.org.tick(2 * 24 * HOUR)

    assert rig.verify().state is RunState.COMPLETE
    assert rig.listings() == [None, None]


def test_a_listing_that_breaks_off_within_a_run_goes_on_after_its_last_page(rig):
    rig.org.fail(Unreachable("reset"), "Account", page=2)

    assert rig.verify().state is RunState.COMPLETE
    first, second = rig.listings()
    assert first is None
    assert second is not None


def test_a_pull_of_all_rows_is_compared_with_a_listing_of_its_own(rig):
    """An object without a stamp comes whole each time; an older listing knows rows that are gone."""
    bare = ObjectSchema("Bare__c", "Bare", (make_field("Id", "id"), make_field("Name", "string")))
    rig.org.define(bare)
    made = [rig.org.put("Bare__c", Name=f"Bare {number}") for number in range(11)]
    engine = SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus())
    engine.run(["Bare__c"])
    pull, listings = rig.org.pull, []

    def cut(request):
        if request.schema == request.schema.listed:
            listings.append(request)
            if len(listings) == 1:
                rig.org.fail(Stopped(), "Bare__c", page=2)
        return pull(request)

    rig.org.pull = cut
    assert engine.verify(["Bare__c"]).state is not RunState.COMPLETE
    rig.org.purge("Bare__c", made[0])
    store = rig.world.restart()

    SyncEngine(rig.org, store, rig.world.clock, Bus()).run(["Bare__c"])

    assert replica(store, "Bare__c") == rig.org.live("Bare__c")


def test_a_comparison_that_broke_off_after_the_listing_asks_for_no_other(rig):
    miss_a_late_row(rig)
    rig.asked.clear()
    by_id, pull = [], rig.org.pull

    def stopped_once(request):
        if request.ids and not by_id:
            by_id.append(request)
            raise Stopped
        return pull(request)

    rig.org.pull = stopped_once
    assert rig.verify().state is not RunState.COMPLETE
    rig.world.restart()

    assert rig.verify().state is RunState.COMPLETE
    assert rig.listings()[0] is None
    assert None not in rig.listings()[1:]
    assert rig.equal


def test_rows_of_which_there_is_nothing_but_a_stamp_are_proved_however_many_differ(rig, monkeypatch):
    """A pull of all of them asks for the same columns as a listing."""
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 2)
    rig.org.define(make_schema("Mark__c").only("IsDeleted", "SystemModstamp"))
    store, first = rig.world.store, rig.org.put("Mark__c")
    rig.org.tick(HOUR)
    rig.org.put("Mark__c")
    engine = SyncEngine(rig.org, store, rig.world.clock, Bus())
    engine.run(["Mark__c"])
    for late in (rig.org.put("Mark__c") for _ in range(5)):
        rig.org._rows["Mark__c"][late]["SystemModstamp"] = rig.org._rows["Mark__c"][first]["SystemModstamp"]

    assert engine.verify(["Mark__c"]).state is RunState.COMPLETE

    proof = store.proof("Mark__c")
    assert (proof.org_rows, proof.rows) == (7, 7)
    assert replica(store, "Mark__c") == rig.org.live("Mark__c")


def test_a_proof_counts_what_was_repaired_by_reading_all_rows(rig, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 2)
    with rig.org.late_commit() as late:
        for number in range(5):
            rig.org.put("Account", Name=f"Late {number}")
    rig.org.tick(HOUR)
    rig.org.put("Account", Name="Newest")
    rig.org.tick(HOUR)
    SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus()).run(["Account"])
    late()

    (record,) = rig.verify().objects

    proof = rig.world.store.proof("Account")
    assert (proof.rows, dict(proof.repaired)) == (17, {Cause.LATE: 5})
    assert record.counts.changed == 5


# ── why rows are gone ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def windows(rig):
    """The windows for which the org's log of deletions is asked, in hours."""
    asked, deletions = [], rig.org.deletions

    def noted(object_name, start, end):
        asked.append(round((end - start) / timedelta(hours=1)))
        return deletions(object_name, start, end)

    rig.org.deletions = noted
    return asked


def later(rig, hours):
    rig.world.clock.advance(timedelta(hours=hours))
    rig.org.tick(hours * HOUR)


def purge_one_and_hide_one(rig):
    purged, hidden, *_ = sorted(rig.org.live("Account"))
    for each in (purged, hidden):
        rig.org.purge("Account", each)
    rig.org.deletion_log.strike("Account", hidden)


def repaired_by_verify(rig):
    assert rig.verify().state is RunState.COMPLETE
    return dict(rig.world.store.proof("Account").repaired)


@pytest.mark.parametrize("most", [MOST_REPAIRS, 1])
@pytest.mark.parametrize("days", [1, 30])
def test_rows_that_are_shown_again_are_told_as_that(rig, monkeypatch, days, most):
    kept = {each: rig.org._rows["Account"][each] for each in sorted(rig.org.live("Account"))[:2]}
    later(rig, 24)
    for each in kept:
        rig.org.purge("Account", each)
        rig.org.deletion_log.strike("Account", each)
    later(rig, 24 * (days - 1))
    assert repaired_by_verify(rig) == {Cause.HIDDEN if days == 1 else Cause.UNKNOWN: 2}
    rig.org._rows["Account"] |= kept
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", most)
    later(rig, 1)

    assert repaired_by_verify(rig) == {Cause.SHOWN: 2}
    assert repaired_by_verify(rig) == {}
    assert rig.equal


WIDE = 14 * 24 + 23


def test_the_log_of_deletions_tells_purged_rows_from_hidden_ones(rig, windows):
    later(rig, 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.PURGED: 1, Cause.HIDDEN: 1}
    assert windows == [WIDE]


def test_a_young_log_of_deletions_is_asked_from_the_last_proof_on(rig, windows):
    rig.org.deletion_log.kept = timedelta(days=5)
    later(rig, 24)
    rig.verify()
    later(rig, 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.PURGED: 1, Cause.HIDDEN: 1}
    assert windows == [WIDE, 24 + 2 + 1]  # this machine's clock is two hours late


def test_a_log_with_too_many_deletions_is_asked_from_the_first_load_on(rig, windows):
    rig.org.deletion_log.most_ids = 2
    for number in range(3):
        rig.org.deletion_log.note("Account", f"00100000000099{number}", rig.org.clock.now() - timedelta(days=2))
    later(rig, 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.PURGED: 1, Cause.HIDDEN: 1}
    assert windows[0] == WIDE
    assert len(windows) == 2


def test_a_log_that_does_not_go_back_to_the_last_proof_cannot_tell(rig, windows):
    rig.org.deletion_log.kept = timedelta(hours=5)
    later(rig, 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.UNKNOWN: 2}
    assert len(windows) == 2


def test_no_window_that_would_not_be_shorter_is_asked_for(rig, windows):
    rig.org.deletion_log.kept = timedelta(days=5)
    later(rig, 20 * 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.UNKNOWN: 2}
    assert windows == [WIDE]


def test_a_machine_whose_clock_is_ahead_asks_no_less_of_the_log(rig, windows):
    rig.world.clock.advance(timedelta(hours=6))
    rig.verify()
    later(rig, 24)
    rig.org.deletion_log.kept = timedelta(days=5)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.PURGED: 1, Cause.HIDDEN: 1}
    assert windows == [WIDE, 25]


def test_a_log_that_the_object_does_not_have_is_asked_for_once(rig, windows):
    rig.org.fail(RequestRefused("not for this object", code="INVALID_TYPE"), "Account", call="deletions")
    later(rig, 24)
    purge_one_and_hide_one(rig)

    assert repaired_by_verify(rig) == {Cause.UNKNOWN: 2}
    assert len(windows) == 1
