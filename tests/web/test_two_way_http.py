"""Records, edits, pushes and decisions over HTTP: the rules of two-way sync, through another door."""

import html

import msgspec
import pytest

from salesforce_sync.access import Role
from simorg import triggers
from tests.web.test_promise import ended

CONTACTS = "/api/objects/Contact/records"


@pytest.fixture
def synced(site, api):
    """A program of an editor, over a replica that has the org's contacts and accounts."""
    for name in ("Contact", "Account"):
        assert api.post(f"/api/sync/{name}").json()["success"]
    # An object is answered when it is here; then its run sends what was edited, which is nothing yet.
    for each in api.get("/api/sync").json()["sessions"]:
        assert ended(api, each["sessionId"])["state"] == "complete"
    return site.client("ed", Role.EDITOR)


def first(client):
    return client.get(CONTACTS, params={"limit": "1"}).json()["records"][0]


# ── listing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lists_are_filtered_sorted_and_paged_without_a_call(site, synced):
    spent = site.org.usage.used
    query = {"LastName__gte": "M", "sort": "-LastName", "limit": "7", "fields": "LastName"}

    url, pages = f"{CONTACTS}?{'&'.join(f'{name}={value}' for name, value in query.items())}", []
    while url:
        pages.append(synced.get(url).json())
        url = pages[-1]["nextRecordsUrl"]

    names = [each["LastName"] for page in pages for each in page["records"]]
    assert names == sorted(names, key=str.casefold, reverse=True)
    assert len(names) == pages[0]["totalSize"] > 7
    assert min(names) >= "M"
    assert set(pages[0]["records"][0]) == {"Id", "LastName"}
    assert [page["done"] for page in pages] == [False] * (len(pages) - 1) + [True]
    assert site.org.usage.used == spent


def test_a_search_finds_parts_of_names(site, synced):
    site.org.add("Contact", FirstName="Ada", LastName="Lovelace")
    synced.post("/api/sync/Contact")

    found = synced.get(CONTACTS, params={"search": "lovel"}).json()

    assert [each["Name"] for each in found["records"]] == ["Ada Lovelace"]


def test_a_stream_of_every_record_is_an_export_in_the_audit_log(synced, api):
    synced.get(f"{CONTACTS}.ndjson", params={"fields": "Id"})
    synced.get(f"{CONTACTS}.ndjson", params={"fields": "Nonsense"})

    entries = [each for each in api.get("/api/audit").json()["entries"] if each["action"] == "export"]
    assert [(each["who"], each["subject"], each["outcome"]) for each in entries] == [
        ("user:ed", "default/Contact", "failed: FIELD_NOT_FOUND"),
        ("user:ed", "default/Contact", "begun"),
        ("user:ed", "default/Contact", "done"),
        ("user:ed", "default/Contact", "begun"),
    ]


def test_a_stream_has_every_record_in_order(site, synced):
    site.org.create("Contact", [{"LastName": f"Further {number}"} for number in range(1200)])
    synced.post("/api/sync/Contact")

    answer = synced.get(f"{CONTACTS}.ndjson", params={"fields": "Id", "LastName__startswith": "Further"})

    lines = [msgspec.json.decode(line)["Id"] for line in answer.text.splitlines()]
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert (len(lines), lines) == (1200, sorted(set(lines)))


@pytest.mark.parametrize(
    "query",
    [
        {"Nonsense": "1"},
        {"Birthdate__gt": "soon"},
        {"sort": "Nonsense"},
        {"sort": "MailingAddress"},
        {"fields": "Nonsense"},
        {"after": "x"},
        {"after": "WyIwMDMiXQ"},
        {"limit": "0"},
        {"limit": "many"},
        {"Name__contains' OR 1=1 --": "x"},
    ],
)
def test_a_list_that_makes_no_sense_says_why(synced, query):
    for path in (CONTACTS, f"{CONTACTS}.ndjson"):
        answer = synced.get(path, params=query)

        if path == CONTACTS or not {"after", "limit"} & set(query):
            assert (answer.status_code, answer.json()["success"]) == (400, False)
            assert answer.json()["details"]


def test_values_keep_their_types_and_digits(site, api):
    account = site.org.add("Account", Name="Exact")
    site.org.add("Widget__c", Account__c=account, Price__c="1234567890123456.78", Active__c=True)
    fields = {each["name"]: each["type"] for each in _fields(api, "Widget__c")}

    text = api.get("/api/objects/Widget__c/records", params={"Price__c": "1234567890123456.78"}).text

    assert fields["Price__c"] == "currency"
    assert '"Price__c":1234567890123456.78,' in text
    assert '"Active__c":true' in text


def _fields(api, name):
    assert api.post(f"/api/sync/{name}").json()["success"]
    return api.get(f"/api/objects/{name}/fields").json()["fields"]


# ── editing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_is_here_at_once_and_in_the_org_with_the_next_push(site, synced):
    contact = first(synced)

    edited = synced.patch(f"{CONTACTS}/{contact['Id']}", json={"Phone": "555-1234", "title": None}).json()
    diff = synced.get("/api/diff").json()
    pushed = synced.post("/api/push").json()

    assert edited["record"]["Phone"] == "555-1234"
    assert edited["pending"]["fields"]["Phone"] == {"org": contact["Phone"], "here": "555-1234"}
    assert [(each["id"], each["operation"]) for each in diff["changes"]] == [(contact["Id"], "update")]
    assert (pushed["success"], pushed["applied"]) == (True, 1)
    assert site.org.row(contact["Id"])["Phone"] == "555-1234"
    assert synced.get("/api/outbox").json()["changes"] == []


def test_a_record_is_made_here_and_has_the_orgs_id_after_the_push(site, synced):
    made = synced.post(CONTACTS, json={"FirstName": "Jane", "LastName": "Roe"})
    local = made.json()["id"]

    synced.post("/api/push")

    found = synced.get(made.headers["Location"]).json()
    assert made.status_code == 201
    assert local.startswith("local-")
    assert found["record"]["Name"] == "Jane Roe"
    assert site.org.row(found["record"]["Id"])["LastName"] == "Roe"


def test_a_record_is_deleted_and_brought_back(synced):
    url = f"{CONTACTS}/{first(synced)['Id']}"

    deleted = synced.delete(url).json()
    gone = synced.get(url)
    back = synced.post(f"{url}/undelete").json()

    assert (deleted["record"], deleted["pending"]["operation"]) == (None, "delete")
    assert (gone.status_code, gone.json()["error"]) == (404, "NOT_FOUND")
    assert (back["record"]["Id"], back["pending"]) == (deleted["id"], None)


def test_a_deletion_tells_how_many_records_the_org_deletes_with_it(site, synced):
    account = site.org.add("Account", Name="Acme")
    for _ in range(2):
        site.org.add("Widget__c", Account__c=account)
    alone = site.org.add("Account", Name="Zenith")
    site.sync.sync("Account", "Widget__c")  # not by the server, whose session may be about to push when it has answered

    told = {each: synced.delete(f"/api/objects/Account/records/{each}").json() for each in (account, alone)}

    sent = {each["id"]: each["withIt"] for each in synced.get("/api/diff").json()["changes"]}
    page = html.unescape(synced.get("/org/default/changes").text)
    assert told[account]["pending"]["withIt"] == sent[account] == {"Widget__c": 2}
    assert told[alone]["pending"]["withIt"] == sent[alone] == {}
    assert page.count("The record as a whole, and 2 Widget__c with it.") == 1
    assert page.count("The record as a whole.") == 1


@pytest.mark.parametrize(
    "values", [{}, {"Nonsense": 1}, {"CreatedDate": "2026-01-01T00:00:00Z"}, {"LastName": None}, {"Phone": ["5"]}]
)
def test_an_edit_that_cannot_be_written_is_refused_and_changes_nothing(synced, values):
    contact = first(synced)

    answer = synced.patch(f"{CONTACTS}/{contact['Id']}", json=values)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert first(synced) == contact
    assert synced.get("/api/outbox").json()["changes"] == []


# ── conflicts, history, undo ─────────────────────────────────────────────────────────────────────────────────────


def test_a_conflict_is_shown_from_three_sides_and_decided(site, synced):
    contact = first(synced)
    synced.patch(f"{CONTACTS}/{contact['Id']}", json={"Phone": "555-1111"})
    site.org.change(contact["Id"], Phone="555-2222")
    answers = [synced.post("/api/sync/Contact").json()["success"] for _ in range(2)]

    states = [ended(synced, each["sessionId"])["state"] for each in synced.get("/api/sync").json()["sessions"]][:2]
    item = synced.get("/api/inbox").json()["items"][0]
    decided = synced.post(f"/api/inbox/{item['number']}", json={"action": "take", "side": "local"}).json()
    synced.post("/api/push")

    assert item["conflicts"] == [{"field": "Phone", "base": contact["Phone"], "local": "555-1111", "org": "555-2222"}]
    assert (answers, states) == ([True, True], ["complete", "partial"])  # the newest session first
    assert "take" in item["actions"]
    assert decided["pending"]["fields"]["Phone"]["here"] == "555-1111"
    assert site.org.row(contact["Id"])["Phone"] == "555-1111"
    assert synced.get("/api/inbox").json()["items"] == []


def test_an_outbox_of_very_many_changes_is_read_page_by_page(synced):
    for each in synced.get(CONTACTS, params={"limit": 5}).json()["records"]:
        synced.patch(f"{CONTACTS}/{each['Id']}", json={"Title": "Dr"})

    url, pages = "/api/outbox?limit=2", []
    while url:
        pages.append(synced.get(url).json())
        url = pages[-1]["nextUrl"]
    changes = [each for page in pages for each in page["changes"]]

    assert [(len(page["changes"]), page["total"]) for page in pages] == [(2, 5), (2, 5), (1, 5)]
    assert len({each["id"] for each in changes}) == 5
    assert changes == synced.get("/api/outbox").json()["changes"]


def test_an_inbox_of_very_many_items_is_read_page_by_page(site, synced):
    for each in synced.get(CONTACTS, params={"limit": 5}).json()["records"]:
        synced.patch(f"{CONTACTS}/{each['Id']}", json={"Email": "nobody"})
    synced.post("/api/push")

    url, pages = "/api/inbox?limit=2", []
    while url:
        pages.append(synced.get(url).json())
        url = pages[-1]["nextUrl"]
    numbers = [each["number"] for page in pages for each in page["items"]]

    assert [(len(page["items"]), page["total"]) for page in pages] == [(2, 5), (2, 5), (1, 5)]
    assert numbers == sorted(set(numbers)) == [each["number"] for each in synced.get("/api/inbox").json()["items"]]


def test_the_edit_of_a_record_that_was_merged_away_is_given_to_the_one_that_it_went_into(site, synced):
    loser, master = synced.get(CONTACTS).json()["records"][:2]
    synced.patch(f"{CONTACTS}/{loser['Id']}", json={"Title": "Dr"})
    site.org.merge(master["Id"], [loser["Id"]])
    synced.post("/api/sync/Contact")

    (item,) = synced.get("/api/inbox").json()["items"]
    url = f"/api/inbox/{item['number']}"
    kept = synced.post(url, json={"action": "take", "side": "local"})
    synced.post(url, json={"action": "link", "recordId": item["matches"][0]["id"], "side": "local"})
    pushed = synced.post("/api/push").json()

    assert (item["code"], item["actions"], item["matches"][0]["id"]) == (
        "MERGED",
        ["take", "link", "drop"],
        master["Id"],
    )
    assert (kept.status_code, master["Id"] in kept.json()["details"]) == (400, True)
    assert (pushed["state"], site.org.row(master["Id"])["Title"]) == ("complete", "Dr")
    assert synced.get("/api/inbox").json()["items"] == []


def test_a_push_is_undone_and_the_history_tells_of_both(site, synced):
    contact = first(synced)
    synced.patch(f"{CONTACTS}/{contact['Id']}", json={"Phone": "555-1234"})
    pushed = synced.post("/api/push").json()
    push_id = pushed["pushId"]
    assert pushed["at"] is not None

    undone = synced.post(f"/api/pushes/{push_id}/undo").json()

    history = synced.get(f"{CONTACTS}/{contact['Id']}/history").json()["history"]
    assert (undone["success"], undone["left"]) == (True, [])
    assert site.org.row(contact["Id"])["Phone"] == contact["Phone"]
    assert [(each["old"], each["new"], each["origin"]) for each in history if each["field"] == "Phone"] == [
        ("555-1234", contact["Phone"], "push"),
        (contact["Phone"], "555-1234", "push"),
    ]
    assert len(synced.get("/api/pushes").json()["pushes"]) == 2


def test_what_the_org_makes_of_a_push_is_told_by_the_api_and_on_the_page(site, synced):
    triggers.normalise(site.org, "Contact", "Title", "upper")
    contact = first(synced)
    synced.patch(f"{CONTACTS}/{contact['Id']}", json={"Title": "Boss"})
    assert synced.post("/api/push").json()["state"] == "complete"

    history = synced.get(f"{CONTACTS}/{contact['Id']}/history").json()["history"]
    (connection,) = [each["name"] for each in synced.get("/api/connections").json()["connections"]]
    page = synced.get(f"/org/{connection}/records/Contact/{contact['Id']}")

    assert ("Boss", "BOSS", "save") in [(each["old"], each["new"], each["origin"]) for each in history]
    assert (page.status_code, "the org, as it saved a push" in page.text) == (200, True)


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_objects_tell_how_they_are_and_what_is_proved(site, synced):
    proofs = synced.post("/api/verify", json={"objects": ["Contact"]}).json()["proofs"]
    listed = synced.get("/api/objects").json()
    everything = synced.get("/api/objects", params={"available": "true"}).json()

    objects = {each["objectApiName"]: each for each in listed["objects"]}
    assert proofs["Contact"]["rows"] == proofs["Contact"]["orgRows"] == site.org.count("Contact")
    assert objects["Contact"]["proof"] == proofs["Contact"]
    assert (objects["Contact"]["status"], objects["Lead"]["status"]) == ("synced", "not synced")
    assert (listed["total"], listed["synced"], listed["notSynced"]) == (4, 2, 2)
    categories = {each["objectApiName"]: each["category"] for each in everything["objects"]}
    assert (categories["LegalEntity"], categories["Widget__c"]) == ("Billing and tax", "Custom")


def test_metrics_are_numbers_that_prometheus_reads(synced):
    from prometheus_client.parser import text_string_to_metric_families

    answer = synced.get("/metrics")

    found = {each.name: each.samples for each in text_string_to_metric_families(answer.text)}
    rows = {each.labels["object"]: each.value for each in found["salesforce_sync_rows"]}
    assert rows["Contact"] == 40
    assert found["salesforce_sync_outbox_records"][0].value == 0
    assert found["salesforce_sync_api_calls_used"][0].value > 0


def test_the_audit_log_has_who_did_what_and_no_values(site, api, synced):
    contact = first(synced)
    synced.patch(f"{CONTACTS}/{contact['Id']}", json={"Phone": "555-9876"})
    synced.post("/api/push")

    text = api.get("/api/audit").text

    entries = api.get("/api/audit").json()["entries"]
    told = {(each["who"], each["action"], each["outcome"]) for each in entries}
    assert told >= {("user:ada", "sync", "complete"), ("user:ed", "edit", "done"), ("user:ed", "push", "complete")}
    assert any(each["subject"] == f"default/Contact/{contact['Id']}" for each in entries)
    assert "555-9876" not in text
    assert api.get("/api/audit/verify").json()["success"] is True
