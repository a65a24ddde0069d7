"""What child processes do with an org: `python -m benchmarks.ratios.org_tasks TASK …`, started by `orgs`."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ratios.telling import perform
from salesforce_sync import SFSync
from salesforce_sync.models.run import Run, RunState

if TYPE_CHECKING:
    from salesforce_sync.api.client import SalesforceOrg
    from salesforce_sync.models.page import PullRequest

NOTHING_CHANGED = 2.0
"""Seconds to wait before a quiet cycle, so that the org's clock has moved on."""


def first(config: str) -> dict[str, float]:
    """A first load of Contact, all in."""
    with SFSync(config) as sync:
        run = sync.sync("Contact")
        _complete(run)
        return {"rows": sync.contacts.count()}


def calls(config: str, url: str) -> dict[str, float]:
    """Calls, by the org's own count, of: a first load of Contact, a quiet cycle of four objects, a verify."""
    with SFSync(config) as sync:
        begun = _spent(url, lambda: _complete(sync.sync("Contact")))
        _complete(sync.sync())
        time.sleep(NOTHING_CHANGED)
        quiet = _spent(url, lambda: _complete(sync.sync()))
        verify = _spent(url, lambda: _complete(sync.verify()[0]))
    return {"first": begun, "quiet": quiet, "verify": verify}


def _complete(run: Run) -> None:
    if run.state is not RunState.COMPLETE:
        raise RuntimeError(f"the sync is {run.state}: {[each.problem for each in run.objects]}")


def _spent(url: str, act: Callable[[], None]) -> int:
    before = _used(url)
    act()
    return _used(url) - before


def _used(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_control/state", timeout=60) as answer:
        return int(json.load(answer)["usage"]["used"])


def while_it_comes(config: str) -> dict[str, float]:
    """Load a finished Bulk job's result while it is downloaded."""
    return _load(config, in_sequence=False)


def in_sequence(config: str) -> dict[str, float]:
    """Download and inflate all of the result to disk, then load it."""
    return _load(config, in_sequence=True)


def _load(config: str, *, in_sequence: bool) -> dict[str, float]:
    from salesforce_sync.api.client import SalesforceOrg
    from salesforce_sync.app import SystemClock
    from salesforce_sync.config import Config
    from salesforce_sync.models.page import PullRequest
    from salesforce_sync.storage.sqlite import SqliteStore
    from salesforce_sync.storage.vault import Vault

    settings, clock = Config.load(config), SystemClock()
    connection, path = settings.connection(), settings.storage.path
    if connection is None:
        raise RuntimeError("no credentials")
    pages, store, vault = Path(f"{path}-pages"), SqliteStore(path, clock), Vault(path)
    vault.save(connection)
    org = SalesforceOrg(connection, api_version="58.0", work_dir=pages, keys=vault, clock=clock)
    schema = org.describe("Contact")
    request = PullRequest(schema)
    request = replace(request, resume=_finished_job(org, request))
    store.adopt(schema)
    store.begin(request)
    began = time.perf_counter()
    came = org.pull(request)
    rows = sum(store.stage(page) for page in (list(came) if in_sequence else came))
    store.merge("Contact", None)
    seconds = time.perf_counter() - began
    org.close()
    store.close()
    return {"seconds": seconds, "rows": rows}


def _finished_job(org: SalesforceOrg, request: PullRequest) -> str:
    """Where the result begins of a job that is done: so that both ways pay for the transfer and the load only."""
    with closing(org.pull(request)) as pages:
        for page in pages:
            if page.resume is not None and page.resume.split(":")[2:3] not in ([], [""]):
                return page.resume
    raise RuntimeError("the org gave no Bulk job: too few rows")


if __name__ == "__main__":
    perform({"first": first, "calls": calls, "while-it-comes": while_it_comes, "in-sequence": in_sequence})
