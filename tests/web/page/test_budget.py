"""The chart of API calls."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_moments_of_the_chart_are_told_in_utc_as_everywhere(looker):
    page = looker.goes("budget")

    expect(page.locator(".u-legend")).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"))
    expect(page.locator(".u-legend")).not_to_contain_text(re.compile("[AP]M"))
    assert looker.complaints == []
