"""The HTTP API: lists of 100 records of 30 fields, one by one and at once; 50 streams of one sync's progress."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Failed, surroundings, task
from benchmarks.org import Org, running
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

LIST_CPU = Target(1.1)
LIST_PLAIN = Target(0.08)
"""The same, where FastAPI's own encoder takes 14 ms: machines differ by three times."""
LISTS = 1_000
FIRST_LISTS = 20
"""A server's first answers, which import what they need: told by themselves."""
PLAIN_LISTS = 200
CLIENTS = 8
STREAMS = 50
CONTACTS = 20_000
_LIST = "/api/objects/Contact/records"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and how to ask it."""

    pid: int
    port: int
    token: str

    @property
    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def speed(place: Workplace) -> Iterator[Line]:
    """CPU of the server for a list, lists a second and their p99 over 8 connections, and 50 streams beside a sync."""
    with place.scratch() as folder, serving(folder, _over(place.database(scattered=False))) as server:
        place.say("asking for lists")
        first, ordered = asyncio.run(_pages(server, LISTS))
    with place.scratch() as folder:
        with serving(folder, _over(place.database())) as server:
            _, scattered = asyncio.run(_pages(server, LISTS))
            spent, _ = asyncio.run(_lists(server, 1, LISTS))
            empty, _ = asyncio.run(_lists(server, 1, LISTS, "/healthz"))
            began = time.perf_counter()
            _, waits = asyncio.run(_lists(server, CLIENTS, LISTS))
            wall = time.perf_counter() - began
            listed = asyncio.run(_one(server))
        plain = _by_fastapi(place, folder)
        bare = _by_uvicorn(listed, folder)
    yield Line("HTTP list of 100 records", "", "CPU ms", 1000 * spent / LISTS, None, LIST_CPU)
    yield Line("another page each time, ids in order", "", "CPU ms", 1000 * ordered, None, LIST_CPU)
    yield Line(f"the first {FIRST_LISTS} of them after the start", "", "CPU ms", 1000 * first)
    yield Line("another page each time, ids in order", "FastAPI's own", "CPU ms", 1000 * ordered, 1000 * plain)
    yield Line("another page each time, ids in no order", "FastAPI's own", "CPU ms", 1000 * scattered, 1000 * plain)
    yield Line("HTTP list of 100 records", "FastAPI's own", "CPU ms", 1000 * spent / LISTS, 1000 * plain, LIST_PLAIN)
    yield Line("HTTP list of 100 records", "an empty answer", "CPU ms", 1000 * spent / LISTS, 1000 * empty / LISTS)
    yield Line("HTTP list of 100 records", "uvicorn alone", "CPU ms", 1000 * spent / LISTS, 1000 * bare)
    yield Line(f"the same from {CLIENTS} clients", "", "a second", LISTS / wall)
    yield Line(f"the same from {CLIENTS} clients, p99", "", "wall ms", 1000 * _p99(waits))
    yield from _progress(place, place.org(CONTACTS))


def _over(database: Path) -> str:
    return f"storage:\n  path: {database}\n"


def _by_fastapi(place: Workplace, folder: Path) -> float:
    """CPU seconds of the same list where FastAPI encodes it."""
    ready = folder / "ready"
    with running(task("list_by_fastapi", place.database(), ready), ready) as told:
        spent, _ = asyncio.run(_lists(Server(token="", **json.loads(told)), 1, PLAIN_LISTS, "/records"))
    return spent / PLAIN_LISTS


def _by_uvicorn(listed: bytes, folder: Path) -> float:
    """CPU seconds of the same bytes where nobody reads, encodes or looks who asks."""
    ready, body = folder / "bare", folder / "list.json"
    body.write_bytes(listed)
    with running(task("list_by_uvicorn", body, ready), ready) as told:
        spent, _ = asyncio.run(_lists(Server(token="", **json.loads(told)), 1, LISTS))
    return spent / LISTS


async def _one(server: Server) -> bytes:
    """The list as it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(server.request("GET", _LIST))
    answer = await _answer(reader)
    writer.close()
    return answer


def _progress(place: Workplace, org: Org) -> Iterator[Line]:
    with place.scratch() as folder:
        (folder / ".env").write_text(f"SF_CLIENT_ID={org.client_id}\nSF_CLIENT_SECRET={org.client_secret}\n")
        with serving(folder, f"salesforce:\n  instance_url: {org.url}\n") as server:
            place.say(f"a sync with {STREAMS} listeners")
            lags = asyncio.run(_streams(server))
    yield Line(f"{STREAMS} streams of progress, behind the first, p99", "", "wall ms", 1000 * _p99(lags))


@contextmanager
def serving(folder: Path, settings: str) -> Iterator[Server]:
    """A server over these settings until the block ends."""
    (folder / "config.yaml").write_text(settings)
    command = [sys.executable, "-m", "salesforce_sync.cli", "serve", "--json", "--port", "0", "--rate", "100000"]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=surroundings(), text=True
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told:
            raise Failed("the server did not start")
        welcome = json.loads(told)
        yield Server(process.pid, int(welcome["url"].rpartition(":")[2]), welcome["token"] or "")
    finally:
        process.terminate()
        process.wait(20)


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _lists(server: Server, clients: int, count: int, path: str = _LIST) -> tuple[float, list[float]]:
    """So many requests over so many connections: the server's CPU, and how long each took."""
    waits: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(count // clients):
            began = time.perf_counter()
            writer.write(server.request("GET", path))
            await _answer(reader)
            waits.append(time.perf_counter() - began)
        writer.close()

    before = server.cpu
    await asyncio.gather(*(client() for _ in range(clients)))
    return server.cpu - before, waits


async def _pages(server: Server, most: int) -> tuple[float, float]:
    """CPU seconds of the first pages of the list together, and of each page when all are asked for once more.

    By then the server keeps none of those that come next (it keeps some tens). That time they follow one another as
    fast as in every other row: after a pause of two milliseconds, in which a client reads a page, the same page took
    1.5 times as much of the server's CPU, and after ten milliseconds twice as much.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    begun, warm, urls = server.cpu, 0.0, [_LIST]
    while len(urls) <= most:
        writer.write(server.request("GET", urls[-1]))
        urls.append(json.loads(await _answer(reader))["nextRecordsUrl"])
        if urls[-1] is None:
            break
        if len(urls) == FIRST_LISTS + 1:
            warm = server.cpu - begun
    begun = server.cpu
    for url in urls[:-1]:
        writer.write(server.request("GET", url))
        await _answer(reader)
    writer.close()
    return warm, (server.cpu - begun) / (len(urls) - 1)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise Failed(head.splitlines()[0].decode())
    length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _streams(server: Server) -> list[float]:
    """How long after the first listener each other one had an event, over all events that several had."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(server.request("POST", "/api/sync", b'{"objects": ["Contact", "Account", "Lead"]}'))
    session_id = json.loads(await _answer(reader))["sessionId"]
    writer.close()
    heard = await asyncio.gather(*(_listen(server, f"/api/sync/{session_id}/events") for _ in range(STREAMS)))
    first = {number: min(each[number] for each in heard if number in each) for each in heard for number in each}
    if len({tuple(each)[-1] for each in heard}) != 1:
        raise Failed("the listeners did not all hear the end")
    return [at - first[number] for each in heard for number, at in each.items()]


async def _listen(server: Server, events: str) -> dict[int, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(server.request("GET", events))
    heard: dict[int, float] = {}
    while line := await reader.readline():
        if line.startswith(b"id: "):
            heard[int(line[4:])] = time.perf_counter()
        if line == b"0\r\n":
            break
    writer.close()
    return heard
