"""Rows about whole syncs against the simulated org, which runs as a program of its own."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratios.processes import Cost, alternate, cpu, fact, median, peak, ratio, run, task
from benchmarks.ratios.table import Plan, Row
from salesforce_sync.demo import SimulatedOrg, simulated_org

CALLS_ROWS = 200_000
MILLION = 1_000_000
PAIR_ROWS = 50_000
QUICK_ROWS = 20_000


def calls(plan: Plan) -> Iterator[Row]:
    """API calls, as the org counts them: first loads, a cycle in which nothing happened, a verify."""
    sizes = [("calls-200k", QUICK_ROWS if plan.quick else CALLS_ROWS, 5)]
    if plan.rows >= MILLION:
        sizes.append(("calls-1m", MILLION, 10))
    for name, size, most in sizes:
        with simulated_org(size) as org:
            cost = run(task("org_tasks", "calls", _settings(plan, org), org.url))
        yield Row.of(name, cost.facts["first"], most, "calls", [cost])
        if size == sizes[0][1]:
            yield Row("quiet-cycle", cost.facts["quiet"], 1, "calls")
            yield Row("verify-calls", cost.facts["verify"], 10, "calls")


def http_load(plan: Plan) -> Iterator[Row]:
    """A Bulk result over HTTP: loaded while it comes, beside the same parts one after the other."""
    with simulated_org(QUICK_ROWS if plan.quick else CALLS_ROWS) as org:

        def way(name: str) -> Cost:
            return run(task("org_tasks", name, _settings(plan, org)))

        ours, theirs = alternate(plan.rounds, lambda: way("while-it-comes"), lambda: way("in-sequence"))
    yield Row.of("http-load", ratio(ours, theirs, fact("seconds")), 0.6, "x wall", ours)
    yield Row.of("http-load-peak", median(ours, peak), 64, "MB", ours)


def against_simple_salesforce(plan: Plan) -> Iterator[Row]:
    """CPU of a first load of Contact, beside simple-salesforce by REST (typed) and by Bulk 2.0 (texts)."""
    with simulated_org(QUICK_ROWS if plan.quick else PAIR_ROWS) as org:
        token = _token(org)

        def other(name: str) -> Cost:
            folder = _fresh(plan, "other")
            return run(task("simple_tasks", name, folder, org.url, token))

        ours, rest, bulk = alternate(
            plan.rounds,
            lambda: run(task("org_tasks", "first", _settings(plan, org))),
            lambda: other("rest"),
            lambda: other("bulk"),
        )
    yield Row.of("vs-query-all", ratio(ours, rest, cpu), 0.25, "x", ours)
    yield Row.of("vs-bulk2", ratio(ours, bulk, cpu), 0.7, "x", ours)
    yield Row("  (their query_all)", median(rest, cpu), None, "s CPU")
    yield Row("  (their bulk2)", median(bulk, cpu), None, "s CPU")


def _fresh(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _settings(plan: Plan, org: SimulatedOrg) -> Path:
    """The folder of somebody who uses this org and has nothing of it yet; the path of the settings."""
    folder = _fresh(plan, "replica")
    text = f"salesforce:\n  instance_url: {org.url}\nstorage:\n  path: replica.db\n"
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    keys = f"SF_CLIENT_ID={org.client_id}\nSF_CLIENT_SECRET={org.client_secret}\n"
    (folder / ".env").write_text(keys, encoding="utf-8")
    return folder / "config.yaml"


def _token(org: SimulatedOrg) -> str:
    form = {"grant_type": "client_credentials", "client_id": org.client_id, "client_secret": org.client_secret}
    asked = urllib.request.Request(f"{org.url}/services/oauth2/token", urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(json.load(answer)["access_token"])
