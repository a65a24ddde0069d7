"""A server on a real socket, over a simulated org on another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from salesforce_sync.access import Limit, Role
from salesforce_sync.config import Config
from salesforce_sync.web.house import Limits, Settings
from salesforce_sync.web.serving import Place, Running
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.plain import PLAIN

OFTEN = Limit(100_000, per_second=100_000)
PATIENT = Settings(limits=Limits(user=OFTEN, connection=OFTEN, syncs=OFTEN, failures=OFTEN, additions=OFTEN))
"""Throttles that no test of something else meets."""


def settle(folder: Path, url: str, objects: str = "[Contact, Lead, Account, Opportunity]") -> Config:
    """The settings of a person who uses the org at `url`."""
    (folder / "config.yaml").write_text(f"salesforce:\n  instance_url: {url}\nsync:\n  objects: {objects}\n")
    (folder / ".env").write_text(f"SF_CLIENT_ID={CLIENT_ID}\nSF_CLIENT_SECRET={CLIENT_SECRET}\n")
    return Config.load(folder / "config.yaml", environ={})


@dataclass
class Site:
    """A server that runs in a thread, and clients of it."""

    running: Running
    org: SimOrg
    tokens: dict[str, str] = field(default_factory=dict)
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def house(self) -> Any:
        return self.running.house

    @property
    def sync(self) -> Any:
        """The default connection's replica."""
        return self.house.replicas.get("default", self.house.access.users.list()[0]).sync

    def client(self, name: str = "ada", role: Role = Role.ADMIN, **headers: str) -> httpx2.Client:
        """A program of this user, who is made when he is first named."""
        if name not in self.tokens:
            _, self.tokens[name] = self.house.access.users.add(name, role)
        return self.bare(Authorization=f"Bearer {self.tokens[name]}", **headers)

    def bare(self, **headers: str) -> httpx2.Client:
        """A program that says nothing of itself."""
        self.clients.append(
            httpx2.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=PLAIN)
        )
        return self.clients[-1]


def start(config: Config, org: SimOrg, settings: Settings = PATIENT) -> Iterator[Site]:
    """Run a server until the generator is closed."""
    yield from running_at(Place(port=0), config, org, settings)


def running_at(place: Place, config: Config, org: SimOrg, settings: Settings = PATIENT) -> Iterator[Site]:
    """Run a server at this place until the generator is closed."""
    running, answers = Running(config, place, settings), threading.Event()
    thread = threading.Thread(target=running.run, args=(answers.set,))
    thread.start()
    try:
        assert answers.wait(20)
        site = Site(running, org)
        yield site
        for client in site.clients:
            client.close()
    finally:
        running.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def site(tmp_path: Path, simorg: SimOrg) -> Iterator[Site]:
    """A server of the test's own, whose replica is empty yet."""
    yield from start(settle(tmp_path, simorg.url), simorg)


@pytest.fixture
def api(site: Site) -> httpx2.Client:
    """A program of an admin."""
    return site.client()


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    event: str
    id: int
    data: Any


def events_of(response: httpx2.Response) -> Iterator[Told]:
    """The events of a stream, as they come."""
    lines: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            lines[name] = value
        elif "data" in lines:
            yield Told(lines["event"], int(lines["id"]), msgspec.json.decode(lines["data"]))
            lines = {}
