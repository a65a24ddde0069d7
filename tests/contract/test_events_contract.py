"""Events: what every source of change events promises, over one in memory and one behind a socket."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.errors import NeedsPerson, ReplayRefused, RequestRefused, Unreachable
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.models.event import Action
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Events, Org
from salesforce_sync.storage.vault import Vault
from salesforce_sync.testing import FrozenClock, MemoryEvents, MemoryOrg, make_schema
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg

PRODUCT = "Product2"


class MemoryWorld:
    """A MemoryOrg."""

    def __init__(self, folder: Path) -> None:
        schema = make_schema(PRODUCT, Name="string", Description="string")
        self._memory = MemoryOrg(schema)
        self.source = MemoryEvents(self._memory)
        self.org: Org = self._memory
        self.events: Events = self.source

    def add(self, name: str) -> str:
        return self._memory.put(PRODUCT, Name=name)

    def change(self, record_id: str, **values: str | None) -> None:
        self._memory.put(PRODUCT, record_id, **values)

    def delete(self, record_id: str) -> None:
        self._memory.delete(PRODUCT, record_id)

    def undelete(self, record_id: str) -> None:
        self._memory.undelete(PRODUCT, record_id)

    def ping(self) -> None:
        self.source.ping()

    def cut(self) -> None:
        self.source.cut()

    def forget(self) -> None:
        self.source.forget()

    def close(self) -> None:
        self.events.close()


class SocketWorld:
    """A simulated org's Pub/Sub API."""

    def __init__(self, folder: Path, sim: SimOrg) -> None:
        self.sim = sim
        connection = Connection(
            LoginMethod.CLIENT_CREDENTIALS, self.sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        keys = Vault(folder / "replica.db")
        self._org = SalesforceOrg(connection, api_version="58.0", work_dir=folder, keys=keys, clock=FrozenClock())
        self.org: Org = self._org
        schema = self._org.describe(PRODUCT)
        self.schemas: dict[str, ObjectSchema] = {PRODUCT: schema}
        self.events: Events = self._org.events(sim.events.url, self.schemas.get)

    def add(self, name: str) -> str:
        return self.sim.add(PRODUCT, Name=name)

    def change(self, record_id: str, **values: str | None) -> None:
        self.sim.change(record_id, **values)

    def delete(self, record_id: str) -> None:
        self.sim.remove(record_id)

    def undelete(self, record_id: str) -> None:
        self.sim.undelete([record_id])

    def ping(self) -> None:
        """One comes every 0.1 s."""

    def cut(self) -> None:
        self.sim.events.cut()

    def forget(self) -> None:
        self.sim.clock.advance(73 * 3600)

    def close(self) -> None:
        self.events.close()
        self.org.close()


World = MemoryWorld | SocketWorld


@pytest.fixture(scope="module")
def sim():
    with SimOrg(0) as made, made.serve(), made.serve_events():
        made.events.select(PRODUCT)
        made.events.ping_seconds = 0.1
        made.sessions.idle_seconds = 1e9
        yield made


@pytest.fixture
def socket(tmp_path, sim):
    secret = sim.clients.first.secret
    made = SocketWorld(tmp_path, sim)
    yield made
    made.close()
    sim.clients.first.secret = secret


@pytest.fixture(params=["memory", "socket"])
def world(request, tmp_path):
    if request.param == "socket":
        yield request.getfixturevalue("socket")
        return
    made = MemoryWorld(tmp_path)
    yield made
    made.close()


class Reading:
    """A subscription that a thread of its own reads."""

    def __init__(self, events: Events, after: bytes | None = None) -> None:
        self.subscription = events.subscribe(PRODUCT, after)
        self.pages = []
        self._came = threading.Condition()
        self._pool = ThreadPoolExecutor(1)
        self.ended = self._pool.submit(self._read)

    def _read(self) -> None:
        for page in self.subscription:
            with self._came:
                self.pages.append(page)
                self._came.notify_all()

    @property
    def told(self) -> list[tuple[Action, object]]:
        return [(each.action, each.values.get("Name")) for page in self.pages for each in page.events]

    def until(self, met) -> None:
        with self._came:
            assert self._came.wait_for(lambda: met(self), 10), self.pages

    def close(self) -> None:
        self.subscription.close()
        self.ended.result(5)


def listening(world: World, after: bytes | None = None) -> Reading:
    """A subscription whose first page has come."""
    reading = Reading(world.events, after)
    until = time.monotonic() + 10
    while not reading.pages and time.monotonic() < until:
        world.ping()
        time.sleep(0.01)
    assert reading.pages, reading.ended
    return reading


def test_what_happens_after_the_first_page_is_told_in_its_order(world):
    reading = listening(world)
    key = world.add("Bolt")
    world.change(key, Name="Nut")
    world.delete(key)
    world.undelete(key)

    reading.until(lambda it: len(it.told) == 4)

    assert reading.told == [
        (Action.CREATE, "Bolt"),
        (Action.UPDATE, "Nut"),
        (Action.DELETE, None),
        (Action.UNDELETE, "Nut"),
    ]
    assert {each.record_id for page in reading.pages for each in page.events} == {key}
    reading.close()


def test_an_update_tells_the_changed_fields_and_when_it_was_modified(world):
    key = world.add("Bolt")
    reading = listening(world)
    world.change(key, Description="round")

    reading.until(lambda it: it.told)

    (event,) = (each for page in reading.pages for each in page.events)
    assert event.values.keys() <= {"Description", "LastModifiedDate", "LastModifiedById"}
    assert event.values["Description"] == "round"
    assert event.since == event.values["LastModifiedDate"]
    reading.close()


def test_a_subscription_goes_on_after_the_last_page(world):
    reading = listening(world)
    world.add("One")
    reading.until(lambda it: it.told)
    after = reading.pages[-1].replay
    reading.close()
    world.add("Two")

    again = Reading(world.events, after)
    again.until(lambda it: it.told)

    assert again.told == [(Action.CREATE, "Two")]
    again.close()


def test_a_page_without_events_has_a_place_to_go_on_from_too(world):
    reading = listening(world)
    assert reading.pages[0].events == ()
    after = reading.pages[0].replay
    reading.close()
    world.add("One")

    again = Reading(world.events, after)
    again.until(lambda it: it.told)

    assert again.told == [(Action.CREATE, "One")]
    again.close()


def test_a_place_that_is_forgotten_is_refused(world):
    reading = listening(world)
    world.add("One")
    reading.until(lambda it: it.told)
    after = reading.pages[-1].replay
    reading.close()
    world.forget()

    with pytest.raises(ReplayRefused):
        list(world.events.subscribe(PRODUCT, after))


def test_a_stream_that_breaks_says_so(world):
    reading = listening(world)
    world.cut()

    assert isinstance(reading.ended.exception(10), Unreachable)


def test_closing_ends_the_waiting_at_once(world):
    reading = listening(world)
    began = time.monotonic()

    reading.close()

    assert time.monotonic() - began < 1


# ── the wire ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_that_has_ended_is_renewed_for_the_next_stream(socket):
    listening(socket).close()
    socket.sim.sessions.end_all()

    with pytest.raises(Unreachable):
        list(socket.events.subscribe(PRODUCT, None))
    reading = listening(socket)
    socket.add("Bolt")
    reading.until(lambda it: it.told)

    assert reading.told == [(Action.CREATE, "Bolt")]
    reading.close()


def test_a_login_that_is_refused_needs_a_person(socket):
    listening(socket).close()
    socket.sim.sessions.end_all()
    socket.sim.clients.first.secret = "another"

    with pytest.raises(NeedsPerson):
        list(socket.events.subscribe(PRODUCT, None))


def test_an_object_without_events_is_named(socket):
    socket.schemas["Nothing"] = make_schema("Nothing", Name="string")
    with pytest.raises(RequestRefused, match="Nothing") as caught:
        list(socket.events.subscribe("Nothing", None))
    assert "Change Data Capture" in caught.value.hint


def test_more_events_than_are_asked_for_at_once_come_all(socket):
    reading = listening(socket)
    socket.sim.create(PRODUCT, [{"Name": str(number)} for number in range(450)])

    reading.until(lambda it: len(it.told) >= 450)

    assert [name for _, name in reading.told] == [str(number) for number in range(450)]
    reading.close()


def test_a_schema_that_drifts_is_read_with_what_is_known(socket):
    reading = listening(socket)
    key = socket.add("Bolt")
    reading.until(lambda it: len(it.told) == 1)  # on a page of its own
    socket.sim.add_field(PRODUCT, "Fresh__c", "string 20")
    socket.change(key, Name="Nut", Fresh__c="x")
    reading.until(lambda it: len(it.told) == 2)
    socket.schemas[PRODUCT] = socket.org.describe(PRODUCT)
    socket.change(key, Fresh__c="y")
    reading.until(lambda it: len(it.told) == 3)

    assert [page.unsure for page in reading.pages if page.events] == [False, True, False]
    assert reading.pages[-1].events[-1].values["Fresh__c"] == "y"
    reading.close()


def test_nobody_is_there(socket, tmp_path):
    events = socket._org.events("http://127.0.0.1:9", socket.schemas.get)
    with pytest.raises(Unreachable):
        list(events.subscribe(PRODUCT, None))
    events.close()
