"""The question that comes before the first write to an org that a business runs on."""

from __future__ import annotations

import logging
import sys

import click

from salesforce_sync.app import SFSync
from salesforce_sync.errors import SyncError
from salesforce_sync.models.org_kind import OrgFacts
from salesforce_sync.process.terminal import warn

log = logging.getLogger(__name__)


def before_push(sync: SFSync, who: str, *, yes: bool) -> None:
    """Ask, if something is to be sent. Without a yes nothing is sent: the push says why, and edits wait."""
    count = sync.outbox_count()
    if count or yes:
        _settle(
            sync, who, yes, f"Write the {count} edited {'record' if count == 1 else 'records'} that wait here to it?"
        )


def after_login(sync: SFSync, who: str, *, yes: bool) -> None:
    """Ask beforehand, while a person is there; a script is told how to say yes."""
    facts = _settle(sync, who, yes, "May edits that are made here be written to it? (Reading needs no yes.)")
    if facts is not None:
        warn(f"{facts} is a production org: edits wait until somebody says yes, by 'push' or 'push --yes'.")


def _settle(sync: SFSync, who: str, yes: bool, question: str) -> OrgFacts | None:
    """The org that may not be written to still; None for any other."""
    try:
        facts = sync.unconfirmed()
    except SyncError as error:
        log.info("Whether this is a production org is not known yet: %s", error.message)  # what comes next will tell
        return None
    if facts is None:
        return None
    if not yes and not (sys.stdin.isatty() and click.confirm(f"{facts} is a production org. {question}", err=True)):
        return facts
    sync.confirm_production(who)
    return None
