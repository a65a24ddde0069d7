"""Signals that come in: what is understood, and what is answered."""

import pytest

from salesforce_sync.sinks.inbound import NotUnderstood, Wish, understood


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("🔄 OS → FND", ()),
        ("  🔄 OS → FND\n", ()),
        ("🔄 OS -> FND", ()),
        ("🔄 OS → FND : sync", ()),
        ("🔄 OS → FND : sync, object=Contact", ("Contact",)),
        ("🔄 OS → FND : objects=Contact+Widget__c", ("Contact", "Widget__c")),
        ("🔄 OS → FND : objects=" + "+".join(["Contact", "Lead"] * 1000), ("Contact", "Lead")),
        ("2026-01-27T14:30:00Z 🔄 OS → FND : sync_request, object=Lead", ("Lead",)),
        ("🔄 OS → FND : sync, object=Contact, object=Lead", ("Contact", "Lead")),
        ("🔄 OS→FND: sync, objects=Lead", ("Lead",)),
        ("🔄 OS → FND:sync", ()),
        ('{"signal": "sync"}', ()),
        ('{"signal": "sync", "from": "OS", "to": "FND", "data": {"objects": ["Lead"]}}', ("Lead",)),
        ('{"signal": "sync_now", "object": "Lead"}', ("Lead",)),
        ('{"msg": "🔄 OS → FND : sync, object=Lead"}', ("Lead",)),
    ],
)
def test_a_sync_is_asked_for(text, objects):
    assert understood(text.encode()) == Wish(objects)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no signal"),
        ("hello", "it is no signal"),
        ("🔥 OS → FND : burn", "there is no signal 🔥 burn"),
        ("🔄 OS → FND : burn", "there is no signal 🔄 burn"),
        ("✔️ OS → FND : sync", "there is no signal ✔️ sync"),
        ("🔄 FND → OS : sync", "it is not from OS to FND"),
        ("🔄 OS → FND : sync, object=Contact;DROP", "'Contact;DROP' is no object's name"),
        ("🔄 OS → FND : sync, object=../etc", "'../etc' is no object's name"),
        ("{", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ("[" * 16_000, "it is not JSON"),
        ('{"signal":' * 1_600, "it is not JSON"),
        ('{"signal": "burn"}', "there is no signal 'burn'"),
        ('{"signal": 7}', "there is no signal '7'"),
        ("{}", "it names no signal"),
        ('{"signal": "sync", "from": "EVE"}', "it is not from OS to FND"),
        ('{"signal": "sync", "objects": [1]}', "its objects are no names"),
        ('{"signal": "sync", "objects": {"a": 1}}', "its objects are no names"),
        ("🔄" * 5000, "it is longer than"),
    ],
)
def test_what_is_not_understood_is_answered_with_why(text, why):
    answer = understood(text.encode())

    assert isinstance(answer, NotUnderstood)
    assert answer.why.startswith(why)


def test_what_is_no_text_is_answered_too():
    assert understood(b"\xff\xfe") == NotUnderstood("it is not UTF-8")


def test_names_are_those_of_the_settings():
    assert understood("🔄 MESH → HUB".encode(), "HUB", "MESH") == Wish()
    assert isinstance(understood("🔄 OS → FND".encode(), "HUB", "MESH"), NotUnderstood)
