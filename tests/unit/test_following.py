"""A daemon's change events: begun as soon as that is possible, with a word for who asks meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from salesforce_sync.errors import ConfigError, Unreachable
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.follow import Follower
from salesforce_sync.sync.following import Following
from salesforce_sync.testing import MemoryEvents, MemoryOrg, MemoryStore, make_schema

NAME = "Widget__c"


class RealTime:
    def monotonic(self) -> float:
        return time.monotonic()

    def suspended(self) -> float:
        return 0.0


@pytest.fixture
def follower():
    org = MemoryOrg(make_schema(NAME, Name="string"))
    store = MemoryStore(org.clock)
    engine = SyncEngine(org, store, org.clock, Bus())

    def poll(names, stop):
        return [each.object_name for each in engine.pull(names).objects]

    made = Follower(MemoryEvents(org), org, store, RealTime(), Bus(), poll)
    yield made
    made.stop()


def wait(met):
    ends = time.monotonic() + 10
    while not met():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.005)


def test_an_org_that_cannot_be_reached_at_first_is_followed_later(follower):
    tries = []

    def begin():
        tries.append(1)
        if len(tries) < 3:
            raise Unreachable("No network.")
        return follower

    following = Following(begin, (NAME,), threading.Event(), first_wait=0.1)
    following.start()
    assert following.told() == {NAME: "UNREACHABLE: No network."}

    wait(lambda: following.told() == {NAME: ""})
    assert len(tries) == 3


def test_what_no_waiting_will_mend_is_told_at_once():
    def begin():
        raise ConfigError("No grpc.")

    with pytest.raises(ConfigError):
        Following(begin, (NAME,), threading.Event()).start()


def test_nothing_is_tried_any_more_once_the_daemon_stops():
    stop, tries = threading.Event(), []

    def begin():
        tries.append(1)
        raise Unreachable("No network.")

    Following(begin, (NAME,), stop, first_wait=0.05).start()
    stop.set()
    wait(lambda: not [each for each in threading.enumerate() if each.name == "events-begin"])

    assert len(tries) == 1
