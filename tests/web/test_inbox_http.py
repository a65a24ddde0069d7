"""Decisions over HTTP: of each kind of question, on what was seen of it, by who may, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from salesforce_sync.access import Role

CONTACTS = "/api/objects/Contact/records"


@pytest.fixture
def editor(site):
    """A program of an editor, over a replica that has the org's contacts. No session is under way that would push."""
    client = site.client("ed", Role.EDITOR)
    site.sync.pull("Contact")
    return client


@pytest.fixture
def contact(editor):
    """The id of a contact, not touched for an hour."""
    return editor.get(CONTACTS, params={"limit": "1"}).json()["records"][0]["Id"]


def later(site):
    site.org.clock.advance(3600)


def pull(site):
    site.sync.pull("Contact")


def only_item(client):
    (item,) = client.get("/api/inbox").json()["items"]
    return item


def decide(client, item, action="take", **how):
    return client.post(f"/api/inbox/{item['number']}", json={"action": action, **how})


def conflict(site, editor, contact):
    """Both sides change two fields."""
    editor.patch(f"{CONTACTS}/{contact}", json={"Phone": "555-LOCAL", "Title": "Here"})
    later(site)
    site.org.change(contact, Phone="555-ORG", Title="There")
    pull(site)
    return only_item(editor)


def deleted_there(site, editor, contact):
    """Edited here, and deleted there."""
    editor.patch(f"{CONTACTS}/{contact}", json={"Phone": "555-LOCAL"})
    later(site)
    site.org.remove(contact)
    pull(site)
    return only_item(editor)


def changed_there(site, editor, contact):
    """Deleted here, and edited there."""
    editor.delete(f"{CONTACTS}/{contact}")
    later(site)
    site.org.change(contact, Phone="555-ORG")
    pull(site)
    return only_item(editor)


def deleted_over(site, editor, contact):
    """A push that was killed has deleted what somebody edited in the moment before."""
    editor.delete(f"{CONTACTS}/{contact}")
    site.sync._store.sending(site.sync.outbox(), "killed", None, None)
    later(site)
    site.org.change(contact, Title="Theirs")
    site.org.remove(contact)
    pull(site)
    return only_item(editor)


def not_shown(site, editor, contact):
    """The org takes an edit, and hides the record."""
    rule = site.org.rules.on_save("Contact", "after", lambda org, _, row, __: org.hide_record(row["Id"]))
    editor.patch(f"{CONTACTS}/{contact}", json={"Title": "Secret"})
    assert editor.post("/api/push").json()["hidden"] == 1
    site.org.rules.triggers.remove(rule)
    return only_item(editor)


KINDS = {
    "conflict": conflict,
    "deleted there": deleted_there,
    "changed there": changed_there,
    "deleted over": deleted_over,
    "not shown": not_shown,
}
OURS = {"Phone": "555-LOCAL", "Title": "Here"}
THEIRS = {"Phone": "555-ORG", "Title": "There"}
DECIDED = [
    ("conflict", {"side": "org"}, THEIRS),
    ("conflict", {"side": "local"}, OURS),
    ("conflict", {"side": "org", "values": {"Phone": "555-MINE"}}, {**THEIRS, "Phone": "555-MINE"}),
    ("conflict", {"action": "drop"}, THEIRS),
    ("deleted there", {"side": "org"}, None),
    ("deleted there", {"side": "local"}, {"Phone": "555-LOCAL"}),
    ("deleted there", {"values": {"Phone": "555-MINE"}}, {"Phone": "555-MINE"}),
    ("deleted there", {"action": "drop"}, None),
    ("changed there", {"side": "org"}, {"Phone": "555-ORG"}),
    ("changed there", {"side": "local"}, None),
    ("changed there", {"action": "drop"}, {"Phone": "555-ORG"}),
    ("deleted over", {"side": "org"}, {"Title": "Theirs"}),
    ("deleted over", {"side": "local"}, None),
    ("deleted over", {"action": "drop"}, None),
    ("not shown", {"side": "org"}, {"Title": "Secret"}),
    ("not shown", {"side": "local"}, {"Title": "Secret"}),
    ("not shown", {"action": "drop"}, {"Title": "Secret"}),
]


@pytest.mark.parametrize(("kind", "how", "there"), DECIDED, ids=[f"{kind}: {how}" for kind, how, _ in DECIDED])
def test_a_question_is_decided_and_the_org_has_what_was_decided(site, editor, contact, kind, how, there):
    item = KINDS[kind](site, editor, contact)

    answer = decide(editor, item, **how)
    later(site)
    first, second = (editor.post("/api/push").json() for _ in range(2))

    row = site.org.row(contact)
    assert (answer.status_code, item["kind"], first["state"], second["changes"]) == (200, kind, "complete", [])
    assert editor.get("/api/inbox").json()["items"] == []
    assert bool(row["IsDeleted"]) is (there is None)
    assert there is None or {name: row[name] for name in there} == there
    pull(site)
    assert editor.get("/api/outbox").json()["total"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_only_look_decides_nothing(site, editor, contact, kind):
    item = KINDS[kind](site, editor, contact)
    viewer = site.client("vi", Role.VIEWER)

    answers = [decide(viewer, item, side="org"), decide(viewer, item, "drop")]
    answers += [viewer.post("/api/inbox/retry", json={"code": item["code"] or "X"})]
    answers += [viewer.post("/api/inbox/take", json={"objectApiName": "Contact", "side": "org"})]

    assert [each.status_code for each in answers] == [403, 403, 403, 403]
    assert only_item(viewer) == item


REFUSED = [
    ("deleted over", {"values": {"Title": "x"}}),
    ("not shown", {"values": {"Title": "x"}}),
    ("conflict", {}),
    ("conflict", {"values": {"LastName": "x"}}),
    ("conflict", {"values": {"Phone": "9" * 50}}),
    ("conflict", {"action": "link", "recordId": "003000000000001"}),
    *((kind, {"action": "retry"}) for kind in KINDS),
]


@pytest.mark.parametrize(("kind", "how"), REFUSED, ids=[f"{kind}: {how}" for kind, how in REFUSED])
def test_what_does_not_answer_a_question_is_refused_and_changes_nothing(site, editor, contact, kind, how):
    item = KINDS[kind](site, editor, contact)

    answer = decide(editor, item, **how)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["details"]
    assert only_item(editor) == item


# ── what was seen ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("side", ["org", "local"])
def test_a_decision_on_what_is_not_so_any_more_is_refused(site, editor, contact, side):
    seen = conflict(site, editor, contact)
    later(site)
    site.org.change(contact, Phone="555-NEWER")
    pull(site)

    stale = decide(editor, seen, side=side, version=seen["version"])
    now = only_item(editor)
    fresh = decide(editor, now, side=side, version=now["version"])

    assert (stale.status_code, stale.json()["error"]) == (409, "CHANGED_SINCE")
    assert (now["number"], {each["field"]: each["org"] for each in now["conflicts"]}) == (
        seen["number"],
        {"Phone": "555-NEWER", "Title": "There"},
    )
    assert fresh.status_code == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["take", "drop"])
def test_a_decision_on_what_is_so_still_is_taken(site, editor, contact, kind, action):
    item = KINDS[kind](site, editor, contact)
    pull(site)

    answer = decide(editor, item, action, version=item["version"], **({"side": "org"} if action == "take" else {}))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, "It is not said what to take: Phone, Title."),
        ({"values": {"Fax": "1"}}, "Fax is not among what waits: Phone, Title."),
    ],
)
def test_what_decides_nothing_is_refused_and_leaves_the_item(site, editor, contact, how, told):
    item = conflict(site, editor, contact)

    refused = decide(editor, item, **how)

    assert (refused.status_code, told in refused.json()["details"]) == (400, True)
    assert only_item(editor)["version"] == item["version"]


def test_a_question_is_decided_once(site, editor, contact):
    item = conflict(site, editor, contact)
    clients = [site.client("ed", Role.EDITOR) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        sides = ["org", "local"] * 3
        answers = list(pool.map(lambda pair: decide(pair[0], item, side=pair[1]), zip(clients, sides, strict=True)))

    codes = sorted(each.status_code for each in answers)
    assert codes == [200] + [404] * 5
    (side,) = (side for side, each in zip(sides, answers, strict=True) if each.status_code == 200)
    assert editor.post("/api/push").json()["state"] == "complete"
    assert site.org.row(contact)["Phone"] == {"org": "555-ORG", "local": "555-LOCAL"}[side]


def test_a_question_that_was_withdrawn_meanwhile_is_not_there(site, editor, contact):
    item = conflict(site, editor, contact)
    later(site)
    site.org.change(contact, Phone="555-LOCAL", Title="Here")
    pull(site)

    answer = decide(editor, item, side="org")

    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
    assert "GET /api/inbox" in answer.json()["details"]
    assert (site.org.row(contact)["Title"], editor.get("/api/outbox").json()["total"]) == ("Here", 0)


def two_conflicts(site, editor):
    """Two contacts that both sides changed, and a third that was deleted there; gives the ids of the two."""
    first, second, gone = (each["Id"] for each in editor.get(CONTACTS, params={"limit": "3"}).json()["records"])
    for each in (first, second, gone):
        editor.patch(f"{CONTACTS}/{each}", json={"Phone": "555-LOCAL"})
    later(site)
    for each in (first, second):
        site.org.change(each, Phone="555-ORG")
    site.org.remove(gone)
    pull(site)
    return first, second


@pytest.mark.parametrize(("side", "phone"), [("org", "555-ORG"), ("local", "555-LOCAL")])
def test_all_conflicts_of_an_object_are_decided_at_once_and_what_was_deleted_waits(site, editor, side, phone):
    contacts = two_conflicts(site, editor)

    decided = editor.post("/api/inbox/take", json={"objectApiName": "Contact", "side": side}).json()
    again = editor.post("/api/inbox/take", json={"objectApiName": "contact", "side": side}).json()
    editor.post("/api/push")

    assert (decided, again["decided"]) == ({"success": True, "decided": 2}, 0)
    assert only_item(editor)["kind"] == "deleted there"
    assert [site.org.row(each)["Phone"] for each in contacts] == [phone] * 2


@pytest.mark.parametrize(
    ("wanted", "status", "error"),
    [
        ({"objectApiName": "Contact", "side": "base"}, 400, "BAD_REQUEST"),
        ({"objectApiName": "Contact"}, 400, "BAD_REQUEST"),
        ({"objectApiName": "Contakt", "side": "org"}, 404, "OBJECT_NOT_FOUND"),
        ({"objectApiName": "Contact; DROP", "side": "org"}, 400, "INVALID_OBJECT_NAME"),
    ],
)
def test_what_cannot_be_decided_at_once_is_refused_and_goes_on_waiting(site, editor, wanted, status, error):
    two_conflicts(site, editor)

    answer = editor.post("/api/inbox/take", json=wanted)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert editor.get("/api/inbox").json()["total"] == 3


# ── what the org refuses ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_refused_is_sent_again_once_the_rule_is_gone(site, editor, contact):
    site.org.rules.add_validation("Contact", "Title = 'Nobody'", "A contact is somebody.")
    editor.patch(f"{CONTACTS}/{contact}", json={"Title": "Nobody"})
    editor.post("/api/push")
    item = only_item(editor)
    site.org.rules.clear()

    released = editor.post("/api/inbox/retry", json={"code": item["code"]}).json()
    pushes = [editor.post("/api/push").json()["applied"] for _ in range(2)]

    assert (released["released"], pushes) == (1, [1, 0])
    assert (site.org.row(contact)["Title"], editor.get("/api/inbox").json()["items"]) == ("Nobody", [])


@pytest.mark.parametrize("how", ["make", "link", "link ours", "drop"])
def test_a_new_record_that_is_one_already_is_linked_made_or_dropped(site, editor, how):
    known = site.org.add("Contact", LastName="Roe", FirstName="Jane", Email="jane@example.com", Phone="1")
    later(site)
    pull(site)
    site.org.rules.add_duplicate_rule("Contact", ("Email",))
    editor.post(CONTACTS, json={"LastName": "Roe", "Email": "jane@example.com", "Phone": "2"})
    editor.post("/api/push")
    item = only_item(editor)
    match = item["matches"][0]["id"]
    decision = {
        "make": {"action": "retry", "allowDuplicates": True},
        "link": {"action": "link", "recordId": match},
        "link ours": {"action": "link", "recordId": match, "side": "local"},
        "drop": {"action": "drop"},
    }[how]

    answer = decide(editor, item, **decision, version=item["version"])
    later(site)
    states = [editor.post("/api/push").json()["state"] for _ in range(2)]

    found = [each for each in _people(site) if each["Email"] == "jane@example.com"]
    assert (answer.status_code, states, match) == (200, ["complete"] * 2, known)
    assert len(found) == (2 if how == "make" else 1)
    assert site.org.row(known)["Phone"] == ("2" if how == "link ours" else "1")
    assert editor.get("/api/inbox").json()["items"] == []


def _people(site):
    return [
        dict(zip(("Id", "Email"), each, strict=True))
        for each in site.org.database.rows('SELECT "Id", "Email" FROM "Contact" WHERE NOT "IsDeleted"', ())
    ]


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_people_undo_a_push_once(site, editor):
    people = [editor, site.client("eve", Role.EDITOR)]
    edited, deleted = people[0].get(CONTACTS).json()["records"][:2]
    people[0].patch(f"{CONTACTS}/{edited['Id']}", json={"Phone": "555-NEW"})
    people[0].delete(f"{CONTACTS}/{deleted['Id']}")
    local = people[0].post(CONTACTS, json={"LastName": "Made"}).json()["id"]
    push = people[0].post("/api/push").json()
    made = people[0].get(f"{CONTACTS}/{local}").json()["record"]["Id"]

    with ThreadPoolExecutor(2) as pool:
        undone = list(pool.map(lambda one: one.post(f"/api/pushes/{push['pushId']}/undo").json(), people))

    assert (push["applied"], sum(each["applied"] for each in undone)) == (3, 3)
    assert [site.org.row(each["Id"])["Phone"] for each in (edited, deleted)] == [edited["Phone"], deleted["Phone"]]
    assert (site.org.row(deleted["Id"])["IsDeleted"], site.org.row(made)["IsDeleted"]) == (False, True)
    assert people[0].post("/api/push").json()["applied"] == 0
    assert (people[0].get("/api/inbox").json()["items"], people[0].get("/api/outbox").json()["total"]) == ([], 0)
