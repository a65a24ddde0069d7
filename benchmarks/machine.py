"""What the numbers were measured on: processor, memory, versions. No name of a machine, no path."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("apsw", "msgspec", "isal", "httpx2", "simple-salesforce")


def describe() -> list[str]:
    """The lines above the table."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return [
        f"machine   {_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.machine()}",
        f"system    {_system()}, Linux {platform.release()}; load before the run: {load}",
        f"versions  Python {platform.python_version()}, {_packages()}",
        f"          sqlite3 (the yardstick) {_sqlite()}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return "unknown processor"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return sys.platform


def _packages() -> str:
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _sqlite() -> str:
    try:
        told = subprocess.run(["sqlite3", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "missing: apt install sqlite3"
    return told.split()[0]
