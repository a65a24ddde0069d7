"""What the page says when its server is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from salesforce_sync.access import Role
from simorg.org import SimOrg
from tests.web.browsing import visiting
from tests.web.conftest import Site, settle, start


@pytest.fixture
def mortal(tmp_path: Path, simorg: SimOrg) -> Iterator[Site]:
    """A server that a test may stop."""
    for site in start(settle(tmp_path, simorg.url, "[Contact]"), simorg):
        site.client("ed", Role.EDITOR)
        yield site


def test_whoever_meets_no_server_is_told_and_keeps_what_he_chose(browser, mortal):
    for person in visiting(browser, mortal, "ed"):
        page = person.goes("objects")
        page.get_by_label("Select Contact", exact=True).check()
        activity = page.context.new_page()
        activity.goto(f"{person.url}/org/default/activity")
        expect(activity.locator("#live")).to_have_text("live")

        mortal.running.stop()
        expect(activity.locator("#live")).to_have_text("reconnecting")
        page.get_by_role("button", name="Sync", exact=True).click()

        expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Nothing was lost")
        expect(page.get_by_label("Select Contact", exact=True)).to_be_checked()
        expect(page.get_by_role("button", name="Sync", exact=True)).to_be_enabled()
