"""What happens, as the page shows it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

NEW = "#signals > li:not(.seen)"
"""Lines that came after the others were looked at; two lines of one second may have the same words."""


def look(page: Page) -> None:
    page.evaluate("for (const line of document.querySelectorAll('#signals > li')) line.classList.add('seen')")


def newest(page: Page) -> Locator:
    return page.locator(f"{NEW}:first-child")


def test_signals_are_shown_as_they_come(looker, shared):
    replica = shared.sync
    page = looker.goes("activity")
    expect(page.locator("#live")).to_have_text("live")
    look(page)

    replica.sync("Contact")

    expect(newest(page)).to_contain_text("sync_complete")


def test_steps_of_progress_stand_behind_the_newest_of_them(looker, shared):
    page = looker.goes("activity")
    expect(page.locator("#live")).to_have_text("live")

    look(page)

    shared.sync.sync("Contact", "Account")
    expect(newest(page)).to_contain_text("sync_complete")
    steps = page.locator("#signals > li[data-step]").first
    expect(steps).to_contain_text("1 step before")
    as_it_came = page.locator(NEW).all_inner_texts()
    page.reload()

    # Of all that other tests have left, the oldest may stand there no more.
    assert page.locator("#signals > li").all_inner_texts()[: len(as_it_came)] == as_it_came
    steps.locator("summary").click()
    expect(steps.locator("ol li")).to_be_visible()


def test_a_failed_run_says_why(editor, replica, shared, contact):
    replica.contacts.update(str(contact.id), phone="555-1111")
    shared.org.change(str(contact.id), Phone="555-2222")
    replica.sync("Contact")

    page = editor.goes("activity")

    line = page.locator("#signals > li", has_text="sync_failed").first
    expect(line).to_contain_text("sync_failed, error=conflicted, objects=Contact")


def test_a_deed_is_one_line_of_the_audit_log(admin, shared):
    shared.client("ann").post("/api/verify", json={"objects": ["Account"]}).raise_for_status()
    log = shared.house.access.audit.entries(most=2)

    rows = admin.goes("activity").locator("[aria-labelledby=audit-title] tbody tr")

    assert [each.outcome for each in log] == ["complete", "begun"]
    expect(rows.filter(has=admin.page.get_by_role("cell", name=str(log[0].number), exact=True))).to_have_count(1)
    expect(rows.filter(has=admin.page.get_by_role("cell", name=str(log[1].number), exact=True))).to_have_count(0)


def test_a_tab_that_nobody_sees_keeps_no_connection_and_misses_nothing(looker, shared):
    page = looker.goes("activity")
    expect(page.locator("#live")).to_have_text("live")
    seen = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => HIDDEN });"
    seen += "document.dispatchEvent(new Event('visibilitychange'))"

    page.evaluate(seen.replace("HIDDEN", "true"))
    expect(page.locator("#live")).to_have_text("paused")
    look(page)
    shared.sync.sync("Account")
    page.wait_for_timeout(500)
    expect(page.locator(NEW)).to_have_count(0)
    page.evaluate(seen.replace("HIDDEN", "false"))

    expect(page.locator("#live")).to_have_text("live")
    expect(newest(page)).to_contain_text("sync_complete")
