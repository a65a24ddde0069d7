"""The daemon and its change events: what `status` says of them."""

from __future__ import annotations

import signal
import time

import grpc

from tests.pubsub_script import CODES, Server, page

CONTACT, LEAD = "/data/ContactChangeEvent", "/data/LeadChangeEvent"


def stays(call):
    yield page(latest=b"here")
    yield from call.stay()


def refuses(call):
    yield from ()
    call.fail(grpc.StatusCode.PERMISSION_DENIED, f"{CODES}subscription.permission.denied", "You may not.")


def until_events(cli, met):
    """The daemon's own words on its events, as soon as they are like this."""
    ends = time.monotonic() + 40
    while time.monotonic() < ends:
        daemon = cli("status", "--json").json["daemon"] or {}
        if met(daemon.get("events") or {}):
            return daemon["events"]
        time.sleep(0.2)
    raise AssertionError(f"it never happened; last told {daemon}")


def test_status_says_who_is_followed_and_why_others_are_not(cli, simorg):
    with Server({CONTACT: [stays], LEAD: [refuses]}) as server:
        cli.settle(simorg.url, objects="Contact, Lead", more="  events: true\n")
        running = cli.start("daemon", SF_EVENTS_URL=server.url)
        told = until_events(
            cli,
            lambda each: each.get("Contact") == "followed" and "denied" in each.get("Lead", ""),
        )
        said = cli("status").out
        audited = [each for each in cli("audit", "show", "--json").json["entries"] if "change events" in each["detail"]]
        running.send_signal(signal.SIGTERM)

        assert running.wait(5) == 0
    assert "permission.denied" in told["Lead"]
    assert "Contact followed" in said
    assert {(each["action"], each["outcome"]) for each in audited} == {("sync", "complete")}
    assert "Lead is not followed, and only polled: " in said
