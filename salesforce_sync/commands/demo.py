"""`demo`: a simulated org, a first sync of it, and what to try next."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from salesforce_sync.app import SFSync, Status
from salesforce_sync.commands import doorman
from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError, SyncError
from salesforce_sync.models.run import Run
from salesforce_sync.process.exits import Exit, exit_of_run
from salesforce_sync.process.interrupts import cut_on_interrupt
from salesforce_sync.process.terminal import progress, say, say_json, say_table, silence
from salesforce_sync.reports.runs import run_document, say_run_briefly

MARK: Final = "# Written by `salesforce-sync demo`, which makes this folder anew each time."

SETTINGS: Final = """\
{mark}
salesforce:
  instance_url: {url}
storage:
  path: ./salesforce.db
"""

START_SECONDS: Final = 600
"""A simulated org of a million contacts is made in well under this."""


def run(records: int, folder: Path, *, as_json: bool) -> int:
    """Run the demo and give the exit code. The simulated org has ended by then; the replica stays in `folder`.

    Where somebody sits at a terminal, it goes on to serve the API until Ctrl-C, and the simulated org with it.
    """
    _clear(folder)
    tell = (lambda text: None) if as_json else say
    tell(f"Making a simulated Salesforce org with {records:,} contacts ...")
    with ExitStack() as around:
        org = around.enter_context(simulated_org(records))
        tell(f"It answers at {org.url}. First sync:")
        config = _settle(folder, org)
        with SFSync(config) as sync, silence() if as_json else progress() as listener:
            sync.on("sync_progress", listener)
            with cut_on_interrupt(around.close):
                sync.init()
                run = sync.sync()
            status = sync.status()
        if not as_json and sys.stdin.isatty():
            _say_result(run, status)
            say("Try next, in another terminal:")
            _say_commands(folder)
            say()
            _serve(config, exit_of_run(run))
            return exit_of_run(run)
    if as_json:
        say_json(run_document(run) | {"database": str(config.storage.path)})
    else:
        _say_result(run, status)
        say("Try next (the simulated org has ended; the replica answers by itself):")
        _say_commands(folder)
    return exit_of_run(run)


def _serve(config: Config, code: Exit) -> None:
    """Serve the API at its usual port, or at a free one where that is taken."""
    # Imported here: the web framework takes most of a second to load.
    from salesforce_sync.web.serving import PORT, AddressInUse, Place, Running

    try:
        running = Running(config, Place(port=PORT))
    except AddressInUse:
        running = Running(config, Place(port=0))
    doorman.serve(running, as_json=False, ended=code)


def _say_result(run: Run, status: Status) -> None:
    say()
    say_table(("object", "rows"), [(each.object_name, each.rows) for each in status.objects])
    say()
    say_run_briefly(run)
    say(f"The database: {status.database}")
    say()


def _say_commands(folder: Path) -> None:
    for command in next_commands(folder):
        say(f"  {command}")


def next_commands(folder: Path) -> list[str]:
    """Commands that work when they are copied into the shell that this was called from."""
    settings = str(folder / "config.yaml")
    sql = "SELECT Name, Email, Phone FROM Contact LIMIT 5"
    search = f"SFSync({settings!r}).contacts.search(name__startswith='A')"
    code = f"from salesforce_sync import SFSync; [print(c.name) for c in {search}]"
    return [
        f"{program()} --config {shlex.quote(settings)} query {_in_double_quotes(sql)}",
        f"{program()} --config {shlex.quote(settings)} status",
        f"{python()} -c {_in_double_quotes(code)}",
        f"{program()} --config {shlex.quote(settings)} new Contact FirstName=Ada LastName=Lovelace",
        f"{program()} --config {shlex.quote(settings)} diff",
    ]


def _in_double_quotes(text: str) -> str:
    """The text as one word of a shell; easier on the eye than `shlex.quote` where the text has single quotes."""
    return '"' + re.sub(r'([\\$`"])', r"\\\1", text) + '"'


# ── How a person calls us ────────────────────────────────────────────────────────────────────────────────────────


def program() -> str:
    """How this program was called, as a shell takes it again."""
    called = Path(sys.argv[0])
    if called.name in ("cli.py", "__main__.py"):
        return f"{python()} -m salesforce_sync.cli"
    return _as_called(called)


def python() -> str:
    """The Python that runs this, as a shell takes it again."""
    return _as_called(Path(sys.executable))


def _as_called(path: Path) -> str:
    """The shortest form that means the same file: its bare name, from this folder, or the whole path."""
    found = shutil.which(path.name)
    if found is not None and os.path.abspath(found) == os.path.abspath(path):
        return path.name
    relative = os.path.relpath(path)
    return shlex.quote(relative if not relative.startswith("..") else os.path.abspath(path))


# ── The folder ───────────────────────────────────────────────────────────────────────────────────────────────────


def _clear(folder: Path) -> None:
    """Take away what an earlier demo left; a folder that is anybody else's is not touched."""
    if not folder.exists():
        return
    settings = folder / "config.yaml"
    ours = settings.is_file() and settings.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    if not ours and any(folder.iterdir()):
        raise ConfigError(f"The folder {folder} holds something else already.", hint="Give another one with --folder.")
    shutil.rmtree(folder)


def _settle(folder: Path, org: SimulatedOrg) -> Config:
    """Write the demo's settings, and read them without a look at the environment: it may name a real org."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(0o700)
    (folder / "config.yaml").write_text(SETTINGS.format(mark=MARK, url=org.url), encoding="utf-8")
    secrets = folder / ".env"
    secrets.touch(0o600)
    secrets.write_text(f"SF_CLIENT_ID={org.client_id}\nSF_CLIENT_SECRET={org.client_secret}\n", encoding="utf-8")
    return Config.load(folder / "config.yaml", environ={})


# ── The simulated org ────────────────────────────────────────────────────────────────────────────────────────────


class SimulatedOrg(Struct, frozen=True):
    """Where a simulated org answers, and what it lets in."""

    url: str
    client_id: str
    client_secret: str


@contextmanager
def simulated_org(records: int) -> Iterator[SimulatedOrg]:
    """A simulated org that runs as a program of its own until the block ends."""
    with tempfile.TemporaryDirectory(prefix="simorg-") as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "simorg", "--exit-with-parent"]  # no orphan when this program is killed
        command += ["--port", "0", "--records", str(records), "--ready-file", str(ready)]
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield _wait_for(ready, process, Path(log.name))
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait_for(ready: Path, process: subprocess.Popen[bytes], log: Path) -> SimulatedOrg:
    until = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            lines = log.read_text(errors="replace").splitlines()[-1:]
            raise SyncError("The simulated org did not start.", code="DEMO_FAILED", hint="".join(lines))
        time.sleep(0.05)
    return SimulatedOrg(**json.loads(ready.read_text(encoding="utf-8")))
