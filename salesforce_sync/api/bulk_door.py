"""`BulkDoor`: whether the org takes Bulk jobs at all. An org, or a user, may have REST alone."""

from __future__ import annotations

import logging

from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.errors import BulkRefused, SyncError
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")

TRIED_AGAIN = 3600.0
"""Seconds after a refusal before a job is tried again: somebody may have switched Bulk on."""

_CODES = frozenset(("APIDISABLEDFORORG", "FEATURENOTENABLED", "FUNCTIONALITYNOTENABLED"))
"""Salesforce's codes, which its doors spell differently, of what is not there for this org or user."""


class BulkDoor:
    """Of one org, for all that reads and writes by jobs. Where jobs were refused once, none is tried for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: tuple[BulkRefused, float] | None = None

    @property
    def refusal(self) -> BulkRefused | None:
        """Why no job is tried now; None while jobs are."""
        if self._refused is None:
            return None
        error, at = self._refused
        return error if self._clock.monotonic() - at < TRIED_AGAIN else None

    def enter(self) -> None:
        """Raise `BulkRefused` while no job is to be tried."""
        refusal = self.refusal
        if refusal is not None:
            raise BulkRefused(refusal.message, code=refusal.code, hint=refusal.hint)

    def error_for(self, refusal: Refusal, doing: str) -> SyncError:
        """The error of a Bulk call that was refused (`Call.refused`); it is remembered if it stands for all of them."""
        usual = error_for(refusal, doing)
        if refusal.status not in (400, 403) or refusal.code.upper().replace("_", "") not in _CODES:
            return usual
        hint = "Give the org's edition or the user's profile the Bulk API; until then REST costs more calls."
        error = BulkRefused(usual.message, code=refusal.code, hint=hint)
        if self.refusal is None:
            # The doors say it at their end (`Client.warnings`); a service has its log alone.
            log.info("The org takes no Bulk jobs, so all goes by REST: %s %s", usual.message, hint)
        self._refused = error, self._clock.monotonic()
        return error
