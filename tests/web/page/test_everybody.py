"""Everybody can use the page: with the keys, with a screen reader, light and dark, on a telephone."""

from __future__ import annotations

from itertools import product

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.browsing import NARROW, NARROWEST, WIDE
from tests.web.page.edits import conflict

SCREENS = (
    *("objects", "records/Contact?search=an&column=Name&column=Phone", "records/Contact/new", "inbox", "changes"),
    *(
        "workbook",
        "activity?before=20",
        "budget",
        "connections",
        "records/Contact/{contact}",
        "/login",
        "/docs",
        "records/Contact/nobody",
    ),
)
HOLLOW = """() => [...document.querySelectorAll('.table:not(.tall)')]
  .filter((each) => each.clientHeight > each.firstElementChild.offsetHeight + 24).map((each) => each.innerText)"""


def test_axe_finds_no_serious_fault_on_any_screen(admin, shared, replica, contact):
    contact = conflict(replica, shared.org, contact)
    replica.contacts.create(last_name="Hopper")
    page, found = admin.page, []
    page.emulate_media(reduced_motion="reduce")

    for path in (each.format(contact=contact) for each in SCREENS):
        page.set_viewport_size(WIDE)
        page.goto(f"{shared.url}{path}" if path.startswith("/") else f"{shared.url}/org/default/{path}")
        expect(page.locator("main")).not_to_contain_text("Looking …")
        assert page.evaluate(HOLLOW) == [], f"{path} has a gap below a table"
        for size, scheme in product((WIDE, NARROW), ("light", "dark")):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            found += [(path, size["width"], scheme, *each) for each in faults(page)]
        for size in (NARROW, NARROWEST):
            page.set_viewport_size(size)
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, f"{path} scrolls sideways at a width of {size['width']}"

    assert found == []
    assert [each for each in admin.complaints if "400" not in each] == []
    assert admin.strangers == []


def test_axe_finds_no_serious_fault_in_an_editor_whose_field_has_changed_meanwhile(editor, replica, contact):
    page, found = editor.goes(f"records/Contact?field=Id&op=eq&value={contact.id}&column=Name&column=Phone"), []
    page.locator("[data-field=Phone] .cell").click()
    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("555-MINE")
    replica.contacts.update(str(contact.id), phone="5550000" * 5)
    slot.get_by_role("button", name="Save").click()
    expect(slot.get_by_role("alert")).to_be_visible()

    for size, scheme in product((WIDE, NARROW, NARROWEST), ("light", "dark")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        found += faults(page)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0

    assert found == []
    assert editor.complaints == []


def faults(page: Page) -> list[tuple[str, str]]:
    """What axe, with all its rules, finds on a page that is serious: the rule, and the first element.

    Its script is there only once.
    """
    options = {"resultTypes": ["violations"]}
    if page.evaluate("typeof axe") == "undefined":
        report = Axe().run(page, options=options).response["violations"]
    else:
        report = page.evaluate("options => axe.run(options)", options)["violations"]
    return [
        (each["id"], each["nodes"][0]["html"][:120]) for each in report if each["impact"] in ("serious", "critical")
    ]


def test_light_and_dark_follow_the_system_until_somebody_chooses(looker):
    page = looker.goes("inbox")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)

    page.get_by_role("button", name="Light or dark").click()
    chosen = page.evaluate(ground)
    page.reload()

    assert light != dark
    assert chosen == light
    assert page.evaluate(ground) == light


def test_colours_that_the_system_forces_leave_what_a_colour_says(editor, replica, contacts):
    first, second = next(contacts), next(contacts)
    replica.contacts.update(str(first.id), phone="555-FORCED")
    page = editor.page
    page.emulate_media(forced_colors="active")
    editor.goes(f"records/Contact?field=Id&op=in&value={first.id},{second.id}&column=Name&column=Phone")
    lines = [
        page.locator(f"tr[data-id='{each.id}'] .slot[data-field=Phone]").evaluate(
            "it => getComputedStyle(it).borderLeft"
        )
        for each in (first, second)
    ]
    assert lines[0] != lines[1]

    page = editor.goes("objects")
    row = page.locator("tr[data-object=Contact]")
    expect(row).to_have_attribute("data-status", "synced")
    look = "it => getComputedStyle(it).color"
    assert page.locator("#sync").evaluate(look) != page.locator("button[data-set]").first.evaluate(look)
    bar = row.locator("progress")
    full = bar.screenshot(animations="disabled")
    bar.evaluate("it => { it.value = 0; }")
    assert bar.screenshot(animations="disabled") != full


def test_the_first_key_skips_to_the_content(looker):
    page = looker.goes("inbox")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_tab_of_a_screen_is_in_sight_on_a_narrow_one(looker):
    looker.page.set_viewport_size(NARROW)

    page = looker.goes("connections")

    expect(page.get_by_role("navigation").get_by_role("link", name="Connections")).to_be_in_viewport(ratio=0.9)


def test_on_a_telephone_what_chooses_objects_takes_two_lines(admin):
    admin.page.set_viewport_size(NARROW)
    page = admin.goes("objects")
    expect(page.locator("#find")).to_be_visible()

    tops = {round(each.bounding_box()["y"]) // 10 for each in page.locator("#table > header .buttons > *").all()}

    assert len(tops) == 2


def test_on_a_telephone_a_filter_takes_its_room_once_there_is_one(looker):
    looker.page.set_viewport_size(NARROW)
    page = looker.goes("records/Contact")
    form = page.get_by_role("search")
    find, field = form.get_by_role("button", name="Find"), form.get_by_label("Field", exact=True)
    alone = form.bounding_box()["height"]
    beside = find.bounding_box()["y"] < field.bounding_box()["y"] + field.bounding_box()["height"]
    expect(form.get_by_label("Value")).to_be_hidden()

    field.select_option("Email")

    expect(form.get_by_label("Value")).to_be_visible()
    assert beside
    assert alone < form.bounding_box()["height"]


def test_on_a_telephone_a_value_in_conflict_stands_beside_the_button_that_takes_it(editor, shared, replica, contact):
    conflict(replica, shared.org, contact)
    editor.page.set_viewport_size(NARROW)
    page = editor.goes("inbox")

    for side in page.locator(".sides td").all():
        value, button = side.locator(".value, .nothing").bounding_box(), side.get_by_role("button").bounding_box()
        assert button["y"] < value["y"] + value["height"]
        assert value["y"] < button["y"] + button["height"]


def test_the_connection_that_is_shown_says_so_at_its_name(admin):
    page = admin.goes("connections")

    expect(page.get_by_role("rowheader").filter(has_text="default")).to_contain_text("shown here")


def test_a_record_shows_without_a_pointer_which_fields_can_be_edited(looker, contact):
    page = looker.goes(f"records/Contact/{contact.id}")

    signs = page.locator(".fields .cell").evaluate_all("all => all.map(e => getComputedStyle(e, '::after').content)")
    assert signs
    assert set(signs) == {'"✎"'}
    assert "✎" not in page.locator('.fields [data-field="Id"]').inner_html()
