"""Columns that are read by themselves (new fields, formulas): what broke off goes on, in whatever run."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from salesforce_sync.errors import LimitExceeded, Stopped, Unreachable
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.page import Priority
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from salesforce_sync.testing import make_schema
from tests.unit.orgs import ACCOUNT, FORMS, Asked, fill, replica

HOUR = 3_600
WIDER = make_schema("Account", Name="string", AnnualRevenue="currency", Colour__c="string")
RULES = Rules(refresh_every=timedelta(hours=1), refreshed=("Account.AnnualRevenue",))


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    return FORMS[request.param](tmp_path)


class Rig(Asked):
    """Runs between an org and a store."""

    def sync(self, rules=RULES):
        return SyncEngine(self.org, self.world.store, self.world.clock, Bus(), rules).run(["Account"])

    def later(self, hours):
        self.world.clock.advance(timedelta(hours=hours))
        self.org.tick(hours * HOUR)

    def sweeps(self):
        """Where each reading of some columns of all rows began that was asked for, no listing: None is the start."""
        narrow = [each for each in self.asked if each.since is None and not each.ids and not _is_whole(each)]
        return [each.resume for each in narrow if each.schema != each.schema.listed]

    def whole(self):
        """How often all columns of all rows were asked for."""
        return len([each for each in self.asked if each.since is None and not each.ids and _is_whole(each)])


def _is_whole(request):
    return len(request.schema.columns) > 3


@pytest.fixture
def rig(org, world):
    """An org with eleven accounts, all of them here: ten are older than the next pulls look back."""
    fill(org)
    org.tick(HOUR)
    org.put("Account", Name="Newest")
    rig = Rig(org, world)
    rig.sync()
    rig.later(2)
    rig.asked.clear()
    return rig


def unstamped(rig, record_id, **values):
    """A value changes as a formula does: without a stamp."""
    rig.org._rows["Account"][record_id].update(values)


# ── values that change without a stamp ───────────────────────────────────────────────────────────────────────────


def break_off(rig):
    """A refresh that ends after its first page, as if it were killed."""
    pull = rig.org.pull

    def cut(request):
        pages = pull(request)
        if request.priority is not Priority.REFRESH:
            return pages
        return _first_of(pages)

    rig.org.pull = cut
    assert rig.sync().state is not RunState.COMPLETE
    rig.org.pull = pull
    rig.world.restart()


def _first_of(pages):
    first = next(pages)
    yield first
    # Of a file only a page at which the org's result page ends is durable.
    while first.resume is None:
        first = next(pages)
        yield first
    pages.close()
    raise Stopped


def test_a_refresh_that_broke_off_goes_on_in_the_next_run(rig):
    made = sorted(rig.org.live("Account"))
    for each in made:
        unstamped(rig, each, AnnualRevenue=Decimal(7))
    break_off(rig)

    assert rig.sync().state is RunState.COMPLETE

    first, second = rig.sweeps()
    assert first is None
    assert second is not None
    assert rig.equal


def test_what_has_changed_since_the_refresh_began_stays(rig):
    made = sorted(rig.org.live("Account"))
    break_off(rig)
    rig.org.put("Account", made[0], AnnualRevenue=Decimal(9))
    rig.org.put("Account", made[10], Name="Other")
    rig.later(1)

    assert rig.sync().state is RunState.COMPLETE
    assert rig.equal


def test_a_refresh_is_of_the_time_when_it_was_begun(rig):
    break_off(rig)
    rig.later(5)

    assert rig.sync().state is RunState.COMPLETE

    age = rig.world.clock.now() - rig.world.store.ages("Account").refreshed_at
    assert timedelta(hours=5) <= age < timedelta(hours=6)


def test_a_refresh_that_is_days_old_is_begun_anew(rig):
    break_off(rig)
    rig.later(48)

    assert rig.sync().state is RunState.COMPLETE
    assert rig.sweeps() == [None, None]
    assert rig.world.store.ages("Account").refreshed_at == rig.world.clock.now()


def test_a_refresh_that_the_org_has_forgotten_is_begun_anew(rig):
    break_off(rig)
    rig.org.expire_locators()
    made = sorted(rig.org.live("Account"))
    unstamped(rig, made[0], AnnualRevenue=Decimal(11))

    assert rig.sync().state is RunState.COMPLETE
    assert rig.equal


def test_a_refresh_that_breaks_off_within_a_run_goes_on_after_its_last_page(rig):
    made = sorted(rig.org.live("Account"))
    unstamped(rig, made[0], AnnualRevenue=Decimal(11))
    pull, failed = rig.org.pull, []

    def once(request):
        pages = pull(request)
        if request.priority is not Priority.REFRESH or failed:
            return pages
        failed.append(request)
        return _broken(pages)

    def _broken(pages):
        try:
            yield from _first_of(pages)
        except Stopped:
            raise Unreachable("reset") from None

    rig.org.pull = once

    assert rig.sync().state is RunState.COMPLETE
    first, second = rig.sweeps()
    assert first is None
    assert second is not None
    assert rig.equal


def test_a_field_that_was_taken_away_and_made_anew_is_not_refreshed_with_what_was_read_before(rig):
    break_off(rig)
    rig.org.define(make_schema("Account", Name="string"))
    rig.later(0.1)
    assert rig.sync(Rules()).state is RunState.COMPLETE
    rig.org.define(ACCOUNT)
    for each in rig.org.live("Account"):
        unstamped(rig, each, AnnualRevenue=Decimal(7))
    rig.later(0.1)

    assert rig.sync().state is RunState.COMPLETE
    assert rig.equal


# ── new fields ───────────────────────────────────────────────────────────────────────────────────────────────────


def gain(rig):
    """The org has a new field, with values of which no pull of changes has told."""
    made = sorted(rig.org.live("Account"))
    rig.org.define(WIDER)
    for each in made:
        unstamped(rig, each, Colour__c="red")
    return made


def break_off_filling(rig):
    pull = rig.org.pull

    def cut(request):
        pages = pull(request)
        narrow = request.since is None and [each.name for each in request.schema.columns] == ["Id", "Colour__c"]
        return _first_of(pages) if narrow else pages

    rig.org.pull = cut
    assert rig.sync(Rules()).state is not RunState.COMPLETE
    rig.org.pull = pull
    rig.world.restart()


def test_a_filling_that_broke_off_goes_on_and_nothing_else_is_read(rig):
    made = gain(rig)
    break_off_filling(rig)
    rig.org.put("Account", made[3], Colour__c="blue")
    rig.later(1)

    assert rig.sync(Rules()).state is RunState.COMPLETE

    first, second = rig.sweeps()
    assert first is None
    assert second is not None
    assert rig.whole() == 0
    assert rig.equal


def test_a_filling_that_never_began_reads_only_its_column(rig):
    gain(rig)
    pull = rig.org.pull
    rig.org.pull = lambda request: (_ for _ in ()).throw(LimitExceeded("used up"))
    assert rig.sync(Rules()).state is not RunState.COMPLETE
    rig.org.pull = pull
    rig.world.restart()

    assert rig.sync(Rules()).state is RunState.COMPLETE

    assert rig.whole() == 0
    assert rig.equal
    assert rig.world.store.unfilled("Account") == ()


def test_a_filling_goes_on_although_the_object_gained_another_field(rig):
    gain(rig)
    break_off_filling(rig)
    wider = make_schema("Account", Name="string", AnnualRevenue="currency", Colour__c="string", Size__c="string")
    rig.org.define(wider)
    for each in rig.org.live("Account"):
        unstamped(rig, each, Size__c="XL")
    rig.later(2)

    assert rig.sync(Rules()).state is RunState.COMPLETE
    assert rig.sync(Rules()).state is RunState.COMPLETE

    assert rig.whole() == 0
    assert rig.equal


def test_a_filling_goes_on_and_the_field_has_another_type_by_now(rig):
    made = gain(rig)
    break_off_filling(rig)
    rig.org.define(make_schema("Account", Name="string", AnnualRevenue="currency", Colour__c="date"))
    for each in made:
        unstamped(rig, each, Colour__c=date(1700, 1, 1))

    assert rig.sync(Rules()).state is RunState.COMPLETE

    assert rig.equal


@pytest.mark.parametrize("between", [ACCOUNT, make_schema("Account", Name="string", Colour__c="date")])
def test_a_field_that_was_another_one_meanwhile_is_not_filled_with_what_was_read_before(rig, between):
    made = gain(rig)
    break_off_filling(rig)
    rig.org.define(between)
    for each in made:
        unstamped(rig, each, Colour__c=None)
    rig.later(1)
    assert rig.sync(Rules()).state is RunState.COMPLETE
    rig.org.define(WIDER)
    for each in made:
        unstamped(rig, each, Colour__c="new")
    rig.later(1)

    assert rig.sync(Rules()).state is RunState.COMPLETE
    assert rig.equal


def test_a_filling_goes_on_beside_a_field_that_the_org_describes_and_refuses_to_read(rig):
    fields = {"Name": "string", "AnnualRevenue": "currency", "Colour__c": "string", "Shut__c": "string"}
    rig.org.define(make_schema("Account", **fields))
    rig.org.refused["Account"] = {"shut__c"}
    for each in rig.org.live("Account"):
        unstamped(rig, each, Colour__c="red")
    break_off_filling(rig)
    rig.asked.clear()
    rig.later(1)

    (record,) = rig.sync(Rules()).objects

    assert (record.came, record.problem.code) == (True, "FIELD_REFUSED")
    (again,) = rig.sweeps()
    assert again is not None
    assert {row["Colour__c"] for row in replica(rig.world.store, "Account").values()} == {"red"}


@pytest.mark.parametrize("all_again", [False, True])
def test_an_edit_of_a_column_that_is_not_filled_yet_is_held_against_what_the_org_has(rig, all_again):
    made = gain(rig)
    rig.later(1)
    break_off_filling(rig)
    store = rig.world.store
    if all_again:  # as in a database of a version that did not know which columns those are
        store.read_all_again("Account")
    for each in made:
        store.update("Account", each, {"Colour__c": "green"})

    push = SyncEngine(rig.org, store, rig.world.clock, Bus(), Rules()).push()

    assert {each.outcome for each in push.changes} == {"conflicted"}
    assert {row["Colour__c"] for row in rig.org.live("Account").values()} == {"red"}
    assert [each.kind for each in store.inbox()] == [Kind.CONFLICT] * len(made)


def test_an_object_that_comes_whole_each_time_is_not_read_once_more_for_a_new_column(rig):
    """Without a stamp nobody knows either which values of a filling that broke off are older than those here."""
    narrow = make_schema("Rate__c", Name="string").only("IsDeleted", "Name")
    rig.org.define(narrow)
    made = [rig.org.put("Rate__c", Name=f"Rate {number}") for number in range(11)]
    engine = SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus(), Rules())
    engine.run(["Rate__c"])
    rig.org.define(make_schema("Rate__c", Name="string", Colour__c="string").only("IsDeleted", "Name", "Colour__c"))
    for each in made:
        rig.org._rows["Rate__c"][each]["Colour__c"] = "red"
    rig.asked.clear()

    assert engine.run(["Rate__c"]).state is RunState.COMPLETE

    (whole,) = rig.asked
    assert whole.schema.has("Name")
    assert replica(rig.world.store, "Rate__c") == rig.org.live("Rate__c")
    assert rig.world.store.unfilled("Rate__c") == ()


def hidden(rig, record_id):
    """The org does not show the record until it is put back."""
    return rig.org._rows["Account"].pop(record_id)


def verified(rig):
    run = SyncEngine(rig.org, rig.world.store, rig.world.clock, Bus(), Rules()).verify(["Account"])
    return run.state is RunState.COMPLETE


def test_a_record_that_is_not_shown_while_a_column_is_filled_is_taken_out_and_comes_back_whole(rig):
    made = gain(rig)
    row = hidden(rig, made[0])
    assert rig.sync(Rules()).state is RunState.COMPLETE
    assert rig.equal
    rig.org._rows["Account"][made[0]] = row
    rig.later(1)

    assert verified(rig)
    assert rig.equal


def test_a_record_that_was_not_shown_for_a_moment_only_has_its_value(rig):
    made = gain(rig)
    row, pull = hidden(rig, made[0]), rig.org.pull

    def back_at_the_next(request):
        narrow = request.since is None and [each.name for each in request.schema.columns] == ["Id", "Colour__c"]
        pages = list(pull(request))
        if narrow:
            rig.org._rows["Account"][made[0]] = row
        return (page for page in pages)

    rig.org.pull = back_at_the_next
    assert rig.sync(Rules()).state is RunState.COMPLETE

    assert rig.equal


def test_many_records_that_are_not_shown_for_a_while_stay_and_are_filled_when_they_are_back(rig):
    """Somebody has taken the right to see them away, and given it back: nothing has a new stamp."""
    made = gain(rig)
    rows = {each: hidden(rig, each) for each in made[:8]}
    assert rig.sync(Rules()).state is RunState.COMPLETE
    assert set(replica(rig.world.store, "Account")) == set(made)
    rig.org._rows["Account"].update(rows)
    rig.later(1)

    assert verified(rig)
    assert rig.equal
