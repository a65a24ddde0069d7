"""Who may do what on the page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from salesforce_sync.access import Role
from tests.web.page.edits import conflict

CHANGES = (
    *("records/Contact/{id}/fields/Phone", "records/Contact/{id}/delete", "records/Contact"),
    *("inbox/1", "changes/push", "changes/1/take-back", "changes/undo/x", "connections"),
    *("workbook/book_1/apply", "connections/key"),
)


def test_a_viewer_is_offered_no_change_and_is_refused_all(visitor, shared, replica, contact):
    contact = conflict(replica, shared.org, contact)
    visitor.signs_in(shared.tokens["vera"])
    page = visitor.page
    words = re.compile("Sync|Push|Save|Delete|Edit|Keep|Take|New|Connect$|Apply|Undo")

    for path in ("objects", "records/Contact", f"records/Contact/{contact}", "inbox", "changes", "workbook"):
        visitor.goes(path)
        expect(page.locator("h1").first).to_be_visible()
        assert page.locator("main button", has_text=words).all_inner_texts() == []
        assert page.locator("main input[type=checkbox][name=objects]").count() == 0

    token = page.evaluate("document.body.dataset.csrf")
    for path in CHANGES:
        answer = page.request.post(
            f"{shared.url}/org/default/{path.format(id=contact)}", headers={"X-CSRF-Token": token}, form={"value": "x"}
        )
        assert answer.status == 403, path


def test_nothing_is_changed_without_the_csrf_token(looker, shared):
    contact = shared.sync.contacts.all()[0]
    for path in CHANGES:
        answer = looker.page.request.post(f"{shared.url}/org/default/{path.format(id=contact.id)}", form={"value": "x"})
        assert (answer.status, "earlier login" in answer.text()) == (403, True), path
    assert shared.sync.outbox() == ()


def test_a_page_of_an_earlier_login_says_so_and_one_without_a_login_goes_there(looker, shared):
    page = looker.goes("objects")
    page.get_by_label("Select Contact", exact=True).check()
    page.request.post(f"{shared.url}/api/login", data={"token": shared.tokens["ann"]})

    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("This page is from an earlier login. Load it again.")
    page.context.clear_cookies()
    page.get_by_role("button", name="Sync", exact=True).click()

    page.wait_for_url("**/login")


def test_a_link_that_was_used_already_says_so_and_counts_as_a_failed_login(visitor, shared):
    link = link_of(shared, "lily")
    shared.house.access.logins.follow(link)

    visitor.page.goto(f"{shared.url}/login#{link}")

    told = visitor.page.get_by_role("alert")
    expect(told).to_contain_text("This link was used already, or is too old")
    expect(told).to_contain_text("Sign in with your token")
    assert visitor.page.url == f"{shared.url}/login"
    last = shared.house.access.audit.entries()[0]
    assert (last.deed.action, last.outcome) == ("login", "refused")


def test_whoever_is_signed_in_still_and_follows_his_link_again_gets_the_page(visitor, shared):
    link = link_of(shared, "lola")
    for _ in range(2):
        visitor.page.goto(f"{shared.url}/login#{link}")
        visitor.page.wait_for_url("**/objects")


def test_a_command_in_what_is_told_is_shown_as_one(visitor, shared):
    visitor.page.goto(f"{shared.url}/login")
    visitor.page.get_by_label("Your token").fill("sfsync_nobodys")

    visitor.page.get_by_role("button", name="Sign in").click()

    told = visitor.page.get_by_role("alert")
    expect(told).to_have_text("This token is nobody's. salesforce-sync user add NAME prints a new one.")
    expect(told.locator("code")).to_have_text("salesforce-sync user add NAME")


def link_of(site, name):
    """A link that lets a new viewer in, once."""
    return site.house.access.logins.link(site.house.access.users.add(name, Role.VIEWER)[0])


def test_a_connection_of_somebody_else_is_not_there(looker, shared):
    other = shared.house.access.users.add("olga", Role.EDITOR)[0]
    made = shared.house.access.connections.add("olgas-org", "https://olga.my.salesforce.com", other)

    answers = [
        looker.page.request.get(f"{shared.url}/org/{each}/objects") for each in (made.id, "con_0123456789abcdef")
    ]

    assert [each.status for each in answers] == [404, 404]
    assert "olga" not in looker.goes("connections").content()


def test_an_address_that_is_nothing_is_a_page_for_a_person_and_json_for_a_program(looker, shared):
    answer = looker.page.goto(f"{shared.url}/nothing")
    program = shared.client("ed").get("/api/nothing")

    assert answer is not None and answer.status == 404
    expect(looker.page.get_by_role("link", name="To the start")).to_be_visible()
    assert program.json()["error"] == "NOT_FOUND"
