"""The Pub/Sub API and its change events, as section 9 of the API facts has them."""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx2
import pytest

from simorg.events import Managed, Mishaps
from simorg.org import SimOrg
from simorg.pubsub import pubsub_api_pb2 as pb
from tests.plain import PLAIN
from tests.simorg.pubsub import Client

CONTACTS = "/data/ContactChangeEvent"
WIDGETS = "/data/Widget__ChangeEvent"


@pytest.fixture(scope="module")
def served():
    with SimOrg(records=0) as made, made.serve(), made.serve_events() as server:
        made.events.select("Account", "Contact", "Widget__c")
        made.sessions.idle_seconds = 1e9
        yield made, server


@pytest.fixture
def org(served):
    it = served[0]
    yield it
    it.clock.thaw()
    it.events.mishaps = Mishaps()
    it.events.overflow_after, it.events.ping_seconds, it.events.send_diffs = 100_000, 270.0, False
    it.events.wake()


@pytest.fixture
def client(org, served):
    made = Client(*served)
    yield made
    made.close()


def listening(org, client, topic=CONTACTS, **more):
    """A subscription that the org has taken in."""
    stream = client.subscribe(topic, **more)
    stream.call.initial_metadata()
    return stream


def refusal(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    told = dict(caught.value.trailing_metadata())
    return caught.value.code(), told.get("error-code", "").removeprefix("sfdc.platform.eventbus.grpc.")


# ── what an event tells ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_create_tells_every_field_with_compound_ones_nested(org, client):
    stream = listening(org, client)
    key = org.add("Contact", LastName="Doe", FirstName="Jane", MailingCity="Bern", Birthdate="2000-02-29")

    (event,) = stream.events(1)

    header = event["ChangeEventHeader"]
    assert (header["entityName"], header["recordIds"], header["changeType"]) == ("Contact", [key], "CREATE")
    assert event["Name"] == {"FirstName": "Jane", "LastName": "Doe", "Salutation": None}
    assert event["MailingAddress"]["City"] == "Bern"
    assert event["Birthdate"] == 951_782_400_000
    assert event["LastModifiedDate"] == org.row(key)["LastModifiedDate"]
    assert {"IsDeleted", "SystemModstamp", "Id", "Account_Industry__c"}.isdisjoint(event)


def test_an_update_tells_only_what_changed_and_what_is_null_now(org, client):
    key = org.add("Contact", LastName="Doe", Phone="1", Title="Dr", MailingCity="Bern", MailingStreet="A")
    stream = listening(org, client)

    org.change(key, Phone=None, Title="Prof", MailingCity=None, LastName="Roe")
    (event,) = stream.events(1)

    header = event["ChangeEventHeader"]
    assert header["changedFields"] == [
        "LastModifiedDate",
        "MailingAddress.City",
        "Name.LastName",
        "Phone",
        "Title",
    ]
    assert header["nulledFields"] == ["MailingAddress.City", "Phone"]
    assert event["Title"] == "Prof" and event["OwnerId"] is None and event["MailingAddress"] is None


def test_a_save_tells_its_time_though_it_is_the_second_of_the_one_before_and_over_by_its_commit(org, client):
    org.clock.freeze()
    key = org.add("Contact", LastName="Doe")
    stream = listening(org, client)

    with org.database.transaction():
        org.change(key, Title="Prof")
        org.clock.advance(2)
    (event,) = stream.events(1)

    assert event["ChangeEventHeader"]["changedFields"] == ["LastModifiedDate", "Title"]


def test_a_deletion_has_no_body_and_an_undeletion_a_whole_one(org, client):
    key = org.add("Contact", LastName="Doe", Phone="1")
    stream = listening(org, client)

    org.remove(key)
    org.undelete([key])
    gone, back = stream.events(2)

    assert gone["ChangeEventHeader"]["changeType"] == "DELETE" and gone["LastModifiedDate"] is None
    assert back["ChangeEventHeader"]["changeType"] == "UNDELETE" and back["Phone"] == "1"


def test_what_is_taken_back_and_what_is_purged_makes_no_event(org, client):
    stream = listening(org, client)
    org.create("Contact", [{"LastName": "A"}, {"Nonsense": 1}], all_or_none=True)
    key = org.add("Contact", LastName="Doe")
    org.remove(key)
    org.purge([key])
    org.add("Contact", LastName="Last")

    kinds = [each["ChangeEventHeader"]["changeType"] for each in stream.events(3)]

    assert kinds == ["CREATE", "DELETE", "CREATE"]


def test_rows_of_one_transaction_share_its_key_and_are_numbered(org, client):
    stream = listening(org, client)
    org.create("Contact", [{"LastName": "A"}, {"LastName": "B"}])
    org.add("Contact", LastName="C")

    a, b, c = (each["ChangeEventHeader"] for each in stream.events(3))

    assert a["transactionKey"] == b["transactionKey"] != c["transactionKey"]
    assert [a["sequenceNumber"], b["sequenceNumber"], c["sequenceNumber"]] == [1, 2, 1]
    assert a["commitNumber"] == b["commitNumber"] < c["commitNumber"]


def test_the_same_change_of_several_records_is_one_event(org, client):
    keys = [org.add("Contact", LastName="A"), org.add("Contact", LastName="B")]
    stream = listening(org, client)

    org.update("Contact", [{"Id": key, "Phone": "1"} for key in keys])
    (event,) = stream.events(1)

    assert event["ChangeEventHeader"]["recordIds"] == keys


def test_a_late_commit_is_told_when_it_is_seen(org, client):
    org.clock.freeze()
    stream = listening(org, client)
    with org.late_commit(60):
        org.add("Contact", LastName="Late")
    stamp = org.now_stamp()
    org.clock.advance(61)
    org.tick()

    (event,) = stream.events(1)

    assert event["LastModifiedDate"] == stamp
    assert event["ChangeEventHeader"]["commitTimestamp"] == org.clock.now_ms()


@pytest.mark.parametrize(
    "options", ["client=ours", "client=ours; defaultNamespace=x", "defaultNamespace=x, client=ours"]
)
def test_the_origin_names_the_api_and_the_caller(org, client, options):
    stream = listening(org, client)
    headers = {"Authorization": f"Bearer {client.token}", "Sforce-Call-Options": options}
    httpx2.post(
        f"{org.url}/services/data/v58.0/sobjects/Contact", json={"LastName": "A"}, headers=headers, verify=PLAIN
    )

    (event,) = stream.events(1)

    assert event["ChangeEventHeader"]["changeOrigin"] == "com/salesforce/api/rest/58.0;client=ours"
    assert event["ChangeEventHeader"]["commitUser"] == org.user_id


def test_a_new_field_makes_a_new_schema_and_old_ones_stay_known(org, client):
    stream = listening(org, client, WIDGETS)
    account = org.add("Account", Name="A")
    org.add("Widget__c", Account__c=account)
    before = client.topic(WIDGETS).schema_id
    org.add_field("Widget__c", "Fresh__c", "string 20")
    org.add("Widget__c", Account__c=account, Fresh__c="x")

    old, new = stream.events(2)

    assert "Fresh__c" not in old and new["Fresh__c"] == "x"
    assert client.topic(WIDGETS).schema_id != before
    assert client.schema(before)["name"] == "Widget__ChangeEvent"


def test_custom_locations_are_nested_too(org, client):
    account = org.add("Account", Name="A")
    stream = listening(org, client, WIDGETS)
    org.add(
        "Widget__c", Account__c=account, Place__Latitude__s=47.5, Place__Longitude__s=7.25, Clock__c="10:00:00.000Z"
    )

    (event,) = stream.events(1)

    assert event["Place__c"] == {"Latitude": 47.5, "Longitude": 7.25}
    assert event["Clock__c"] == 36_000_000


def test_too_many_changes_at_once_overflow(org, client):
    org.events.overflow_after = 2
    stream = listening(org, client)
    org.create("Contact", [{"LastName": str(number)} for number in range(5)])

    *told, last = (each["ChangeEventHeader"] for each in stream.events(3))

    assert [each["changeType"] for each in told] == ["CREATE", "CREATE"]
    assert (last["changeType"], last["recordIds"]) == ("GAP_OVERFLOW", ["000000000000000AAA"])


def test_gap_events_have_only_a_header(org, client):
    key = org.add("Contact", LastName="Doe")
    stream = listening(org, client)

    org.events.gap(key)
    org.events.mishaps.gaps = 1
    org.change(key, Phone="1")
    org.events.converted("Contact")
    told = stream.events(3)

    assert [each["ChangeEventHeader"]["changeType"] for each in told] == ["GAP_UPDATE"] * 3
    assert told[2]["ChangeEventHeader"]["recordIds"] == ["003*"]
    assert all(each["Phone"] is None for each in told)


def test_a_long_text_may_be_told_as_a_difference(org, client):
    org.events.send_diffs = True
    key = org.add("Contact", LastName="Doe", Description="a\n" * 600)
    stream = listening(org, client)

    org.change(key, Description="a\n" * 600 + "b")
    (event,) = stream.events(1)

    assert event["ChangeEventHeader"]["diffFields"] == ["Description"]
    assert "Description" not in event["ChangeEventHeader"]["changedFields"]
    assert "+b" in event["Description"]


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_events_come_than_were_asked_for(org, client):
    stream = listening(org, client, wanted=2)
    for number in range(5):
        org.add("Contact", LastName=str(number))

    first = stream.events(2)
    stream.requests.put(pb.FetchRequest(topic_name=CONTACTS, num_requested=3))
    rest = stream.events(3)

    names = [each["Name"]["LastName"] for each in first + rest]
    assert names == ["0", "1", "2", "3", "4"]


def test_more_than_a_hundred_events_ahead_are_taken_as_a_hundred(org, client):
    stream = listening(org, client, wanted=1000)
    org.create("Contact", [{"LastName": str(number)} for number in range(150)])

    stream.events(100)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stream.page)
        time.sleep(0.3)
        assert not waiting.done()
        stream.call.cancel()
        assert isinstance(waiting.exception(5), grpc.RpcError)


def test_a_subscription_goes_on_after_a_replay_id(org, client):
    stream = listening(org, client)
    org.add("Contact", LastName="A")
    stream.events(1)
    after = stream.latest
    for name in "BC":
        org.add("Contact", LastName=name)

    again = client.subscribe(CONTACTS, after=after).events(2)

    assert len(after) >= 8
    assert [each["Name"]["LastName"] for each in again] == ["B", "C"]


def test_the_earliest_events_are_those_of_three_days(org, client):
    org.clock.freeze()
    org.clock.advance(100 * 3600)
    org.add("Contact", LastName="Old")
    org.clock.advance(71 * 3600)
    org.add("Contact", LastName="New")

    both = client.subscribe(CONTACTS, preset=pb.EARLIEST).events(2)
    org.clock.advance(2 * 3600)
    (one,) = client.subscribe(CONTACTS, preset=pb.EARLIEST).events(1)

    assert [each["Name"]["LastName"] for each in both] == ["Old", "New"]
    assert one["Name"]["LastName"] == "New"


def test_a_keep_alive_has_no_events_and_a_newer_replay_id(org, client):
    org.events.ping_seconds = 0.05
    stream = listening(org, client)

    first, second = stream.page(), stream.page()

    assert not first.events and second.latest_replay_id > first.latest_replay_id
    org.add("Contact", LastName="After")
    (event,) = client.subscribe(CONTACTS, after=second.latest_replay_id).events(1)
    assert event["Name"]["LastName"] == "After"


def test_a_keep_alive_does_not_pass_over_events_that_were_not_asked_for(org, client):
    org.events.ping_seconds = 0.05
    stream = listening(org, client, wanted=1)
    org.create("Contact", [{"LastName": "One"}, {"LastName": "Two"}])
    stream.events(1)

    page = stream.page()
    (event,) = client.subscribe(CONTACTS, after=page.latest_replay_id).events(1)

    assert not page.events and event["Name"]["LastName"] == "Two"


@pytest.mark.parametrize("replay", [b"nonsense", b"\x00" * 10, b"\x7f" + b"\x00" * 9])
def test_a_replay_id_that_was_never_given_is_refused(org, client, replay):
    assert refusal(client.subscribe(CONTACTS, after=replay).page) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "subscription.fetch.replayid.corrupted",
    )


def test_a_replay_id_older_than_three_days_is_refused(org, client):
    org.clock.freeze()
    stream = listening(org, client)
    org.add("Contact", LastName="A")
    stream.events(1)
    org.clock.advance(73 * 3600)

    code = refusal(client.subscribe(CONTACTS, after=stream.latest).page)[1]

    assert code == "subscription.fetch.replayid.corrupted"


@pytest.mark.parametrize("wrong", [{"accesstoken": "x"}, {"instanceurl": "http://other"}, {"tenantid": "00Dx"}])
def test_all_of_the_metadata_must_be_right(org, client, wrong):
    told = refusal(lambda: client.topic(CONTACTS, **wrong))
    assert told == (grpc.StatusCode.UNAUTHENTICATED, "service.auth.error")


def test_a_session_that_ends_ends_its_stream(org, client):
    stream = listening(org, client)
    org.sessions.end_all()
    org.events.wake()

    assert refusal(stream.page)[0] is grpc.StatusCode.UNAUTHENTICATED


def test_topics_are_told_apart_by_letter_case(org, client):
    assert client.topic(CONTACTS).can_subscribe
    assert refusal(lambda: client.topic(CONTACTS.lower()))[0] is grpc.StatusCode.NOT_FOUND


def test_a_topic_cannot_be_changed(org, client):
    stream = listening(org, client)
    stream.requests.put(pb.FetchRequest(topic_name=WIDGETS, num_requested=1))

    assert refusal(stream.page)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_what_changes_in_a_hidden_object_is_told_when_it_is_shown_again(org, client):
    stream = listening(org, client)
    key = org.add("Contact", LastName="A")
    stream.events(1)
    after = stream.latest
    org.permissions.deny("Contact", "read")
    try:
        with org.transaction():  # somebody else is not kept from it
            org.database.update("Contact", key, {"LastName": "Unseen"})
        hidden = refusal(lambda: client.topic(CONTACTS))
    finally:
        org.permissions.allow("Contact")

    (event,) = client.subscribe(CONTACTS, after=after).events(1)

    assert hidden == (grpc.StatusCode.NOT_FOUND, "topic.not.found")
    assert event["Name"]["LastName"] == "Unseen"


def test_the_channel_of_everything_and_custom_ones_bring_several_objects(org, client):
    org.events.channels["/data/Sales__chn"] = ("Account", "Contact")
    streams = [listening(org, client, name) for name in ("/data/ChangeEvents", "/data/Sales__chn")]
    org.add("Account", Name="A")
    org.add("Contact", LastName="B")

    for stream in streams:
        assert [each["ChangeEventHeader"]["entityName"] for each in stream.events(2)] == ["Account", "Contact"]


def test_a_mistake_in_taking_a_request_ends_the_stream(org, client, monkeypatch):
    """Nobody would be told of it, and the subscriber would wait for what it has asked for."""
    stream = listening(org, client)
    monkeypatch.setattr("simorg.event_server.MOST", "many")
    stream.requests.put(pb.FetchRequest(topic_name=CONTACTS, num_requested=1))

    with pytest.raises(grpc.RpcError) as ended:
        stream.events(1)

    assert ended.value.code() is grpc.StatusCode.UNKNOWN


def test_a_managed_subscription_goes_on_where_it_was_committed(org, client):
    org.events.managed["Ours"] = Managed(CONTACTS)
    stream = client.managed("Ours")
    stream.call.initial_metadata()
    org.add("Contact", LastName="A")
    stream.events(1)
    org.add("Contact", LastName="B")
    commit = pb.CommitReplayRequest(commit_request_id="1", replay_id=stream.latest)
    stream.requests.put(pb.ManagedFetchRequest(developer_name="Ours", commit_replay_id_request=commit))
    while not (page := stream.page()).commit_response.commit_request_id:
        pass

    (event,) = client.managed("Ours").events(1)

    assert page.commit_response.replay_id == stream.latest
    assert event["Name"]["LastName"] == "B"


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────


def control(org, **body):
    answer = httpx2.post(f"{org.url}/_control/events", json=body, verify=PLAIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_streams_break_when_they_are_cut(org, client):
    stream = listening(org, client)
    control(org, cut=True)
    assert refusal(stream.page)[0] is grpc.StatusCode.UNAVAILABLE


def test_a_stream_may_break_after_some_events(org, client):
    control(org, mishaps={"cut_after": 2})
    stream = listening(org, client)
    org.create("Contact", [{"LastName": str(number)} for number in range(5)])

    stream.events(2)
    assert refusal(stream.page)[0] is grpc.StatusCode.UNAVAILABLE


def test_events_may_come_twice_and_transactions_out_of_order(org, client):
    control(org, mishaps={"repeat": 1, "page": 1, "reorder": True})
    stream = listening(org, client)
    for name in "ABCD":
        org.add("Contact", LastName=name)

    # the first is what the answer before it would have ended with
    _, *names = [each["Name"]["LastName"] for each in stream.events(8)]

    assert names == ["B", "B", "A", "A", "D", "D", "C"]


def test_the_delivery_allocation_may_be_spent(org, client):
    stream = listening(org, client)
    control(org, mishaps={"limit": True})
    assert refusal(stream.page)[1] == "subscription.limit.exceeded"


def test_replay_ids_may_be_refused_and_streams_silent(org, client):
    stream = listening(org, client)
    told = control(org, mishaps={"refuse_replays": True, "silent": True}, ping_seconds=0.05)
    org.add("Contact", LastName="A")

    assert told["mishaps"]["silent"] and told["selected"] == ["Account", "Contact", "Widget__c"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stream.page)
        time.sleep(0.3)
        assert not waiting.done()
        control(org, mishaps={"silent": False})
        assert len(waiting.result(5).events) == 1
    assert refusal(client.subscribe(CONTACTS, after=b"\x00" * 10).page)[1].endswith("corrupted")


def test_a_mistake_in_the_control_call_changes_nothing(org, client):
    answer = httpx2.post(
        f"{org.url}/_control/events", json={"select": ["Nothing"], "mishaps": {"silent": True}}, verify=PLAIN
    )
    assert answer.status_code == 400 and "Nothing" in answer.text
    assert not org.events.mishaps.silent
