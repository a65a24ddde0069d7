"""The daemon as a service of systemd: the unit's text, and where it goes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from salesforce_sync.errors import Misuse

NAME = "salesforce-sync.service"

_HARDENED = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
CapabilityBoundingSet=
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
"""For a service of the system; a person's own manager may not set up most of it."""

_ONLINE = """\
Wants=network-online.target
After=network-online.target
"""

_HARDENED_EVERYWHERE = """\
NoNewPrivileges=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
"""


class Service(Struct, frozen=True):
    """What the unit starts: `command` in `folder`, as `user`, where it writes into the folders `writes`."""

    command: tuple[str, ...]
    folder: Path
    writes: tuple[Path, ...]
    user: str | None = None
    """None: the unit is one of the person's own manager."""


def unit(service: Service) -> str:
    """The unit's text."""
    own = service.user is None
    paths = "".join(f"ReadWritePaths={_quoted(str(each))}\n" for each in service.writes)
    user = "" if own else f"User={service.user}\n"
    return f"""\
[Unit]
Description=Salesforce Sync: a local replica of a Salesforce org
{"" if own else _ONLINE}StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={" ".join(map(_quoted, service.command))}
WorkingDirectory={_escaped(str(service.folder))}
{user}Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2
TimeoutStopSec=10
WatchdogSec=120
{_HARDENED_EVERYWHERE}{"" if own else _HARDENED + paths}
[Install]
WantedBy={"default.target" if own else "multi-user.target"}
"""


def path_of(service: Service, environ: Mapping[str, str] = os.environ) -> Path:
    """The file in which the unit's manager looks for it."""
    if service.user is not None:
        return Path("/etc/systemd/system", NAME)
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "~"), ".config")
    return Path(base).expanduser() / "systemd" / "user" / NAME


def install(service: Service, environ: Mapping[str, str] = os.environ) -> Path:
    """Write the unit where its manager looks for it; gives the file. `Misuse` if that cannot be written."""
    path = path_of(service, environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for each in service.writes:  # systemd does not start a unit whose path is missing
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(unit(service), encoding="utf-8")
    except OSError as error:
        raise Misuse(
            f"{error.filename or path} cannot be written: {error.strerror}.",
            hint="Run it with sudo, or with --user for a service of your own.",
        ) from error
    return path


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    if "\n" in text:
        raise Misuse("A path with a line break cannot stand in a unit.")
    return text.replace("%", "%%")
