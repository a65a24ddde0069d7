"""How long a sink that failed is left alone. Pure."""

from __future__ import annotations

FIRST = 1.0
LONGEST = 300.0
"""Seconds. A sink that was down for hours is tried at most some minutes after it is back."""

REFUSALS = 5
"""How often a signal is refused before it is a dead letter: who refuses may only be half started."""


def pause(failures: int, retry_after: float | None, share: float) -> float:
    """Seconds to wait after so many failures in a row; `share` (0 to 1) spreads those who failed together."""
    wait: float = min(FIRST * 2.0 ** min(failures, 20), LONGEST)
    return max(wait * (0.75 + 0.5 * share), retry_after or 0.0)
