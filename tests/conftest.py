"""What tests stand on: a simulated org on a real socket, and the command line as a real process."""

from __future__ import annotations

import gc
import itertools
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.loaded import Loaded

# Whoever starts the tests in the background of a script, or under nohup, has these ignored, and every process of ours
# would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Until all tests are collected: they stay, and to look for garbage among them takes a fifth of the time.
gc.disable()

ROOT = Path(__file__).parents[1]
LOADED = Loaded()
SECONDS = 120
Answer = str | Callable[[str], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the random histories, which take longest and share nothing, so that every process has as many of them."""
    histories = [each for each in items if each.path.stem.endswith("_histories")]
    others = [each for each in items if not each.path.stem.endswith("_histories")]
    every = len(others) // len(histories) + 1 if histories else 1
    spread = [[*others[at * every : (at + 1) * every], each] for at, each in enumerate(histories)]
    items[:] = [*itertools.chain.from_iterable(spread), *others[len(histories) * every :]]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by the thousands of tests themselves, and come by less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture
def simorg() -> Iterator[SimOrg]:
    """A small org of its own for each test, served on a free port; `simorg.url` is its address."""
    with SimOrg(records=40, seed=7) as org, org.serve():
        yield org


@dataclass(frozen=True)
class Ran:
    """What one command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs `salesforce-sync` as a process of its own in one folder, with nothing of this process's environment.

    A command that is called is forked from a process that has the modules loaded; `afresh` starts a new Python, as a
    shell does, and so do `start` and `typed`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
        }

    def settle(self, url: str, *, objects: str = "Contact, Lead, Account, Opportunity", more: str = "") -> None:
        """Write the settings of a person who uses the org at `url` with client credentials."""
        text = f"salesforce:\n  instance_url: {url}\nsync:\n  objects: [{objects}]\n{more}"
        (self.folder / "config.yaml").write_text(text)
        (self.folder / ".env").write_text(f"SF_CLIENT_ID={CLIENT_ID}\nSF_CLIENT_SECRET={CLIENT_SECRET}\n")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "salesforce_sync.cli", *arguments]

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """Run a command to its end; `environment` is added to an otherwise clean one."""
        done = LOADED.run(arguments, self.folder, self.environment | environment, stdin, SECONDS)
        return Ran(*done) if done else self.afresh(*arguments, stdin=stdin, **environment)

    def afresh(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """Run a command to its end in a Python that starts for it."""
        ran = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def typed(self, arguments: Sequence[str], dialogue: Sequence[tuple[str, Answer]]) -> tuple[str, int]:
        """Run a command on a terminal of its own, and answer each question when it is asked.

        An answer is a text, or makes one of what is shown by then.
        """
        ours, theirs = pty.openpty()
        running = subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = ""
        waiting = list(dialogue)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    shown += os.read(ours, 4096).decode()
                except OSError:  # the other side has gone
                    break
            if waiting and waiting[0][0] in shown:
                _, answer = waiting.pop(0)
                os.write(ours, f"{answer if isinstance(answer, str) else answer(shown)}\n".encode())
        os.close(ours)
        return shown, running.wait(10)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """The command line in an empty folder."""
    return CommandLine(tmp_path)


@pytest.fixture
def user(cli: CommandLine, simorg: SimOrg) -> CommandLine:
    """The command line of somebody whose settings name the simulated org."""
    cli.settle(simorg.url)
    return cli


@pytest.fixture
def organization(simorg: SimOrg) -> Callable[..., str]:
    """Lets the simulated org say of itself what it is: `organization(Name="Acme", IsSandbox=True)`."""

    def say(**values: object) -> str:
        fields = {
            "Name": "string 80 name",
            "IsSandbox": "boolean",
            "OrganizationType": "string 40",
            "TrialExpirationDate": "datetime",
        }
        declaration = {"label": "Organization", "plural": "Organizations", "prefix": "00D", "fields": fields}
        simorg.add_object("Organization", declaration)
        return simorg.add("Organization", **values)

    return say
