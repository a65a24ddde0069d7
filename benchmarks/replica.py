"""A replica of a simulated org, set up as a person would: a config file and credentials."""

from __future__ import annotations

from pathlib import Path

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config


def replica(folder: Path, url: str, client_id: str, client_secret: str, events_url: str = "") -> SFSync:
    """A replica in the folder, not connected yet."""
    settings = folder / "config.yaml"
    settings.write_text(f"salesforce:\n  instance_url: {url}\nstorage:\n  path: ./replica.db\n", "utf-8")
    given = {"SF_CLIENT_ID": client_id, "SF_CLIENT_SECRET": client_secret, "SF_EVENTS_URL": events_url}
    return SFSync(Config.load(settings, environ=given))
