"""Change events of a server that has other habits than simorg's: opaque replay ids, other pages, other ends."""

from __future__ import annotations

import grpc
import pytest

from salesforce_sync.api.events import AHEAD, Caller, PubSub
from salesforce_sync.errors import EventsSpent, ReplayRefused, RequestRefused, Unreachable
from salesforce_sync.models.connection import Session
from salesforce_sync.models.event import Action
from salesforce_sync.testing import make_schema
from tests.pubsub_script import CODES, Schema, Server, consumer, page

WIDGET = make_schema("Widget__c", Name="string", Size__c="string")
TOPIC = "/data/Widget__ChangeEvent"
KEY = "a00000000000001AAA"
TEXT = ["string", "null"]
FIRST = Schema("one", "Widget__c", ("Name", TEXT), ("Size__c", TEXT))
SECOND = Schema("two", "Widget__c", ("Size__c", ["null", "string"]), ("Name", ["null", "string"]))


class Login:
    """A session that ends when it is told, and is renewed."""

    def __init__(self) -> None:
        self.number = 1

    def current(self) -> Session:
        return Session("https://example.my.salesforce.com", f"token {self.number}")

    def renew(self, stale: Session) -> bool:
        if stale == self.current():
            self.number += 1
        return True


@pytest.fixture
def hub():
    made: list[PubSub] = []

    def connect(server: Server, login: Login | None = None) -> PubSub:
        caller = Caller(login or Login(), lambda: "00D000000000001EAA", "client=salesforce-sync")
        made.append(PubSub(server.url, caller, lambda name: WIDGET))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def update(schema: Schema, replay: bytes, commit: int, name: str):
    return schema.event(replay, "UPDATE", [KEY], (commit, 1), changedFields=schema.bits("Name"), Name=name)


def test_a_schema_may_change_from_one_event_to_the_next_in_one_page(hub):
    def told(call):
        yield page(update(FIRST, b"\xff", 1, "one"), update(SECOND, b"\x01\x00", 2, "two"), pending=98)
        yield from call.stay()

    with Server({TOPIC: [told]}, [FIRST, SECOND]) as server:
        pages = iter(hub(server).subscribe("Widget__c", None))
        found = next(pages)

    assert [each.values for each in found.events] == [{"Name": "one"}, {"Name": "two"}]
    assert found.replay == b"\x01\x00"


def test_what_cannot_be_read_makes_the_object_unsure_and_the_stream_goes_on(hub):
    """Else the same event would be met again and again, until it is too old."""

    def told(call):
        yield page(consumer(b"bad", "one", b"\xff\xff"), update(FIRST, b"good", 2, "two"))
        yield page(consumer(b"no schema", "of nobody", b""), update(FIRST, b"better", 3, "three"))
        yield from call.stay()

    with Server({TOPIC: [told]}, [FIRST]) as server:
        pages = iter(hub(server).subscribe("Widget__c", None))
        first, second = next(pages), next(pages)

    assert [(each.values["Name"]) for each in (*first.events, *second.events)] == ["two", "three"]
    assert (first.unsure, second.unsure, second.replay) == (True, True, b"better")


def test_a_page_that_names_no_place_tells_none(hub):
    def told(call):
        yield page()
        yield from call.stay()

    with Server({TOPIC: [told]}) as server:
        found = next(iter(hub(server).subscribe("Widget__c", b"here")))

    assert found.replay == b"here"


@pytest.mark.parametrize("tells_pending", [True, False])
def test_an_org_that_sends_only_what_was_asked_for_sends_everything(hub, tells_pending):
    def told(call):
        sent = 0
        while sent < 300:
            left = call.wait_for(sent + 1) - sent
            some = min(7, left, 300 - sent)
            sent += some
            events = (update(FIRST, b"%d" % (999 - sent), sent, str(sent)) for _ in range(some))
            yield page(*events, pending=left - some if tells_pending else 0)
        yield from call.stay()

    with Server({TOPIC: [told]}, [FIRST]) as server:
        got = 0
        for each in hub(server).subscribe("Widget__c", None):
            got += len(each.events)
            if got >= 300:
                break

    assert got == 300
    assert all(0 < each <= AHEAD for each in server.calls[TOPIC][0].asked)


@pytest.mark.parametrize(
    ("status", "code", "after", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, f"{CODES}subscription.fetch.replayid.corrupted", b"x", ReplayRefused),
        (grpc.StatusCode.INVALID_ARGUMENT, f"{CODES}subscription.fetch.replayid.expired", b"x", ReplayRefused),
        (grpc.StatusCode.INVALID_ARGUMENT, "", b"x", ReplayRefused),
        (grpc.StatusCode.OUT_OF_RANGE, "", b"x", ReplayRefused),
        (grpc.StatusCode.INVALID_ARGUMENT, "", None, RequestRefused),
        (grpc.StatusCode.NOT_FOUND, f"{CODES}topic.not.found", b"x", RequestRefused),
        (grpc.StatusCode.PERMISSION_DENIED, "", None, RequestRefused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "", b"x", EventsSpent),
        (grpc.StatusCode.INVALID_ARGUMENT, f"{CODES}subscription.limit.exceeded", b"x", EventsSpent),
        (grpc.StatusCode.INTERNAL, "", b"x", Unreachable),
        (grpc.StatusCode.UNKNOWN, f"{CODES}service.auth.error", b"x", Unreachable),
    ],
)
def test_what_ends_a_subscription_is_told_by_its_kind(hub, status, code, after, expected):
    with Server({TOPIC: [lambda call: call.fail(status, code)]}) as server, pytest.raises(expected):
        next(iter(hub(server).subscribe("Widget__c", after)))


def test_a_refusal_after_the_first_page_is_not_one_of_the_replay_id(hub):
    def told(call):
        yield page(latest=b"there")
        call.fail(grpc.StatusCode.INVALID_ARGUMENT)

    with Server({TOPIC: [told]}) as server:
        pages = iter(hub(server).subscribe("Widget__c", b"here"))
        next(pages)
        with pytest.raises(RequestRefused) as refused:
            next(pages)

    assert not isinstance(refused.value, ReplayRefused)


def test_a_session_that_ends_in_the_middle_is_renewed(hub):
    def told(call):
        yield page(update(FIRST, b"a", 1, "one"))
        if call.server.metadata[-1]["accesstoken"] == "token 2":
            yield from call.stay()
        call.fail(grpc.StatusCode.UNAUTHENTICATED, f"{CODES}service.auth.error")

    with Server({TOPIC: [told]}, [FIRST]) as server:
        connected = hub(server)
        pages = iter(connected.subscribe("Widget__c", None))
        assert next(pages).events[0].action is Action.UPDATE
        with pytest.raises(Unreachable):
            next(pages)
        again = next(iter(connected.subscribe("Widget__c", b"a")))

    assert again.replay == b"a"
    assert [each["accesstoken"] for each in server.metadata] == ["token 1", "token 2"]
    assert {each["tenantid"] for each in server.metadata} == {"00D000000000001EAA"}


def test_a_stream_that_the_org_ends_without_a_word_is_an_error(hub):
    with Server({TOPIC: [lambda call: iter(())]}) as server, pytest.raises(Unreachable, match="ended the stream"):
        next(iter(hub(server).subscribe("Widget__c", None)))
