"""Runs the web server for a person or a script: says where it is, and how to come in the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_sync.commands.options import os_user
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.interrupts import end_at_once
from salesforce_sync.process.terminal import say, say_json

if TYPE_CHECKING:
    from salesforce_sync.web.serving import Running, Welcome


def serve(running: Running, *, as_json: bool, ended: Exit = Exit.COMPLETE) -> None:
    """Serve until Ctrl-C or SIGTERM. Ends the process, with this exit code, if a run cannot be ended in time."""
    if not running.run(lambda: welcome(running, as_json=as_json)):
        end_at_once(ended)


def welcome(running: Running, *, as_json: bool) -> None:
    """Say where the server is."""
    told = running.welcome(os_user())
    if as_json:
        say_json({"url": told.url, "token": told.token, "link": told.link})
    else:
        _say_welcome(told)


def _say_welcome(told: Welcome) -> None:
    say(f"Serving at {told.url} (the API: {told.url}/docs). Ctrl-C ends it.")
    if told.token is None:
        say("Log in with your token; `salesforce-sync user add NAME` makes one for somebody new.")
        return
    say()
    say(f"First start: the user `admin` is made. His token, shown this once: {told.token}")
    say(f"  In a browser, once, within 15 minutes: {told.link}")
    say("  In a shell:")
    say(f'    curl -X POST -H "Authorization: Bearer {told.token}" {told.url}/api/sync/Contact')
