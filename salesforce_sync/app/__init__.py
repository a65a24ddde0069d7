"""`SFSync`: the one place where everything is put together.

`Wiring` holds what all parts share; each part is a class upon it, about one concern, and `SFSync` is all of them.
CONTRIBUTING.md shows how they stand on each other.
"""

from salesforce_sync.app.answers import Answer, Budget, Status
from salesforce_sync.app.clock import SystemClock
from salesforce_sync.app.replica import SFSync

__all__ = ["Answer", "Budget", "SFSync", "Status", "SystemClock"]
