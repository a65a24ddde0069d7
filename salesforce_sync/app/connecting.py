"""`SFSync`, connecting: the login that is kept, the org that is spoken to, and whether it is the replica's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_sync.app.wiring import Wiring
from salesforce_sync.errors import NotConnected, WrongOrg
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.models.org_kind import OrgFacts
from salesforce_sync.models.schema import ObjectSummary
from salesforce_sync.ports import Usage

if TYPE_CHECKING:
    from salesforce_sync.api.client import SalesforceOrg
    from salesforce_sync.storage.vault import Vault


class Connecting(Wiring):
    """The org at the other end; nobody logs in before something is asked of it."""

    _org: SalesforceOrg | None = None
    _former: tuple[SalesforceOrg, ...] = ()
    """What other logins went to before; runs may be under way there."""
    _about: OrgFacts | None = None
    """What the connected org has said of itself, once it was asked."""
    _harmless = False
    """Whether the connected org is known as one that may be written to."""

    def connect(self, connection: Connection, session: Session | None = None) -> str:
        """Log in, and keep the connection if that works. Gives the instance URL. `LoginRefused` says why not.

        With a session that the login has given already (a browser's), that one is tried and kept.
        """
        vault = self._vault()
        org = self._open(connection, vault)
        try:
            session = org.login() if session is None else org.adopt(session)
            self._check_org(org, connection)
            kept = vault.load() if vault.holds(connection) else None
            if kept is None or not kept.succeeds(connection):  # the login itself may have rotated the token
                vault.save(connection)
            vault.save_session(session)
        except BaseException:
            org.close()
            raise
        with self._lock:
            previous, self._org = self._org, org
            self._about, self._harmless = None, False
        if previous is not None:
            previous.close()
        return session.instance_url

    def _given_connection(self) -> Connection | None:
        """What the settings say; None where they say no more than a part of the login that is kept (its client id)."""
        vault = self._vault()
        kept = vault.load() if self.config.complete_method() is None else vault.find()
        return None if kept is not None and self.config.is_part_of(kept) else self.config.connection()

    def _connection(self) -> Connection | None:
        given = self._given_connection()
        if given is not None and given.refresh_token is None:
            return given
        kept = self._vault().load()
        if given is not None and not (kept is not None and kept.succeeds(given)):
            return given
        return kept

    @property
    def connected_to(self) -> str | None:
        """The address of the org that is connected; None without a connection."""
        connection = self._connection()
        return None if connection is None else connection.instance_url

    def connected_org(self) -> SalesforceOrg:
        """The org itself, for what no other method asks of it. `NotConnected` without a login."""
        return self._connected()

    def check_org(self) -> None:
        """`WrongOrg` if what is connected is another org than the one that this database is a replica of."""
        if self._store.org() is not None:
            self._check_org(self._connected(), None)

    def _connected(self) -> SalesforceOrg:
        with self._lock:
            if self._org is None:
                connection = self._connection()
                if connection is None:
                    raise NotConnected(
                        "No credentials for the org are known.",
                        hint="Fill in .env (see .env.example) or run 'salesforce-sync connect'.",
                    )
                self._org = self._open(connection, self._keys_of(connection))
            return self._org

    def _look_for_a_new_login(self) -> None:
        """Go over to the login that another process has kept since, where it is the kept one that is used here.

        A daemon whose login has ended goes on by itself once somebody has run `connect`; and one whose connection was
        forgotten has none.
        """
        with self._lock:
            if self._org is None:
                return
            vault, used = self._vault(), self._org.connection
            if vault.holds(used) or (vault.find() is None and vault.is_there) or self._connection() == used:
                return
            self._former, self._org = (*self._former, self._org), None
            self._about, self._harmless = None, False

    def available(self) -> tuple[ObjectSummary, ...]:
        """Every object that the org shows to the connected user. One API call."""
        return self._connected().objects()

    @property
    def usage(self) -> Usage:
        """API calls since this object was made, and what the org last said of the day's calls."""
        return Usage() if self._org is None else self._org.usage

    def _check_org(self, org: SalesforceOrg, connection: Connection | None) -> None:
        """A database is a replica of one org: rows and checkpoints of another would be mixed into it."""
        known, used = self._store.org(), connection or self._connection()
        address = "" if used is None else used.instance_url
        try:
            org_id = org.org_id() or org.ask_org_id()
        finally:
            if known is not None:
                org.expect(known[0])  # what cannot be asked yet may be met within the run
        if known is not None and org_id in ("", known[0]):
            return
        if known is not None and known[0]:
            raise WrongOrg(
                f"{self.config.storage.path} is a replica of org {known[0]} ({known[1]}), and this is org {org_id}.",
                hint="Give this org a database of its own: another storage.path in config.yaml.",
            )
        self._store.remember_org(org_id, address)

    def _keys_of(self, connection: Connection) -> Vault:
        """The vault. What it holds gives way to this login once that has worked; where it holds nothing, at once."""
        vault = self._vault()
        if vault.find() is None:
            vault.save(connection)
        return vault

    def _keep_what_works(self, used: Connection) -> None:
        """The org has let this login in, and is the right one. A pasted session tells that only when it is used."""
        vault = self._vault()
        if used.method is not LoginMethod.PASTED_SESSION and not vault.holds(used):
            vault.save(used)

    def _open(self, connection: Connection, keys: Vault) -> SalesforceOrg:
        # Imported here: reading the replica needs no HTTP client.
        from salesforce_sync.api.client import SalesforceOrg

        return SalesforceOrg(
            connection,
            api_version=self.config.salesforce.api_version,
            work_dir=self._pages_dir(),
            keys=keys,
            clock=self._clock,
            daily_calls=self.config.sync.api_calls_per_day,
            batch_size=self.config.sync.batch_size,
            set_in=str(self.config.file or "config.yaml"),
        )

    def _vault(self) -> Vault:
        from salesforce_sync.storage.vault import Vault

        return Vault(self.config.storage.path, sync_key=self.config.credentials.sync_key)

    def _disconnect(self) -> None:
        with self._lock:
            for org in (*self._former, self._org):
                if org is not None:
                    org.close()
            self._former, self._org = (), None
