"""How long a sink that failed is left alone. Pure."""

from __future__ import annotations

FIRST = 1.0
LONGEST = 300.0
"""Seconds. A sink that was down for hours is tried at most some minutes after it is back."""

REFUSALS = 5
"""How often a signal is refused before it is a dead letter: who refuses may only be half started."""

KNOWN_TO_REFUSE = 2
"""After so many dead letters of a signal's name, and none taken, the next one is refused once."""

MOST_DEAD_AT_ONCE = 5000
"""Not beyond so many dead letters of a sink: only some are kept, and what is not refused yet waits in the log."""


def pause(failures: int, retry_after: float | None, share: float) -> float:
    """Seconds to wait after so many failures in a row; `share` (0 to 1) spreads those who failed together."""
    wait: float = min(FIRST * 2.0 ** min(failures, 20), LONGEST)
    return max(wait * (0.75 + 0.5 * share), retry_after or 0.0)


def refusals(dead_in_a_row: int, dead: int) -> int:
    """How often a signal is refused before it is dead, after so many of its name; `dead` are all of the sink."""
    return 1 if dead_in_a_row >= KNOWN_TO_REFUSE and dead < MOST_DEAD_AT_ONCE else REFUSALS
