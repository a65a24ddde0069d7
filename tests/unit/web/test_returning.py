"""Where a login goes on: only within this server."""

from __future__ import annotations

import pytest

from salesforce_sync.web.page.returning import local, login_for, place_of


@pytest.mark.parametrize(
    "place",
    ["/", "/org/default/objects", "/org/x/records/Contact?limit=5&q=a%20b", "/docs", "/org/x/inbox?a=//b"],
)
def test_a_path_of_this_server_is_gone_on_to(place):
    assert local(place) == place


@pytest.mark.parametrize(
    "place",
    [
        *(None, "", "objects", "?limit=5", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
        *("https://evil.example", "http:evil.example", "javascript:alert(1)", " /org", "\t//evil.example", "/\t/evil"),
        *(
            "/\n/evil.example",
            "/org\r\nSet-Cookie: a=b",
            "/\x00/evil",
            "/org/\x7f",
            "/org/ä",
            "/org\\..\\x",
            "/" + "a" * 2_001,
        ),
        *("/login", "/login?next=/login", "/login/"),
    ],
)
def test_any_other_is_the_start(place):
    assert local(place) == "/"


def test_the_query_of_the_place_stays_its_own():
    assert login_for("/org/default/records/Contact?limit=5&q=a%26b") == (
        "/login?next=/org/default/records/Contact%3Flimit%3D5%26q%3Da%2526b"
    )
    assert login_for("//evil.example") == login_for("/") == "/login"


def test_the_place_of_a_screen_is_its_path_whatever_its_host():
    assert place_of("https://host:1/org/x/inbox?page=2#top") == "/org/x/inbox?page=2"
    assert [place_of(each) for each in (None, "", "http://[", "http://host//evil")] == ["/"] * 4
