"""What stands in a stream of server-sent events beside the events.

Neither is a block of its own: some clients (httpx-sse) take every block for an event, and read its data.
"""

from typing import Final

RETRY: Final = b"retry: 2000\n"
"""After how many milliseconds an EventSource comes back; before the first event."""

STILL_THERE: Final = b": still here\n"
"""A sign of life, which keeps what is between from closing a quiet stream."""
