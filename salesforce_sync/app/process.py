"""Who this process is, as it signs what others read: a duty it has taken, a sync it has asked for."""

from __future__ import annotations

import os


def owner() -> str:
    """Who runs this process, for a person."""
    import getpass  # with socket, a tenth of the time that this package takes to load
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name} at {socket.gethostname()}"


def me() -> str:
    return f"process {os.getpid()} of {owner()}"
