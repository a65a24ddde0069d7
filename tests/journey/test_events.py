"""Change events over the real wire: gRPC against the simulated org, `SFSync` and the command line on our side."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from salesforce_sync import SFSync
from salesforce_sync.api import events, events_line
from salesforce_sync.config import Config
from salesforce_sync.sync.pace import Pace
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.events import Mishaps
from simorg.org import SimOrg
from tests.journey.relay import Relay

OBJECTS = ("Account", "Contact", "Widget__c")


@pytest.fixture(scope="module")
def served():
    with SimOrg(records=0) as made, made.serve(), made.serve_events():
        made.events.select(*OBJECTS)
        made.events.ping_seconds = 0.1
        made.sessions.idle_seconds = 1e9
        yield made


@pytest.fixture
def org(served):
    """The module's org, empty of what other tests have made, and with nothing that goes wrong."""
    served.delete([key for name in OBJECTS for (key,) in served.database.rows(f'SELECT "Id" FROM "{name}"')])
    served.empty_bin()
    yield served
    served.events.mishaps, served.events.overflow_after = Mishaps(), 100_000


@pytest.fixture
def sync(org, tmp_path):
    with opened(org, tmp_path) as made:
        yield made


def opened(org: SimOrg, folder: Path, events_url: str = "") -> SFSync:
    environ = {
        "SF_INSTANCE_URL": org.url,
        "SF_EVENTS_URL": events_url or org.events.url,
        "SF_SYNC_EVENTS": "true",
        "SF_SYNC_OBJECTS": ",".join(OBJECTS),
        "SF_CLIENT_ID": CLIENT_ID,
        "SF_CLIENT_SECRET": CLIENT_SECRET,
        "SF_STORAGE_PATH": str(folder / "replica.db"),
    }
    return SFSync(Config.load(environ=environ))


def wait(met, seconds=20.0):
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.01)


def following(sync: SFSync, **pace: float):
    """A follower whose objects are all followed and sure."""
    follower = sync.follow(Pace(**{"first_wait": 0.02, "longest_wait": 0.5, "calls": 1000, **pace}))
    follower.start(*sync.followed_objects)
    wait(lambda: all(each.connected for each in follower.followed()))
    wait(lambda: sure(sync))
    return follower


def sure(sync: SFSync) -> bool:
    store = sync.objects["Contact"].store
    return all(store.replay(name) and not store.unsure(name) and not store.to_read_again(name, 1) for name in OBJECTS)


def rows(sync: SFSync, name: str) -> dict[str, tuple[object, ...]]:
    """Every row of the replica, without what differs for each who looks."""
    schema = sync.objects[name].schema
    hidden = {at for at, each in enumerate(schema.columns) if each.name in ("LastViewedDate", "LastReferencedDate")}
    _, found, _ = sync.objects[name].store.query(f'SELECT * FROM "{name}"', 100_000)
    return {str(row[0]): tuple(value for at, value in enumerate(row) if at not in hidden) for row in found}


def is_equal(sync: SFSync, org: SimOrg) -> bool:
    """Whether the replica has just the living rows of the org, with the values of some fields."""
    for name, field in (("Contact", "Phone"), ("Account", "Phone"), ("Widget__c", "Text__c")):
        there = dict(org.database.rows(f'SELECT "Id", "{field}" FROM "{name}" WHERE "IsDeleted" = 0'))
        answer = sync.query(f'SELECT "Id", "{field}" FROM "{name}" WHERE "IsDeleted" = 0', 100_000)
        if dict(answer.rows) != there:
            return False
    return True


def no_polls(sync: SFSync):
    """Polls are no longer made: only events can bring what happens."""
    sync._catch_up = lambda *_: ()  # type: ignore[method-assign]


EVERY_TYPE = {
    "Text__c": 'a "b"\r\nc ',
    "Long__c": "x" * 5000,
    "Email__c": "a@b.example",
    "Tags__c": "red;blue",
    "Active__c": False,
    "Count__c": 7,
    "Ratio__c": "0.123456",
    "Price__c": "1234.50",
    "Big__c": "123456789012345678",
    "Percent__c": "12.5",
    "Day__c": "1999-12-31",
    "Moment__c": "2024-02-29T23:59:59Z",
    "Clock__c": "23:59:59.000Z",
    "Place__Latitude__s": "47.5",
    "Place__Longitude__s": "-7.25",
    "Secret__c": "hidden",
    "Number_Key__c": "999999999999999",
}


def test_rows_that_events_brought_are_those_that_a_fresh_pull_brings(org, sync, tmp_path):
    """Every type, created and changed and cleared: events, a first load and a pull by ids give the same values."""
    account = org.add("Account", Name="Acme", BillingCity="Bern")
    follower = following(sync)
    known = {one.name for one in org.schema("Widget__c").fields}
    given = {name: value for name, value in EVERY_TYPE.items() if name in known}
    tags = [each.value for each in org.schema("Widget__c").field("Tags__c").picklist[:2]]
    given["Tags__c"] = ";".join(tags)
    whole = org.add("Widget__c", Account__c=account, **given)
    cleared = org.add("Widget__c", Account__c=account, **{k: v for k, v in given.items() if k != "Number_Key__c"})
    changed = org.add("Widget__c", Account__c=account)
    contact = org.add("Contact", FirstName="Jane", LastName="Doe", AccountId=account, MailingCity="Rome")
    org.change(contact, LastName="Roe", MailingCity=None, MailingStreet="Via 1")
    org.change(cleared, **{name: None for name in given if name not in ("Active__c", "Number_Key__c", "Size__c")})
    org.change(changed, **{k: v for k, v in given.items() if k != "Number_Key__c"})
    org.change(account, BillingCity=None, Phone="1")
    for each in (whole, cleared, changed, contact):
        wait(lambda key=each: rows(sync, "Widget__c").get(key) or rows(sync, "Contact").get(key))
    wait(lambda: is_equal(sync, org) and sure(sync))
    follower.stop()

    with opened(org, tmp_path / "fresh") as fresh:
        assert all(each.problem is None for each in fresh.sync().objects)
        for name in OBJECTS:
            assert rows(sync, name) == rows(fresh, name)


def test_changes_are_here_without_any_poll(org, sync):
    account = org.add("Account", Name="Acme")
    follower = following(sync)
    no_polls(sync)
    told = []
    sync.on("sf_realtime", lambda each: told.append((each.object, each.action, each.id)))

    contact = org.add("Contact", LastName="Doe", Phone="1", AccountId=account)
    wait(lambda: is_equal(sync, org))
    org.change(contact, Phone="2")
    wait(lambda: is_equal(sync, org))
    org.remove(contact)
    wait(lambda: is_equal(sync, org))
    org.undelete([contact])
    wait(lambda: is_equal(sync, org))
    follower.stop()

    actions = [action for _, action, key in told if key == contact]
    assert [each for each in actions if each != "update"] == ["create", "delete", "undelete"]
    assert "update" in actions


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_missed_or_doubled_when_streams_are_cut_at_random(org, sync, seed):
    """With events twice, out of order, as gaps, in small pages, and the session ended; and no poll to help."""
    chance = random.Random(seed)
    accounts = [org.add("Account", Name=f"A{number}") for number in range(3)]
    follower = following(sync)
    no_polls(sync)
    events = org.events
    keys: list[str] = []
    for number in range(120):
        match chance.randrange(14):
            case 0:
                events.cut()
            case 1:
                events.mishaps.repeat = chance.randrange(4)
            case 2:
                events.mishaps.reorder = not events.mishaps.reorder
            case 3:
                events.mishaps.page = chance.choice((1, 3, 100))
            case 4:
                org.sessions.end_all()
                events.wake()
            case 5:
                events.mishaps.gaps = 2
            case 6 if keys:
                org.remove(keys.pop(chance.randrange(len(keys))))
            case 7 | 8 if keys:
                org.change(chance.choice(keys), Phone=str(number))
            case 9:
                org.change(chance.choice(accounts), Phone=str(number))
            case 10 if keys:
                some = chance.sample(keys, min(len(keys), 3))
                org.update("Contact", [{"Id": key, "Phone": f"same {number}"} for key in some])
            case 11 if keys:
                key = chance.choice(keys)
                org.remove(key)
                org.undelete([key])
            case _:
                keys.append(org.add("Contact", LastName=f"C{number}", AccountId=chance.choice(accounts)))
        if chance.random() < 0.1:
            time.sleep(0.05)
    events.mishaps.reorder = False
    org.change(accounts[0], Phone="last")  # lets go what was held back
    org.add("Contact", LastName="Last")

    wait(lambda: is_equal(sync, org), 30)
    follower.stop()
    assert sync.inbox() == ()


def test_a_refused_replay_id_is_made_good_by_a_poll(org, sync, tmp_path):
    following(sync).stop()
    sync.close()
    org.add("Contact", LastName="Missed", Phone="1")
    org.events.mishaps.refuse_replays = True

    with opened(org, tmp_path) as again:
        follower = again.follow(Pace(first_wait=0.05))
        follower.start(*again.followed_objects)
        wait(lambda: is_equal(again, org))
        org.events.mishaps.refuse_replays = False
        org.add("Contact", LastName="After", Phone="2")
        wait(lambda: is_equal(again, org))
        follower.stop()


def test_a_gap_of_four_days_is_made_good(org, sync, tmp_path):
    following(sync).stop()
    sync.close()
    org.add("Contact", LastName="Missed", Phone="1")
    org.clock.advance(4 * 86_400)

    with opened(org, tmp_path) as again:
        follower = again.follow(Pace(first_wait=0.05))
        follower.start(*again.followed_objects)
        wait(lambda: is_equal(again, org))
        follower.stop()


def test_what_happened_between_two_processes_is_told_by_events(org, sync, tmp_path):
    following(sync).stop()
    sync.close()
    key = org.add("Contact", LastName="Meanwhile", Phone="1")

    with opened(org, tmp_path) as again:
        no_polls(again)
        follower = again.follow()
        follower.start("Contact")
        wait(lambda: again.query(f"SELECT 1 FROM Contact WHERE Id = '{key}'").rows)
        follower.stop()


def test_a_silent_stream_is_noticed(org, sync):
    follower = following(sync, silence=0.6)
    org.events.mishaps.silent = True
    org.add("Contact", LastName="Quiet", Phone="1")
    time.sleep(0.8)
    org.events.mishaps.silent = False

    wait(lambda: is_equal(sync, org))
    follower.stop()


@pytest.fixture
def relay(org):
    made = Relay(("127.0.0.1", urlsplit(org.events.url).port))
    yield made
    made.close()


def test_a_connection_that_is_dead_is_replaced_and_not_only_its_streams(org, relay, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "RENEWED_SECONDS", 0.3)
    with opened(org, tmp_path, events_url=f"http://127.0.0.1:{relay.port}") as sync:
        follower = following(sync, silence=0.6)
        no_polls(sync)
        relay.go_dead()
        key = org.add("Contact", LastName="Quiet", Phone="1")

        wait(lambda: sync.query(f"SELECT 1 FROM Contact WHERE Id = '{key}'").rows)
        follower.stop()

    assert relay.taken <= 3


def test_a_dead_connection_is_noticed_by_pings_that_nobody_answers(org, relay, tmp_path, monkeypatch):
    monkeypatch.setattr(events_line, "PING_SECONDS", 0.3)
    monkeypatch.setattr(events_line, "PING_ANSWER_SECONDS", 0.3)
    with opened(org, tmp_path, events_url=f"http://127.0.0.1:{relay.port}") as sync:
        follower = following(sync, silence=300.0)
        no_polls(sync)
        relay.go_dead()
        key = org.add("Contact", LastName="Quiet", Phone="1")

        wait(lambda: sync.query(f"SELECT 1 FROM Contact WHERE Id = '{key}'").rows)
        follower.stop()


def test_an_overflow_is_polled_and_the_run_is_in_the_log(org, sync, caplog):
    caplog.set_level("INFO", "salesforce_sync")
    org.events.overflow_after = 3
    follower = following(sync)
    org.create("Contact", [{"LastName": str(number), "Phone": str(number)} for number in range(30)])

    wait(lambda: is_equal(sync, org))
    follower.stop()

    lines = [each.getMessage() for each in caplog.records if "for change events" in each.getMessage()]
    assert any("complete, for change events: Contact" in each and "changed" in each for each in lines)


def test_a_new_field_is_found_and_followed(org, sync):
    account = org.add("Account", Name="Acme")
    follower = following(sync)
    org.add_field("Widget__c", "Fresh__c", "string 20")
    key = org.add("Widget__c", Account__c=account, Fresh__c="x")

    wait(lambda: sync.objects["Widget__c"].schema.has("Fresh__c"))
    wait(lambda: sync.query(f"SELECT Fresh__c FROM Widget__c WHERE Id = '{key}'").rows == (("x",),))
    org.change(key, Fresh__c="y")
    wait(lambda: sync.query(f"SELECT Fresh__c FROM Widget__c WHERE Id = '{key}'").rows == (("y",),))
    follower.stop()


def test_our_own_pushes_are_not_told_and_conflict_with_nothing(org, sync):
    key = org.add("Contact", LastName="Doe", Phone="1")
    follower = following(sync)
    told = []
    sync.on("sf_realtime", lambda each: told.append(each.id))
    contact = sync.contacts.get(key)
    contact.phone = "2"
    sync.contacts.update(contact)
    assert sync.push().complete
    other = org.add("Contact", LastName="Other", Phone="9")

    wait(lambda: is_equal(sync, org) and other in told)
    follower.stop()

    assert sync.outbox() == () and sync.inbox() == ()
    replayed = [each for each in told if each == key]
    assert replayed == []


def test_edits_are_held_against_events(org, sync):
    key = org.add("Contact", LastName="Doe", Phone="1", Title="Dr")
    follower = following(sync)
    contact = sync.contacts.get(key)
    contact.phone = "mine"
    sync.contacts.update(contact)
    org.change(key, Title="Prof")
    wait(lambda: sync.query(f"SELECT Title FROM Contact WHERE Id = '{key}'").rows == (("Prof",),))
    assert sync.inbox() == ()
    org.change(key, Phone="theirs")
    wait(lambda: sync.inbox())
    follower.stop()

    (conflict,) = sync.inbox()[0].conflicts
    assert (conflict.base, conflict.local, conflict.org) == ("1", "mine", "theirs")


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────


def started(org: SimOrg, cli, *arguments: str):
    cli.settle(org.url, objects="Contact", more="  events: true\n")
    text = (cli.folder / "config.yaml").read_text()
    (cli.folder / "config.yaml").write_text(
        text.replace("salesforce:\n", f"salesforce:\n  events_url: {org.events.url}\n")
    )
    process = cli.start("events", *arguments)
    lines: list[str] = []

    def read() -> None:
        with process.stdout, process.stderr:
            lines.extend(iter(process.stdout.readline, ""))

    threading.Thread(target=read, daemon=True).start()
    return process, lines


def until_followed(org: SimOrg, lines: list[str]) -> None:
    """Let contacts be made until the process tells one: before that it is not certain that it listens."""

    def told() -> bool:
        org.add("Contact", LastName="Somebody")
        time.sleep(0.3)
        return any("sf_realtime" in line for line in lines)

    wait(told, 30)


def test_the_command_tells_each_change_and_ends_within_three_seconds(org, cli):
    process, lines = started(org, cli)
    until_followed(org, lines)
    key = org.add("Contact", LastName="Doe")
    wanted = f"⚡ FND → OS : sf_realtime, object=Contact, action=create, id={key}\n"

    wait(lambda: wanted in lines)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)

    assert process.wait(3) == 0
    assert time.monotonic() - began < 3


def test_the_command_prints_json_lines(org, cli):
    process, lines = started(org, cli, "--json")
    until_followed(org, lines)
    process.send_signal(signal.SIGINT)

    assert process.wait(3) == 0
    told = [json.loads(line) for line in lines]
    realtime = next(each for each in told if each["signal"] == "sf_realtime")
    assert realtime["data"]["object"] == "Contact" and realtime["data"]["action"] == "create"
    assert realtime["msg"].endswith(realtime["data"]["id"])


def test_a_killed_process_goes_on_where_it_was(org, cli):
    process, before = started(org, cli)
    until_followed(org, before)
    process.kill()
    process.wait()
    key = org.add("Contact", LastName="Two")

    process, after = started(org, cli)
    wait(lambda: any(key in line for line in after))
    process.send_signal(signal.SIGTERM)

    assert process.wait(3) == 0
    creates = [line for line in [*before, *after] if "action=create" in line]
    assert len(creates) == len(set(creates))
    assert sum(key in line for line in creates) == 1


def test_without_the_extra_the_command_says_what_to_install(org, cli):
    (cli.folder / "grpc.py").write_text("raise ImportError('no grpc here', name='grpc')\n")
    cli.settle(org.url, objects="Contact")
    cli.environment["PYTHONPATH"] = f"{cli.folder}:{cli.environment['PYTHONPATH']}"

    ran = cli("events")

    assert ran.code != 0
    assert "pip install 'salesforce-sync[cdc]'" in ran.err
