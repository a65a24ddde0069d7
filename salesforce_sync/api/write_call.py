"""One call that writes, and what is known of it when no good answer came. It is never sent twice by itself."""

from __future__ import annotations

from dataclasses import replace

from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.api.retry import undone
from salesforce_sync.api.transport import Answer, Call, Transport
from salesforce_sync.api.wire import NotSent
from salesforce_sync.errors import LimitExceeded, NeedsPerson, SyncError


class NotDone(Exception):
    """The org has surely done nothing; the same may work later. `offline`: no connection could be made."""

    def __init__(self, code: str, message: str, *, offline: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offline = offline


class Unknown(Exception):
    """The org may have done it or not. `refusal` is its answer, if one came."""

    def __init__(self, message: str, refusal: Refusal | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.refusal = refusal


class CallRefused(Exception):
    """The org refused the call as a whole, so nothing of it was done."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class _Kept(SyncError):
    """A refusal on its way through the transport."""

    def __init__(self, refusal: Refusal, error: SyncError) -> None:
        super().__init__(error.message, code=error.code, hint=error.hint)
        self.refusal = refusal


def _refused(refusal: Refusal, doing: str) -> SyncError:
    error = error_for(refusal, doing)
    return error if isinstance(error, NeedsPerson | LimitExceeded) else _Kept(refusal, error)


def attempt(transport: Transport, call: Call) -> Answer:
    """Send it once. Raises `NotDone`, `Unknown` or `CallRefused`; `LimitExceeded` and `NeedsPerson` come as they are.

    After these two nothing was done either.
    """
    try:
        return transport.send(replace(call, repeatable=False, refused=_refused))
    except _Kept as kept:
        raise _meant(kept) from kept
    except NotSent as offline:
        raise NotDone(offline.code, offline.message, offline=True) from offline
    except (LimitExceeded, NeedsPerson):
        raise
    except SyncError as error:
        raise Unknown(error.message) from error


def _meant(kept: _Kept) -> NotDone | Unknown | CallRefused:
    refusal = kept.refusal
    if undone(refusal):
        return NotDone(kept.code, kept.message)
    # A proxy gives up with a 4xx too (408), and an empty 406 is of no one's making.
    if refusal.status >= 500 or refusal.status == 408 or (refusal.status == 406 and refusal.empty):
        return Unknown(kept.message, refusal)
    return CallRefused(refusal)
