"""The password of a workbook, from a person or from whoever stands in for one; never from the command line."""

from __future__ import annotations

import sys

import click

from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError


def workbook_password(config: Config, *, new: bool) -> str:
    """From SF_WORKBOOK_PASSWORD, from a hidden prompt (asked for twice if it is `new`), or from standard input."""
    given = config.credentials.workbook_password
    if given is not None:
        return given
    if sys.stdin.isatty():
        asked: str = click.prompt("Password of the workbook", hide_input=True, confirmation_prompt=new, err=True)
        return asked
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        hint = "Set SF_WORKBOOK_PASSWORD, or send it to standard input."
        raise ConfigError("--password was given, and nobody said which.", hint=hint)
    return line
