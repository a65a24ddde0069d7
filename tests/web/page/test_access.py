"""Who may do what on the page."""

from __future__ import annotations

import re

import pytest
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

    page.wait_for_url("**/login?next=%2Forg%2Fdefault%2Fobjects")


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
    expect(told).to_have_text(
        "This token is nobody's. A link works once, for 15 minutes. salesforce-sync user add NAME prints a new token."
    )
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


def test_what_is_refused_before_it_is_read_is_told_to_a_person_in_the_page(looker):
    page = looker.goes("records/Contact")
    page.get_by_label("Name contains").fill("x" * 9_000)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="This did not work")).to_be_visible()
    expect(page.locator("main")).to_contain_text("This address is too long.")

    looker.goes("records/Account/new")
    page.get_by_label("Account Description").evaluate("it => { it.value = 'x'.repeat(1_100_000); }")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#notices")).to_contain_text("A body may have 1,000,000 bytes. Send less at once.")


def sign_in_again(page, token):
    """In another tab, by the link that the notice has."""
    with page.context.expect_page() as opened:
        page.locator("#notices").get_by_role("link", name="Sign in").click()
    tab = opened.value
    tab.get_by_label("Your token").fill(token)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(page.url)


@pytest.mark.parametrize("how", ["gone", "ended"])
def test_what_was_typed_is_kept_where_the_login_has_ended_and_is_saved_after_the_next(
    editor, shared, replica, contact, how
):
    page = editor.goes(f"records/Contact/{contact.id}?columns=Phone")
    page.locator("[data-field=Phone]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("555-TYPED")
    if how == "gone":
        page.context.clear_cookies()
    else:
        shared.house.access.logins.close(page.context.cookies()[0]["value"])

    slot.get_by_role("button", name="Save").click()
    expect(page.locator("#notices")).to_contain_text("signed out")
    expect(slot.get_by_role("textbox")).to_have_value("555-TYPED")
    sign_in_again(page, shared.tokens["ed"])
    slot.get_by_role("button", name="Save").click()

    expect(page.locator("[data-field=Phone]")).to_contain_text("555-TYPED")
    expect(page.locator("#notices")).to_be_empty()
    assert replica.contacts.get(str(contact.id)).phone == "555-TYPED"


def test_a_new_record_that_was_typed_is_kept_where_the_login_has_ended(editor, shared, replica):
    page = editor.goes("records/Contact/new")
    page.get_by_label("Last Name").fill("Lovelace")
    page.context.clear_cookies()

    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#notices")).to_contain_text("signed out")
    expect(page.get_by_label("Last Name")).to_have_value("Lovelace")
    sign_in_again(page, shared.tokens["ed"])
    page.get_by_role("button", name="Make it").click()

    expect(page.get_by_role("heading", name="Lovelace", level=1)).to_be_visible()


def test_what_was_typed_by_one_is_not_saved_as_another(editor, shared, replica, contact):
    page = editor.goes(f"records/Contact/{contact.id}")
    page.locator("[data-field=Phone]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("555-TYPED")
    page.request.post(f"{shared.url}/api/login", data={"token": shared.tokens["ann"]})

    slot.get_by_role("button", name="Save").click()

    expect(page.locator("#notices")).to_contain_text("This page is from an earlier login.")
    expect(slot.get_by_role("textbox")).to_have_value("555-TYPED")
    assert replica.outbox() == ()


def test_a_login_goes_on_where_it_was_asked_for_also_after_a_wrong_token(visitor, shared):
    page = visitor.goes("records/Contact?limit=5")
    expect(page.get_by_text("go on where you wanted to")).to_be_visible()
    page.get_by_label("Your token").fill("sfsync_nobodys")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody's")

    page.get_by_label("Your token").fill(shared.tokens["ed"])
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url(f"{shared.url}/org/default/records/Contact?limit=5")


def test_a_link_goes_on_where_it_was_asked_for(visitor, shared):
    visitor.page.goto(f"{shared.url}/login?next=/org/default/inbox#{link_of(shared, 'lena')}")

    visitor.page.wait_for_url(f"{shared.url}/org/default/inbox")


def test_a_login_goes_on_to_no_other_host(visitor, shared):
    visitor.page.goto(f"{shared.url}/login?next=//evil.example/x")
    visitor.page.get_by_label("Your token").fill(shared.tokens["ed"])

    visitor.page.get_by_role("button", name="Sign in").click()

    visitor.page.wait_for_url(f"{shared.url}/org/default/objects")
    assert visitor.strangers == []


def test_whoever_was_signed_out_is_told_so(looker, shared):
    shared.house.access.logins.close(looker.page.context.cookies()[0]["value"])

    page = looker.goes("inbox")

    assert page.url == f"{shared.url}/login?next=/org/default/inbox"
    expect(page.get_by_text("You were signed out")).to_be_visible()
