"""Objects on the page, and what the browser keeps of them."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from salesforce_sync.access import Role
from salesforce_sync.web.house import MOST_STREAMS
from simorg.org import SimOrg
from tests.journey.killing import until
from tests.web.browsing import first_held, visiting
from tests.web.conftest import settle, start

EXPIRED = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]


def test_what_was_synced_is_shown_before_the_server_answers(looker):
    looker.goes("inbox")
    known = {"Product2": {"status": "synced", "lastSynced": "2024-01-15T10:30:00Z", "recordCount": 1234}}
    looker.page.evaluate("known => localStorage.setItem('objectSyncStatus', JSON.stringify(known))", known)
    held: list[Any] = []
    looker.page.route("**/objects/table", lambda route: held.append(route))

    looker.goes("objects")

    expect(looker.page.locator("#objects")).to_contain_text("Product2")
    expect(looker.page.locator("#objects")).to_contain_text("1,234")
    first = first_held(looker.page, held)
    assert len(held) == 1
    first.continue_()
    expect(looker.page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
    assert "Contact" in json.loads(looker.page.evaluate("localStorage.getItem('objectSyncStatus')"))


def test_what_a_browser_does_not_know_is_not_counted_and_what_it_cannot_read_is_not_there(looker):
    looker.goes("inbox")
    good = {"status": "synced", "lastSynced": "2024-01-15T10:30:00Z", "recordCount": 1234}
    known = {
        "Product2": good,
        "Lead": {"status": "pending", "lastSynced": None, "recordCount": 0},
        **{"A": None, "B": "synced", "C": good | {"status": "x"}, "D": good | {"lastSynced": "garbage"}},
        **{"E": good | {"recordCount": "x"}, "F": [], "G": 7},
    }
    looker.page.evaluate("known => localStorage.setItem('objectSyncStatus', JSON.stringify(known))", known)
    held: list[Any] = []
    looker.page.route("**/objects/table", lambda route: held.append(route))

    page = looker.goes("objects")

    expect(page.locator("#objects tbody th")).to_have_text(["Product2", "Lead"])
    shown = page.locator("#objects .figure dd").all_inner_texts()
    assert shown == ["–", "1", "1", "–"]
    assert page.locator("#objects tbody td[data-label=Records]").all_inner_texts() == ["1,234", "–"]
    expect(page.get_by_text("As this browser last saw it")).to_be_visible()
    first_held(page, held).continue_()
    expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
    assert looker.complaints == []


@pytest.mark.parametrize("kept", ['"x"', "[1]", "7", "null", "{", '{"Product2": null}'])
def test_a_memory_that_is_none_harms_nothing(looker, kept):
    looker.goes("inbox").evaluate("kept => localStorage.setItem('objectSyncStatus', kept)", kept)

    page = looker.goes("objects")

    expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
    until = time.monotonic() + 20  # the table is shown, and then remembered
    while page.evaluate("localStorage.getItem('objectSyncStatus')") == kept and time.monotonic() < until:
        time.sleep(0.05)
    assert "Contact" in json.loads(page.evaluate("localStorage.getItem('objectSyncStatus')"))
    assert looker.complaints == []


def test_signing_out_leaves_nothing_in_the_browser(looker):
    looker.goes("objects")
    expect(looker.page.locator("tr[data-object=Contact]")).to_be_visible()

    looker.page.get_by_text("ed", exact=True).first.click()
    looker.page.get_by_role("button", name="Sign out").click()
    looker.page.wait_for_url("**/login")

    assert looker.page.evaluate("localStorage.getItem('objectSyncStatus')") is None
    assert looker.page.context.cookies() == []
    looker.goes("objects")
    assert urlsplit(looker.page.url).path == "/login"


def test_who_syncs_with_the_keys_keeps_his_place(looker):
    page = looker.goes("objects")
    button = page.get_by_role("button", name="Sync", exact=True)
    expect(button).to_be_disabled()
    page.get_by_role("checkbox", name="Select Account").press("Space")
    expect(button).to_be_enabled()

    button.press("Enter")

    expect(button).to_be_disabled()
    expect(button).to_be_focused()
    expect(page.locator("#notices")).to_contain_text("Account synced.")


def test_a_verify_shows_its_proof(looker):
    page = looker.goes("objects")
    page.get_by_label("Select Account", exact=True).check()

    page.get_by_role("button", name="Verify").click()

    expect(page.locator("#notices")).to_contain_text("Proved")
    expect(page.locator("tr[data-object=Account]")).to_contain_text("equal")


def test_an_object_whose_first_sync_failed_goes_on_saying_why(looker, shared):
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to it"}]
    shared.org.faults.add(path="/sobjects/CostBookEntry/describe", status=403, times=None, body=refusal)
    page = looker.goes("objects")
    row = page.locator("tr[data-object=CostBookEntry]")
    expect(row.locator("th")).to_contain_text("Cost Book Entry")
    page.get_by_label("Select CostBookEntry", exact=True).check()

    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("CostBookEntry could not be synced")
    looker.goes("objects")

    expect(row).to_have_attribute("data-status", "error")
    expect(row).to_contain_text("INSUFFICIENT_ACCESS")
    shared.org.faults.clear()


def test_a_loss_is_agreed_to_where_it_is_told(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            site.sync.sync("Contact")
            org.delete([each.id for each in site.sync.contacts.all()][:30])
            for person in visiting(browser, site, "ed"):
                agree_to_the_loss(person)
            assert site.sync.contacts.count() == 10


def agree_to_the_loss(person):
    page = person.goes("objects")
    row = page.locator("tr[data-object=Contact]")
    page.get_by_label("Select Contact", exact=True).check()
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(row).to_contain_text("30 of 40 rows of Contact are gone in the org")
    expect(row).to_contain_text("press “Remove them here too” at its row")
    expect(row.locator("td[data-label=Proof]")).to_have_text("none yet")
    button = row.get_by_role("button", name="Remove the rows of Contact")
    asked = []

    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    button.click()
    expect(row).to_have_attribute("data-count", "40")
    page.once("dialog", lambda dialog: dialog.accept())
    button.click()

    expect(page.locator("#notices")).to_contain_text("Proved")
    expect(row).to_have_attribute("data-count", "10")
    expect(row).to_contain_text("10 equal")
    expect(row.get_by_role("button")).to_have_count(0)
    assert "30 of 40 rows of Contact are gone in the org" in asked[0]


def test_an_old_proof_is_no_proof_where_rows_were_found_gone_since(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            site.sync.sync("Contact")
            site.sync.verify("Contact")
            for each in list(site.sync.contacts.all())[:30]:
                org.hide_record(each.id)  # no stamp moves
            site.sync.verify("Contact")
            for person in visiting(browser, site, "ed"):
                row = person.goes("objects").locator("tr[data-object=Contact]")
                expect(row.get_by_label("Remove the rows of Contact")).to_have_count(1)
                expect(row.locator("td[data-label=Proof]")).to_contain_text("40 were equal")
                expect(row.locator("td[data-label=Proof]")).to_contain_text("Since then, rows are gone in the org")
                expect(row).not_to_contain_text("✓")


def test_what_cannot_be_synced_is_told_in_the_words_of_the_page(looker, shared):
    shared.org.faults.add(path="/sobjects/Pricebook2/describe", status=401, times=None, body=EXPIRED)
    page = looker.goes("objects")
    page.get_by_label("Select Pricebook2", exact=True).check()

    page.get_by_role("button", name="Sync", exact=True).click()

    expect(page.locator("#notices")).to_contain_text("on the screen of connections")
    for text in (page.locator("#notices"), page.locator("tr[data-object=Pricebook2]")):
        expect(text).to_contain_text("on the screen of connections")
        expect(text).not_to_contain_text("Over HTTP")
        expect(text).not_to_contain_text("salesforce-sync")
    expect(looker.goes("activity").locator("main")).not_to_contain_text("salesforce-sync connect")
    shared.org.faults.clear()


def test_a_sync_that_waits_for_the_org_says_so_and_is_cancelled(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        org.faults.add(path="/query\\?", status=414, times=None)  # so that it goes by Bulk
        org.faults.add(job="stuck", path="Contact", times=None)
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                wait_and_cancel(person)


def wait_and_cancel(person):
    page, asked = person.goes("objects"), []
    row, cancel = page.locator("tr[data-object=Contact]"), page.get_by_role("button", name="Cancel the sync")
    page.get_by_label("Select Contact", exact=True).check()
    expect(cancel).to_have_count(0)
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(row).to_contain_text("waits for the org's job")
    expect(page.locator("#told")).to_have_text("Contact waits for the org's job")
    person.goes("objects")
    expect(row).to_contain_text("waits for the org's job")

    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    cancel.click()
    expect(row).to_have_attribute("data-status", "syncing")
    page.once("dialog", lambda dialog: dialog.accept())
    cancel.click()

    expect(page.locator("#notices")).to_contain_text("The sync was cancelled")
    expect(cancel).to_have_count(0)
    expect(row).not_to_contain_text("waits for")
    assert "Cancel the sync of Contact?" in asked[0]


def test_a_run_that_ends_after_its_session_is_shown_as_ended(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        org.faults.add(path=r"/query\?", times=None, delay=8.0)  # a run that was cancelled ends at its next page
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                page, row = person.goes("objects"), person.page.locator("tr[data-object=Contact]")
                page.get_by_label("Select Contact", exact=True).check()
                page.get_by_role("button", name="Sync", exact=True).click()
                expect(row).to_have_attribute("data-status", "syncing")
                page.once("dialog", lambda dialog: dialog.accept())

                page.get_by_role("button", name="Cancel the sync").click()

                expect(page.locator("#notices")).to_contain_text("The sync was cancelled")
                expect(row).to_have_attribute("data-status", "syncing")
                expect(row).to_have_attribute("data-status", "synced")  # it was its last
                assert person.complaints == []


def test_what_was_looked_for_stays_when_a_sync_is_done(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                page, row = person.goes("objects"), person.page.locator("tr[data-object=Widget__c]")
                find = page.get_by_label("Find an object")
                expect(row).to_have_count(0)
                page.get_by_role("button", name="All of the org").click()
                expect(row).to_be_visible()
                find.fill("widget")
                page.get_by_label("Select Widget__c", exact=True).check()
                page.get_by_role("button", name="Sync", exact=True).click()
                find.focus()

                expect(page.locator("#notices")).to_contain_text("Widget__c synced.")
                expect(row.get_by_role("link")).to_be_visible()  # from the table of after the sync
                expect(find).to_have_value("widget")
                expect(find).to_be_focused()
                expect(page.locator("tr[data-object]:visible")).to_have_count(1)
                find.fill("no such thing")
                expect(page.get_by_text("No object of the org is called that.")).to_be_visible()
                find.fill("")
                assert page.locator("tr[data-object=Group]").is_visible()
                assert person.complaints == []


def test_whoever_comes_back_to_the_window_sees_what_others_have_done(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                person.page.clock.install()
                page = person.goes("objects")
                box = page.get_by_label("Select Lead", exact=True)
                box.check()
                expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "not synced")
                site.sync.sync("Contact")
                page.clock.run_for(5_100)  # nobody who only looks away for a moment asks again

                page.evaluate("dispatchEvent(new Event('focus'))")

                expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
                expect(box).to_be_checked()
                expect(box).to_be_focused()


def test_a_page_that_gets_no_stream_asks_for_its_table_now_and_then(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        org.faults.add(path=r"/query\?", delay=4.0)
        for site in start(settle(tmp_path, org.url), org):
            client = site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                person.goes("objects")
                with ExitStack() as streams:
                    for _ in range(MOST_STREAMS):
                        streams.enter_context(client.stream("GET", "/api/signals/stream"))
                    asked = sync_and_count(person)

                assert sum(url.endswith("/events") for url in asked) == 1
                assert sum("/objects/table" in url for url in asked) < 8


HIDDEN = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => hidden ? 'hidden' : 'visible' });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}"""


def test_a_look_away_in_the_moment_of_the_next_look_at_the_table_leaves_no_row_behind(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                page = person.page
                page.clock.install()
                page.route("**/events", lambda route: route.fulfill(status=429))
                row = person.goes("objects").locator("tr[data-object=Contact]")
                org.faults.add(path=r"/query\?", delay=2.0)
                with page.expect_response("**/objects/table"):  # asked for in place of the stream
                    page.get_by_label("Select Contact", exact=True).check()
                    page.get_by_role("button", name="Sync", exact=True).click()
                expect(row).to_have_attribute("data-status", re.compile("^(pending|syncing)$"))

                page.evaluate(HIDDEN, True)
                page.clock.run_for(2_500)
                until_ended(site)
                page.evaluate(HIDDEN, False)

                expect(row).to_have_attribute("data-status", "synced")


def test_a_table_that_was_refused_once_is_asked_for_again(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            client = site.client("ed", Role.EDITOR)
            org.faults.add(path=r"/query\?", delay=6.0)
            for person in visiting(browser, site, "ed"):
                client.post("/api/sync", json={"objects": ["Contact"]})
                row = looked_at_without_a_stream(person)
                page = person.page

                with page.expect_response(lambda answer: answer.status == 503):
                    page.route("**/objects/table*", lambda route: route.fulfill(status=503), times=1)
                    until_ended(site)
                    page.clock.run_for(2_500)
                expect(row).to_have_attribute("data-status", re.compile("^(pending|syncing)$"))
                page.clock.run_for(12_000)

                expect(row).to_have_attribute("data-status", "synced")


def looked_at_without_a_stream(person):
    """The row of the contacts, after the table was asked for once more in place of their stream."""
    page, tables = person.page, []
    page.clock.install()
    page.route("**/events", lambda route: route.fulfill(status=429))
    page.on("response", lambda answer: tables.append(answer) if "/objects/table" in answer.url else None)
    row = person.goes("objects").locator("tr[data-object=Contact]")
    expect(row).to_have_attribute("data-status", re.compile("^(pending|syncing)$"))
    while len(tables) < 2:
        page.wait_for_timeout(20)
    return row


def until_ended(site):
    client = site.client("ed")
    until(lambda: [each["state"] for each in client.get("/api/sync").json()["sessions"]] == ["complete"])


def test_a_row_goes_from_one_status_to_the_next_though_its_stream_comes_late(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                assert statuses_where_the_stream_is_late(person) == ["pending", "syncing", "synced"]


def statuses_where_the_stream_is_late(person):
    """Sync the contacts; gives the statuses that were shown of them, one after the other."""
    page, held = person.page, []
    page.clock.install()
    page.route("**/events", lambda route: held.append(route))
    row = person.goes("objects").locator("tr[data-object=Contact]")
    page.get_by_label("Select Contact", exact=True).check()
    row.evaluate(WATCHED)
    with page.expect_request("**/events"):
        page.get_by_role("button", name="Sync", exact=True).click()
    until_ended(person.site)
    page.clock.run_for(2_500)
    page.wait_for_timeout(500)  # a table that is asked for now would come before the stream
    first_held(page, held).continue_()
    expect(page.locator("#notices")).to_contain_text("Contact synced.")
    return page.evaluate("seen")


WATCHED = """row => {
  window.seen = [];
  const note = () => { if (seen.at(-1) !== row.dataset.status) seen.push(row.dataset.status); };
  new MutationObserver(note).observe(row, { attributes: true });
}"""


def sync_and_count(person):
    """Sync the contacts; gives what the page asked for until they are shown as synced."""
    page, asked = person.page, []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Select Contact", exact=True).check()
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
    return asked


def test_long_names_leave_room_for_what_went_wrong_on_a_tablet(browser, tmp_path):
    with SimOrg(records=5, seed=7) as org, org.serve():
        name = {"is": "string 80 required name", "label": "Name"}
        label = "Thing of a package with a very long name"
        thing = {"label": label, "plural": label, "prefix": "zz0", "fields": {"Name": name}}
        org.add_object("acme_package__Very_Long_Object_Api_Name__c", thing)
        org.faults.add(path="/sobjects/Pricebook2/describe", status=401, times=None, body=EXPIRED)
        for site in start(settle(tmp_path, org.url), org):
            site.client("ed", Role.EDITOR)
            for person in visiting(browser, site, "ed"):
                person.page.set_viewport_size({"width": 820, "height": 1000})
                page = person.goes("objects")
                page.get_by_role("button", name="All of the org").click()
                page.get_by_label("Select Pricebook2", exact=True).check()
                page.get_by_label("Select acme_package__Very_Long_Object_Api_Name__c", exact=True).check()
                page.get_by_role("button", name="Sync", exact=True).click()
                expect(page.locator("#notices")).to_contain_text("could not be synced")
                row = page.locator("tr[data-object=Pricebook2]")
                expect(row).to_have_attribute("data-status", "error")

                table = page.locator("#table .table")
                assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
                assert row.bounding_box()["height"] < 200
                runs = person.goes("activity").get_by_role("region", name="Runs, may scroll")
                assert runs.evaluate("it => it.scrollWidth <= it.clientWidth")
                assert runs.get_by_role("row", name="Pricebook2").first.bounding_box()["height"] < 200


def test_many_sessions_leave_a_browser_the_connections_that_it_needs_to_cancel_them(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        org.faults.add(path=r"/query\?", times=None, delay=15.0)
        for site in start(settle(tmp_path, org.url), org):
            client = site.client("ed", Role.EDITOR)
            for _ in range(8):
                client.post("/api/sync", json={"objects": ["Contact"]})
            for person in visiting(browser, site, "ed"):
                page = person.goes("objects")
                expect(page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", re.compile("ing$"))
                page.once("dialog", lambda dialog: dialog.accept())

                page.get_by_role("button", name="Cancel the sync").click()

                expect(page.locator("#notices")).to_contain_text("The sync was cancelled")
                expect(page.get_by_role("button", name="Cancel the sync")).to_have_count(0)
                ended = [each["state"] for each in client.get("/api/sync").json()["sessions"]]
                assert ended == ["cancelled"] * 8
