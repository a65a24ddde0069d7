"""Decisions, pushes and their undoing on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from salesforce_sync.access import Role
from salesforce_sync.config import Config
from salesforce_sync.models.outbox import Operation
from salesforce_sync.web.page import changes
from salesforce_sync.web.page.inbox import SHOWN
from simorg.org import SimOrg
from tests.real_address import Proxy, certificate
from tests.web.browsing import NARROW, first_held, visiting
from tests.web.conftest import Site, start
from tests.web.page.edits import conflict, deleted_over, uncertain


def test_a_conflict_is_decided_field_by_field(editor, replica, shared, contact):
    contact = conflict(replica, shared.org, contact)
    page = editor.goes("inbox")

    page.locator("tr:has-text('Phone') td.local").get_by_role("button").click()
    expect(page.locator(".sides tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Take the org's").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    now = replica.contacts.get(contact)
    assert (now.phone, now.title) == ("555-LOCAL", "There")
    assert [each.values for each in replica.outbox()] == [{"Phone": "555-LOCAL"}]


def test_all_conflicts_of_an_object_are_decided_by_one_click_and_a_yes(editor, replica, shared, contacts):
    both = [conflict(replica, shared.org, next(contacts)) for _ in range(2)]
    page = editor.goes("inbox")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))

    page.get_by_role("button", name="Take the org's: all Contact").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    assert asked == ["The org's values hold in every conflict of Contact. The local ones end."]
    assert [(replica.contacts.get(each).phone, replica.contacts.get(each).title) for each in both] == [
        ("555-ORG", "There")
    ] * 2
    assert (replica.outbox(), editor.complaints) == ((), [])


def test_a_lost_create_of_which_nothing_is_seen_can_be_linked_by_its_id(editor, replica, contact):
    uncertain(replica, contact)
    page = editor.goes("inbox")
    expect(page.locator("main")).to_contain_text("Look for it in the org: link it if it is there, else send it again.")

    page.get_by_label("Its id, if it is in the org").fill("nonsense")
    page.get_by_role("button", name="It is this one").click()
    assert len(replica.inbox()) == 1  # the form says what an id looks like
    page.get_by_label("Its id, if it is in the org").fill(str(contact.id))
    page.get_by_role("button", name="It is this one").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    assert (replica.outbox(), editor.complaints) == ((), [])
    assert [each for each in replica.contacts.all() if str(each.id).startswith("local-")] == []


def test_an_inbox_of_very_many_items_is_shown_page_by_page(editor, replica):
    for number in range(SHOWN + 2):
        replica.contacts.create(last_name=f"Refused {number}", email="nobody")
    replica.push()
    page = editor.goes("inbox")
    cards = page.locator("section.card")
    expect(cards).to_have_count(SHOWN)
    expect(page.locator("main")).to_contain_text(f"{SHOWN + 2} records wait")

    page.get_by_role("link", name="Next page").click()
    expect(cards).to_have_count(2)
    page.get_by_role("button", name="Give up the edit").first.click()
    expect(cards).to_have_count(1)
    page.get_by_role("button", name="Give up the edit").click()

    expect(cards).to_have_count(SHOWN)
    expect(page.get_by_role("link", name="Next page")).to_have_count(0)
    assert editor.complaints == []


def test_of_very_many_changes_the_first_are_shown_and_the_others_are_counted(editor, replica):
    for number in range(changes.SHOWN + 2):
        replica.contacts.create(last_name=f"New {number}")

    page = editor.goes("changes")

    expect(page.get_by_role("table", name="Changes that a push would send").locator("tbody tr")).to_have_count(
        changes.SHOWN
    )
    expect(page.locator("main")).to_contain_text(f"{changes.SHOWN + 2} changes, in this order")
    expect(page.locator("main")).to_contain_text("2 more are not shown; all are sent.")


def test_what_a_deletion_took_of_somebodys_edit_is_brought_back(editor, replica, shared, contact):
    deleted_over(replica, shared.org, contact)
    page = editor.goes("inbox")

    expect(page.locator("td.org")).to_contain_text("Theirs")
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    assert [(each.record_id, each.operation) for each in replica.outbox()] == [(contact.id, Operation.UNDELETE)]


def test_a_record_that_the_org_does_not_show_after_a_push_is_told(editor, replica, shared, contact):
    rule = shared.org.rules.on_save("Contact", "after", lambda org, _, row, __: org.hide_record(row["Id"]))
    replica.contacts.update(str(contact.id), title="Secret")
    page = editor.goes("changes")

    page.get_by_role("button", name="Push 1").click()
    expect(page.locator("#notices")).to_contain_text("to be looked at: see the inbox")
    shared.org.rules.triggers.remove(rule)
    page = editor.goes("inbox")
    expect(page.locator(".card")).to_contain_text(str(contact.id))
    page.get_by_role("button", name="I have read it").click()

    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    shared.org.show_record(str(contact.id))
    replica.verify("Contact")
    assert replica.contacts.get(str(contact.id)).title == "Secret"


def test_a_sync_that_the_org_takes_no_edit_of_says_so(editor, replica, shared, contact):
    shared.org.rules.add_validation("Contact", "Title = 'Nobody'", "A contact is somebody.")
    replica.contacts.update(str(contact.id), title="Nobody")
    page = editor.goes("objects")
    page.get_by_label("Select Contact", exact=True).check()

    page.get_by_role("button", name="Sync", exact=True).click()

    expect(page.locator("#notices")).to_contain_text("Not every edit was sent")
    shared.org.rules.clear()


def test_who_decides_by_the_keys_goes_on_in_the_content(editor, replica, shared, contact):
    conflict(replica, shared.org, contact)
    page = editor.goes("inbox")

    page.get_by_role("button", name="Keep local").press("Enter")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    expect(page.locator("#content")).to_be_focused()


def test_a_long_value_can_be_read_whole_before_it_is_decided_on(editor, replica, shared, contact):
    long = "a  word, " * 60
    replica.contacts.update(str(contact.id), description=long + "here")
    shared.org.change(str(contact.id), Description=long + "there")
    replica.pull("Contact")
    page = editor.goes("inbox")

    page.locator("td.org summary").click()

    expect(page.locator("td.org .value")).to_have_text(re.compile("a  word, there$"))
    expect(page.locator("td.org .value")).to_be_visible()


def test_a_dry_run_says_what_a_push_would_do_and_sends_nothing(editor, replica, contact):
    replica.contacts.update(str(contact.id), phone="555-DRY")

    editor.goes("changes").get_by_role("button", name="Dry run").click()

    told = "a push would send 1 change in 1 API call. Nothing was sent."
    expect(editor.page.locator("#notices")).to_contain_text(told)
    assert replica.outbox_count() == 1


def test_a_push_is_undone(editor, replica, shared, contact):
    replica.contacts.update(str(contact.id), phone="555-WRONG")
    page = editor.goes("changes")
    page.get_by_role("button", name="Push 1").click()
    expect(page.locator("#notices")).to_contain_text("1 change is in the org now")
    pushed = shared.org.row(str(contact.id))["Phone"]

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=re.compile("^Undo")).first.click()

    expect(page.locator("#notices")).to_contain_text("Undone: 1 change is in the org now")
    expect(page.locator("#done-title")).to_have_text("What the undo sent")
    assert (pushed, shared.org.row(str(contact.id))["Phone"]) == ("555-WRONG", contact.phone)
    assert replica.contacts.get(str(contact.id)).phone == contact.phone


# ── a production org ─────────────────────────────────────────────────────────────────────────────────────────────

HOST = "acme.my.salesforce.com"


@pytest.fixture
def production(
    tmp_path: Path, simorg: SimOrg, organization: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A server whose org is a production org, with a lead that was edited."""
    organization(Name="Acme Rockets", IsSandbox=False, OrganizationType="Enterprise Edition")
    trusted = certificate(tmp_path, [HOST])
    proxy = Proxy(trusted, int(simorg.url.rsplit(":", 1)[1]))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    (tmp_path / "config.yaml").write_text(f"salesforce:\n  instance_url: https://{HOST}\nsync:\n  objects: [Lead]\n")
    (tmp_path / ".env").write_text(f"SF_ACCESS_TOKEN={simorg.sessions.open(simorg.user_id).token}\n")
    for site in start(Config.load(tmp_path / "config.yaml", environ={}), simorg):
        site.client("ed", Role.EDITOR)
        site.sync.sync("Lead")
        site.sync.leads.update(site.sync.leads.all()[0].id, phone="555-9999")
        yield site
    proxy.close()


def test_the_first_push_to_a_production_org_asks_and_names_it(browser: Browser, production, simorg):
    edited = "SELECT count(*) FROM Lead WHERE Phone = '555-9999'"
    for person in visiting(browser, production, "ed"):
        page = person.goes("changes")
        page.get_by_role("button", name="Push 1").click()
        expect(page.get_by_role("alert")).to_contain_text("Acme Rockets")
        before = simorg.database.value(edited, ())

        page.get_by_role("button", name="Yes, write to it from now on").click()

        expect(page.locator("#notices")).to_contain_text("1 change is in the org now")
        expect(page.get_by_text("This is a production org.")).to_have_count(0)
        assert (before, simorg.database.value(edited, ())) == (0, 1)


# ── what was seen, and what is said ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("button", ["Keep local", "Phone: Use this"])
def test_a_decision_on_what_the_org_has_changed_since_is_not_taken(editor, replica, shared, contact, button):
    contact = conflict(replica, shared.org, contact)
    page = editor.goes("inbox")
    shared.org.change(contact, Phone="555-NEWER")
    replica.pull("Contact")

    page.get_by_role("button", name=button).first.click()

    expect(page.locator("#notices")).to_contain_text("has changed since you have seen it")
    assert [each.org for each in replica.inbox()[0].conflicts if each.field == "Phone"] == ["555-NEWER"]
    page = editor.goes("inbox")
    page.get_by_role("button", name="Keep local").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


def deleted_there(replica, org, contact):
    replica.contacts.update(str(contact.id), phone="555-LOCAL")
    org.remove(str(contact.id))
    replica.pull("Contact")


def hidden_there(replica, org, contact):
    replica.contacts.update(str(contact.id), phone="555-LOCAL")
    org.hide_record(str(contact.id))
    replica.verify("Contact", accept_loss=["Contact"])


def changed_there(replica, org, contact):
    replica.contacts.delete(str(contact.id))
    org.change(str(contact.id), Phone="555-ORG")
    replica.pull("Contact")


@pytest.mark.parametrize(
    ("question", "button", "said", "left"),
    [
        (deleted_there, "Let it go", "The record is deleted here, too.", []),
        (deleted_there, "Bring it back", "comes back with its edits by the next push", [Operation.UNDELETE]),
        (hidden_there, "Drop the edits", "The edits are given up, and the record leaves.", []),
        (changed_there, "Keep the record", "The record stays, as it is in the org.", []),
        (changed_there, "Delete it nevertheless", "The record is deleted with the next push.", [Operation.DELETE]),
        (deleted_over, "Leave it deleted", "The record stays deleted.", []),
        (deleted_over, "Bring it back", "The record comes back by the next push.", [Operation.UNDELETE]),
    ],
)
def test_a_question_about_a_whole_record_says_what_its_answer_does(
    editor, replica, shared, contact, question, button, said, left
):
    shared.org.clock.advance(60)
    question(replica, shared.org, contact)
    page = editor.goes("inbox")

    page.get_by_role("button", name=button).click()

    expect(page.locator("#notices")).to_contain_text(said)
    assert [each.operation for each in replica.outbox()] == left


def test_a_record_that_is_only_hidden_is_not_called_deleted_nor_brought_back(editor, replica, shared, contact):
    shared.org.clock.advance(60)
    hidden_there(replica, shared.org, contact)

    card = editor.goes("inbox").locator("section.card")

    expect(card).to_contain_text("no longer visible")
    expect(card).not_to_contain_text("deleted there")
    expect(card.get_by_role("button")).to_have_text(["Drop the edits"])


def test_what_was_decided_by_somebody_else_meanwhile_is_told(editor, replica, shared, contact):
    conflict(replica, shared.org, contact)
    page = editor.goes("inbox")
    replica.take(replica.inbox()[0].number, "org")

    page.get_by_role("button", name="Keep local").click()

    expect(page.locator("#notices")).to_contain_text("somebody has decided it meanwhile")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    assert replica.outbox_count() == 0


def test_one_field_of_what_was_decided_by_somebody_else_is_told_too(editor, replica, shared, contact):
    conflict(replica, shared.org, contact)
    page = editor.goes("inbox")
    replica.take(replica.inbox()[0].number, "org")

    page.locator("tr:has-text('Phone') td.local").get_by_role("button").click()

    expect(page.locator("#notices")).to_contain_text("somebody has decided it meanwhile")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


DOUBLE_CLICKS = {
    "an item": ("inbox", "Give up the edit", "The local edit is given up.", "This does not wait any more"),
    "a change": ("changes", "Take back", "Taken back", "This change is not waiting any more"),
}


@pytest.mark.parametrize("of", DOUBLE_CLICKS)
def test_whoever_clicks_twice_is_not_told_of_somebody_else(editor, replica, of):
    screen, name, said, not_said = DOUBLE_CLICKS[of]
    for number in range(2):
        replica.contacts.create(last_name=f"Twice {number}", email="nobody" if screen == "inbox" else None)
    if screen == "inbox":
        replica.push()
    page, held = editor.goes(screen), []
    page.route(re.compile(f"/{screen}/"), hold_first(held))

    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("button", name=name).first.dblclick()
    first_held(page, held).continue_()

    expect(page.locator("#notices")).to_contain_text(said)
    expect(page.locator("#notices")).not_to_contain_text(not_said)
    expect(page.get_by_role("button", name=name)).to_have_count(1)
    assert (len(held), editor.complaints) == (1, [])


def hold_first(held):
    """A route whose first request is held, and all of which are in the list."""

    def hold(route):
        held.append(route)
        if len(held) > 1:
            route.continue_()

    return hold


def test_what_is_held_back_alone_is_not_to_be_pushed_and_its_name_stays_within_its_card(
    editor, replica, shared, contact
):
    shared.org.change(str(contact.id), LastName="Org" * 26)
    conflict(replica, shared.org, contact)
    editor.page.set_viewport_size(NARROW)

    page = editor.goes("changes")

    button = page.get_by_role("button", name="Push", exact=True)
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", re.compile("held back"))
    name = page.locator("th.name", has_text="OrgOrg")
    assert name.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_a_push_with_nothing_to_send_says_so(editor, replica, contact):
    before = contact.phone
    replica.contacts.update(str(contact.id), phone="555-0007")
    page = editor.goes("changes")
    replica.contacts.update(str(contact.id), phone=before)  # taken back in another tab

    page.get_by_role("button", name=re.compile("Push")).click()

    expect(page.locator("#notices .notice.run")).to_contain_text("Nothing to send.")
    button = page.get_by_role("button", name="Push", exact=True)
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "Nothing was edited here")
