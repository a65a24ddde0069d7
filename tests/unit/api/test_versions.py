"""An API version that the org does not have is told as what it is, and not as an object that is missing."""

import pytest

from salesforce_sync.api.transport import Call
from salesforce_sync.api.versions import listed, unknown
from salesforce_sync.errors import ConfigError, ObjectNotFound
from tests.unit.api.scripted import json_reply, refusal
from tests.unit.api.test_transport import Org, Rig

MISSING = refusal("NOT_FOUND", "The requested resource does not exist", 404)
DESCRIBE = Call("describe Contact", "sobjects/Contact/describe")


def versions(*names):
    return json_reply([{"label": name, "url": f"/services/data/v{name}", "version": name} for name in names])


def asking(serve, wire, keys, clock, answer, refused=MISSING):
    """A transport whose org has no version 58.0 perhaps, and how often it was asked which it has."""
    server = serve(Org(lambda asked: answer if asked.path.rstrip("/") == "/services/data" else refused))
    rig = Rig(server, wire, keys, clock)
    return rig, lambda: sum(asked.path.rstrip("/") == "/services/data" for asked in server.asked)


@pytest.mark.parametrize("refused", [MISSING, refusal("UNSUPPORTED_API_VERSION", "retired", 410)])
def test_an_unknown_version_names_the_key_and_the_file(serve, wire, keys, clock, refused):
    rig, _ = asking(serve, wire, keys, clock, versions("59.0", "60.0", "61.0"), refused)

    with pytest.raises(ConfigError) as caught:
        rig.transport.send(DESCRIBE)

    assert caught.value.message == "The org has no API version 58.0: it has 59.0 to 61.0."
    assert "salesforce.api_version in config.yaml" in caught.value.hint
    assert rig.meter.usage.used is None


def test_an_object_that_is_missing_is_still_that_and_the_versions_are_asked_for_once(serve, wire, keys, clock):
    rig, asked = asking(serve, wire, keys, clock, versions("57.0", "58.0"))

    for _ in range(3):
        with pytest.raises(ObjectNotFound):
            rig.transport.send(DESCRIBE)

    assert asked() == 1


def test_a_version_that_has_answered_is_there_whatever_the_list_says(serve, wire, keys, clock):
    answers = {"/services/data": versions("60.0"), "/services/data/v58.0/limits": json_reply({})}
    server = serve(Org(lambda asked: answers.get(asked.path.rstrip("/"), MISSING)))
    rig = Rig(server, wire, keys, clock)
    rig.transport.send(Call("ask for the limits", "limits"))

    with pytest.raises(ObjectNotFound):
        rig.transport.send(DESCRIBE)


def test_a_version_that_answers_is_there_although_the_list_leaves_it_out_and_nothing_was_asked_before(
    serve, wire, keys, clock
):
    answers = {"/services/data": versions("60.0"), "/services/data/v58.0": json_reply({"query": "/services/data/…"})}
    server = serve(Org(lambda asked: answers.get(asked.path.rstrip("/"), MISSING)))
    rig = Rig(server, wire, keys, clock)

    for _ in range(2):
        with pytest.raises(ObjectNotFound):
            rig.transport.send(DESCRIBE)

    asked = [each.path.rstrip("/") for each in server.asked]
    assert asked.count("/services/data") == asked.count("/services/data/v58.0") == 1


@pytest.mark.parametrize("answer", [json_reply({"no": "list"}), refusal("SERVER_UNAVAILABLE", "later", 503)])
def test_where_nobody_tells_the_versions_the_refusal_is_told(serve, wire, keys, clock, answer):
    rig, _ = asking(serve, wire, keys, clock, answer)

    with pytest.raises(ObjectNotFound):
        rig.transport.send(DESCRIBE)


def test_what_is_no_list_of_versions_lists_none():
    assert listed(b"<html>") == listed(b'{"version": "58.0"}') == ()
    assert unknown("58.0", (), "config.yaml") is None
