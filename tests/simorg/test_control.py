"""The control API, and simorg as a process of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from simorg.org import SimOrg
from tests.plain import PLAIN

ROOT = Path(__file__).parents[2]


def control(outside: httpx2.Client, what: str, **body: Any) -> Any:
    answer = outside.post(f"/_control/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_needs_no_login_and_counts_nothing(outside: httpx2.Client, org: SimOrg) -> None:
    state = outside.get("/_control/state").json()

    assert state["usage"]["used"] == 0
    assert state["rows"]["User"] == 12
    assert org.usage.used == 0


def test_it_becomes_another_org_and_gives_tokens_that_do_not_name_it(outside: httpx2.Client, org: SimOrg) -> None:
    old = control(outside, "sessions", open=True)["access_token"]
    control(outside, "sessions", other_org="00D000000000002AAA", tokens="jwt")
    new = control(outside, "sessions", open=True)["access_token"]
    refused, taken = (
        outside.get("/services/data/v58.0/", headers={"Authorization": f"Bearer {each}"}) for each in (old, new)
    )

    assert (refused.status_code, taken.status_code) == (401, 200)
    assert not new.startswith("00D")
    assert "/id/00D000000000002AAA/" in taken.json()["identity"]
    control(outside, "sessions", tokens="session_id")
    assert control(outside, "sessions", open=True)["access_token"].startswith("00D000000000002!")


def test_the_clock_moves(outside: httpx2.Client, org: SimOrg) -> None:
    before = org.clock.now_ms()
    control(outside, "clock", freeze=True)
    moved = control(outside, "clock", advance=3600)
    placed = control(outside, "clock", set="2026-01-15T10:30:00Z")
    org.clock.set(before)

    assert moved["now_ms"] >= before + 3_600_000
    assert placed["now"] == "2026-01-15T10:30:00.000+0000"


def test_faults_are_switched(outside: httpx2.Client, client: httpx2.Client) -> None:
    number = control(outside, "faults", path="/limits", status=500, times=None)["number"]
    broken = client.get("/limits").status_code
    listed = outside.get("/_control/faults").json()
    happened = outside.get(f"/_control/faults/{number}").json()
    outside.delete(f"/_control/faults/{number}")

    assert broken == 500
    assert (listed[0]["number"], listed[0]["status"]) == (number, 500)
    assert happened == {"happened": 1}
    assert client.get("/limits").status_code == 200


def test_usage_and_sessions(outside: httpx2.Client, client: httpx2.Client) -> None:
    control(outside, "usage", used=99, limit=100)
    last, refused = client.get("/limits"), client.get("/limits")
    control(outside, "usage", used=0, limit=15_000)
    control(outside, "sessions", expire="all")
    opened = control(outside, "sessions", open=True)["access_token"]

    assert (last.status_code, refused.status_code) == (200, 403)
    assert client.get("/limits").status_code == 401
    assert client.get("/limits", headers={"Authorization": f"Bearer {opened}"}).status_code == 200


def test_rows_live_through_everything(outside: httpx2.Client, org: SimOrg) -> None:
    made = control(outside, "rows", operation="create", object="Account", rows=[{"Name": "a"}, {"Name": "b"}, {}])
    first, second = made[0]["id"], made[1]["id"]
    control(outside, "rows", operation="update", object="Account", rows=[{"Id": first, "Site": "1"}])
    merged = control(outside, "rows", operation="merge", master=first, ids=[second])
    control(outside, "rows", operation="delete", ids=[first])
    deleted = outside.get(f"/_control/rows/{first}").json()
    control(outside, "rows", operation="undelete", ids=[first])
    back = outside.get(f"/_control/rows/{first}").json()
    control(outside, "rows", operation="purge", ids=[first])

    assert made[2]["error"] == "REQUIRED_FIELD_MISSING"
    assert merged[0]["success"] is True
    assert (deleted["IsDeleted"], back["IsDeleted"], back["Site"]) == (True, False, "1")
    assert outside.get(f"/_control/rows/{first}").status_code == 404


def test_late_rows_come_when_the_clock_says_so(outside: httpx2.Client, org: SimOrg) -> None:
    sent = {"operation": "create", "object": "Account", "rows": [{"Name": "late"}], "late_seconds": 60}
    (made,) = control(outside, "rows", **sent)
    early = outside.get(f"/_control/rows/{made['id']}").status_code
    control(outside, "clock", advance=61)

    assert early == 404
    assert outside.get(f"/_control/rows/{made['id']}").json()["Name"] == "late"


def test_permissions_rules_and_reset(outside: httpx2.Client, client: httpx2.Client) -> None:
    control(outside, "permissions", object="Account", hide_fields=["Site"], deny=["delete"])
    control(outside, "rules", validation={"object_name": "Account", "broken_when": "\"Name\" = 'bad'", "message": "no"})
    hidden = client.post("/sobjects/Account", json={"Name": "x", "Site": "1"})
    invalid = client.post("/sobjects/Account", json={"Name": "bad"})
    control(outside, "reset")

    assert hidden.json()[0]["errorCode"] == "INVALID_FIELD"
    assert invalid.json()[0] == {"message": "no", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": []}
    assert client.post("/sobjects/Account", json={"Name": "bad", "Site": "1"}).status_code == 201


def test_the_schema_drifts(outside: httpx2.Client, client: httpx2.Client) -> None:
    control(outside, "schema", **{"operation": "add_field", "object": "Lead", "field": "Drift__c", "is": "string 9"})
    there = client.post("/sobjects/Lead", json={"LastName": "x", "Company": "y", "Drift__c": "1"})
    control(outside, "schema", operation="remove_field", object="Lead", field="Drift__c")

    assert there.status_code == 201
    assert "Drift__c" not in client.get("/sobjects/Lead/describe").text


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("rows", {"operation": "explode"}),
        ("rows", {"operation": "delete"}),
        ("faults", {"nonsense": 1}),
        ("clock", {"set": "soon"}),
        ("schema", {"operation": "remove_field", "object": "Account", "field": "Nothing"}),
    ],
)
def test_mistakes_of_the_caller_are_told(outside: httpx2.Client, what: str, body: dict[str, Any]) -> None:
    answer = outside.post(f"/_control/{what}", json=body)

    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "BAD_CONTROL"


def test_a_process_of_its_own_tells_when_it_is_ready_and_ends_cleanly(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "simorg", "--port", "0", "--records", "30", "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists() and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
            facts = json.loads(ready.read_text())
            log_in = {"grant_type": "client_credentials", **{key: facts[key] for key in ("client_id", "client_secret")}}
            token = httpx2.post(f"{facts['url']}/services/oauth2/token", data=log_in, verify=PLAIN).json()[
                "access_token"
            ]
            count = httpx2.get(
                f"{facts['url']}/services/data/v58.0/limits/recordCount?sObjects=Contact",
                headers={"Authorization": f"Bearer {token}"},
                verify=PLAIN,
            ).json()
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)

    assert count == {"sObjects": [{"count": 30, "name": "Contact"}]}
    assert f"simorg listening on {facts['url']}\n" in output
    assert output.endswith("simorg: stopped\n")
    assert process.returncode == 0


def test_a_taken_port_is_told_plainly(org: SimOrg) -> None:
    port = org.url.rpartition(":")[2]
    command = [sys.executable, "-m", "simorg", "--port", port, "--records", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_an_org_without_bulk_refuses_every_job(outside: httpx2.Client, client: httpx2.Client) -> None:
    control(outside, "permissions", no_bulk="FEATURE_NOT_ENABLED")

    answers = [
        client.post("/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Account"}),
        client.get("/jobs/query"),
        client.post("/jobs/ingest", json={"operation": "insert", "object": "Account"}),
    ]

    assert {(each.status_code, each.json()[0]["errorCode"]) for each in answers} == {(403, "FEATURE_NOT_ENABLED")}
    control(outside, "permissions", no_bulk=None)
    assert client.get("/jobs/query").status_code == 200
