"""Records on the page: found, moved through by keys, edited in their place."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.web.browsing import NARROW, WIDE, first_held


@pytest.mark.parametrize("decision", ["Save mine over it", "Leave it as it is now"])
def test_a_field_that_changed_under_the_editor_is_not_overwritten_nor_is_what_was_typed_lost(
    editor, replica, shared, contact, decision
):
    contact = str(contact.id)
    page = editor.goes(f"records/Contact/{contact}")
    page.locator("[data-field=Phone]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    expect(slot.get_by_role("textbox")).to_be_visible()
    shared.org.change(contact, Phone="555-ORG")
    replica.pull("Contact")

    slot.get_by_role("textbox").fill("555-LATE")
    slot.get_by_role("button", name="Save").click()

    expect(slot.get_by_role("alert")).to_contain_text("changed meanwhile")
    expect(slot.get_by_role("alert")).to_contain_text("It is now: 555-ORG")
    expect(slot.get_by_role("textbox")).to_have_value("555-LATE")
    assert replica.contacts.get(contact).phone == "555-ORG"
    assert replica.outbox() == ()

    slot.get_by_role("button", name=decision).click()

    kept = "555-LATE" if decision.startswith("Save") else "555-ORG"
    expect(page.locator("[data-field=Phone] .cell")).to_contain_text(kept)
    assert replica.contacts.get(contact).phone == kept


def test_a_field_that_changed_twice_under_the_editor_is_told_of_twice(editor, replica, contact):
    contact = str(contact.id)
    page = editor.goes(f"records/Contact/{contact}")
    page.locator("[data-field=Phone]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("555-MINE")

    for once, button in (("555-ONE", "Save"), ("555-TWO", "Save mine over it")):
        replica.contacts.update(contact, phone=once)
        slot.get_by_role("button", name=button).click()

        expect(slot.get_by_role("alert")).to_contain_text(f"It is now: {once}")
    assert replica.contacts.get(contact).phone == "555-TWO"


def test_who_changed_nothing_in_an_editor_is_shown_what_it_is_now(editor, replica, contact):
    page = editor.goes(f"records/Contact/{contact.id}")
    page.locator("[data-field=Phone]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    expect(slot.get_by_role("textbox")).to_be_visible()
    replica.contacts.update(str(contact.id), phone="555-THEIRS")

    slot.get_by_role("button", name="Save").click()

    expect(page.locator("[data-field=Phone] .cell")).to_contain_text("555-THEIRS")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Department", "two\r\nlines"),
        ("FirstName", "one\n\nthree"),
        ("Salutation", "one\rtwo"),
        ("Description", "\n\nthree\n"),
        ("Title", "a\0b"),
    ],
)
def test_who_saves_what_he_has_not_touched_changes_nothing(editor, replica, contact, field, value):
    record = replica.contacts.get(str(contact.id))
    before = record[field]
    replica.contacts.update(record.id, **{field: value})
    page = editor.goes(f"records/Contact/{contact.id}")
    page.locator(f"[data-field={field}]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    expect(slot.locator("[name=value]")).to_be_focused()

    slot.get_by_role("button", name="Save").click()

    expect(page.locator(f"[data-field={field}] .cell")).to_be_visible()
    assert replica.contacts.get(str(contact.id))[field] == value
    replica.contacts.update(record.id, **{field: before})
    assert replica.outbox() == ()


LEAVES = {
    "another screen": lambda page: page.get_by_role("link", name="Budget").click(),
    "another order": lambda page: page.locator("thead a").nth(1).click(),
    "another object": lambda page: page.locator("#object").select_option(label="Account"),
    "the page, again": lambda page: page.evaluate("location.reload()"),
}


@pytest.mark.parametrize("way", LEAVES)
def test_what_was_typed_into_an_editor_is_not_left_without_a_question(looker, way):
    page, asked = looker.goes("records/Contact?column=Name&column=Phone&sort=Id"), []
    page.locator("[data-field=Phone] .cell").first.click()
    editor = page.locator(".slot form").get_by_role("textbox")
    editor.fill("555-HALF")
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))

    LEAVES[way](page)

    expect(editor).to_have_value("555-HALF")
    expect(page.locator("#object")).to_have_value("/org/default/records/Contact")
    assert asked == ["beforeunload"]


def test_a_new_record_that_was_begun_is_not_left_without_a_question_and_its_making_asks_none(editor, replica):
    page, asked = editor.goes("records/Contact/new"), []
    page.get_by_label("Last Name").fill("Halfway")
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))

    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_label("Last Name")).to_have_value("Halfway")
    assert asked == ["beforeunload"]
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("button", name="Make it").click()

    expect(page.get_by_role("heading", name="Halfway", level=1)).to_be_visible()
    assert len(asked) == 1


def test_who_typed_nothing_or_gave_it_up_is_asked_nothing(looker):
    page, asked = looker.goes("records/Contact?column=Name&column=Phone&sort=Id"), []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    cells = page.locator("[data-field=Phone] .cell")
    cells.first.click()
    page.locator(".slot form").get_by_role("textbox").fill("555-GIVEN-UP")
    page.keyboard.press("Escape")
    expect(page.locator(".slot form")).to_have_count(0)
    cells.first.click()
    expect(page.locator(".slot form").get_by_role("textbox")).to_be_focused()

    page.get_by_role("link", name="Budget").click()

    expect(page.get_by_role("heading", name="Budget", level=1)).to_be_visible()
    assert asked == []


def test_a_value_that_is_too_long_is_refused_and_not_cut(editor, replica, contact):
    typed = "L" * 70 + "-the-end-of-a-long-name"
    page = editor.goes(f"records/Contact/{contact.id}")
    page.locator("[data-field=LastName]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("")

    page.keyboard.insert_text(typed)
    page.keyboard.press("Enter")

    expect(slot.get_by_role("alert")).to_contain_text("holds text of 80 characters at most")
    expect(slot.get_by_role("textbox")).to_have_value(typed)
    editor.goes("records/Contact/new")
    page.get_by_label("Last Name").focus()
    page.keyboard.insert_text(typed)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("holds text of 80 characters at most")
    expect(page.get_by_label("Last Name")).to_have_value(typed)
    assert replica.outbox() == ()


def test_what_cannot_be_is_said_beside_the_field(editor, replica, contact):
    page = editor.goes(f"records/Contact/{contact.id}")
    page.locator("[data-field=LastName]").get_by_role("button").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("")

    slot.get_by_role("button", name="Save").click()

    expect(slot.get_by_role("alert")).to_be_visible()
    assert replica.outbox() == ()


def test_a_record_is_made_and_taken_back(editor, replica):
    page = editor.goes("records/Contact/new")
    page.get_by_label("Last Name").fill("Hopper")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Hopper", level=1)).to_be_visible()

    editor.goes("changes")
    page.get_by_role("button", name="Take back: Hopper").click()

    expect(page.locator("#notices")).to_contain_text("Taken back")
    assert replica.outbox() == ()
    assert not replica.contacts.search(last_name="Hopper")


@pytest.mark.parametrize("how", ["a double click", "Enter, twice"])
def test_a_form_that_is_sent_twice_at_once_makes_one_record(editor, replica, how):
    page, held = editor.goes("records/Contact/new"), []
    page.get_by_label("Last Name").fill("Doppel")
    page.route("**/records/Contact", lambda route: route.continue_() if held else held.append(route))

    with page.expect_request("**/records/Contact"):
        if how == "a double click":
            page.get_by_role("button", name="Make it").dblclick()
        else:
            page.get_by_label("Last Name").press("Enter")
            page.get_by_label("Last Name").press("Enter")
    first_held(page, held).continue_()

    expect(page.get_by_role("heading", name="Doppel", level=1)).to_be_visible()
    assert len(replica.contacts.search(last_name="Doppel")) == 1


def test_a_form_that_comes_again_makes_no_second_record_unless_it_is_another(editor, replica):
    page = editor.goes("records/Contact/new")
    key = page.locator("[name=form-key]").input_value()
    url, headers = page.url.removesuffix("/new"), {"X-CSRF-Token": page.locator("body").get_attribute("data-csrf")}

    def sent(**texts):
        return page.request.post(url, headers=headers, form={"form-key": key, **texts})

    refused, (first, second), other = sent(), [sent(LastName="Again") for _ in range(2)], sent(LastName="Other")

    assert "Nothing is filled in. Fill in one field at least." in refused.text() and key in refused.text()
    assert (first.status, first.headers["hx-redirect"]) == (second.status, second.headers["hx-redirect"])
    assert "has made a record already" in other.text() and key not in other.text()
    assert [each.last_name for each in replica.contacts.search(last_name__in=["Again", "Other"])] == ["Again"]
    assert page.request.post(url, headers=headers, form={"LastName": "Other"}).status == 400


def test_an_edit_is_taken_back(editor, replica, contact):
    before = contact.phone
    replica.contacts.update(str(contact.id), phone="555-0001")

    editor.goes("changes").get_by_role("button", name=re.compile("Take back")).click()

    expect(editor.page.locator("#outbox-count")).to_be_hidden()
    assert replica.contacts.get(str(contact.id)).phone == before


def test_records_are_searched_filtered_sorted_and_paged(looker, shared):
    replica = shared.sync
    page = looker.goes("records/Contact?sort=-CreatedDate&column=Name&column=Email")
    assert page.locator("tr[data-id]").count() == min(50, replica.contacts.count())
    wanted = next(iter(replica.contacts.search(email__contains="@")))

    page.get_by_label("Field", exact=True).select_option("Email")
    page.get_by_label("Condition").select_option("eq")
    page.get_by_label("Value").fill(wanted.email)
    page.get_by_role("button", name="Find").click()

    expect(page.locator("tr[data-id]")).to_have_count(replica.contacts.search(email=wanted.email).__len__())
    expect(page.locator(".chips")).to_contain_text(f"Email is {wanted.email}")
    expect(page.locator("th[aria-sort=none]").first).to_be_visible()


def test_what_finds_records_stands_in_line_and_what_chooses_columns_within_its_card(looker):
    page = looker.goes("records/Contact")
    labels = [page.locator(f"label[for={each}]").bounding_box() for each in ("search", "filter-field", "filter-op")]
    page.locator("summary", has_text="Columns").click()
    card, first = page.locator("section.card").first.bounding_box(), page.locator("#column-Id").bounding_box()

    assert max(each["y"] for each in labels) - min(each["y"] for each in labels) < 4
    assert first["x"] - card["x"] >= 12


def test_the_grid_is_moved_through_by_arrows(looker):
    page = looker.goes("records/Contact?column=Name&column=Phone&column=Email&sort=Id")
    first = page.locator("tr[data-id]").first
    first.locator("[data-field=Phone] .cell").focus()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")

    expect(page.locator("tr[data-id]").nth(1).locator("[data-field=Email] .cell")).to_be_focused()


def test_f2_edits_beside_a_link_and_escape_gives_up(looker):
    page = looker.goes("records/Contact?column=Name&column=AccountId&sort=-AccountId")
    slot = page.locator("tr[data-id]").first.locator("[data-field=AccountId]")
    slot.get_by_role("link").focus()

    page.keyboard.press("F2")
    expect(slot.get_by_role("textbox")).to_be_focused()
    page.keyboard.press("Escape")

    expect(slot.get_by_role("textbox")).to_have_count(0)
    assert page.locator(".grid tbody [tabindex='0']").count() == 1


@pytest.mark.parametrize("where", ["the grid", "its own page"])
@pytest.mark.parametrize("way", ["Escape", "Cancel"])
def test_who_gives_an_editor_up_is_back_at_its_cell(looker, contact, where, way):
    page = looker.goes("records/Contact?column=Name&column=Phone&sort=Id")
    if where == "its own page":
        page = looker.goes(f"records/Contact/{contact.id}")
    slot = page.locator("[data-field=Phone]").first
    slot.locator(".cell").press("Enter")
    expect(slot.get_by_role("textbox")).to_be_focused()

    if way == "Escape":
        page.keyboard.press("Escape")
    else:
        slot.get_by_role("button", name="Cancel").press("Enter")

    expect(slot.locator(".cell")).to_be_focused()


def test_an_editor_that_was_given_up_before_it_came_does_not_open(looker):
    page = looker.goes("records/Contact?column=Name&column=Phone&column=AccountId&sort=-AccountId")
    row, held = page.locator("tr[data-id]").first, []
    page.route("**/fields/*/edit", lambda route: held.append(route))

    for place in (row.locator("[data-field=Phone] .cell"), row.locator("[data-field=AccountId] a")):
        place.focus()
        with page.expect_event("requestfailed"):
            with page.expect_request("**/fields/*/edit"):
                page.keyboard.press("F2")
            page.keyboard.press("F2")  # whoever is impatient asks once all the same
            page.keyboard.press("Escape")

        expect(place).to_be_focused()
        assert page.locator(".slot form").count() == 0
        assert page.locator("#notices").inner_text() == ""
    assert len(held) == 2


def test_the_arrows_go_on_from_the_sign_that_edits_beside_a_link(looker):
    page = looker.goes("records/Contact?column=Name&column=AccountId&sort=-AccountId")
    slot = page.locator("tr[data-id]").first.locator("[data-field=AccountId]")
    slot.get_by_role("link").press("F2")
    expect(slot.get_by_role("textbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(slot.locator(".pencil")).to_be_focused()

    page.keyboard.press("ArrowDown")

    expect(page.locator("tr[data-id]").nth(1).locator("[data-field=AccountId] a")).to_be_focused()


@pytest.mark.parametrize("key", ["Enter", "Control+Enter"])
def test_what_is_typed_takes_the_place_of_the_value(editor, replica, contact, key):
    page = editor.goes(f"records/Contact/{contact.id}")

    page.get_by_role("button", name="Email: ").press("Enter")
    expect(page.get_by_label("Email", exact=True)).to_be_focused()
    page.keyboard.type("typed@example.com")
    page.keyboard.press(key)

    expect(page.get_by_role("button", name="Email: typed@example.com")).to_be_visible()
    assert replica.contacts.get(str(contact.id)).email == "typed@example.com"


def test_an_editor_on_a_narrow_screen_does_not_widen_the_page(looker):
    looker.page.set_viewport_size(NARROW)
    page = looker.goes("records/Contact?column=Name&column=Email&column=Title&column=Phone&sort=Id")

    page.locator("tr[data-id]").first.locator("[data-field=Title]").get_by_role("button").click()

    expect(page.locator(".slot form").get_by_role("textbox")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_what_a_record_holds_never_becomes_markup(editor, replica, shared, contact):
    nasty = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    shared.org.change(str(contact.id), Title=nasty, LastName=nasty[:70])
    replica.pull("Contact")

    page = editor.goes(f"records/Contact/{contact.id}")

    expect(page.locator("[data-field=Title]")).to_have_text(nasty)
    assert page.locator("main img").count() == 0
    editor.goes("records/Contact?field=Title&op=eq&value=" + "%3Cimg%20src=x%3E")
    expect(page.locator(".chips")).to_contain_text("Title is <img src=x>")
    assert editor.complaints == []


def test_an_amount_is_read_with_all_its_digits(looker, shared):
    sync = shared.sync
    page = looker.goes("records/Account?column=Name&column=AnnualRevenue&sort=-AnnualRevenue")
    most = sync.query("SELECT max(CAST(AnnualRevenue AS REAL)) FROM Account").rows[0][0]

    shown = page.locator("tr[data-id] [data-field=AnnualRevenue]").first.inner_text()

    assert re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", shown)
    assert float(shown.replace(",", "")) == most


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_long_text_shows_that_it_goes_on_and_that_it_can_be_edited(editor, replica, shared, contact, size):
    shared.org.change(str(contact.id), Description="Met at the spring fair. " * 60)
    replica.pull("Contact")
    editor.page.set_viewport_size(size)

    page = editor.goes(f"records/Contact/{contact.id}")

    cell = page.locator("[data-field=Description] .cell")
    assert cell.evaluate("each => each.scrollHeight > each.clientHeight")
    assert "linear-gradient" in cell.evaluate("each => getComputedStyle(each).maskImage")
    assert "✎" in cell.evaluate("each => getComputedStyle(each.parentElement, '::after').content")


def test_a_record_whose_name_is_blank_has_a_link_that_can_be_seen(looker, replica, shared, contact):
    shared.org.change(str(contact.id), LastName="\u2003", FirstName=None, Salutation=None)
    replica.pull("Contact")

    page = looker.goes(f"records/Contact?field=Id&op=eq&value={contact.id}&column=LastName&column=Title")

    expect(page.locator("tr[data-id] a").first).to_have_text(str(contact.id))
