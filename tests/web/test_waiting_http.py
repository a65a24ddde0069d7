"""Whoever only reads is not kept waiting by what waits: for a lock, for the org, for long work. Nor do these wait for
each other."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import apsw
import httpx2
import pytest

from salesforce_sync.web.house import BOOKS, MOST_COMPARED, RUNS, RUNS_OF_ONE, THREADS
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from tests.web.conftest import Site

SECONDS = 15.0
"""After which an answer is taken for one that does not come."""

READ = ("/api/objects", "/api/inbox", "/api/outbox")


@pytest.fixture
def full(site: Site) -> Site:
    """A server whose replica has the contacts."""
    assert site.client().post("/api/sync/Contact").json()["success"]
    return site


@pytest.fixture
def many() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


@contextmanager
def occupied(threads: Any, count: int, of: object = None) -> Iterator[None]:
    """So many of these threads are at work, for somebody, until the block ends."""
    gate, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        gate.wait()

    for _ in range(count):
        threads.submit(work, of)
    try:
        for _ in range(count):
            assert begun.acquire(timeout=SECONDS)
        yield
    finally:
        gate.set()


def until(seen: Callable[[], Any]) -> None:
    ends = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < ends
        time.sleep(0.02)


def begun(site: Site, action: str) -> int:
    """How many of these deeds the audit log has heard the beginning of."""
    entries = site.house.access.audit.entries()
    return sum(each.deed.action == action and each.outcome == "begun" for each in entries)


def test_whoever_reads_does_not_wait_behind_edits_that_wait_for_the_database(full, many):
    client, reader = full.client(), full.client("vera")
    ids = [each["Id"] for each in client.get("/api/objects/Contact/records?limit=12").json()["records"]]
    with closing(apsw.Connection(str(full.sync.config.storage.path))) as other:
        other.set_busy_timeout(10_000)
        other.execute("BEGIN IMMEDIATE")
        edits = [many.submit(edit, client, each) for each in ids]
        until(lambda: begun(full, "edit") >= THREADS)

        answers = [reader.get(path, timeout=SECONDS).status_code for path in READ]
        other.execute("ROLLBACK")

    assert answers == [200] * len(READ)
    assert {each.result() for each in edits} == {200}


def edit(client: httpx2.Client, record_id: str) -> int:
    return client.patch(f"/api/objects/Contact/records/{record_id}", json={"Title": "Chief"}).status_code


def test_whoever_reads_does_not_wait_behind_those_who_wait_for_the_orgs_list(site, many):
    client, reader = site.client(), site.client("vera")
    number = site.org.faults.add(path="/sobjects/?$", delay=5, times=None)
    asked = [many.submit(client.get, "/api/objects?available=true") for _ in range(2 * THREADS)]
    until(lambda: site.org.faults.happened(number))

    answers = [reader.get(path).status_code for path in READ]

    assert not any(each.done() for each in asked)
    assert answers == [200] * len(READ)
    assert {each.result().status_code for each in asked} == {200}
    assert site.org.faults.happened(number) == 1


def test_what_somebody_waits_for_does_not_wait_behind_syncs(full):
    client = full.client()
    client.timeout = SECONDS
    with occupied(full.house.runs, RUNS_OF_ONE, "one org"), occupied(full.house.runs, RUNS_OF_ONE, "another"):
        book = client.get("/api/workbook")
        answers = [
            client.post("/api/workbook", content=book.content).status_code,
            client.get("/api/workbook?set=sales").status_code,
            client.post("/api/push").status_code,
            client.post("/api/verify", json={"objects": ["Contact"]}).status_code,
        ]

    assert book.status_code == 200
    assert answers == [200, 200, 200, 200]


def test_the_syncs_of_one_org_hold_up_no_other_ones(full, many):
    client = full.client()
    client.timeout = SECONDS
    second = client.post("/api/connections", json={"name": "second", "instanceUrl": full.org.url}).json()["id"]
    login = {"method": "client_credentials", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    assert client.post(f"/api/connections/{second}/connect", json=login).status_code == 200

    with occupied(full.house.runs, RUNS_OF_ONE, "of one org"):
        waiting = [full.house.runs.submit(lambda: None, "of one org") for _ in range(RUNS)]
        synced = client.post("/api/sync/Contact", headers={"X-Connection-Id": second})
        begun = any(each.done() for each in waiting)

    assert (synced.status_code, begun) == (200, False)
    assert [each.result(SECONDS) for each in waiting] == [None] * RUNS


def test_a_user_has_few_workbooks_compared_at_once(full, many):
    client = full.client()
    book = client.get("/api/workbook").content
    with occupied(full.house.books, BOOKS):
        sent = [many.submit(client.post, "/api/workbook", content=book) for _ in range(MOST_COMPARED)]
        until(lambda: full.house.comparing("ada") == MOST_COMPARED)

        refused = client.post("/api/workbook", content=book)

    assert (refused.status_code, refused.json()["error"]) == (429, "THROTTLED")
    assert int(refused.headers["Retry-After"]) > 0
    assert {each.result().status_code for each in sent} == {200}
    assert client.post("/api/workbook", content=book).status_code == 200


def test_what_a_server_that_ends_has_no_answer_to_is_told_so(site):
    site.client()
    url, who = urlsplit(site.url), f"Authorization: Bearer {site.tokens['ada']}"
    head = f"POST /api/workbook HTTP/1.1\r\nHost: {url.netloc}\r\n{who}\r\nContent-Length: 99\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")  # somebody waits for the rest, which comes late

        site.running.stop()
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    told, _, body = answer.partition(b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"application/json" in told
    assert json.loads(body)["error"] == "SERVER_ENDS"
