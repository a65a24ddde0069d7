"""`python -m simorg`: a simulated Salesforce org on this machine."""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from simorg import ending, folder
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from simorg.server import Server
from simorg.times import parse_datetime

WAKE_SECONDS = 0.5
EVENTS_OF = "Account,Contact,Lead,Opportunity"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="simorg", description="A simulated Salesforce org: a real HTTP server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="port; 0 takes a free one (default: 8000)")
    parser.add_argument("--records", type=int, default=1000, help="contacts to make; the rest follows (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same records (default: 1)")
    parser.add_argument("--api-limit", type=int, default=15_000, help="API calls per 24 hours (default: 15000)")
    parser.add_argument("--start", help="where the org's clock starts, e.g. 2026-01-15T10:30:00Z (default: now)")
    parser.add_argument("--session-seconds", type=float, default=7200, help="idle life of a session (default: 7200)")
    parser.add_argument("--client-id", default=CLIENT_ID, help="id of the connected app")
    parser.add_argument("--client-secret", default=CLIENT_SECRET, help="secret of the connected app")
    parser.add_argument("--rotate-refresh-tokens", action="store_true", help="each refresh gives a new refresh token")
    parser.add_argument("--jwt-key", type=Path, help="PEM file with the public key for the JWT flow")
    parser.add_argument("--events-port", type=int, help="also serve change events (gRPC) here; 0 takes a free port")
    parser.add_argument(
        "--events-of", default=EVENTS_OF, help=f"objects with change events, separated by commas (default: {EVENTS_OF})"
    )
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="end when the process that started this one is gone"
    )
    parser.add_argument("--ready-file", type=Path, help="write url, client_id, client_secret as JSON here when ready")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Make the org, serve it until a signal (or the end of the parent) comes, and clean up."""
    options = arguments(given)
    start_ms = parse_datetime(options.start) if options.start else None
    if options.start and start_ms is None:
        print(f"simorg: --start is not a datetime: {options.start}", file=sys.stderr)
        return 2
    try:
        ending.on_signals()
        if options.exit_with_parent:
            ending.with_parent()
        folder.remove_stale()
        return _run(options, start_ms)
    except ending.Ended:
        with contextlib.suppress(OSError):  # a terminal that hung up takes no more words
            print("simorg: stopped", flush=True)
        return 0


def _run(options: argparse.Namespace, start_ms: int | None) -> int:
    """Serve until Ended is raised; return only when that is not possible."""
    began = time.monotonic()
    print(f"simorg: making {options.records:,} contacts and the rest (seed {options.seed}) …", flush=True)
    with SimOrg(options.records, options.seed, start_ms=start_ms, api_limit=options.api_limit) as org:
        _configure(org, options)
        try:
            server = org.serve(options.port, options.host)
        except OSError as problem:
            print(f"simorg: cannot listen on {options.host}:{options.port}: {problem.strerror}", file=sys.stderr)
            return 1
        with server, _events(org, options):
            print(f"simorg: ready after {time.monotonic() - began:.1f} s", flush=True)
            _announce(org, server, options)
            while True:  # short sleeps: a signal that comes just before a sleep is noticed after it
                time.sleep(WAKE_SECONDS)


def _events(org: SimOrg, options: argparse.Namespace) -> contextlib.AbstractContextManager[object]:
    if options.events_port is None:
        return contextlib.nullcontext()
    org.events.select(*(name.strip() for name in options.events_of.split(",") if name.strip()))
    return org.serve_events(options.events_port, options.host)


def _configure(org: SimOrg, options: argparse.Namespace) -> None:
    org.sessions.idle_seconds = options.session_seconds
    app = org.clients.rename_first(options.client_id, options.client_secret)
    app.rotate_refresh_tokens = options.rotate_refresh_tokens
    if options.jwt_key:
        app.public_key = options.jwt_key.read_text("utf-8")


def _announce(org: SimOrg, server: Server, options: argparse.Namespace) -> None:
    client = org.clients.first
    facts = {"url": server.url, "client_id": client.client_id, "client_secret": client.secret}
    print(f"simorg listening on {server.url}", flush=True)
    if org.events.url:
        facts["events_url"] = org.events.url
        print(f"change events (Pub/Sub API) on {org.events.url}", flush=True)
    print(_hints(server.url, client.client_id, client.secret), flush=True)
    if options.ready_file:  # written whole or not at all: a watcher must never read half of it
        draft = options.ready_file.with_name(options.ready_file.name + f".{os.getpid()}")
        draft.write_text(json.dumps(facts), "utf-8")
        draft.replace(options.ready_file)


def _hints(url: str, client_id: str, secret: str) -> str:
    return f"""
  client id      {client_id}
  client secret  {secret}

Try:
  curl {url}/services/data/
  TOKEN=$(curl -s {url}/services/oauth2/token -d grant_type=client_credentials \\
    -d client_id={client_id} -d client_secret={secret} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s -H "Authorization: Bearer $TOKEN" "{url}/services/data/v58.0/query?q=SELECT+Id,Name+FROM+Account+LIMIT+3"
  curl -s {url}/_control/state
Ctrl-C stops it; all records are then gone."""


if __name__ == "__main__":
    sys.exit(main())
