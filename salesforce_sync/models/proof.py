"""What a verify found and proved, as data."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct


class Cause(StrEnum):
    """Why a row here was not as in the org."""

    LATE = "late"
    """It became visible after newer rows had been read."""
    CHANGED = "changed"
    """It changed, or came, while the comparison went on; or had changed within the second of its stamp, once read."""
    SHOWN = "visible again"
    """It was gone from here, as the org showed it no more without having deleted it, and the org shows it again."""
    DELETED = "deleted"
    """It was deleted, and the deletion had not been seen."""
    PURGED = "purged"
    """It is gone from the org, from the recycle bin too."""
    HIDDEN = "no longer visible"
    """The connected user may not see it any more; it is not known to be deleted."""
    UNKNOWN = "unknown"
    """The org shows it no more, and does not tell (any more) whether it was deleted."""
    EDITED = "edited here"
    """The org shows it no more, but it was edited here: it waits in the inbox."""

    @property
    def is_deletion(self) -> bool:
        """Whether the record is known to be deleted: it stays as a tombstone."""
        return self in (Cause.DELETED, Cause.PURGED)

    def counted(self, rows: int) -> str:
        """So many rows of this cause, in words."""
        what = "inexplicably gone" if self is Cause.UNKNOWN else self.value
        return f"{rows:,} {what} {'row' if rows == 1 else 'rows'}"


UNSHOWN = (Cause.HIDDEN, Cause.UNKNOWN)
"""Why a row is gone that the org may show again as it was."""


class Listed(Struct, frozen=True):
    """A row of a listing: its id and its stamp in the stored form, None where the object has none.

    `again`: the org shows it once more, after it did not.
    """

    id: str
    stamp: str | None
    again: bool = False


class Comparison(Struct, frozen=True):
    """Ids whose rows differ between a listing of the org and the table here.

    `missing`: the org lists them, no live row is here. `stale`: the row here has another stamp. `extra`: a live row
    is here that the org does not list. No tuple is longer than the bound that was asked for: `cut` says that there
    are more that are missing or stale (then `differing` counts all of these, `again` those that are shown once more,
    and `late` the others with a stamp up to the checkpoint), and `gone` how many are extra in all. `listed` and `live`
    count the org's rows and the live rows here, from the stamp on that was asked for.
    """

    listed: int
    live: int
    missing: tuple[Listed, ...] = ()
    stale: tuple[Listed, ...] = ()
    extra: tuple[str, ...] = ()
    cut: bool = False
    gone: int = 0
    differing: int = 0
    late: int = 0
    again: int = 0

    @property
    def differences(self) -> int:
        """How many rows differ, as far as they were listed."""
        return len(self.missing) + len(self.stale) + len(self.extra)


class Proof(Struct, frozen=True):
    """The dated result of a verify: after the repairs, `rows` here were the org's `org_rows`, ids and stamps alike.

    `at` is when the org began to list them, by this machine's clock, in UTC.
    """

    object_name: str
    at: datetime
    org_rows: int
    rows: int
    repaired: tuple[tuple[Cause, int], ...] = ()

    def line(self, today: date | None = None) -> str:
        """For a person: `Contact 48,213 = 48,213, proved 03:10, 2 late rows repaired` (UTC).

        With `today`, a proof of another day tells its date.
        """
        form = "%H:%M" if today in (None, self.at.date()) else "%Y-%m-%d %H:%M"
        sign = "=" if self.rows == self.org_rows else "≠"
        repairs = "".join(f", {cause.counted(number)} repaired" for cause, number in self.repaired)
        return f"{self.object_name} {self.rows:,} {sign} {self.org_rows:,}, proved {self.at:{form}}{repairs}"
