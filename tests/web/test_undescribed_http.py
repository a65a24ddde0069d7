"""An org that gives an object's rows and does not describe it: over HTTP no such sync is a success, and says why."""

from contextlib import closing

import apsw

from salesforce_sync.access import Role
from tests.web.test_promise import ended


def test_a_sync_that_does_not_learn_the_fields_is_no_success(site, api):
    assert api.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["success"]
    assert api.post("/api/sync/Contact").json()["success"]
    site.org.clock.advance(3600)
    site.org.permissions.refuse_describe("Contact", 403, "INSUFFICIENT_ACCESS")
    site.org.add("Contact", LastName="New")
    with closing(apsw.Connection(str(site.sync.config.storage.path))) as db:  # what is known is an hour old
        db.set_busy_timeout(30_000)
        db.execute("UPDATE _sync_object SET described_at = '2024-01-01T00:00:00.000Z'")
    editor = site.client("ed", Role.EDITOR)

    answer = editor.post("/api/sync/Contact")
    session = ended(editor, editor.post("/api/sync", json={"objects": ["Contact", "Lead"]}).json()["sessionId"])

    assert (answer.status_code, answer.json()["error"]) == (502, "DESCRIBE_REFUSED")
    assert "Give the connected user read access" in answer.json()["details"]
    assert (session["success"], session["state"]) == (False, "partial")
    assert [each["error"] for each in session["objects"]] == ["DESCRIBE_REFUSED", None]
    (shown,) = (each for each in api.get("/api/objects").json()["objects"] if each["objectApiName"] == "Contact")
    assert (shown["recordCount"], shown["problem"]["error"]) == (41, "DESCRIBE_REFUSED")
    page = api.get("/org/default/objects/table", headers={"Accept": "text/html"})
    assert "The org does not describe Contact" in page.text
