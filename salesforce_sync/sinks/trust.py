"""Whose certificates a sink takes."""

from __future__ import annotations

import ssl
from pathlib import Path

from salesforce_sync.errors import ConfigError


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS with a server whose certificate is by an authority in this file, or by one that the system trusts.

    `ConfigError` if the file holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"{ca_file} cannot be read as certificates: {why}.", hint="A PEM file of whoever signed the server's."
        ) from error
