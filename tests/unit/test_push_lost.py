"""Answers that were lost: what a push finds out before it sends anything again."""

from threading import Event

import pytest

from salesforce_sync.errors import ForeignAnswer, LimitExceeded
from salesforce_sync.models.outbox import ChangeState, Kind
from salesforce_sync.models.run import RunState
from salesforce_sync.ports import Order
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.testing import FrozenClock
from tests.unit.push_rig import ACCOUNT, OrgThatStops, OrgWithoutSomething, Rig, names, outcomes


@pytest.fixture
def rig(world):
    return Rig(world)


@pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
@pytest.mark.parametrize("key", [None, "k-1"])
def test_a_create_whose_answer_was_lost_is_there_once(rig, lose, key):
    getattr(rig.org, lose)()
    rig.store.create("Account", {"Name": "Nut"} | ({"Key__c": key} if key else {}))

    first = rig.push()
    rig.world.restart()
    rig.sync()

    assert [each.outcome for each in first.changes] == ["lost"]
    assert names(rig) == ["Acme", "Bolt", "Nut"]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_what_another_user_has_sent_with_a_unique_value_is_sent_again_and_who_is_connected_asked_once(rig):
    rig.org.lose_request()
    for number in range(30):
        rig.store.create("Account", {"Name": f"Nut {number}", "Key__c": f"k-{number}"})
    rig.push()
    rig.world.restart()
    rig.org.user = "005000000000002AAA"
    asked = []
    whole = rig.org.user_id
    rig.org.user_id = lambda: asked.append(1) or whole()

    rig.push()

    assert (len(names(rig)), rig.store.changes(), rig.kinds(), len(asked)) == (32, (), [], 1)


@pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
def test_where_another_user_is_connected_by_then_a_lost_create_is_looked_for_as_its_sender_s(rig, lose):
    getattr(rig.org, lose)()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.world.restart()
    rig.org.user = "005000000000002AAA"
    rig.org.put("Account", Name="Nut")  # nobody's of ours

    rig.push()
    rig.push()

    arrived = lose == "lose_answer"
    assert names(rig) == ["Acme", "Bolt", "Nut", *["Nut"] * arrived]
    assert [kind for _, kind in rig.kinds()] == ([] if arrived else [Kind.UNCERTAIN])
    assert len(rig.store.changes()) == (not arrived)


def test_of_a_call_that_was_done_in_part_each_row_is_there_once(rig):
    rig.org.lose_answer(rows=3)
    for number in range(8):
        rig.store.create("Account", {"Name": f"Nut {number % 2}"})

    rig.push()
    rig.world.restart()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *["Nut 0"] * 4, *["Nut 1"] * 4]
    assert rig.equal()


@pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
def test_an_update_whose_answer_was_lost_is_read_again(rig, lose):
    getattr(rig.org, lose)()
    rig.edit(rig.acme, Phone="2")

    rig.push()
    rig.world.restart()
    rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert (rig.store.changes(), rig.kinds()) == ((), [])
    assert rig.equal()


def test_what_somebody_wrote_after_a_lost_answer_is_not_overwritten(rig):
    rig.org.lose_answer()
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="3")

    rig.push()

    assert rig.there(rig.acme)["Phone"] == "3"
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]


def test_a_record_that_only_may_be_the_lost_create_is_for_a_person(rig):
    rig.org.lose_answer()
    local = rig.store.create("Account", {"Name": "Nut", "Phone": "555"})
    rig.push()
    made = next(key for key, row in rig.org.live("Account").items() if row["Name"] == "Nut")
    rig.org.put("Account", made, Phone="+1 666")

    rig.push()

    assert rig.kinds() == [(local, Kind.UNCERTAIN)]
    assert rig.store.inbox()[0].matches[0].record_id == made
    assert names(rig) == ["Acme", "Bolt", "Nut"]


def test_a_create_that_cannot_be_looked_for_at_the_moment_is_looked_for_later(rig):
    rig.org.lose_answer()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.fail(ForeignAnswer("default backend", code="HTTP_404"), "Account", call="created")

    told = rig.push()
    again = rig.push()

    assert [each.outcome for each in told.changes] == ["lost"]
    assert (again.state, rig.kinds(), names(rig)) == (RunState.COMPLETE, [], ["Acme", "Bolt", "Nut"])


class ClockThatBrings(FrozenClock):
    """Each time that somebody waits, something happens first."""

    def __init__(self, happens):
        super().__init__()
        self.happens, self.waited = happens, 0.0

    def sleep(self, seconds):
        self.happens()
        self.waited += seconds
        super().sleep(seconds)


def test_a_create_that_the_org_is_still_at_work_on_is_waited_for_and_not_sent_again(rig):
    rig.org.lose_request()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    late = [Order(ACCOUNT, each) for each in rig.store.changes()]
    clock = ClockThatBrings(lambda: [list(rig.org.write([late.pop()], lambda *told: None)) for _ in late[:1]])

    SyncEngine(rig.org, rig.store, clock, rig.bus).push()

    assert names(rig) == ["Acme", "Bolt", "Nut"]
    assert (rig.store.changes(), rig.kinds(), rig.equal()) == ((), [], True)


def test_a_create_whose_call_left_long_ago_is_sent_again_at_once(rig):
    rig.org.lose_request()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.tick(60)
    clock = ClockThatBrings(lambda: None)

    SyncEngine(rig.org, rig.store, clock, rig.bus).push()

    assert (names(rig), clock.waited) == (["Acme", "Bolt", "Nut"], 0.0)


def test_a_lost_bulk_job_is_asked(rig):
    rig.org.bulk_from = 5
    rig.org.lose_answer()
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})

    rig.push()
    rig.world.restart()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *(f"Nut {number}" for number in range(6))]
    assert rig.equal()


def test_what_a_job_has_that_never_ran_is_sent_again_by_the_push_that_finds_it(rig):
    rig.org.bulk_from = 5
    rig.org.lose_answer(rows=0)
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})
    rig.push()

    push = rig.push()

    assert (push.state, push.count("applied")) == (RunState.COMPLETE, 6)
    assert rig.equal()


@pytest.mark.parametrize("rows", [0, 3, 6])
def test_what_a_job_did_that_the_org_has_forgotten_is_looked_for(rig, rows):
    rig.org.bulk_from = 5
    rig.org.lose_answer(rows=rows)
    for number in range(6):
        rig.store.create("Account", {"Name": f"Nut {number}"})

    rig.push()
    rig.org.forget_jobs()
    rig.push()

    assert names(rig) == ["Acme", "Bolt", *(f"Nut {number}" for number in range(6))]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_an_edit_that_was_made_while_its_earlier_version_was_on_the_way_is_sent_after(rig):
    rig.org.lose_answer()
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")

    rig.push()

    assert rig.there(rig.acme)["Phone"] == "3"
    assert (rig.store.changes(), rig.kinds()) == ((), [])


def test_the_org_cannot_be_asked_and_the_change_stays_on_its_way(rig):
    rig.org.lose_answer()
    rig.store.create("Account", {"Name": "Nut"})
    rig.push()
    rig.org.fail(LimitExceeded("TotalRequests Limit exceeded."), call="created")

    push = rig.push()

    assert push.problem.code == "REQUEST_LIMIT_EXCEEDED"
    assert [each.state for each in rig.store.changes()] == [ChangeState.SENDING]
    assert names(rig) == ["Acme", "Bolt", "Nut"]


def test_a_push_that_is_stopped_sends_no_further_call_and_nothing_is_lost(rig):
    stop = Event()
    rig.org.orders_a_call = 1
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="3")
    org = StoppableOrg(OrgThatStops(rig.org, stop), stop)

    push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.bolt, "left")]
    assert (push.problem.code, push.state) == ("STOPPED", RunState.PARTIAL)
    assert [each.state for each in rig.store.changes()] == [ChangeState.WAITING]
    assert outcomes(rig.push()) == [(rig.bolt, "applied")]


def test_an_edit_that_refers_to_something_deleted_waits_in_the_inbox_though_its_record_is_there(rig):
    org = OrgWithoutSomething(rig.org)
    engine = SyncEngine(org, rig.store, rig.world.clock, rig.bus)
    rig.edit(rig.jane, "Contact", AccountId=rig.bolt)

    first, second = engine.push(), engine.push()

    assert (outcomes(first), second.changes, org.calls) == ([(rig.jane, "rejected")], (), 2)
    assert [(each.kind, each.code) for each in rig.store.inbox()] == [(Kind.REJECTED, "ENTITY_IS_DELETED")]
