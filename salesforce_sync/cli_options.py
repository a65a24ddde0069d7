"""What every command has: its options, and the way to `SFSync` through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import click

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config

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
