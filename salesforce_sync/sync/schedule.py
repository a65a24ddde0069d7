"""What is due when. Pure: values in, values out."""

from __future__ import annotations

from datetime import datetime, timedelta

DESCRIBE_EVERY = timedelta(hours=1)


def needs_describe(described_at: datetime | None, now: datetime) -> bool:
    """Whether a schema is so old that the org is asked again; also when the clock has been set back since."""
    return described_at is None or not timedelta(0) <= now - described_at < DESCRIBE_EVERY
