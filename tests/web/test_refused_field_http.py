"""A field that the org describes and refuses to read: over HTTP no sync without it is a success, and says why."""

from salesforce_sync.access import Role
from tests.web.test_promise import ended


def test_a_sync_without_it_is_no_success(site, api):
    assert api.post("/api/sync/Contact").json()["success"]
    site.org.permissions.refuse_to_read("Contact", "Phone")
    site.org.add("Contact", LastName="New")
    editor = site.client("ed", Role.EDITOR)

    answer = editor.post("/api/sync/Contact")
    session = ended(editor, editor.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"])
    proved = editor.post("/api/verify", json={"objects": ["Contact"]}).json()

    assert (answer.status_code, answer.json()["error"]) == (409, "FIELD_REFUSED")
    assert "The org describes Contact.Phone and refuses to read it since" in answer.json()["details"]
    assert (session["success"], session["state"]) == (False, "partial")
    assert [each["error"] for each in session["objects"]] == ["FIELD_REFUSED", None]
    (shown,) = (each for each in api.get("/api/objects").json()["objects"] if each["objectApiName"] == "Contact")
    assert (shown["recordCount"], shown["problem"]["error"]) == (41, "FIELD_REFUSED")
    assert (proved["success"], proved["problems"]["Contact"]["error"]) == (False, "FIELD_REFUSED")
    assert proved["proofs"]["Contact"]["rows"] == 41
