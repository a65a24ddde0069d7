"""What the page says when its server is out of reach."""

from __future__ import annotations

from playwright.sync_api import expect


def test_whoever_reaches_no_server_is_told_and_keeps_what_he_chose(looker):
    page = looker.goes("objects")
    page.get_by_label("Select Contact", exact=True).check()

    page.context.set_offline(True)
    page.get_by_role("button", name="Sync", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Nothing was lost")
    expect(page.get_by_label("Select Contact", exact=True)).to_be_checked()
    expect(page.get_by_role("button", name="Sync", exact=True)).to_be_enabled()
