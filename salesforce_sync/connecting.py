"""A login that has just succeeded, kept as a connection beside the others: for the command line and for the page.

begun = browser_login.begin(browser_login.app_for(client_id, login_url), redirect_uri)    # → begun.authorize_url
connection, session = browser_login.complete(begun, came_back, wire, clock)
with added(access, "sales", user, connection, session) as (known, sync): ...
forgotten(access, "sales", user)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from salesforce_sync.access import Access, KnownConnection, User
from salesforce_sync.api.jwt_key import files_beside
from salesforce_sync.app import SFSync
from salesforce_sync.models.connection import Connection, Session
from salesforce_sync.storage.vault import Vault


@contextmanager
def added(
    access: Access, name: str, owner: User | None, connection: Connection, session: Session | None = None
) -> Iterator[tuple[KnownConnection, SFSync]]:
    """Add a connection of this name and owner, log in, and open its replica for the block.

    If the login, or the block, fails, there is no such connection afterwards.
    """
    known = access.connections.add(name, connection.instance_url, owner)
    connected = False
    try:
        with SFSync(access.connections.config_of(known.id, owner)) as sync:
            sync.connect(connection, session)
            connected = True
            yield known, sync
    except BaseException:
        forgotten(access, known.id, owner)
        if not connected:
            unused(known)
        raise


def forgotten(access: Access, id_or_name: str, user: User | None = None) -> KnownConnection:
    """Forget a connection and its login. Its replica, with edits that were not sent, stays where it is."""
    known = access.connections.remove(id_or_name, user)
    Vault(known.database).forget()
    pair = files_beside(known.database)
    for file in (pair.key_file, pair.certificate_file):
        file.unlink(missing_ok=True)
    return known


def unused(known: KnownConnection) -> None:
    """Remove the folder of a connection that was forgotten before its first login: nothing has come into it."""
    shutil.rmtree(known.database.parent, ignore_errors=True)
