"""What every command has: its options, and the way to `SFSync` through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import click

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.signals import Signal

TOLD_SIGNALS: Final = (
    "sync_complete",
    "records_updated",
    "sync_failed",
    "api_limit_warning",
    "conflict",
    "rejected",
    "push_complete",
)
"""The promised ones, and those of the push."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Options:
    """What may stand before or after every command's name."""

    config: str | None = None
    json: bool = False
    verbose: bool = False

    def open(self) -> SFSync:
        return SFSync(Config.load(self.config))


def shared(command: Command) -> Command:
    """Give a command the options that every command has."""

    def remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            setattr(context.obj, str(parameter.name), value)

    option = partial(click.option, callback=remember, expose_value=False)
    command = option("-v", "--verbose", is_flag=True, help="Tell more, with tracebacks.")(command)
    command = option("--json", is_flag=True, help="Print one JSON document, errors too, and nothing else.")(command)
    return option("--config", metavar="FILE", help="The settings.  [default: ./config.yaml]")(command)


def tell_signals(sync: SFSync, tell: Callable[[str], None]) -> None:
    """Hand on the signals' lines, if the settings want them."""
    if not sync.config.signals.enabled:
        return

    def line(signal: Signal) -> None:
        tell(signal.line(sync.config.signals.target))

    for name in TOLD_SIGNALS:
        sync.on(name, line)
