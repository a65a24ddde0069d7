"""The puller: one object from the org into the store, whatever happens on the way."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import (
    Incomplete,
    InsufficientAccess,
    JobFailed,
    LimitExceeded,
    LocatorExpired,
    LossRefused,
    ObjectNotFound,
    RequestRefused,
    SchemaChanged,
    SessionInvalid,
    Unreachable,
)
from salesforce_sync.models.change import LossLimit, Merged
from salesforce_sync.models.page import PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.sync.patience import ATTEMPTS
from salesforce_sync.sync.puller import Puller
from salesforce_sync.sync.schedule import DEFAULTS
from salesforce_sync.testing import MemoryOrg, make_field, make_schema
from tests.unit.orgs import ACCOUNT, FORMS, fill, replica

WIDER = make_schema("Account", Name="string", AnnualRevenue="currency", Colour__c="string")


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    return FORMS[request.param](tmp_path)


class Rig:
    """An org, a store, and pulls from one into the other."""

    def __init__(self, org, world):
        self.org, self.world = org, world
        self.reports = []

    @property
    def store(self):
        return self.world.store

    def pull(self, name="Account"):
        report = lambda rows, total, waits_for: self.reports.append((rows, total))  # noqa: E731
        return Puller(self.org, self.store, self.world.clock).pull(name, report)

    def pages(self, work):
        """How many calls this takes."""
        before = self.org.usage.spent
        work()
        return self.org.usage.spent - before


@pytest.fixture
def rig(org, world):
    return Rig(org, world)


def equal(rig, name="Account"):
    return replica(rig.store, name) == rig.org.live(name)


def test_a_first_pull_brings_everything(rig):
    fill(rig.org)

    pulled = rig.pull()

    assert pulled.rows == 10
    assert pulled.merged == Merged("Account", inserted=10)
    assert equal(rig)


def test_an_object_may_be_empty(rig):
    assert rig.pull().merged == Merged("Account")
    assert replica(rig.store, "Account") == {}


def test_an_object_is_known_by_any_case_of_its_name(rig):
    fill(rig.org)

    assert rig.pull("ACCOUNT").merged.object_name == "Account"
    assert rig.pull("account").merged.object_name == "Account"
    assert [each.name for each in rig.store.schemas()] == ["Account"]


def test_the_report_hears_of_every_page_and_the_total(rig):
    fill(rig.org, 7)

    rig.pull()

    rows = [rows for rows, _ in rig.reports]
    assert rows == sorted(rows)
    assert rig.reports[-1] == (7, 7)
    assert len(rig.reports) >= 3


def test_a_second_pull_asks_only_for_what_changed(rig):
    fill(rig.org)
    rig.pull()
    rig.org.tick(3600)
    changed = rig.org.put("Account", Name="New")

    rig.pull()
    again = rig.pull()

    assert changed in replica(rig.store, "Account")
    assert again.rows == 1
    assert again.merged == Merged("Account", unchanged=1)


def test_a_quiet_pull_is_one_call(rig):
    fill(rig.org)
    rig.pull()
    rig.org.tick(3600)
    rig.org.put("Account", Name="New")
    rig.pull()

    assert rig.pages(rig.pull) == 1


def test_rows_with_the_stamp_of_the_checkpoint_are_not_lost(rig):
    fill(rig.org, 3)
    one = rig.org.put("Account", Name="One")
    rig.pull()
    two = rig.org.put("Account", Name="Two")

    rig.pull()

    assert {one, two} <= set(replica(rig.store, "Account"))


def test_a_transaction_that_is_seen_after_newer_rows_were_pulled_is_not_lost(rig):
    with rig.org.late_commit() as commit:
        rig.org.put("Account", Name="Late")
    rig.org.tick(DEFAULTS.overlap.total_seconds())
    rig.org.put("Account", Name="Newer, and seen at once")
    rig.pull()
    commit()

    rig.pull()

    assert len(replica(rig.store, "Account")) == 2
    assert equal(rig)


def test_deleted_and_undeleted_records_follow(rig):
    made = fill(rig.org)
    rig.pull()
    rig.org.tick(60)
    rig.org.delete("Account", made[0])
    rig.org.delete("Account", made[1])

    assert rig.pull().merged.deleted == 2
    assert equal(rig)

    rig.org.tick(60)
    rig.org.undelete("Account", made[0])

    assert rig.pull().merged.inserted == 1
    assert equal(rig)


def test_the_checkpoint_is_of_the_org_and_not_of_this_machine(rig, world):
    world.clock.advance(timedelta(days=365))
    fill(rig.org)
    rig.pull()

    assert rig.store.checkpoint("Account").until < rig.org.clock.now()


def test_the_checkpoint_does_not_pass_the_time_of_the_query(rig):
    # A row that changes while pages are read has a stamp later than rows that came before it.
    made = fill(rig.org)
    asked = rig.org.clock.now()

    pages = rig.org.pull

    def slow(request):
        for page in pages(request):
            rig.org.tick(60)
            rig.org.put("Account", made[-1], Name="changed while pages were read")
            yield page

    rig.org.pull = slow
    rig.pull()

    assert rig.store.checkpoint("Account").until <= asked
    rig.org.pull = pages
    rig.pull()
    assert equal(rig)


def give_up_after_a_page(rig):
    """A pull that ends at its second page, as does each attempt to go on."""
    rig.org.fail(Unreachable("reset"), "Account", page=2)
    pull, asked = rig.org.pull, []

    def unreachable(request):
        asked.append(request)
        if len(asked) > 1:
            rig.org.fail(Unreachable("reset"), "Account", page=1)
        return pull(request)

    rig.org.pull = unreachable
    with pytest.raises(Unreachable):
        rig.pull()
    rig.org.pull = pull


# ── trouble on the way ───────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_break_the_pull_goes_on_from_the_last_durable_page(rig):
    fill(rig.org)
    rig.org.fail(Unreachable("reset"), "Account", page=3)

    calls = rig.pages(rig.pull)

    describe, broken = 1, 1
    assert calls == describe + broken + -(-10 // rig.org.page_rows)
    assert equal(rig)


@pytest.mark.parametrize("error", [Unreachable("reset"), JobFailed("aborted"), LocatorExpired("gone")])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_what_passes_is_tried_again(rig, error, page):
    fill(rig.org)
    rig.org.fail(error, "Account", page=page)

    pulled = rig.pull()

    assert pulled.rows == 10
    assert equal(rig)


def test_what_does_not_pass_is_reported_after_some_attempts(rig):
    fill(rig.org)
    for _ in range(ATTEMPTS):
        rig.org.fail(Unreachable("reset"), "Account")

    with pytest.raises(Unreachable):
        rig.pull()

    assert len(rig.org.faults) == 0


def test_breaks_that_each_left_a_whole_page_do_not_end_a_pull(rig):
    rig.org.page_rows = 2
    fill(rig.org)
    for _ in range(ATTEMPTS):
        rig.org.fail(Unreachable("reset"), "Account", page=2)

    pulled = rig.pull()

    assert len(rig.org.faults) == 0
    assert pulled.merged.inserted == 10
    assert equal(rig)


def test_a_result_that_is_lost_again_and_again_is_reported_however_far_each_came(rig):
    rig.org.page_rows = 2
    fill(rig.org)
    for _ in range(ATTEMPTS):
        rig.org.fail(Unreachable("reset"), "Account", page=2)
        rig.org.fail(LocatorExpired("gone"), "Account", page=2)

    with pytest.raises(LocatorExpired):
        rig.pull()


def test_the_next_run_goes_on_where_this_one_gave_up(rig):
    fill(rig.org)
    give_up_after_a_page(rig)
    durable = rig.store.status()[0].staged_rows

    rig.world.restart()

    assert rig.pull().merged.inserted == 10
    assert durable == rig.org.page_rows
    assert equal(rig)


def test_a_kill_before_the_merge_costs_at_most_one_call_and_a_look_at_what_changed_since(rig):
    fill(rig.org)
    rig.store.adopt(ACCOUNT)
    rig.store.begin(PullRequest(ACCOUNT))
    for page in rig.org.pull(PullRequest(ACCOUNT)):
        rig.store.stage(page)
    rig.world.restart()

    calls = rig.pages(rig.pull)

    assert calls <= 1 + rig.pages(rig.pull)
    assert equal(rig)


def test_a_pull_that_is_taken_up_later_brings_what_changed_since_it_was_begun(rig):
    fill(rig.org)
    give_up_after_a_page(rig)
    rig.org.tick(86_400)
    fill(rig.org)
    rig.world.restart()

    rig.pull()

    assert equal(rig)


def test_a_field_that_came_while_a_pull_was_broken_off_is_here_once_that_is_taken_up(rig):
    made = fill(rig.org)
    give_up_after_a_page(rig)
    rig.org.define(WIDER)
    rig.org.put("Account", made[0], Colour__c="red")
    rig.world.restart()

    rig.pull()

    assert equal(rig)


def test_jobs_that_hang_are_given_up_and_the_rows_come_without_one(rig):
    fill(rig.org)
    for _ in range(2):
        rig.org.fail(JobFailed("still InProgress after two hours"), "Account", page=2)
    asked = []
    pull = rig.org.pull
    rig.org.pull = lambda request: (asked.append(request.jobs), pull(request))[1]

    rig.pull()

    assert asked == [True, True, False]
    assert equal(rig)


def test_a_deletion_is_seen_although_a_new_column_is_being_filled_again(rig, world):
    fill(rig.org)
    rig.pull()
    rig.org.define(WIDER)
    world.clock.advance(timedelta(hours=1))
    rig.org.fail(LimitExceeded("used up"), "Account")
    with pytest.raises(LimitExceeded):
        rig.pull()
    rig.org.tick(3600)
    rig.org.delete("Account", sorted(rig.org.live("Account"))[0])

    rig.pull()

    assert equal(rig)


def test_a_result_that_was_forgotten_is_asked_anew(rig):
    fill(rig.org)
    give_up_after_a_page(rig)
    rig.org.expire_locators()
    rig.world.restart()

    assert rig.pull().merged.inserted == 10
    assert equal(rig)


@pytest.mark.parametrize("kind", ["cut", "short"])
@pytest.mark.parametrize("page", [1, 2])
def test_an_answer_that_is_too_short_is_read_again(rig, kind, page):
    fill(rig.org)
    rig.org.mishap(kind, "Account", page=page)

    assert rig.pull().rows == 10
    assert equal(rig)


@pytest.mark.parametrize("kind", ["cut", "short"])
def test_an_answer_that_stays_too_short_is_never_a_success(rig, kind):
    fill(rig.org)
    for _ in range(ATTEMPTS):
        rig.org.mishap(kind, "Account")

    with pytest.raises(Incomplete):
        rig.pull()

    assert rig.store.count("Account") == 0
    assert rig.store.checkpoint("Account") is None


def test_a_short_answer_to_an_incremental_pull_does_not_move_the_checkpoint(rig):
    fill(rig.org)
    rig.pull()
    before = rig.store.checkpoint("Account")
    rig.org.tick(3600)
    fill(rig.org)
    for _ in range(ATTEMPTS):
        rig.org.mishap("short", "Account")

    with pytest.raises(Incomplete):
        rig.pull()

    assert rig.store.checkpoint("Account") == before
    rig.pull()
    assert equal(rig)


@pytest.mark.parametrize("error", [InsufficientAccess("no right"), SessionInvalid("ended"), ValueError("a bug")])
def test_what_does_not_pass_is_not_tried_again(rig, error):
    fill(rig.org)
    rig.org.fail(error, "Account", page=2)

    with pytest.raises(type(error)):
        rig.pull()

    assert rig.pull().merged.inserted == 10


# ── schemas ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_field_that_is_gone_is_noticed_and_the_pull_goes_on(rig):
    fill(rig.org)
    rig.pull()
    rig.org.define(make_schema("Account", Name="string"))
    rig.org.tick(3600)
    rig.org.put("Account", Name="New")

    rig.pull()

    assert equal(rig)
    assert not rig.store.schema("Account").has("AnnualRevenue")


def test_a_field_that_the_org_describes_and_refuses_is_left_out(rig, world):
    fill(rig.org)
    rig.org.refused["Account"] = {"annualrevenue"}

    assert rig.pull().merged.inserted == 10
    assert not rig.store.schema("Account").has("AnnualRevenue")

    world.clock.advance(timedelta(hours=2))  # until it is described again
    rig.org.put("Account", Name="New")
    assert rig.pull().merged.inserted == 1

    rig.org.refused.clear()
    world.clock.advance(timedelta(hours=2))
    rig.pull()
    assert equal(rig)
    assert rig.store.schema("Account").has("AnnualRevenue")


def test_a_field_that_is_refused_from_now_on_keeps_its_values(rig):
    record_id = rig.org.put("Account", Name="Acme", AnnualRevenue=Decimal("7"))
    rig.pull()
    rig.org.refused["Account"] = {"annualrevenue"}
    rig.org.tick(3600)
    rig.org.put("Account", record_id, Name="Acme 2")

    rig.pull()

    (kept,) = replica(rig.store, "Account").values()
    assert kept["Name"] == "Acme 2"
    assert not rig.store.schema("Account").has("AnnualRevenue")


def test_a_field_that_is_gone_in_the_middle_of_a_pull_is_noticed(rig):
    fill(rig.org)
    give_up_after_a_page(rig)
    rig.org.define(make_schema("Account", Name="string"))
    rig.org.fail(SchemaChanged("No such column 'AnnualRevenue'"), "Account")

    assert rig.pull().merged.inserted == 10
    assert equal(rig)


def test_a_new_field_is_found_within_the_hour_and_filled(rig, world):
    fill(rig.org)
    rig.pull()
    rig.org.define(WIDER)
    world.clock.advance(timedelta(hours=1))
    rig.org.tick(3600)
    rig.org.put("Account", Name="New", Colour__c="red")

    assert rig.pull().rows == 11
    assert equal(rig)


def test_an_object_that_can_be_queried_again_is_read_again_at_once(rig):
    """It has no polls while it cannot be queried, and nothing but a describe tells that it can."""
    fill(rig.org)
    rig.pull()
    rig.org.define(replace(ACCOUNT, queryable=False))
    rig.store.adopt(replace(ACCOUNT, queryable=False))
    with pytest.raises(RequestRefused, match="cannot be queried"):
        rig.pull()
    rig.org.define(ACCOUNT)
    rig.org.put("Account", Name="New")

    rig.pull()

    assert equal(rig)


def test_a_new_field_of_an_object_without_a_stamp_is_found_at_once(rig):
    """Polls tell of changed fields, and this object has none."""
    bare = ObjectSchema("Bare__c", "Bare", (make_field("Id", "id"), make_field("Name", "string")))
    rig.org.define(bare)
    made = rig.org.put("Bare__c", Name="One")
    rig.pull("Bare__c")
    rig.org.define(replace(bare, fields=(*bare.fields, make_field("Colour__c", "string"))))
    rig.org.put("Bare__c", made, Colour__c="red")

    rig.pull("Bare__c")

    assert replica(rig.store, "Bare__c") == {made: {"Id": made, "Name": "One", "Colour__c": "red"}}


@pytest.mark.parametrize("kind", ["cut", "short"])
def test_a_new_field_is_not_taken_as_filled_by_an_answer_that_was_too_short(rig, world, kind):
    made = fill(rig.org)
    rig.pull()
    rig.org.define(WIDER)
    for each in made:
        rig.org.put("Account", each, Colour__c="red")
    rig.org.tick(3600)
    fill(rig.org, 1)
    rig.pull()  # the colours came and went by without their field
    world.clock.advance(timedelta(hours=1))
    rig.org.mishap(kind, "Account")

    with suppress(Incomplete):
        rig.pull()
    rig.pull()

    assert equal(rig)


def test_a_record_that_was_deleted_before_a_new_field_was_found_does_not_stay(rig, world):
    made = fill(rig.org)
    rig.pull()
    rig.org.tick(3600)
    rig.org.delete("Account", made[0])
    rig.org.tick(3600)
    rig.org.put("Account", made[1], Name="newer than the delete")
    rig.org.define(WIDER)
    world.clock.advance(timedelta(hours=1))

    rig.pull()
    rig.pull()

    assert equal(rig)


def test_a_described_object_is_not_described_again_within_the_hour(rig, world):
    rig.pull()
    world.clock.advance(timedelta(minutes=59))

    assert rig.pages(rig.pull) == 1

    world.clock.advance(timedelta(minutes=2))

    assert rig.pages(rig.pull) == 2


def test_a_schema_that_another_process_adopted_meanwhile_is_taken(rig, world):
    fill(rig.org)
    pages = rig.org.pull

    def adopting(request):
        yield from pages(request)
        if rig.org.describe("Account") is not WIDER:
            rig.org.define(WIDER)
            rig.store.adopt(WIDER)

    rig.org.pull = adopting

    rig.pull()

    assert rig.store.schema("Account") == WIDER
    assert equal(rig)


def test_an_object_that_is_not_there_hints_at_near_names(rig):
    with pytest.raises(ObjectNotFound, match="There is no object 'Acount'") as caught:
        rig.pull("Acount")

    assert caught.value.hint.startswith("Did you mean Account")
    assert rig.store.schemas() == ()


def test_an_object_without_a_stamp_is_read_whole_each_time(rig):
    plain = make_schema("Log__c", Name="string")
    fields = tuple(each for each in plain.fields if each.name in ("Id", "Name"))
    rig.org.define(type(plain)("Log__c", "Log", fields))
    rig.org.put("Log__c", Name="one")
    rig.pull("Log__c")
    rig.org.put("Log__c", Name="two")

    assert rig.pull("Log__c").rows == 2
    assert equal(rig, "Log__c")


def test_no_file_of_a_page_is_left_behind(rig, tmp_path):
    fill(rig.org)
    rig.org.fail(Unreachable("reset"), "Account", page=2)
    rig.org.mishap("short", "Account", page=2)

    rig.pull()

    assert list(tmp_path.glob("*.csv")) == []


def test_the_downloads_of_a_pull_that_failed_are_ended(rig):
    fill(rig.org)
    ended = []
    pages = rig.org.pull

    def noisy(request):
        try:
            yield from pages(request)
        finally:
            ended.append(len(ended))

    rig.org.pull = noisy
    stage = rig.store.stage

    def broken(page):
        raise MemoryError

    rig.store.stage = broken
    with pytest.raises(MemoryError) as caught:
        rig.pull()

    assert ended == [0], caught  # while the error, and with it the pull's frame, is still held
    rig.store.stage = stage


def test_rows_that_the_org_cannot_sort_by_their_stamp_are_not_taken_for_the_newest(world):
    fields = tuple(replace(each, sortable=each.name != "SystemModstamp") for each in ACCOUNT.fields)
    rig = Rig(MemoryOrg(replace(ACCOUNT, fields=fields)), world)
    rig.org.put("Account", Name="older")
    rig.org.tick(595)
    one = rig.org.put("Account", Name="younger")
    rig.org.tick(20)
    rig.pull()
    rig.org.tick(25)
    rig.org.put("Account", one, Name="changed")
    puller = Puller(rig.org, rig.store, world.clock)
    poll = puller.question("Account")
    (answer,) = rig.org.poll((poll,))

    puller.take(poll, replace(answer, rows=Rows(answer.rows.values[-1:])), lambda *_: None)

    assert equal(rig)


def test_rows_that_a_poll_counts_and_that_are_here_already_are_not_waited_for(rig, world):
    filled(rig, 5)
    rig.pull()
    rig.org.tick(30)
    puller, reports = Puller(rig.org, rig.store, world.clock), []
    poll = puller.question("Account")
    (answer,) = rig.org.poll((poll,))

    newest = replace(answer, rows=Rows(answer.rows.values[:2]))
    puller.take(poll, newest, lambda rows, total, waits_for: reports.append((rows, total)))

    assert answer.total == 5
    assert reports == [(2, None), (2, 2)]


@pytest.mark.parametrize(("logged", "calls"), [(True, 3), (False, 2)])
def test_a_log_of_deletions_that_an_object_does_not_have_is_not_asked_for(world, logged, calls):
    rig = Rig(MemoryOrg(replace(ACCOUNT, replicateable=logged)), world)
    one = filled(rig, 10)[0]
    rig.org.delete("Account", one)
    rig.org.purge("Account", one)

    assert rig.pages(lambda: prove(rig)) == calls  # the ids and stamps, the record that is not among them, and the log
    assert equal(rig)


# ── losses that nobody has agreed to ─────────────────────────────────────────────────────────────────────────────────


def test_a_pull_that_would_take_away_more_than_a_share_asks_a_person(rig):
    for each in filled(rig, 30)[:7]:
        rig.org.delete("Account", each)

    with pytest.raises(LossRefused, match=r"7 of 30 rows"):
        rig.pull()
    assert len(replica(rig.store, "Account")) == 30

    agreed = Puller(rig.org, rig.store, rig.world.clock, accepted=frozenset(("Account",)))
    agreed.pull("Account", lambda *_: None)
    assert equal(rig)


def test_what_a_run_finds_gone_in_several_ways_counts_together(rig):
    deleted, purged = (made := filled(rig, 29))[:4], made[4:6]
    for each in deleted:
        rig.org.delete("Account", each)
    for each in purged:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)

    with pytest.raises(LossRefused):
        rig.pull()

    assert len(replica(rig.store, "Account")) == 29 - len(deleted)
    rig.world.clock.advance(timedelta(hours=1))
    rig.pull()  # the next run that looks begins its own count
    assert equal(rig)


def test_a_few_young_rows_that_are_gone_are_no_loss_of_most_of_an_old_object(rig):
    filled(rig, 40)
    rig.org.tick(3600)
    for each in filled(rig, 8)[:7]:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)

    rig.pull()  # compares what is young: 7 of 8 rows, and 7 of 48 of the object

    assert equal(rig)


def test_a_loss_is_counted_whole_before_any_of_it_is_taken_out(rig, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 3)
    for each in filled(rig, 30)[:8]:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)

    with pytest.raises(LossRefused, match=r"8 of 30 rows"):
        prove(rig)

    assert len(replica(rig.store, "Account")) == 30


def test_a_loss_that_may_be_is_taken_out_in_one_verify_however_large_it_is(rig, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 1)
    for each in filled(rig, 30)[:6]:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)

    proof = prove(rig)

    assert (proof.org_rows, proof.rows) == (24, 24)
    assert equal(rig)


def test_what_has_gone_before_in_a_run_is_told_with_the_loss_that_is_refused(rig):
    made = filled(rig, 30)
    for each in made[:6]:
        rig.org.delete("Account", each)
    for each in made[6:9]:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)

    with pytest.raises(LossRefused, match=r"9 of 30 rows"):
        rig.pull()


def test_rows_that_come_in_the_same_run_do_not_make_a_loss_smaller(rig):
    for each in filled(rig, 30)[:7]:
        rig.org.delete("Account", each)
        rig.org.purge("Account", each)
    fill(rig.org, 25)

    with pytest.raises(LossRefused, match=r"7 of 30 rows"):
        rig.pull()


def test_what_is_gone_of_a_first_load_that_was_taken_up_later_is_no_loss(rig):
    made = fill(rig.org, 30)
    rig.org.fail(InsufficientAccess("not now"), "Account", page=3)
    with pytest.raises(InsufficientAccess):
        rig.pull()
    for each in made[:6]:
        rig.org.delete("Account", each)

    rig.pull()

    assert equal(rig)


@pytest.mark.parametrize(
    ("lost", "rows", "already", "refused"),
    [(5, 6, 0, False), (6, 6, 0, True), (6, 30, 0, False), (7, 30, 0, True), (1, 24, 5, True), (0, 24, 9, False)],
)
def test_how_many_rows_may_go(lost, rows, already, refused):
    assert LossLimit().after(already).refuses(lost, rows) is refused


def prove(rig):
    puller = Puller(rig.org, rig.store, rig.world.clock)
    return puller.prove(rig.store.schema("Account"), None)


def filled(rig, rows):
    """So many records, here and in the org."""
    made = fill(rig.org, rows)
    rig.pull()
    return made
