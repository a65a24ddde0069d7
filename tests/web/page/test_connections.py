"""Ways of connecting an org on the page."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Page, expect

from salesforce_sync.access import Role
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.web.browsing import Person, visiting
from tests.web.conftest import settle, start


def another_org(person: Person, name: str, way: str) -> Page:
    """Fill in what the form wants to know of another org."""
    page = person.goes("connections")
    page.get_by_label("For", exact=True).select_option("new")
    page.get_by_label("Name, for another org").fill(name)
    page.get_by_label("Address of the org").fill(person.site.org.url)
    page.get_by_role("radio", name=way).check()
    return page


def test_another_org_is_connected_and_a_login_that_fails_leaves_nothing(admin, shared):
    known = shared.house.access.connections
    page = another_org(admin, "sandbox", "Client credentials")
    page.get_by_label("Consumer key").fill(CLIENT_ID)

    page.get_by_label("Consumer secret").fill("wrong")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("form").get_by_role("alert")).to_be_visible()
    after_failure = [each.name for each in known.list()]
    page.get_by_label("Consumer secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url(re.compile("/org/con_[0-9a-f]+/objects"))

    assert "sandbox" not in after_failure
    assert "wrong" not in page.content()
    assert ("sandbox", "ann") in [(each.name, each.owner) for each in known.list()]
    expect(page.locator(".foot")).to_contain_text(shared.org.url)


def test_an_editor_connects_no_address_of_this_machine_and_not_the_default_org(looker, shared):
    token = looker.goes("connections").evaluate("document.body.dataset.csrf")
    form = {"method": "session", "access_token": "x", "instance_url": shared.org.url, "name": "inner"}

    for where, word in (("new", "admin"), ("default", "not yours")):
        answer = looker.page.request.post(
            f"{shared.url}/org/default/connections",
            headers={"X-CSRF-Token": token, "HX-Request": "true"},
            form={**form, "where": where},
        )
        assert word in answer.text(), where
    assert "inner" not in [each.name for each in shared.house.access.connections.list()]


def test_a_new_org_is_connected_with_a_key_that_is_made_for_it(admin, shared):
    page = another_org(admin, "by-key", "JWT")
    page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_label("Certificate", exact=True)).to_be_focused()
    expect(page.get_by_text("Enable JWT Bearer Flow")).to_be_visible()
    with page.expect_download() as file:
        page.get_by_role("link", name="Download it as a file").click()
    public = x509.load_pem_x509_certificate(Path(file.value.path()).read_bytes()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    shared.org.clients.first.public_key = public.public_bytes(serialization.Encoding.PEM, form).decode()

    page.get_by_label("User name in the org").fill(shared.org.row(shared.org.user_id)["Username"])
    page.get_by_role("button", name="Connect", exact=True).click()

    page.wait_for_url(re.compile("/org/con_[0-9a-f]+/objects"))
    expect(page.locator(".foot")).to_contain_text(shared.org.url)
    expect(page.get_by_text("Connection: by-key")).to_be_visible()


def test_the_login_of_sf_is_taken_over_and_not_shown(admin, shared, tmp_path, monkeypatch):
    token = shared.org.sessions.open(shared.org.user_id, CLIENT_ID, "api").token
    told = {"status": 0, "result": {"instanceUrl": shared.org.url, "accessToken": token}}
    program = tmp_path / "sf"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(told)}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    page = another_org(admin, "of-sf", "sf")

    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url(re.compile("/org/con_[0-9a-f]+/objects"))

    expect(page.locator(".foot")).to_contain_text(shared.org.url)
    assert token not in page.content()


@pytest.mark.parametrize("way", ["Refresh token", "Session"])
def test_an_org_is_connected_with_what_another_login_has_left(admin, shared, way):
    sessions, user = shared.org.sessions, shared.org.user_id
    page = another_org(admin, way.lower().replace(" ", "-"), way)
    if way == "Session":
        page.get_by_label("Session (access token)").fill(sessions.open(user, CLIENT_ID, "api").token)
    else:
        page.get_by_label("Consumer key").fill(CLIENT_ID)
        page.get_by_label("Consumer secret").fill(CLIENT_SECRET)
        page.get_by_label("Refresh token", exact=True).fill(sessions.grant(user, CLIENT_ID, "api refresh_token").token)

    page.get_by_role("button", name="Connect", exact=True).click()

    page.wait_for_url(re.compile("/org/con_[0-9a-f]+/objects"))
    expect(page.locator(".foot")).to_contain_text(shared.org.url)


def test_only_an_admin_is_offered_the_login_of_sf(looker):
    page = looker.goes("connections")

    expect(page.get_by_role("radio", name="In the browser")).to_be_visible()
    expect(page.get_by_role("radio", name="sf")).to_have_count(0)


def test_the_form_has_the_address_of_the_org_that_it_is_for(looker, shared):
    known, ed = shared.house.access.connections, shared.house.access.users.named("ed")
    made = [known.add(name, f"https://{name}.my.salesforce.com", ed) for name in ("eds-first", "eds-second")]

    page = looker.goes("connections")

    where, address = page.get_by_label("For", exact=True), page.get_by_label("Address of the org")
    expect(where).to_have_value(made[0].id)
    expect(address).to_have_value("https://eds-first.my.salesforce.com")
    page.goto(f"{shared.url}/org/{made[1].id}/connections")
    expect(where).to_have_value(made[1].id)
    expect(address).to_have_value("https://eds-second.my.salesforce.com")
    for each in made:
        known.remove(each.id, ed)


def test_a_login_that_the_org_refuses_names_the_field_of_the_form(admin):
    page = another_org(admin, "mistyped", "Client credentials")
    page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_label("Consumer secret").fill("wrong")

    page.get_by_role("button", name="Connect", exact=True).click()

    expect(page.locator("#content")).to_contain_text("Check “Consumer secret” (")
    expect(page.locator("#content")).not_to_contain_text("SF_CLIENT_SECRET")


@pytest.mark.parametrize(
    ("way", "field", "told"),
    [
        ("Session", "Session (access token)", "The pasted session has ended or is not one of this org."),
        ("Refresh token", "Refresh token", "The refresh token has ended"),
        ("JWT", "User name in the org", "This connection has no key yet. Press “Make the key, show the certificate”"),
        ("sf", "Alias or user name that sf knows", "or connect another way."),
    ],
)
def test_what_is_wrong_with_a_login_is_told_in_the_words_of_its_form(admin, way, field, told):
    page = another_org(admin, "refused", way)
    if way in ("Refresh token", "JWT"):
        page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_label(field, exact=True).fill("no-such-thing")

    page.get_by_role("button", name="Connect", exact=True).click()

    alert = page.locator("form").get_by_role("alert")
    expect(alert).to_contain_text(told)
    for word in ("salesforce-sync", "SF_", "--method", ".pem"):
        expect(alert.locator("div")).not_to_contain_text(word)


def test_a_first_login_that_fails_leaves_no_folder_behind(browser, tmp_path):
    with SimOrg(records=5, seed=7) as org, org.serve():
        for site in start(settle(tmp_path, org.url), org):
            site.client("ann", Role.ADMIN)
            for person in visiting(browser, site, "ann"):
                page = another_org(person, "mistyped", "Client credentials")
                page.get_by_label("Consumer key").fill(CLIENT_ID)
                page.get_by_label("Consumer secret").fill("wrong")
                page.get_by_role("button", name="Connect", exact=True).click()
                expect(page.locator("form").get_by_role("alert")).to_be_visible()
            folder = site.house.access.path.parent / "connections"

    assert list(folder.iterdir()) == []


def test_a_browser_login_that_fails_leaves_in_the_form_what_was_typed_there(admin):
    page = another_org(admin, "denied", "In the browser")
    page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_label("Consumer secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_text("This server runs on another machine than your browser?").click()
    page.get_by_label("Address").fill("http://localhost/connect/callback?error=access_denied&state=x")

    page.get_by_role("button", name="Go on").click()

    expect(page.locator("form").get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Name, for another org")).to_have_value("denied")
    expect(page.get_by_label("Address of the org")).to_have_value(admin.site.org.url)
    expect(page.get_by_label("Consumer key")).to_have_value(CLIENT_ID)
    assert CLIENT_SECRET not in page.content()


def test_a_connection_that_is_in_use_by_now_outlives_an_earlier_login_that_fails(admin, shared):
    known = shared.house.access.connections
    page = another_org(admin, "twice", "In the browser")
    page.get_by_label("Consumer key").fill(CLIENT_ID)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Allow the access there")).to_be_visible()
    made = next(each for each in known.list() if each.name == "twice")
    keys = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    client = shared.client("ann", Role.ADMIN)
    assert client.post(f"/api/connections/{made.id}/connect", json=keys).status_code == 200

    page.get_by_text("This server runs on another machine than your browser?").click()
    page.get_by_label("Address").fill("http://localhost/connect/callback?error=access_denied&state=x")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("form").get_by_role("alert")).to_be_visible()

    assert made.id in [each.id for each in known.list()]
    assert client.get("/api/objects", headers={"X-Connection-Id": made.id}).status_code == 200
