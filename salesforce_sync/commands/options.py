"""What every command has: its options, and the way to `SFSync` through them."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from msgspec import Struct

from salesforce_sync.app import SFSync, SystemClock
from salesforce_sync.config import Config
from salesforce_sync.errors import StoreTrouble
from salesforce_sync.signals import Signal

if TYPE_CHECKING:
    from salesforce_sync.access import Access, Ending

log = logging.getLogger(__name__)

TOLD_SIGNALS: Final = (
    "sync_complete",
    "records_updated",
    "sync_failed",
    "schema_changed",
    "api_limit_warning",
    "conflict",
    "rejected",
    "push_complete",
)
"""The promised ones, and those of the push."""

Command = TypeVar("Command", bound=Callable[..., Any])


class Options(Struct):
    """What may stand before or after every command's name. `only_logs`: all that is said is a service's log."""

    config: str | None = None
    json: bool = False
    verbose: bool = False
    connection: str | None = None
    only_logs: bool = False

    def settings(self) -> Config:
        """The settings of the connection that was named; without a name, of config.yaml's."""
        if self.connection is None:
            return Config.load(self.config)
        with self.access() as access:
            return access.connections.config_of(self.connection)

    def access(self) -> Access:
        """Users, connections and the audit log of this installation."""
        from salesforce_sync.access import Access

        return Access(Config.load(self.config), SystemClock())

    def open(self) -> SFSync:
        return SFSync(self.settings())

    @contextmanager
    def acting(self, action: str, subject: str = "", detail: str = "") -> Iterator[tuple[SFSync, Ending]]:
        """Open the replica for something that the audit log tells: that it is begun, and how it ended."""
        with self.open() as sync, self.recorded(action, subject, detail) as ending:
            yield sync, ending

    @contextmanager
    def recorded(self, action: str, subject: str = "", detail: str = "") -> Iterator[Ending]:
        """Write into the audit log what the block does: before, and how it ended."""
        from salesforce_sync.access import Deed

        on = subject if self.connection is None else f"[{self.connection}] {subject}".rstrip()
        with self.access() as access, access.audit.doing(Deed(os_user(), action, on, "cli", detail)) as ending:
            yield ending

    def note(self, action: str, outcome: str, detail: str = "") -> None:
        """Write one entry into the audit log, of what is done already; trouble with the log ends nothing."""
        from salesforce_sync.access import Deed

        try:
            with self.access() as access:
                access.audit.append(Deed(os_user(), action, self.connection or "", "cli", detail), outcome)
        except StoreTrouble as trouble:
            log.warning("The audit log could not be written: %s", trouble)


def os_user() -> str:
    """Who runs this program, for the audit log."""
    try:
        return f"os:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user may have no name
        return f"os:{os.getuid()}"


saying_yes = click.option("--yes", is_flag=True, help="Say yes to writing to a production org, from now on.")


def shared(command: Command) -> Command:
    """Give a command the options that every command has."""

    def remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            setattr(context.obj, str(parameter.name), value)

    option = partial(click.option, callback=remember, expose_value=False)
    command = option("-v", "--verbose", is_flag=True, help="Tell more, with tracebacks.")(command)
    command = option("--json", is_flag=True, help="Print one JSON document, errors too, and nothing else.")(command)
    command = option("--connection", metavar="NAME", help="One of `connections`.  [default: config.yaml's]")(command)
    return option("--config", metavar="FILE", help="The settings.  [default: ./config.yaml]")(command)


def tell_signals(sync: SFSync, tell: Callable[[str], None]) -> None:
    """Hand on the signals' lines, if the settings want them."""
    settings = sync.config.signals
    if not settings.enabled:
        return

    def line(signal: Signal) -> None:
        tell(signal.line(settings.target, settings.source))

    for name in TOLD_SIGNALS:
        sync.on(name, line)
