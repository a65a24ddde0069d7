"""The page, in a real browser, over a real server and a simulated org."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from salesforce_sync.access import Role
from salesforce_sync.config import Config
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.web.browsing import NARROW, WIDE, Person, chromium
from tests.web.conftest import Site, settle, start

expect.set_options(timeout=20_000)  # the machine may be busy

SCREENS = (
    *(
        "objects",
        "records/Contact?search=a&column=Name&column=Phone",
        "records/Contact/new",
        "inbox",
        "changes",
        "workbook",
    ),
    *("activity", "budget", "connections"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Person]:
    """Somebody at the site who has not signed in."""
    yield from visiting(browser, site)


def visiting(browser: Browser, site: Site) -> Iterator[Person]:
    context = browser.new_context(viewport=WIDE, accept_downloads=True)
    context.set_default_timeout(20_000)
    person = Person(context.new_page(), site.url)
    person.watch()
    yield person
    context.close()


@pytest.fixture
def editor(visitor: Person, site: Site) -> Person:
    """Somebody who has signed in and may edit."""
    visitor.signs_in(site.house.access.users.add("ed", Role.EDITOR)[1])
    return visitor


@pytest.fixture
def replica(site: Site) -> Any:
    """The replica behind the page, synced."""
    user, _ = site.house.access.users.add("owner", Role.ADMIN)
    sync = site.house.replicas.get("default", user).sync
    sync.sync("Contact", "Account")
    return sync


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for all tests that only look; its replica is synced."""
    with SimOrg(records=40, seed=7) as org, org.serve():
        for site in start(settle(tmp_path_factory.mktemp("shared"), org.url), org):
            site.client("ed", Role.EDITOR)
            user = site.house.access.users.named("ed")
            site.house.replicas.get("default", user).sync.sync("Contact", "Account")
            yield site


@pytest.fixture
def looker(browser: Browser, shared: Site) -> Iterator[Person]:
    """An editor at the shared server, who changes nothing there."""
    for person in visiting(browser, shared):
        person.page.request.post(f"{shared.url}/api/login", data={"token": shared.tokens["ed"]})
        yield person


def replica_of(site: Site) -> Any:
    """The replica behind a server's page."""
    return site.house.replicas.get("default", site.house.access.users.list()[0]).sync


def a_contact(replica: Any) -> Any:
    return next(each for each in replica.contacts.search(email__contains="@") if each.phone)


def conflict(replica: Any, org: SimOrg) -> str:
    """A contact of which both sides have changed two fields."""
    contact = str(a_contact(replica).id)
    replica.contacts.update(contact, phone="555-LOCAL", title="Here")
    org.change(contact, Phone="555-ORG", Title="There")
    replica.pull("Contact")
    return contact


# ── from nothing to an edited org ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unconnected(tmp_path, simorg: SimOrg) -> Iterator[Site]:
    """A server that has no login to its org yet."""
    (tmp_path / "config.yaml").write_text(f"salesforce:\n  instance_url: {simorg.url}\nsync:\n  objects: [Contact]\n")
    yield from start(Config.load(tmp_path / "config.yaml", environ={}), simorg)


@pytest.fixture
def newcomer(browser: Browser, unconnected: Site) -> Iterator[Person]:
    yield from visiting(browser, unconnected)


def test_a_person_connects_syncs_edits_decides_and_brings_a_workbook_back(newcomer, unconnected, simorg, tmp_path):
    page = newcomer.page
    page.goto(unconnected.running.welcome().link)
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


# ── what the browser keeps ───────────────────────────────────────────────────────────────────────────────────────


def test_what_was_synced_is_shown_before_the_server_answers(looker):
    looker.goes("inbox")
    known = {"Product2": {"status": "synced", "lastSynced": "2024-01-15T10:30:00Z", "recordCount": 1234}}
    looker.page.evaluate("known => localStorage.setItem('objectSyncStatus', JSON.stringify(known))", known)
    held: list[Any] = []
    looker.page.route("**/objects/table", lambda route: held.append(route))

    looker.goes("objects")

    expect(looker.page.locator("#objects")).to_contain_text("Product2")
    expect(looker.page.locator("#objects")).to_contain_text("1,234")
    assert len(held) == 1
    held[0].continue_()
    expect(looker.page.locator("tr[data-object=Contact]")).to_have_attribute("data-status", "synced")
    assert "Contact" in json.loads(looker.page.evaluate("localStorage.getItem('objectSyncStatus')"))


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


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_field_that_changed_under_the_editor_is_not_overwritten(editor, replica, simorg):
    contact = str(a_contact(replica).id)
    page = editor.goes(f"records/Contact/{contact}")
    slot = page.locator("[data-field=Phone]")
    slot.get_by_role("button").click()
    simorg.change(contact, Phone="555-ORG")
    replica.pull("Contact")

    slot = page.locator(".slot:has(form)")
    slot.get_by_role("textbox").fill("555-LATE")
    slot.get_by_role("button", name="Save").click()

    expect(slot.get_by_role("alert")).to_contain_text("changed meanwhile")
    assert replica.contacts.get(contact).phone == "555-ORG"
    assert replica.outbox() == ()


def test_what_cannot_be_is_said_beside_the_field(editor, replica):
    page = editor.goes(f"records/Contact/{a_contact(replica).id}")
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


def test_an_edit_is_taken_back(editor, replica):
    contact = a_contact(replica)
    before = contact.phone
    replica.contacts.update(str(contact.id), phone="555-0001")

    editor.goes("changes").get_by_role("button", name=re.compile("Take back")).click()

    expect(editor.page.locator("#outbox-count")).to_be_hidden()
    assert replica.contacts.get(str(contact.id)).phone == before


def test_records_are_searched_filtered_sorted_and_paged(looker, shared):
    replica = replica_of(shared)
    page = looker.goes("records/Contact?sort=-CreatedDate&column=Name&column=Email")
    assert page.locator("tr[data-id]").count() == min(50, replica.contacts.count())
    wanted = a_contact(replica)

    page.get_by_label("Field", exact=True).select_option("Email")
    page.get_by_label("Condition").select_option("eq")
    page.get_by_label("Value").fill(wanted.email)
    page.get_by_role("button", name="Find").click()

    expect(page.locator("tr[data-id]")).to_have_count(replica.contacts.search(email=wanted.email).__len__())
    expect(page.locator(".chips")).to_contain_text(f"Email is {wanted.email}")
    expect(page.locator("th[aria-sort=none]").first).to_be_visible()


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


def test_a_verify_shows_its_proof(looker):
    page = looker.goes("objects")
    page.get_by_label("Select Account", exact=True).check()

    page.get_by_role("button", name="Verify").click()

    expect(page.locator("#notices")).to_contain_text("Proved")
    expect(page.locator("tr[data-object=Account]")).to_contain_text("equal")


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conflict_is_decided_field_by_field(editor, replica, simorg):
    contact = conflict(replica, simorg)
    page = editor.goes("inbox")

    page.locator("tr:has-text('Phone') td.local").get_by_role("button").click()
    expect(page.locator(".sides tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Take the org's").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    now = replica.contacts.get(contact)
    assert (now.phone, now.title) == ("555-LOCAL", "There")
    assert [each.values for each in replica.outbox()] == [{"Phone": "555-LOCAL"}]


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_org_is_connected_and_a_login_that_fails_leaves_nothing(visitor, site, simorg):
    visitor.signs_in(site.house.access.users.add("ann", Role.ADMIN)[1])
    page = visitor.goes("connections")
    page.get_by_label("For", exact=True).select_option("new")
    page.get_by_label("Name, for another org").fill("sandbox")
    page.get_by_label("Address of the org").fill(simorg.url)
    page.get_by_label("Client credentials").check()
    page.get_by_label("Consumer key").fill(CLIENT_ID)

    page.get_by_label("Consumer secret").fill("wrong")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("form").get_by_role("alert")).to_be_visible()
    after_failure = [each.name for each in site.house.access.connections.list()]
    page.get_by_label("Consumer secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url(re.compile("/org/con_[0-9a-f]+/objects"))

    assert after_failure == ["default"]
    assert "wrong" not in page.content()
    assert [(each.name, each.owner) for each in site.house.access.connections.list()][1:] == [("sandbox", "ann")]
    expect(page.locator(".foot")).to_contain_text(simorg.url)


def test_an_editor_connects_no_address_of_this_machine_and_not_the_default_org(editor, site, simorg):
    token = editor.page.evaluate("document.body.dataset.csrf")
    form = {"method": "session", "access_token": "x", "instance_url": simorg.url, "name": "inner"}

    for where, word in (("new", "admin"), ("default", "not yours")):
        answer = editor.page.request.post(
            f"{site.url}/org/default/connections",
            headers={"X-CSRF-Token": token, "HX-Request": "true"},
            form={**form, "where": where},
        )
        assert word in answer.text(), where
    assert [each.name for each in site.house.access.connections.list()] == ["default"]


# ── who may do what ──────────────────────────────────────────────────────────────────────────────────────────────

CHANGES = (
    *("records/Contact/{id}/fields/Phone", "records/Contact/{id}/delete", "records/Contact"),
    *("inbox/1", "changes/push", "changes/1/take-back", "changes/undo/x", "connections"),
    *("workbook/book_1/apply", "connections/key"),
)


def test_a_viewer_is_offered_no_change_and_is_refused_all(visitor, site, replica, simorg):
    contact = conflict(replica, simorg)
    visitor.signs_in(site.house.access.users.add("vera", Role.VIEWER)[1])
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
            f"{site.url}/org/default/{path.format(id=contact)}", headers={"X-CSRF-Token": token}, form={"value": "x"}
        )
        assert answer.status == 403, path


def test_nothing_is_changed_without_the_csrf_token(looker, shared):
    replica = replica_of(shared)
    contact = a_contact(replica)
    for path in CHANGES:
        answer = looker.page.request.post(f"{shared.url}/org/default/{path.format(id=contact.id)}", form={"value": "x"})
        assert (answer.status, "earlier login" in answer.text()) == (403, True), path
    assert replica.outbox() == ()


def test_a_connection_of_somebody_else_is_not_there(looker, shared):
    other = shared.house.access.users.add("olga", Role.EDITOR)[0]
    made = shared.house.access.connections.add("olgas-org", "https://olga.my.salesforce.com", other)

    answers = [
        looker.page.request.get(f"{shared.url}/org/{each}/objects") for each in (made.id, "con_0123456789abcdef")
    ]

    assert [each.status for each in answers] == [404, 404]
    assert "olga" not in looker.goes("connections").content()


def test_what_a_record_holds_never_becomes_markup(editor, replica, simorg):
    nasty = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    contact = str(a_contact(replica).id)
    simorg.change(contact, Title=nasty, LastName=nasty[:70])
    replica.pull("Contact")

    page = editor.goes(f"records/Contact/{contact}")

    expect(page.locator("[data-field=Title]")).to_have_text(nasty)
    assert page.locator("main img").count() == 0
    editor.goes("records/Contact?field=Title&op=eq&value=" + "%3Cimg%20src=x%3E")
    expect(page.locator(".chips")).to_contain_text("Title is <img src=x>")
    assert editor.complaints == []


# ── everybody can use it ─────────────────────────────────────────────────────────────────────────────────────────


LOOKS = {
    "light, wide": ("light", WIDE, None),
    # The same pages in other colours and places: what depends on those is looked at again.
    "dark, narrow": ("dark", NARROW, ["color-contrast", "link-name", "button-name", "scrollable-region-focusable"]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_serious_fault_on_any_screen(visitor, site, replica, simorg, look):
    scheme, size, rules = LOOKS[look]
    contact = conflict(replica, simorg)
    replica.contacts.create(last_name="Hopper")
    visitor.signs_in(site.house.access.users.add("ann", Role.ADMIN)[1])
    page, found = visitor.page, []
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    for path in (*SCREENS, f"records/Contact/{contact}", "/login", "records/Contact/nobody"):
        page.goto(f"{site.url}{path}" if path.startswith("/") else f"{site.url}/org/default/{path}")
        expect(page.locator("main")).not_to_contain_text("Looking …")
        found += [(path, *each) for each in faults(page, rules)]
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{path} scrolls sideways"

    assert found == []
    assert [each for each in visitor.complaints if "400" not in each] == []


def faults(page: Page, rules: list[str] | None) -> list[tuple[str, str]]:
    """What axe finds on a page that is serious: the rule, and the first element."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    report = Axe().run(page, options=options).response["violations"]
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


def test_signals_are_shown_as_they_come(looker, shared):
    replica = replica_of(shared)
    page = looker.goes("activity")
    expect(page.locator("#live")).to_have_text("live")

    replica.sync("Contact")

    expect(page.locator("#signals li").first).to_contain_text("sync_complete")
