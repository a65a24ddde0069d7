"""A simulated org as a program of its own, and what it says of the calls that it got."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.measure import Failed, surroundings

START_SECONDS = 300
_ROWS_A_CALL = 1000


@dataclass(frozen=True, slots=True)
class Org:
    """Where the org answers, and what it lets in."""

    url: str
    client_id: str
    client_secret: str
    events_url: str = ""

    @property
    def login(self) -> tuple[str, str, str]:
        """The address and what lets us in."""
        return self.url, self.client_id, self.client_secret

    def calls(self) -> int:
        """API calls that the org has counted so far."""
        with urlopen(f"{self.url}/_control/state") as answer:
            return int(json.load(answer)["usage"]["used"])

    def rename(self, object_name: str, ids: Sequence[str]) -> None:
        """Let somebody give these records other names."""
        for start in range(0, len(ids), _ROWS_A_CALL):
            rows = [{"Id": each, "LastName": "Renamed"} for each in ids[start : start + _ROWS_A_CALL]]
            self.write(object_name, rows)

    def write(self, object_name: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Let somebody update these records, in one transaction."""
        body = json.dumps({"operation": "update", "object": object_name, "rows": rows}).encode()
        with urlopen(Request(f"{self.url}/_control/rows", body, {"Content-Type": "application/json"})) as answer:
            answer.read()


@contextmanager
def running_org(folder: Path, records: int, seed: int, *more: str) -> Iterator[Org]:
    """An org that runs until the block ends."""
    ready = folder / f"org{records}.ready"
    command = [sys.executable, "-m", "simorg", "--exit-with-parent", "--port", "0", "--api-limit", "1000000"]
    command += ["--records", str(records), "--seed", str(seed), "--ready-file", str(ready), *more]
    with running(command, ready) as told:
        yield Org(**json.loads(told))


@contextmanager
def running(command: Sequence[str], ready: Path) -> Iterator[str]:
    """A server that runs until the block ends: what it wrote to its ready file."""
    with ready.with_suffix(".log").open("w+") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=surroundings())
        try:
            yield _when_ready(process, ready, Path(log.name))
        finally:
            process.terminate()
            process.wait()
            ready.unlink(missing_ok=True)


def _when_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise Failed(f"A server did not start: {log.read_text('utf-8')[-200:]}")
        time.sleep(0.1)
    return ready.read_text("utf-8")
