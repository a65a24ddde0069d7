"""The SQLite store and the one in memory stay equal over random pulls, kills and reads."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salesforce_sync.errors import Incomplete, SchemaChanged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.values import encode
from salesforce_sync.ports import Filter
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, MemoryStore, make_field
from salesforce_sync.testing.forms import to_rest, write_csv
from tests.contract.stores import id_of
from tests.property.values import THING, THINGS, VALUES
from tests.ready import store_on

START = datetime(2024, 1, 15, 10, tzinfo=UTC)
WIDER = type(THING)("Thing__c", "Thing__c", (*THING.fields, make_field("New__c")))
rows = st.lists(
    st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 5), THINGS),
    max_size=6,
)
FORMS = st.sampled_from(["rest", "csv", "prepared"])
texts = ("contains", "startswith", "endswith")


class TwoStores(RuleBasedStateMachine):
    """Whatever is done to one is done to the other."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.clock = FrozenClock()
        self.memory = MemoryStore(self.clock)
        self.sqlite = store_on(self.path / "replica.db", self.clock)
        self.schema = THING
        self.begun = False
        self.pending = 0
        self.points = 0

    @initialize()
    def adopt(self):
        assert self.memory.adopt(THING) == self.sqlite.adopt(THING) == ()

    def both(self, work):
        results = []
        for store in (self.memory, self.sqlite):
            try:
                results.append(work(store))
            except (Incomplete, SchemaChanged) as error:
                results.append(type(error))
        assert results[0] == results[1]
        return results[0]

    @rule(since=st.none() | st.integers(0, 5))
    def begin(self, since):
        request = PullRequest(self.schema, None if since is None else START + timedelta(hours=since))
        self.both(lambda store: store.begin(request))
        self.begun, self.pending = True, 0

    @rule(pages=st.lists(rows, min_size=1, max_size=3), form=FORMS, hour=st.none() | st.integers(0, 5))
    def whole_pull(self, pages, form, hour):
        self.begin(None)
        for some in pages:
            self.stage(some, True, form, 0)
        self.merge(hour)

    @rule(pages=st.lists(rows, min_size=2, max_size=4), killed_before=st.integers(1, 3), form=FORMS)
    def pull_with_a_kill(self, pages, killed_before, form):
        self.begin(None)
        for number, some in enumerate(pages):
            if number == killed_before:
                self.stage(some, False, form, None)
                self.kill()
            if self.begun:
                self.stage(some, True, form, 0)
        if self.begun:
            self.merge(None)

    @precondition(lambda self: self.begun)
    @rule(rows=rows, durable=st.booleans(), form=FORMS, wrong=st.sampled_from([None, 0, 0, 0, 1, -1]))
    def stage(self, rows, durable, form, wrong):
        self.points += 1
        values = [self.values(*row) for row in rows]
        resume = f"after-{self.points}" if durable else None
        expected = None if wrong is None else self.pending + len(rows) + wrong
        staged = self.both(lambda store: store.stage(self.page(store, values, form, resume, expected)))
        if staged is not Incomplete:
            assert staged == len(rows)
            self.pending = 0 if durable else self.pending + len(rows)

    def values(self, number, deleted, hour, some):
        stamp = START + timedelta(hours=hour)
        known = {"Id": id_of(number), "IsDeleted": deleted, "SystemModstamp": stamp, **some}
        return tuple(known.get(each.name) for each in self.schema.columns)

    def page(self, store, values, form, resume, expected):
        more = (resume, expected, None, START + timedelta(hours=3))
        if form == "rest":
            return Page(self.schema, Rows([tuple(map(to_rest, row)) for row in values]), *more)
        write_csv(self.path / "page.csv", self.schema.columns, values)
        whole = Page(self.schema, CsvFile(self.path / "page.csv"), *more)
        return store.prepare(whole) if form == "prepared" else whole

    def look(self):
        """As a run does before it goes on: cut staging back to its last durable page."""
        self.begun = self.both(lambda store: store.staged("Thing__c")) is not None
        self.pending = 0

    @rule()
    def kill(self):
        self.memory = self.memory.reopened()
        self.sqlite.close()
        self.sqlite = SqliteStore(self.path / "replica.db", self.clock)
        self.look()

    @precondition(lambda self: self.begun)
    @rule(limit=st.none() | st.integers(0, 5))
    def merge(self, limit):
        until = None if limit is None else START + timedelta(hours=limit)
        self.both(lambda store: store.merge("Thing__c", until))
        self.look()

    @rule(wider=st.booleans())
    def describe(self, wider):
        self.schema = WIDER if wider else THING
        self.both(lambda store: store.adopt(self.schema))
        self.look()

    @rule(data=st.data(), name=st.sampled_from([*VALUES, "Id"]))
    def search(self, data, name):
        field = THING.field(name)
        value = st.sampled_from([id_of(number) for number in range(8)]) if name == "Id" else VALUES[name]
        stored = encode(field.type, data.draw(value))
        operators = ["eq", "ne", "in", "isnull"]
        if stored is not None:
            operators += ["gt", "gte", "lt", "lte"]
        operator = data.draw(st.sampled_from(operators))
        given = {"in": (stored, None), "isnull": True}.get(operator, stored)
        self.compare((Filter(name, operator, given),))

    @rule(operator=st.sampled_from(texts), value=VALUES["Text__c"])
    def search_texts(self, operator, value):
        self.compare((Filter("Text__c", operator, value),))

    def compare(self, filters):
        found = self.both(lambda store: sorted(store.scan("Thing__c", filters), key=lambda row: str(row[0])))
        assert self.both(lambda store: store.count("Thing__c", filters)) == len(found)

    @invariant()
    def nothing_differs(self):
        if self.memory.schemas():
            self.compare(())
            self.both(lambda store: store.checkpoint("Thing__c"))
            self.both(lambda store: store.status())
            types = self.both(lambda store: [list(map(type, row)) for row in sorted(store.scan("Thing__c"))])
            assert all(kind in (str, int, float, type(None)) for row in types for kind in row)

    def teardown(self):
        self.sqlite.close()
        self.folder.cleanup()


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(stateful_step_count=25)
