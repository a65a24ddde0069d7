"""A replica in memory or in a file, its org, and orgs and stores in which something happens meanwhile."""

from msgspec.structs import replace

from salesforce_sync.models.outcome import Conflicted
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import MemoryOrg, capture_signals, make_field, make_schema
from tests.unit.orgs import replica

ACCOUNT = make_schema(
    "Account",
    make_field("Name", nillable=False),
    make_field("Key__c", unique=True, externalId=True),
    make_field("ParentId", "reference", referenceTo=["Account"]),
    Phone="phone",
    AnnualRevenue="currency",
)
CONTACT = make_schema("Contact", make_field("AccountId", "reference", referenceTo=["Account"]), LastName="string")


UNSTAMPED = make_schema("Rate__c", Name="string", Value__c="double").only("IsDeleted", "Name", "Value__c")


class Rig:
    """A replica and its org, synced."""

    def __init__(self, world):
        self.world, self.bus = world, Bus()
        self.org = MemoryOrg(ACCOUNT, CONTACT)
        self.signals = capture_signals(self.bus)
        self.acme = self.org.put("Account", Name="Acme", Phone="1")
        self.bolt = self.org.put("Account", Name="Bolt", Phone="1", ParentId=self.acme)
        self.jane = self.org.put("Contact", LastName="Jane", AccountId=self.acme)
        self.org.tick(60)
        self.sync()

    @property
    def store(self):
        return self.world.store

    @property
    def engine(self):
        return SyncEngine(self.org, self.store, self.world.clock, self.bus)

    def sync(self):
        self.org.tick()
        return self.engine.run(["Account", "Contact"])

    def bring(self, kind):
        """Pull, in a run of this kind."""
        self.org.tick()
        run = {"sync": self.engine.run, "pull": self.engine.pull, "verify": self.engine.verify}[kind]
        return run(["Account", "Contact"])

    def push(self):
        self.org.tick()
        return self.engine.push()

    def edit(self, record_id, object_name="Account", **values):
        self.store.update(object_name, record_id, values)

    def there(self, record_id, object_name="Account"):
        return self.org.live(object_name).get(record_id)

    def kinds(self):
        return [(each.record_id, each.kind) for each in self.store.inbox()]

    def equal(self):
        return all(replica(self.store, name) == self.org.live(name) for name in ("Account", "Contact"))


class OrgThatStops:
    """Another org, in which somebody wants the run to end while its first call is under way."""

    def __init__(self, org, stop):
        self._org, self._stop = org, stop

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        for outcomes in self._org.write(orders, announce):
            self._stop.set()
            yield outcomes


class StoreMeanwhile:
    """Another store, just before whose first claim somebody does something."""

    def __init__(self, store, meanwhile):
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name):
        return getattr(self._store, name)

    def claim(self, name):
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return self._store.claim(name)


class OrgMeanwhile:
    """Another org, while whose first call is under way somebody does something here."""

    def __init__(self, org, meanwhile):
        self._org, self._meanwhile = org, meanwhile

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        for outcomes in self._org.write(orders, announce):
            self._meanwhile()
            yield outcomes


class OrgInTheLastMoment:
    """Another org, in which somebody does something after the push has looked, and before it writes."""

    def __init__(self, org, before):
        self._org, self._before = org, before

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        self._before()
        yield from self._org.write(orders, announce)


class OrgThatHides:
    """Another org, which lets nobody see what was written."""

    def __init__(self, org):
        self._org = org

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        for outcomes in self._org.write(orders, announce):
            for each in outcomes:
                self._org.purge(each.change.object_name, each.record_id)
            yield tuple(replace(each, row=None) for each in outcomes)


class OrgWithoutSomething:
    """Another org, which says of every update that something is deleted, and not what."""

    def __init__(self, org):
        self._org, self.calls = org, 0

    def __getattr__(self, name):
        return getattr(self._org, name)

    def write(self, orders, announce):
        self.calls += 1
        announce([each.change for each in orders], None)
        yield tuple(Conflicted(each.change, "ENTITY_IS_DELETED", "entity is deleted") for each in orders)


def outcomes(push):
    return [(each.record_id, each.outcome) for each in push.changes]


def names(rig):
    return sorted(each["Name"] for each in rig.org.live("Account").values())
