"""Behind a proxy that does TLS: what browsers are given, and whom the audit log names."""

import pytest

from salesforce_sync.access import Role
from salesforce_sync.errors import ConfigError
from salesforce_sync.web.forwarded import Before, networks
from salesforce_sync.web.serving import Place, Running
from simorg.org import SimOrg
from tests.web.conftest import running_at, settle

HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server for all of these, before whose port a proxy stands."""
    with SimOrg(records=5, seed=7) as org, org.serve():
        place = Place(port=0, proxies=("127.0.0.0/8",))
        yield from running_at(place, settle(tmp_path_factory.mktemp("site"), org.url), org)


def log_in(site, **headers):
    site.client("ann", Role.ADMIN)
    return site.bare(**headers).post("/api/login", json={"token": site.tokens["ann"]})


def test_the_cookie_of_a_browser_that_came_by_https_is_for_https_alone(site):
    answer = log_in(site, **HTTPS)

    name, _, attributes = answer.headers["Set-Cookie"].partition("=")
    assert name == f"__Host-{site.house.cookie}"
    assert "; Secure" in attributes
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert "; Secure" not in log_in(site).headers["Set-Cookie"]


def test_it_lets_in_by_https_alone_and_is_taken_back_as_it_was_given(site):
    given = log_in(site, **HTTPS)
    cookie, csrf = given.headers["Set-Cookie"].partition(";")[0], given.json()["csrfToken"]
    browser = site.bare(Cookie=cookie)

    assert browser.get("/api/me").status_code == 401
    assert browser.get("/api/me", headers=HTTPS).status_code == 200
    left = browser.post("/api/logout", headers=HTTPS | {"X-CSRF-Token": csrf})
    assert "; Secure" in left.headers["Set-Cookie"]
    assert browser.get("/api/me", headers=HTTPS).status_code == 401


def test_a_browser_login_comes_back_to_the_name_and_scheme_that_the_browser_knows(site):
    answer = site.client("ann", Role.ADMIN, Host="localhost", **HTTPS).post(
        "/api/connections/default/login", json={"clientId": "some-app"}
    )

    assert answer.json()["redirectUri"] == "https://localhost/connect/callback"


def test_the_audit_log_names_the_address_before_the_proxy(site):
    log_in(site, **{"X-Forwarded-For": "198.51.100.7, 203.0.113.9, 127.0.0.2"})

    assert site.house.access.audit.entries(most=1)[0].deed.origin == "web 203.0.113.9"


PROXIED = Before(networks(("10.0.0.0/24", "fd00::1")))


@pytest.mark.parametrize(
    ("before", "peer", "headers", "scheme", "address"),
    [
        (Before(), "203.0.113.9", {"x-forwarded-proto": "https", "x-forwarded-for": "1.1.1.1"}, "http", "203.0.113.9"),
        (Before(), "127.0.0.1", {"x-forwarded-proto": "https", "x-forwarded-for": "1.1.1.1"}, "https", "127.0.0.1"),
        (Before(anybody=True), "203.0.113.9", {"x-forwarded-proto": "HTTPS"}, "https", "203.0.113.9"),
        (PROXIED, "10.0.0.2", {"x-forwarded-proto": "https, http"}, "https", "10.0.0.2"),
        (PROXIED, "10.0.0.2", {"x-forwarded-for": "1.1.1.1, 2.2.2.2, 10.0.0.9"}, "http", "2.2.2.2"),
        (PROXIED, "::ffff:10.0.0.2", {"x-forwarded-for": "2.2.2.2"}, "http", "2.2.2.2"),
        (PROXIED, "fd00::1", {"x-forwarded-for": "2001:db8::5"}, "http", "2001:db8::5"),
        (PROXIED, "10.0.0.2", {"x-forwarded-for": "2.2.2.2, nonsense"}, "http", "10.0.0.2"),
        (PROXIED, "10.0.0.2", {"x-forwarded-for": "10.0.0.3"}, "http", "10.0.0.2"),
        (PROXIED, "10.0.1.2", {"x-forwarded-for": "2.2.2.2"}, "http", "10.0.1.2"),
    ],
)
def test_whose_word_counts(before, peer, headers, scheme, address):
    seen = before.seen({"scheme": "http", "client": (peer, 4711)}, headers)

    assert (seen["scheme"], seen["client"][0]) == (scheme, address)


def test_what_is_no_address_is_no_proxy(tmp_path):
    with pytest.raises(ConfigError, match="nonsense"):
        Running(settle(tmp_path, "http://127.0.0.1:1"), Place(port=0, proxies=("nonsense",)))
