"""A person with a browser: Debian's chromium, and what it complained about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.web.conftest import Site

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 780}
NARROWEST = {"width": 320, "height": 640}
"""What everything has to fit into (WCAG 2.2, Reflow)."""
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Without one nothing of the page is tested, and that is a failure, not a skip.

    Best is the one that is made to run without a screen: it takes a quarter of the whole one's time.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"There is no chromium: the page cannot be tested. Install it: apt-get install {BROWSERS[0]}")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


def first_held(page: Page, held: list[Route]) -> Route:
    """The first request that a route holds; the browser tells of a request before it comes to the route."""
    for _ in range(400):
        if held:
            return held[0]
        page.wait_for_timeout(50)
    pytest.fail("No request has come to the route.")


@dataclass
class Person:
    """Somebody who looks at the page, and what the browser said meanwhile."""

    page: Page
    site: Site
    url: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Write down every complaint, and every request to another host."""
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _see(self, request: Any) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.strangers.append(request.url)

    def goes(self, path: str) -> Page:
        """Open a screen of the default connection."""
        self.page.goto(f"{self.url}/org/default/{path}")
        return self.page

    def signs_in(self, token: str) -> None:
        """Type the token."""
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("Your token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/objects")


def visiting(browser: Browser, site: Site, name: str = "") -> Iterator[Person]:
    """Somebody at the site; signed in, if it is a user whom `site.client` has made."""
    context = browser.new_context(viewport=WIDE, accept_downloads=True)
    context.set_default_timeout(20_000)
    person = Person(context.new_page(), site, site.url)
    person.watch()
    if name:
        context.request.post(f"{site.url}/api/login", data={"token": site.tokens[name]})
    yield person
    context.close()
