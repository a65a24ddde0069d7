"""Faults: what goes wrong, when, and that it is really the socket that breaks."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from simorg.faults import Fault
from simorg.org import SimOrg


def raw_get(org: SimOrg, path: str) -> bytes:
    """Return every byte that the server sends before the connection ends."""
    token = org.sessions.open(org.user_id).token
    address = urlsplit(org.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        wire.sendall(head.encode())
        blocks = []
        while block := wire.recv(65536):
            blocks.append(block)
        return b"".join(blocks)


def test_a_status_comes_in_place_of_the_work(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(method="POST", path="/sobjects/Account", status=503, headers={"Retry-After": "7"})
    before = org.count("Account")
    first, second = (client.post("/sobjects/Account", json={"Name": "x"}) for _ in range(2))

    assert (first.status_code, first.headers["retry-after"]) == (503, "7")
    assert first.json() == [{"message": "Server Unavailable", "errorCode": "SERVER_UNAVAILABLE"}]
    assert second.status_code == 201
    assert org.count("Account") == before + 1


def test_a_body_may_be_given(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(path="/limits", status=403, body=[{"errorCode": "X", "message": "y"}])
    org.faults.add(path="/sobjects$", status=502, body="<html>Bad Gateway</html>")
    json_answer, page = client.get("/limits"), client.get("/sobjects")

    assert json_answer.json()[0]["errorCode"] == "X"
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html;charset=UTF-8")


def test_the_nth_request_and_so_many_times(client: httpx2.Client, org: SimOrg) -> None:
    number = org.faults.add(path="/limits", nth=2, times=2, status=500)
    codes = [client.get("/limits").status_code for _ in range(5)]

    assert codes == [200, 500, 500, 200, 200]
    assert org.faults.happened(number) == 2


def test_always_until_removed(client: httpx2.Client, org: SimOrg) -> None:
    number = org.faults.add(Fault(path="/limits", times=None, status=500))
    before = [client.get("/limits").status_code for _ in range(3)]
    org.faults.remove(number)

    assert before == [500, 500, 500]
    assert client.get("/limits").status_code == 200


def test_the_query_is_part_of_the_path(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(path="sObjects=Lead", status=500)

    assert client.get("/limits/recordCount?sObjects=User").status_code == 200
    assert client.get("/limits/recordCount?sObjects=Lead").status_code == 500


def test_the_connection_breaks_after_so_many_bytes(org: SimOrg) -> None:
    org.faults.add(path="/sobjects", cut_after=1000)
    answer = raw_get(org, "/services/data/v58.0/sobjects")
    head, _, body = answer.partition(b"\r\n\r\n")

    assert b"HTTP/1.1 200" in head
    assert len(body) == 1000
    assert f"content-length: {len(body)}".encode() not in head.lower()


def test_a_client_notices_the_break(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(path="/sobjects", cut_after=100)

    with pytest.raises(httpx2.RemoteProtocolError):
        client.get("/sobjects")
    assert client.get("/sobjects").status_code == 200


def test_a_cut_beyond_the_end_still_breaks_before_the_end_is_told(org: SimOrg) -> None:
    org.faults.add(path="/services/data/v58.0/$", cut_after=10_000_000)
    answer = raw_get(org, "/services/data/v58.0/")

    assert b"HTTP/1.1 200" in answer
    assert not answer.endswith(b"}")


def test_a_reset_is_a_reset(org: SimOrg) -> None:
    org.faults.add(path="/limits", drop="before", reset=True)

    with pytest.raises(ConnectionResetError):
        raw_get(org, "/services/data/v58.0/limits")


@pytest.mark.parametrize(("drop", "made"), [("before", 0), ("after", 1)])
def test_a_dropped_request_was_done_or_not(client: httpx2.Client, org: SimOrg, drop: str, made: int) -> None:
    org.faults.add(method="POST", path="/sobjects/Account", drop=drop)
    before = org.count("Account")

    with pytest.raises(httpx2.TransportError):
        client.post("/sobjects/Account", json={"Name": "x"})
    assert org.count("Account") == before + made


def test_a_delay_is_waited(client: httpx2.Client, org: SimOrg) -> None:
    org.faults.add(path="/limits", delay=0.3)
    began = time.monotonic()
    client.get("/limits")

    assert time.monotonic() - began >= 0.3


def test_the_callers_session_expires(client: httpx2.Client, org: SimOrg) -> None:
    other = {"Authorization": f"Bearer {org.sessions.open(org.user_id).token}"}
    org.faults.add(path="/limits", expire=True)

    assert client.get("/limits").json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert client.get("/limits").status_code == 401
    assert client.get("/limits", headers=other).status_code == 200


def test_jobs_and_locators_are_asked_by_object(org: SimOrg) -> None:
    org.faults.add(job="failed", path="Account")
    org.faults.add(job="stuck", path="Contact", times=None)
    org.faults.add(locators="expired", nth=2)

    assert [org.faults.for_job(name) for name in ("Account", "Account", "Contact", "Contact")] == [
        "failed",
        None,
        "stuck",
        "stuck",
    ]
    assert [org.faults.for_locators("Account") for _ in range(3)] == [False, True, False]


@pytest.mark.parametrize("wrong", [{"drop": "sometimes"}, {"job": "lost"}, {"path": "("}, {"foo": 1}])
def test_a_wrong_fault_is_told_at_once(org: SimOrg, wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        org.faults.add(**wrong)
