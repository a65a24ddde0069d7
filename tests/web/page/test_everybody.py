"""Everybody can use the page: with the keys, with a screen reader, light and dark, on a telephone."""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.web.browsing import NARROW, WIDE
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
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize, dict[str, Any]], ...] = (
    ("light", WIDE, {}),
    ("dark", WIDE, COLOURS),
    ("dark", NARROW, {}),
    ("light", NARROW, COLOURS),
)
"""Every rule is asked in both colours and at both widths; what depends on both together, in all four."""
LONG = tuple(each for each in LOOKS if each[2] is not COLOURS)
"""The reference of the API repeats its few elements hundreds of times, and has no colours that depend on the width."""

HOLLOW = """() => [...document.querySelectorAll('.table:not(.tall)')]
  .filter((each) => each.clientHeight > each.firstElementChild.offsetHeight + 24).map((each) => each.innerText)"""


def test_axe_finds_no_serious_fault_on_any_screen(admin, shared, replica, contact):
    contact = conflict(replica, shared.org, contact)
    replica.contacts.create(last_name="Hopper")
    page, found = admin.page, []
    page.emulate_media(reduced_motion="reduce")

    for path in (each.format(contact=contact) for each in SCREENS):
        look(page, "light", WIDE)
        page.goto(f"{shared.url}{path}" if path.startswith("/") else f"{shared.url}/org/default/{path}")
        expect(page.locator("main")).not_to_contain_text("Looking …")
        assert page.evaluate(HOLLOW) == [], f"{path} has a gap below a table"
        for colours, size, rules in LONG if path == "/docs" else LOOKS:
            look(page, colours, size)
            found += [(path, colours, size["width"], *each) for each in faults(page, rules)]
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{path} scrolls sideways"

    assert found == []
    assert [each for each in admin.complaints if "400" not in each] == []
    assert admin.strangers == []


def look(page: Page, colours: Literal["light", "dark"], size: ViewportSize) -> None:
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size(size)


def faults(page: Page, rules: dict[str, Any]) -> list[tuple[str, str]]:
    """What axe finds on a page that is serious: the rule, and the first element. Its script is there only once."""
    options = {"resultTypes": ["violations"], **rules}
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


def test_a_record_shows_without_a_pointer_which_fields_can_be_edited(looker, contact):
    page = looker.goes(f"records/Contact/{contact.id}")

    signs = page.locator(".fields .cell").evaluate_all("all => all.map(e => getComputedStyle(e, '::after').content)")
    assert signs
    assert set(signs) == {'"✎"'}
    assert "✎" not in page.locator('.fields [data-field="Id"]').inner_html()
