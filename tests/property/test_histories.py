"""Random histories of an org, with pulls, kills and faults in between: at rest the replica equals the org."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salesforce_sync.errors import Incomplete, JobFailed, LocatorExpired, SchemaChanged, Unreachable
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import FrozenClock, MemoryOrg, MemoryStore, make_field
from tests.property.values import THING, THINGS
from tests.ready import store_on
from tests.unit.orgs import replica

WIDER = type(THING)("Thing__c", "Thing__c", (*THING.fields, make_field("Colour__c")))
LONGEST_TRANSACTION = 600
"""Seconds that Salesforce lets a transaction run."""
ERRORS = st.sampled_from([Unreachable("reset"), JobFailed("aborted"), LocatorExpired("gone"), SchemaChanged("gone")])
COLOURS = st.sampled_from(["red", "green", None])


class RestlessOrg(MemoryOrg):
    """An org in which people go on working while pages are read."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.between_pages = []

    def pull(self, request):
        for page in super().pull(request):
            if self.between_pages:
                self.between_pages.pop()()
            yield page


class Histories(RuleBasedStateMachine):
    """People change the org, time passes, runs come and go, things break."""

    @initialize(
        in_memory=st.booleans(), as_files=st.booleans(), page_rows=st.integers(1, 5), segments=st.integers(1, 3)
    )
    def begin(self, in_memory, as_files, page_rows, segments):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.clock = FrozenClock()
        self.path = path / "replica.db"
        self.org = RestlessOrg(
            THING, page_rows=page_rows, csv_folder=path if as_files else None, segments=segments if as_files else 1
        )
        self.store = MemoryStore(self.clock) if in_memory else store_on(self.path, self.clock)
        self.described = THING

    # ── people ───────────────────────────────────────────────────────────────────────────────────────────────────

    def pick(self, number, *, deleted):
        rows = self.org._rows["Thing__c"]
        found = sorted(key for key, row in rows.items() if row["IsDeleted"] is deleted)
        return found[number % len(found)] if found else None

    def with_colour(self, values, colour):
        return {**values, "Colour__c": colour} if self.described is WIDER else values

    @rule(values=THINGS, colour=COLOURS)
    def create(self, values, colour):
        self.org.put("Thing__c", **self.with_colour(values, colour))

    @rule(number=st.integers(0, 50), values=THINGS, colour=COLOURS)
    def update(self, number, values, colour):
        key = self.pick(number, deleted=False)
        if key is not None:
            self.org.put("Thing__c", key, **self.with_colour(values, colour))

    @rule(number=st.integers(0, 50))
    def delete(self, number):
        key = self.pick(number, deleted=False)
        if key is not None:
            self.org.delete("Thing__c", key)

    @rule(number=st.integers(0, 50))
    def undelete(self, number):
        key = self.pick(number, deleted=True)
        if key is not None:
            self.org.undelete("Thing__c", key)

    @rule(number=st.integers(0, 50), values=THINGS, kind=st.sampled_from(["create", "update", "delete", "undelete"]))
    def work_during_the_next_pull(self, number, values, kind):
        work = {
            "create": lambda: self.org.put("Thing__c", **values),
            "update": lambda: self.update(number, values, None),
            "delete": lambda: self.delete(number),
            "undelete": lambda: self.undelete(number),
        }[kind]
        self.org.between_pages.append(lambda: (self.org.tick(7), work()))

    @rule(values=st.lists(THINGS, min_size=2, max_size=8), seconds=st.integers(0, 30))
    def create_many(self, values, seconds):
        for each in values:
            self.org.put("Thing__c", **each)
            self.org.tick(seconds)

    @rule(late=THINGS, seen=THINGS, seconds=st.integers(0, LONGEST_TRANSACTION))
    def a_long_transaction_ends_after_a_run(self, late, seen, seconds):
        with self.org.late_commit() as commit:
            self.org.put("Thing__c", **late)
        self.org.between_pages.clear()
        self.org.tick(seconds)
        self.org.put("Thing__c", **seen)
        self.run()
        commit()

    @precondition(lambda self: self.noticed())
    @rule()
    def change_the_schema(self):
        self.described = THING if self.described is WIDER else WIDER
        self.org.define(self.described)

    def noticed(self):
        return self.store.schema("Thing__c") in (None, self.described)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(seconds=st.sampled_from([0.001, 1, 60, 599, 3600, 86400]))
    def time_passes(self, seconds):
        self.org.tick(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    # ── mishaps ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(error=ERRORS, page=st.integers(1, 4))
    def a_call_will_fail(self, error, page):
        self.org.fail(error, "Thing__c", page=page)

    @rule(kind=st.sampled_from(["cut", "short"]), page=st.integers(1, 4))
    def an_answer_will_be_short(self, kind, page):
        self.org.mishap(kind, "Thing__c", page=page)

    @rule()
    def results_are_forgotten(self):
        self.org.expire_locators()

    @rule()
    def the_process_is_killed(self):
        if isinstance(self.store, MemoryStore):
            self.store = self.store.reopened()
        else:
            self.store.close()
            self.store = SqliteStore(self.path, self.clock)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def a_run(self):
        self.run()

    def run(self):
        result = SyncEngine(self.org, self.store, self.clock, Bus()).run(["Thing__c"])
        known = {Unreachable.code, JobFailed.code, LocatorExpired.code, Incomplete.code, SchemaChanged.code}
        problem = result.objects[0].problem
        assert problem is None or problem.code in known, problem
        return result.state

    @rule()
    def the_org_rests(self):
        self.org.faults.clear()
        self.org.between_pages.clear()
        self.clock.advance(timedelta(hours=1))  # long enough to look for new fields
        # One run may take up an old pull, the next may read all again, and the third sees what that could not.
        assert [self.run() for _ in range(3)] == [RunState.COMPLETE] * 3

        assert replica(self.store, "Thing__c") == self.org.live("Thing__c")
        assert self.run() is RunState.COMPLETE
        assert self.store.status()[0].last_run.counts.changed == 0

    @invariant()
    def no_row_is_made_up(self):
        if hasattr(self, "store") and self.store.schema("Thing__c") is not None:
            ever = set(self.org._rows["Thing__c"])
            assert {str(row[0]) for row in self.store.scan("Thing__c")} <= ever

    def teardown(self):
        if hasattr(self, "store"):
            self.the_org_rests()
            self.store.close()
            self.folder.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = settings(stateful_step_count=30)
