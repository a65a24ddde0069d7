"""Random edits on both sides, and pushes that end in every way: at rest the replica is the org, and nothing waits."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import ChangeState, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Rejected
from salesforce_sync.models.salesforce_id import to_18
from tests.contract.edits import ACCOUNT, SENT_AT, arrive, row
from tests.contract.stores import WORLDS

FIELDS = ("Name", "Phone", "Rating")
VALUES = {"Name": ("Acme", "Bolt"), "Phone": (None, "1", "2", "3"), "Rating": (None, "Hot", "Warm")}
PICK = st.integers(0, 7)
FATES = ("taken", "taken, and the answer lost", "not taken, and the answer lost", "rejected", "deferred")


class SmallOrg:
    """Accounts of an org that writes only to what is as it was."""

    def __init__(self):
        self.rows = {}
        self.moments = 0

    def stamp(self):
        self.moments += 1
        return f"2024-01-{15 + self.moments // 1440:02d}T{self.moments // 60 % 24:02d}:{self.moments % 60:02d}:00.000"

    def save(self, key, **values):
        blank = {"Name": "Acme", "Phone": None, "Rating": None, "deleted": False}
        self.rows[key] = {**self.rows.get(key, blank), **values, "at": self.stamp()}

    def new_id(self):
        return to_18(f"001{len(self.rows) + 1:012d}")

    def wire(self):
        return [
            row(ACCOUNT, key, f"{each['at']}+0000", deleted=each["deleted"], **{name: each[name] for name in FIELDS})
            for key, each in self.rows.items()
        ]

    def live(self):
        return {key: tuple(each[name] for name in FIELDS) for key, each in self.rows.items() if not each["deleted"]}

    def take(self, change):
        """The change's outcome if its answer came."""
        if change.operation is Operation.CREATE:
            key = self.new_id()
            self.save(key, **change.values)
            return Applied(change, key)
        here = self.rows[change.record_id]
        undeletes = change.operation is Operation.UNDELETE
        if f"{here['at']}Z" != change.stamp or here["deleted"] != undeletes:
            return Conflicted(change)
        deleted = {Operation.DELETE: True, Operation.UNDELETE: False}.get(change.operation, here["deleted"])
        self.save(change.record_id, **change.values, deleted=deleted)
        return Applied(change, change.record_id)


class Edits(RuleBasedStateMachine):
    kind = "memory"

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.world = WORLDS[self.kind](Path(self.folder.name))
        self.org, self.pushes, self.unheard = SmallOrg(), 0, {}
        self.store.adopt(ACCOUNT)
        for number in (1, 2):
            self.org.save(to_18(f"001{number:012d}"))
        self.pull()

    @property
    def store(self):
        return self.world.store

    # ── the org ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(which=PICK, name=st.sampled_from(FIELDS), pick=PICK)
    def somebody_edits(self, which, name, pick):
        key = sorted(self.org.rows)[which % len(self.org.rows)]
        if not self.org.rows[key]["deleted"]:
            self.org.save(key, **{name: VALUES[name][pick % len(VALUES[name])]})

    @rule(which=PICK)
    def somebody_deletes_or_brings_back(self, which):
        key = sorted(self.org.rows)[which % len(self.org.rows)]
        self.org.save(key, deleted=not self.org.rows[key]["deleted"])

    # ── here ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(which=PICK, name=st.sampled_from(FIELDS), pick=PICK)
    def edit(self, which, name, pick):
        key = self.some_live(which)
        if key:
            value = VALUES[name][pick % len(VALUES[name])]
            self.store.update("Account", key, {name: value})
            # Gone is what the org had deleted, and has no edits any more.
            here = self.here()
            assert key not in here or here[key][FIELDS.index(name)] == value

    @rule()
    def create(self):
        self.store.create("Account", {"Name": "Nut"})

    @rule(which=PICK)
    def delete(self, which):
        key = self.some_live(which)
        if key:
            self.store.delete("Account", key)
            assert key not in self.here()

    @rule(which=PICK)
    def undelete(self, which):
        gone = sorted(self.org.rows.keys() - self.here().keys())
        if gone:
            key = gone[which % len(gone)]
            try:
                self.store.undelete("Account", key)
            except LookupError:
                return
            assert key in self.here()

    def some_live(self, which):
        live = sorted(self.here())
        return live[which % len(live)] if live else None

    def here(self):
        names = [field.name for field in ACCOUNT.columns]
        places = [names.index(name) for name in FIELDS]
        return {each[0]: tuple(each[place] for place in places) for each in self.store.scan("Account")}

    # ── between ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def pull(self):
        arrive(self.store, ACCOUNT, *self.org.wire())

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4))
    def push(self, fates):
        self.send(fates)

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4), which=PICK, pick=PICK)
    def push_while_somebody_types(self, fates, which, pick):
        self.send(fates, lambda: (self.edit(which, "Phone", pick), self.pull() if pick % 2 else None))

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4), which=PICK)
    def push_while_somebody_deletes(self, fates, which):
        self.send(fates, lambda: (self.delete(which), self.undelete(which + 1)))

    @rule()
    def recover(self):
        """Ask the org what became of the changes whose answers were lost: read again, or look for the new record."""
        self.pull()
        self.pushes += 1
        lost = [each for each in self.store.changes() if each.state is ChangeState.SENDING]
        outcomes = []
        for change in lost:
            found = self.unheard.pop(change.record_id)
            if change.operation is Operation.CREATE:
                outcomes.append(Applied(change, found) if found else Deferred(change, "LOST", "It is not there."))
            else:
                outcomes.append(Conflicted(change))
        self.store.settle(f"push-{self.pushes}", outcomes)

    @rule(which=PICK, side=st.sampled_from(Side))
    def decide(self, which, side):
        items = self.store.inbox()
        if items:
            self.store.resolve(items[which % len(items)].number, Resolution(side))

    @rule()
    def kill(self):
        self.world.restart()

    def send(self, fates, meanwhile=lambda: None):
        changes = [each for each in self.store.changes() if each.state is ChangeState.WAITING]
        self.pushes += 1
        self.store.sending(changes, f"push-{self.pushes}", SENT_AT, None)
        outcomes = [self.fate(change, fates[index % len(fates)]) for index, change in enumerate(changes)]
        meanwhile()
        self.store.settle(f"push-{self.pushes}", outcomes)
        self.store.settle(f"push-{self.pushes}", outcomes)

    def fate(self, change, fate):
        if fate == "rejected":
            return Rejected(change, "SOME_RULE", "No.")
        if fate == "deferred":
            return Deferred(change, "UNABLE_TO_LOCK_ROW", "Later.")
        outcome = Conflicted(change) if fate.startswith("not") else self.org.take(change)
        if not fate.endswith("lost"):
            return outcome
        self.unheard[change.record_id] = outcome.record_id if isinstance(outcome, Applied) else None
        return Lost(change, "No answer.")

    # ── what must be true ────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def what_waits_can_be_sent(self):
        for change in self.store.changes():
            if change.state is ChangeState.WAITING and change.operation in (Operation.CREATE, Operation.UPDATE):
                assert change.edits, change
                assert all(each.base != each.value for each in change.edits), change

    @invariant()
    def what_is_not_the_orgs_is_an_edit(self):
        """A row with the org's present stamp shows the org's values, but for what is in the outbox or in the inbox."""
        changes = {each.record_id: each for each in self.store.changes()}
        edited = {each.record_id: {edit.field for edit in each.edits} for each in changes.values()}
        for item in self.store.inbox():
            edited.setdefault(item.record_id, set()).update(edit.field for edit in item.edits)
        sending = {key for key, each in changes.items() if each.state is ChangeState.SENDING}
        for values in self.store.scan("Account"):
            here = dict(zip((field.name for field in ACCOUNT.columns), values, strict=True))
            there = self.org.rows.get(here["Id"])
            if there is None or here["SystemModstamp"] != f"{there['at']}Z" or here["Id"] in sending:
                continue
            different = {name for name in FIELDS if here[name] != there[name]}
            undeleted = here["Id"] in changes and changes[here["Id"]].operation is Operation.UNDELETE
            assert undeleted or different <= edited.get(here["Id"], set())

    @invariant()
    def what_is_parked_is_in_the_inbox(self):
        waiting = {each.record_id for each in self.store.inbox()}
        parked = {each.record_id for each in self.store.changes() if each.state is ChangeState.PARKED}
        assert parked <= waiting

    def teardown(self):
        if not hasattr(self, "world"):
            return
        for _ in range(6):
            self.recover()
            for item in self.store.inbox():
                if item.number in {each.number for each in self.store.inbox()}:
                    self.store.resolve(item.number, Resolution(Side.ORG))
            self.send(["taken"])
        self.pull()
        assert self.store.changes() == ()
        assert self.store.inbox() == ()
        assert self.here() == self.org.live()
        assert self.store.count_shown("Account") == len(self.org.live())
        self.store.close()
        self.folder.cleanup()


@pytest.mark.parametrize("kind", WORLDS)
def test_edits_converge(kind):
    machine = type(f"Edits_{kind}", (Edits,), {"kind": kind})
    case = machine.TestCase
    case.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
    case("runTest").runTest()
