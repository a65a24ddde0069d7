"""The page, in a real browser, over a real server and a simulated org: from nothing to an edited org."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect

from salesforce_sync.config import Config
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.web.browsing import Person, visiting
from tests.web.conftest import Site, start


@pytest.fixture
def unconnected(tmp_path: Path, simorg: SimOrg) -> Iterator[Site]:
    """A server that has no login to its org yet."""
    (tmp_path / "config.yaml").write_text(f"salesforce:\n  instance_url: {simorg.url}\nsync:\n  objects: [Contact]\n")
    yield from start(Config.load(tmp_path / "config.yaml", environ={}), simorg)


@pytest.fixture
def newcomer(browser: Browser, unconnected: Site) -> Iterator[Person]:
    yield from visiting(browser, unconnected)


def test_a_person_connects_syncs_edits_decides_and_brings_a_workbook_back(newcomer, unconnected, simorg, tmp_path):
    page = newcomer.page
    page.goto(unconnected.running.welcome("os:pi").link)
    page.wait_for_url("**/objects")
    reads_what_to_do(newcomer)
    connects_by_browser(page)
    syncs(page, "LegalEntity", "Pricebook2", "Product2")
    product = edits_a_product(newcomer)
    meets_a_conflict(newcomer, simorg, product)
    edited = edits_the_workbook(newcomer, tmp_path, product)
    brings_it_back(newcomer, edited)
    pushes(newcomer)

    now = simorg.row(product)
    assert (now["Description"], now["ProductCode"]) == ("Written here", "BOOK-1")
    assert newcomer.complaints == []
    assert newcomer.strangers == []


EMPTY = {
    "records": "Select objects to sync",
    "changes": "Connect one",
    "workbook": "There is nothing to download yet",
    "activity": "Nothing has run yet",
    "budget": "The org has not told yet",
    "connections": "not connected",
    "objects": "Connect one",
}
"""What a screen says as long as no org is connected."""


def reads_what_to_do(person: Person) -> None:
    for screen, words in EMPTY.items():
        expect(person.goes(screen).locator("main")).to_contain_text(words)
        expect(person.page.get_by_role("navigation", name="Screens")).to_be_visible()


def connects_by_browser(page: Page) -> None:
    page.get_by_role("link", name="Connect one").click()
    page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_label("Consumer secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Connect", exact=True).click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the org’s login").click()
    expect(opened.value.get_by_role("heading", name="Connected")).to_be_visible()
    page.wait_for_url("**/org/default/objects")


def syncs(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_label(f"Select {name}", exact=True).check()
    expect(page.locator("#chosen")).to_have_text(f"{len(names)} selected")
    page.evaluate("""() => { window.seen = []; new MutationObserver(() => {
        for (const row of document.querySelectorAll('tr[data-object=Product2]')) {
          if (window.seen.at(-1) !== row.dataset.status) window.seen.push(row.dataset.status);
        }}).observe(document.getElementById('objects'), {subtree: true, attributes: true, childList: true}); }""")
    page.get_by_role("button", name="Sync", exact=True).click()
    for name in names:
        row = page.locator(f"tr[data-object={name}]")
        expect(row).to_have_attribute("data-status", "synced")
        expect(row.locator("progress")).to_have_js_property("value", 100)
    statuses = page.evaluate("window.seen")
    assert [each for each in statuses if each != "not synced"] == ["pending", "syncing", "synced"]
    kept = json.loads(page.evaluate("localStorage.getItem('objectSyncStatus')"))
    assert set(kept) >= set(names)
    assert list(kept["Product2"]) == ["status", "lastSynced", "recordCount"]
    assert (kept["Product2"]["status"], kept["Product2"]["recordCount"] > 0) == ("synced", True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", kept["Product2"]["lastSynced"])


def edits_a_product(person: Person) -> str:
    """Edit a field in its place; gives the record's id."""
    page = person.goes("records/Product2?column=Name&column=Description")
    row = page.locator("tr[data-id]").first
    product = row.get_attribute("data-id")
    write(row.locator("[data-field=Description]"), "Written here")
    expect(row.locator("[data-field=Description]")).to_have_class(re.compile("is-edited"))
    expect(page.locator("#outbox-count")).to_contain_text("1")
    return str(product)


def write(slot: Any, text: str) -> None:
    """Edit the field of a slot with the keys."""
    slot.get_by_role("button").press("Enter")
    slot.get_by_role("textbox").fill(text)
    slot.get_by_role("textbox").press("Control+Enter")
    expect(slot.locator(".cell")).to_be_focused()


def meets_a_conflict(person: Person, org: SimOrg, product: str) -> None:
    org.change(product, Description="Written there")
    page = person.goes("objects")
    page.get_by_label("Select Product2", exact=True).check()
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Product2 synced")
    person.goes("inbox")
    row = page.locator(".sides tbody tr")
    expect(row).to_contain_text("Written here")
    expect(row).to_contain_text("Written there")
    page.get_by_role("button", name="Keep local").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


def edits_the_workbook(person: Person, folder: Any, product: str) -> Any:
    """Download the workbook and change a cell of it, as a person with Excel would."""
    page = person.goes("workbook")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    path = folder / "edited.xlsx"
    download.value.save_as(path)
    assert download.value.suggested_filename == "Revenue_Cloud_Data.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["Product2"]
    heads = [str(cell.value) for cell in sheet[1]]
    code = next(at for at, head in enumerate(heads) if head.startswith("Product Code"))
    row = next(row for row in sheet.iter_rows(min_row=2) if product in [cell.value for cell in row])
    row[code].value = "BOOK-1"
    book.save(path)
    return path


def brings_it_back(person: Person, path: Any) -> None:
    page = person.page
    page.get_by_label("Workbook", exact=True).set_input_files(path)
    cells = page.locator("#cells")
    expect(cells).to_contain_text("ProductCode")
    expect(cells).to_contain_text("BOOK-1")
    assert page.locator("#cells tbody tr").count() == 1
    page.get_by_role("button", name="Apply 1 row").click()
    expect(page.locator("#preview")).to_contain_text("1 changed")


def pushes(person: Person) -> None:
    page = person.goes("changes")
    expect(page.locator("main")).to_contain_text("BOOK-1")
    page.get_by_role("button", name="Push 1").click()
    expect(page.locator("#notices")).to_contain_text("1 change is in the org now")
