"""What all parts of `SFSync` stand on: the settings, the clock, the store, the bus."""

from __future__ import annotations

import threading
from pathlib import Path

from salesforce_sync.app.clock import SystemClock
from salesforce_sync.collection import Collection, Objects
from salesforce_sync.config import Config
from salesforce_sync.errors import Misuse
from salesforce_sync.models.account import Account
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.history import Keeping
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.opportunity import Opportunity
from salesforce_sync.models.sinks import Keep
from salesforce_sync.ports import Clock
from salesforce_sync.resolve import Policies, Policy
from salesforce_sync.settings import DEFAULT
from salesforce_sync.signals import Bus
from salesforce_sync.sinks.callbacks import Callbacks
from salesforce_sync.storage.sqlite import SqliteStore


class Wiring:
    """Everything that one replica needs, made once, and the word that ends its work.

    The parts of `SFSync` are built upon it, each in a file of its own, and share what it holds.
    """

    def __init__(self, config: Config | str | Path | None = None, *, clock: Clock | None = None) -> None:
        self.config = config if isinstance(config, Config) else Config.load(config)
        if self.config.storage.type != "sqlite":
            raise Misuse(f"There is no storage of type {self.config.storage.type!r}.", hint="Use 'sqlite'.")
        self._stop = threading.Event()
        self._clock = clock or SystemClock(self._stop)
        self._bus = Bus()
        self._callbacks = Callbacks(self._bus)
        self._store = SqliteStore(
            self.config.storage.path,
            self._clock,
            policies=_policies(self.config),
            keeping=_keeping(self.config),
            keep=Keep(self.config.signals.keep_days, self.config.signals.keep_rows),
        )
        self._lock = threading.Lock()
        self.contacts = Collection(self._store, "Contact", Contact)
        self.leads = Collection(self._store, "Lead", Lead)
        self.accounts = Collection(self._store, "Account", Account)
        self.opportunities = Collection(self._store, "Opportunity", Opportunity)
        declared = {each.api_name: each for each in (Contact, Lead, Account, Opportunity)}
        self.objects = Objects(self._store, declared)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End the run that is under way at its next whole page, and begin no other. From any thread.

        The run's result says what is not complete (STOPPED); a later `SFSync` goes on from there.
        """
        self._stop.set()

    def _pages_dir(self) -> Path:
        """Where pages land on their way in: beside the database, so that one disk is filled and not two."""
        path = self.config.storage.path
        pages = path.with_name(f"{path.name}-pages")
        pages.mkdir(mode=0o700, exist_ok=True)
        return pages


def _policies(config: Config) -> Policies:
    named = {name: Policy(policy) for name, policy in config.sync.conflicts.items()}
    return Policies(named.pop(DEFAULT, Policy.ASK), named)


def _keeping(config: Config) -> Keeping:
    days, rows = config.sync.history_days, config.sync.history_rows
    return Keeping(days, rows if days else 0)
