"""`service`: makes the daemon a service of systemd."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

import click

from salesforce_sync.commands.options import Options, shared
from salesforce_sync.config import Config
from salesforce_sync.process import service
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say, say_json


@click.group("service")
@shared
def service_group() -> None:
    """Run the daemon as a service of systemd."""


@service_group.command("install")
@shared
@click.option("--user", "own", is_flag=True, help="A service of your own, not of the system.")
@click.option("--print", "only_print", is_flag=True, help="Print the unit and write nothing.")
@click.pass_obj
def install_service(options: Options, own: bool, only_print: bool) -> int:
    """Write a unit that starts the daemon for the settings of this folder, or of --config."""
    wanted = _service(Config.load(options.config), own=own)
    if only_print:
        text = service.unit(wanted)
        if options.json:
            say_json({"unit": str(service.path_of(wanted)), "text": text})
        else:
            say(text.rstrip("\n"))
        return Exit.COMPLETE
    path = service.install(wanted)
    manager = "systemctl --user" if own else "sudo systemctl"
    if options.json:
        say_json({"unit": str(path)})
    else:
        say(f"{path} is written. Start it, now and with the machine:")
        say(f"  {manager} daemon-reload && {manager} enable --now {service.NAME}")
        if own:
            say(f"  loginctl enable-linger {getpass.getuser()}    # so that it runs while you are not logged in")
    return Exit.COMPLETE


def _service(config: Config, *, own: bool) -> service.Service:
    settings = () if config.file is None else ("--config", str(config.file))
    command = (sys.executable, "-m", "salesforce_sync.cli", *settings, "daemon", "--log-format", "lines")
    database = config.storage.path.parent
    files = {each.path.parent for each in config.signals.sinks if each.path is not None}
    folder = Path.cwd() if config.file is None else config.file.parent
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return service.Service(command, folder, (database, *sorted(files - {database})), None if own else user)
