"""What is wrong with a request is said in plain words: what was meant, and what it may be."""

import re

import pytest

from salesforce_sync.web.ways import HERE_ONLY, WAYS
from simorg.org import SimOrg
from tests.web.conftest import settle, start

JARGON = re.compile(r"Input should|unable to|Expected `|`\$|\bpattern\b|\bregex|\bNone\b|\benum\b|\bstr\b|codec")
"""Words of the libraries that decode."""


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A program of an admin, over a replica that has the org's contacts: one for all of these requests."""
    with SimOrg(records=20, seed=7) as org, org.serve():
        for site in start(settle(tmp_path_factory.mktemp("site"), org.url), org):
            client = site.client()
            client.post("/api/sync/Contact")
            yield client


def refused(answer):
    body = answer.json()
    assert (answer.status_code, body["success"]) == (400, False)
    assert not JARGON.search(body["details"]), body["details"]
    return body["details"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("sync", "", None),
        ("sync", "{", "The body is not JSON: it ends too early."),
        ("sync", r'{"objects": ["\u12', "The body is not JSON: it ends too early."),
        ("sync", r'{"objects": ["\ud83d\ude00', "The body is not JSON: it ends too early."),
        ("sync", r'{"objects": ["\\ud800', "The body is not JSON: it ends too early."),
        ("sync", r'{"objects": ["\ud800"]}', "half a character stands alone in it: '\\ud800'."),
        ("sync", r'{"objects": ["\ud83d\ude00\uDC00"]}', "half a character stands alone in it: '\\uDC00'."),
        ("sync", r'{"objects": ["\ud800\u0041"]}', "half a character stands alone in it: '\\ud800'."),
        ("sync", "{'objects': []}", "The body is not JSON: "),
        ("sync", b'{"objects": ["\xff"]}', "The body is not JSON: it is not UTF-8."),
        ("sync", "[]", "The body has to be a JSON object."),
        ("sync", '{"objects": []}', "'objects' has to be a list of 1 to 500 texts."),
        ("sync", '{"objects": "Contact"}', "'objects' has to be a list of 1 to 500 texts."),
        ("sync", '{"objects": ["Contact", 1]}', "'objects' has to be a list of 1 to 500 texts."),
        ("sync", '{"object": ["Contact"]}', "'object' is not known here: the body may have 'objects' or 'acceptLoss'."),
        ("verify", '{"Objects": ["Contact"]}', "not known here: the body may have 'objects' or 'acceptLoss'."),
        ("sync/Contact", '{"sessionId": 5}', "'sessionId' has to be a text."),
        ("push", '{"confirmProduction": "yes"}', "'confirmProduction' has to be true or false."),
        ("login", "{}", "'token' is missing: a text of 1 to 400 characters."),
        ("inbox/1", '{"action": "keep"}', "'action' has to be 'drop', 'link', 'retry' or 'take'."),
        ("inbox/1", '{"action": "take", "side": "them"}', "'side' has to be 'local' or 'org'."),
        ("inbox/1", '{"action": "take", "values": []}', "'values' has to be an object."),
        ("connections", '{"name": "second"}', "'instanceUrl' is missing: a text of at most 300 characters."),
        ("connections", '{"name": 5, "instanceUrl": "https://a"}', "'name' has to be a text."),
        ("objects/Contact/records", "[]", "The body has to be a JSON object."),
        ("objects/Contact/records", "nothing", "The body is not JSON: "),
    ],
)
def test_a_body_is_refused_in_words(api, path, body, says):
    answer = api.post(f"/api/{path}", content=body)

    if says is None:
        assert answer.status_code == 200
    else:
        assert says in refused(answer)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("signals?after=-1", "'after' has to be a whole number of at least 0."),
        ("signals?after=x", "'after' has to be a whole number of at least 0."),
        ("signals?after=99999999999999999999", "'after' has to be a whole number of at least 0, and is too large."),
        (f"signals?after={'9' * 5000}", "and is too large."),
        ("signals?limit=0", "'limit' has to be a whole number from 1 to 1000."),
        ("signals?limit=1001", "'limit' has to be a whole number from 1 to 1000."),
        ("signals/stream?after=x", "'after' has to be a whole number of at least 0."),
        ("objects?available=maybe", "'available' has to be true or false."),
        ("inbox/0", "'number' has to be a whole number of at least 1."),
        ("inbox/first", "'number' has to be a whole number of at least 1."),
        ("workbook?set=all", "'set' has to be 'sales' or 'revenue-cloud'."),
        ("pushes?limit=x", "'limit' has to be a whole number from 1 to 500."),
    ],
)
def test_a_parameter_is_refused_in_words(api, path, says):
    assert says in refused(api.get(f"/api/{path}"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"LastName": 5}, "LastName: 5 is not a text."),
        ({"LastName": 5.5}, "LastName: 5.5 is not a text."),
        ({"EmailBouncedDate": "2026-01-31"}, "has no time zone. Say which, such as 2026-01-31T14:30:00Z"),
        ({"LastName": "Roe", "Birthdate": "tomorrow"}, "Birthdate: 'tomorrow' is not a date, YYYY-MM-DD."),
    ],
)
def test_a_value_that_a_field_cannot_hold_names_the_field(api, values, says):
    assert says in refused(api.post("/api/objects/Contact/records", json=values))


def test_a_condition_that_makes_no_sense_names_its_field(api):
    answer = api.get("/api/objects/Contact/records", params={"Phone__isnull": "maybe"})

    assert "Phone__isnull: 'maybe' is neither true nor false." in refused(answer)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"signal": "burn it!"}', "there is no signal 'burn it!'"),
        ('{"data": {}}', "it names no signal"),
        ("🔄 OS → FND : burn", "there is no signal 🔄 burn"),
        ("⚡ OS → FND : sync", "there is no signal ⚡ sync"),
    ],
)
def test_who_sends_an_unknown_signal_hears_which_there_are(api, body, says):
    answer = api.post("/api/signals", content=body.encode())

    details = refused(answer)
    assert answer.json()["error"] == "UNKNOWN_SIGNAL"
    assert says in details
    assert "sync, sync_now, sync_request, sync_requested and force_sync" in details
    assert '{"signal": "sync", "objects": ["Contact"]}' in details
    assert "🔄 OS → FND : sync, object=Contact" in details


def test_a_signal_that_is_taken_is_answered_by_a_line(api):
    answer = api.post("/api/signals", json={"signal": "sync", "objects": ["Contact"]}).json()

    assert answer["msg"] == f"🔄 FND → OS : sync_requested, session={answer['sessionId']}"


@pytest.mark.parametrize("query", ["search=%00", "LastName__contains=%00", "LastName=%00", "LastName__startswith=%00"])
def test_a_text_with_a_nul_finds_what_holds_it_and_not_everything(api, query):
    answer = api.get(f"/api/objects/Contact/records?{query}").json()

    assert (answer["success"], answer["records"]) == (True, [])


def test_a_signal_of_an_object_that_cannot_be_one_hears_what_a_name_is(api):
    details = refused(api.post("/api/signals", json={"signal": "sync", "objects": ["a b"]}))

    assert "'a b' is no object's name" in details
    assert "letters, digits and _" in details


def test_what_is_not_here_yet_is_told_with_the_request_that_brings_it(api):
    answer = api.get("/api/objects/Product2/records")

    assert answer.status_code == 404
    assert answer.json()["details"].endswith('Over HTTP: POST /api/sync with {"objects": [...]}.')


def test_a_browser_is_told_what_to_click(site):
    site.client()
    browser = site.bare()
    csrf = browser.post("/api/login", json={"token": site.tokens["ada"]}).json()["csrfToken"]

    listed = browser.get("/api/objects/Product2/records").json()
    counted = browser.get("/api/objects/Product2/fields").json()
    verified = browser.post("/api/verify", json={"objects": ["Product2"]}, headers={"X-CSRF-Token": csrf}).json()

    for answer in (listed, counted, verified):
        assert answer["details"].endswith("Select it on the screen of objects, and sync it.")


@pytest.mark.parametrize("way", sorted({way.http.partition(" with ")[0] for way in WAYS.values()} - {HERE_ONLY}))
def test_each_way_that_an_error_names_is_one_of_the_api(api, way):
    method, path = way.split()

    assert method.lower() in api.get("/openapi.json").json()["paths"][path]
