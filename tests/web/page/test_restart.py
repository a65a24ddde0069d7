"""A page that stays open while its server ends, and another one begins at the same address."""

from __future__ import annotations

import re
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import expect

from salesforce_sync.access import Role
from salesforce_sync.web.serving import Place
from simorg.org import SimOrg
from tests.journey.killing import until
from tests.web.browsing import visiting
from tests.web.conftest import running_at, settle

SILENT = "The server does not answer"


@contextmanager
def served(config, org, port=0, tokens=None):
    """A server over these files at this port, until the end of the block."""
    for site in running_at(Place(port=port), config, org):
        site.tokens.update(tokens or {})
        site.client("ed", Role.EDITOR)
        yield site


def test_the_objects_are_shown_as_they_are_once_the_server_answers_again(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        config = settle(tmp_path, org.url)
        with served(config, org) as first:
            first.sync.sync("Contact")
            port, tokens, people = urlsplit(first.url).port, first.tokens, visiting(browser, first, "ed")
            page = next(people).goes("objects")
            # A run that waits for the org is not done in the three seconds that the server has for it. What is told
            # of it at the very end the page gets, or not: then it meets no server.
            waits = org.faults.add(path=r"/query\?", delay=60.0, times=None)
            page.get_by_label("Select Lead", exact=True).check()
            page.get_by_role("button", name="Sync", exact=True).click()
            expect(page.locator("tr[data-object=Lead]")).to_have_attribute("data-status", "syncing")
            until(lambda: org.faults.happened(waits))
        expect(page.locator("#notices")).to_contain_text(re.compile(f"{SILENT}|The server ended before this object"))
        org.faults.clear()
        with served(config, org, port, tokens):
            expect(page.locator("#notices")).not_to_contain_text(SILENT)
            # Of a run that was stopped before it had described the object nothing is left to be told.
            ended = re.compile("^(error|not synced)$")
            expect(page.locator("tr[data-object=Lead]")).to_have_attribute("data-status", ended)
            next(people, None)


def test_an_act_that_met_no_server_is_told_when_it_can_be_done_again(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        config = settle(tmp_path, org.url)
        with served(config, org) as first:
            first.sync.sync("Contact")
            port, tokens, people = urlsplit(first.url).port, first.tokens, visiting(browser, first, "ed")
            page = next(people).goes("objects")
            page.get_by_label("Select Contact", exact=True).check()
        page.get_by_role("button", name="Sync", exact=True).click()
        expect(page.locator("#notices")).to_contain_text(SILENT)
        with served(config, org, port, tokens):
            expect(page.locator("#notices")).to_have_text("The server answers again.✕")
            page.get_by_role("button", name="Sync", exact=True).click()
            expect(page.locator("#notices")).to_contain_text("Contact synced.")
            next(people, None)


def test_a_push_to_which_a_server_that_ends_has_no_answer_is_told_so(browser, tmp_path):
    with SimOrg(records=40, seed=7) as org, org.serve():
        with served(settle(tmp_path, org.url), org) as site:
            site.sync.sync("Contact")
            site.sync.contacts.update(str(site.sync.contacts.all()[0].id), phone="555-0001")
            people = visiting(browser, site, "ed")
            page = next(people).goes("changes")
            waits = org.faults.add(path="/composite|/sobjects", method="POST|PATCH", delay=6.0)
            page.get_by_role("button", name="Push 1").click()
            until(lambda: org.faults.happened(waits))

        expect(page.locator("#notices")).to_contain_text("This server ends, and has not come to an answer.")
        next(people, None)
        assert site.house.errands.idle(60)
