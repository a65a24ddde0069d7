"""A run that somebody wants to end: what it still does, and what the next one has to do again."""

import threading

import pytest

from salesforce_sync.errors import Stopped
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus, Progress
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.staging import MOST_AHEAD
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.testing import capture_signals
from tests.unit.orgs import FORMS, fill, replica


@pytest.fixture(params=FORMS)
def org(request, tmp_path):
    return FORMS[request.param](tmp_path)


class Rig:
    """An engine that can be stopped."""

    def __init__(self, org, world):
        self.org, self.store, self.bus, self.stop = org, world.store, Bus(), threading.Event()
        self.signals = capture_signals(self.bus)
        self.engine = SyncEngine(StoppableOrg(org, self.stop), world.store, world.clock, self.bus)

    def stop_at(self, rows):
        def listen(progress):
            if progress.rows >= rows:
                self.stop.set()

        self.bus.on("sync_progress", listen)


@pytest.fixture
def rig(org, world):
    return Rig(org, world)


def test_a_pull_ends_at_a_whole_page(rig):
    """At the next one; of files those are staged as well that had come by then."""
    fill(rig.org, 30)
    rig.stop_at(1)

    run = rig.engine.run(["Account"])

    assert run.state is RunState.PARTIAL
    assert run.objects[0].problem.code == "STOPPED"
    staged = rig.store.staged("Account").rows
    assert staged % rig.org.page_rows == 0
    assert rig.org.page_rows <= staged <= (1 + MOST_AHEAD) * rig.org.page_rows < 30
    assert rig.signals.names[-1] == "sync_failed"


def test_the_next_run_pays_only_for_what_is_missing(rig):
    fill(rig.org, 30)
    rig.stop_at(1)
    rig.engine.run(["Account"])
    spent = rig.org.usage.spent
    rig.stop.clear()
    rig.bus.on("sync_progress", lambda progress: rig.stop.clear())

    run = rig.engine.run(["Account"])

    assert run.state is RunState.COMPLETE
    assert replica(rig.store, "Account") == rig.org.live("Account")
    pages = -(-30 // rig.org.page_rows)
    # The pages that were not read yet, and what changed since the pull was begun.
    assert rig.org.usage.spent - spent <= pages - 1 + pages


def test_what_is_complete_by_then_stays_complete(rig):
    fill(rig.org, 2)
    rig.stop_at(2)

    run = rig.engine.run(["Account"])

    assert run.state is RunState.COMPLETE


def test_nothing_is_asked_once_a_stop_was_wanted(rig):
    rig.stop.set()

    run = rig.engine.run(["Account", "Contact"])

    assert {each.problem.code for each in run.objects} == {"STOPPED"}
    assert rig.org.usage.spent == 0
    assert rig.signals.of(Progress) == []


def test_every_question_is_refused_then(rig, world):
    stoppable = StoppableOrg(rig.org, rig.stop)
    schema = rig.org.describe("Account")
    rig.stop.set()

    for ask in (
        stoppable.objects,
        lambda: stoppable.describe("Account"),
        lambda: stoppable.poll([]),
        lambda: stoppable.pull_together([]),
        lambda: stoppable.deletions(schema.name, world.clock.now(), world.clock.now()),
    ):
        with pytest.raises(Stopped):
            ask()


def test_a_stop_between_the_pulls_and_their_proofs_ends_the_run_as_any_other(rig):
    fill(rig.org, 3)
    rig.stop_at(1)

    run = rig.engine.verify(["Account"])

    assert (run.state, run.objects[0].problem.code) == (RunState.PARTIAL, "STOPPED")
    assert rig.signals.names[-1] == "sync_failed"
    rig.stop.clear()
    rig.bus.on("sync_progress", lambda progress: rig.stop.clear())
    assert rig.engine.verify(["Account"]).state is RunState.COMPLETE
