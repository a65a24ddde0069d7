"""The steps from each version of the file to the next: `migrations/*.sql`, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.storage.adopted import decode_schema
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.watch import give_triggers

_MIGRATIONS: Final = Path(__file__).with_name("migrations")

_SCHEMAS: Final = """
SELECT schema FROM _sync_object o
WHERE EXISTS (SELECT 1 FROM sqlite_master m WHERE m.type = 'table' AND m.name = o.name COLLATE NOCASE)
"""


def migrate(connections: Connections) -> None:
    """Bring the file to this version; `StoreTrouble` where it cannot be brought there."""
    scripts = sorted(_MIGRATIONS.glob("*.sql"))
    with connections.looking() as db:
        if db.pragma("user_version") == len(scripts):
            return
    if connections.only_reads:
        raise StoreTrouble(
            f"{connections.path} is not of this version of salesforce-sync, and cannot be written.",
            hint="Open it once where it can be written, or copy it there.",
        )
    with connections.writing() as db:
        version = db.pragma("user_version")
        if version > len(scripts):
            raise StoreTrouble(
                f"{connections.path} was made by a newer version of salesforce-sync.", hint="Install that version."
            )
        if version == 0 and db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sync_org'").get:
            raise StoreTrouble(
                f"{connections.path} has lost its version: it was restored from a dump, which does not carry it.",
                hint=f"If this version made the dump, run in sqlite3: PRAGMA user_version = {len(scripts)};",
            )
        for script in scripts[version:]:
            db.execute(script.read_text("utf-8"))
        _renew_triggers(db)
        db.pragma("user_version", len(scripts))


def _renew_triggers(db: apsw.Connection) -> None:
    """Give every object this version's triggers: they are else made where its describe has changed."""
    for (body,) in list(db.execute(_SCHEMAS)):
        give_triggers(db, decode_schema(str(body)))
