"""`SFSync`, syncing: the engine with all that it needs, and its runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from salesforce_sync.app.production import ProductionGuard
from salesforce_sync.app.telling import Telling
from salesforce_sync.errors import SyncError, WrongOrg
from salesforce_sync.models.change import accepted_losses
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import Run
from salesforce_sync.ports import Org

if TYPE_CHECKING:
    from salesforce_sync.sync.engine import SyncEngine
    from salesforce_sync.sync.follow import Follower
    from salesforce_sync.sync.pace import Pace
    from salesforce_sync.sync.run_course import Proofs
    from salesforce_sync.sync.schedule import Rules

log = logging.getLogger("salesforce_sync.app")


def unheeded(run: Run) -> None:
    """What is done with a run that nobody wants to hear of."""


def _proofs(named: Sequence[str]) -> Proofs:
    """Whoever names objects is there to hear whether rows of them are still gone; a sync of all may be a timer's."""
    from salesforce_sync.sync.run_course import Proofs

    return Proofs.WHEN_ASKED if named else Proofs.WHEN_DUE


class Syncing(ProductionGuard, Telling):
    """Pull, push, verify, and what follows the org's change events."""

    _followers: tuple[Follower, ...] = ()

    def sync(self, *objects: str, accept_loss: Iterable[str] = (), stop: threading.Event | None = None) -> Run:
        """Pull these objects, or the configured ones, then push every edit, and tell the signals.

        The result says what is not complete. Objects in `accept_loss` may lose any number of rows; of the others no
        more than `sync.max_loss_percent`. Rows that were found gone and wait for that word are looked for again if
        their object is named here, else once an hour; each run tells them until then. Once `stop` is set, this run
        alone ends at its next whole page. `Misuse` if `accept_loss` names an object that is not to be pulled.
        """
        names = objects or self.config.sync.objects
        accepted = accepted_losses(accept_loss, names)
        with self._told():
            return self._asked(stop).run(names, accepted, _proofs(objects))

    def pull(self, *objects: str, accept_loss: Iterable[str] = ()) -> Run:
        """Pull as `sync` does, and push nothing."""
        names = objects or self.config.sync.objects
        accepted = accepted_losses(accept_loss, names)
        with self._told():
            return self._asked().pull(names, accepted, _proofs(objects))

    def verify(self, *objects: str, accept_loss: Iterable[str] = ()) -> tuple[Run, tuple[Proof, ...]]:
        """Pull these objects (or all that are here), then compare every id and stamp with the org, and repair.

        Gives the run and the proofs of the objects that could be compared. Without names, an object that the settings
        do not name, and that the org did not know the last time, is left out: `warnings` has it.
        """
        names = objects or self._compared() or self.config.sync.objects
        accepted = accepted_losses(accept_loss, names)
        with self._told():
            run = self._asked().verify(names, accepted)
        proofs = (self._store.proof(each.object_name) for each in run.objects if each.came)
        return run, tuple(proof for proof in proofs if proof is not None)

    def gone(self) -> tuple[str, ...]:
        """The objects that are here, that the settings do not name, and that the org did not know when they were last
        asked for."""
        wanted = {each.casefold() for each in self.config.sync.objects}
        asked = (each for each in self._store.status() if each.object_name.casefold() not in wanted)
        return tuple(each.object_name for each in asked if each.is_gone)

    def _compared(self) -> tuple[str, ...]:
        """What a verify of all compares."""
        gone = set(self.gone())
        return tuple(name for name in self.objects if name not in gone)

    def _asked(self, stop: threading.Event | None = None) -> SyncEngine:
        """The engine for what somebody asks for: the org may have calls again, so it is asked, and not remembered."""
        self._connected().look_again()
        return self._engine(stop)

    def _engine(self, stop: threading.Event | None = None) -> SyncEngine:
        self._look_for_a_new_login()
        org = self._connected()
        told, used = self._store.usage(), org.usage.used
        if told is not None and used is not None and told.used < used:
            org.look_again()  # another process has heard of fewer calls since: those of others have become free
        try:
            self._check_org(org, None)
            self._keep_what_works(org.connection)
        except WrongOrg:
            raise
        except SyncError as error:
            if self._has_moved():
                raise  # what is edited here must not be written to an org that may be another one
            log.info("The org could not be recognised yet: %s", error.message)  # the run will meet it, and tell
        return self._offline_engine(stop)

    def _has_moved(self) -> bool:
        """Whether the connection leads to another address than the one that the replica came from."""
        known, used = self._store.org(), self._connection()
        return known is not None and used is not None and known[1] != used.instance_url

    def _offline_engine(self, stop: threading.Event | None = None) -> SyncEngine:
        from salesforce_sync.sync.engine import SyncEngine
        from salesforce_sync.sync.stopping import StoppableOrg

        org: Org = StoppableOrg(self._connected(), self._stop, self._check_may_write)
        if stop is not None:
            org = StoppableOrg(org, stop)
        return SyncEngine(org, self._store, self._clock, self._bus, self._rules())

    def follow(self, pace: Pace | None = None, *, caught_up: Callable[[Run], None] = unheeded) -> Follower:
        """What merges change events as they come; `start(*objects)` and `stop` it. Each object's first sync is made
        first. Needs the extra `cdc`.

        `sync.events` says which objects are meant to be followed: `followed_objects`. `caught_up` is called with each
        run that events have asked for, in the thread that made it.
        """
        from salesforce_sync.sync.follow import Follower
        from salesforce_sync.sync.stopping import StoppableOrg

        self._engine()  # is it the org of this replica?
        connected = self._connected()
        events = connected.events(self.config.salesforce.events_url, self._store.schema)
        org = StoppableOrg(connected, self._stop)

        def catch_up(names: Sequence[str], stop: threading.Event) -> set[str]:
            return self._catch_up(names, stop, caught_up)

        follower = Follower(events, org, self._store, self._clock, self._bus, catch_up, pace)
        with self._lock:
            self._followers = (*self._followers, follower)
        return follower

    def _catch_up(self, names: Sequence[str], stop: threading.Event, caught_up: Callable[[Run], None]) -> set[str]:
        """Pull what change events have left unsure, until `stop`; gives the objects whose rows have all come."""
        from salesforce_sync.sync.log_lines import run_line

        with self._told():
            run = self._engine(stop).pull(names, frozenset())
        log.info("run %s %s, for change events: %s", run.run_id, run.state.value, run_line(run))
        caught_up(run)
        return {each.object_name for each in run.objects if each.came}

    @property
    def followed_objects(self) -> tuple[str, ...]:
        """The objects whose change events are to be followed, by the settings."""
        wanted = self.config.sync.events
        return (self.config.sync.objects if wanted else ()) if isinstance(wanted, bool) else wanted

    def _rules(self) -> Rules:
        from salesforce_sync.models.change import LossLimit
        from salesforce_sync.sync.schedule import Rules

        settings = self.config.sync
        return Rules(
            overlap=timedelta(minutes=settings.overlap_minutes),
            loss=LossLimit(settings.max_loss_percent / 100),
            verify_every=timedelta(hours=settings.verify_hours) if settings.verify_hours else None,
            refresh_every=timedelta(hours=settings.refresh_hours) if settings.refresh_hours else None,
            refreshed=settings.refresh_fields,
        )

    def _end_following(self) -> None:
        for follower in self._followers:
            follower.stop()
