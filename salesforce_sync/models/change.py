"""`Checkpoint`, and what came of a pull: the values that the store and the engine exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import Misuse, near
from salesforce_sync.models.run import Problem


class Checkpoint(Struct, frozen=True):
    """Durable point up to which an object has been merged: the org's own time (UTC), never this machine's.

    The next pull starts an overlap margin before it. None means that no stamp has been seen, and all is read again.
    """

    object_name: str
    until: datetime | None
    read_at: datetime | None = None
    """The org's time when everything newer than the overlap was last read: only what came later can be unknown."""


class Doubt(Struct, frozen=True):
    """Rows with these stamps (both ends with it) were last read whole while their stamps were younger than the overlap.

    A transaction that was still open then may have changed them within the very same second: no stamp tells.
    """

    since: datetime
    until: datetime


class Orphans(Struct, frozen=True):
    """Live rows that refer to records which the org has deleted: pairs of both ids. `seen`: the deletions known then.

    The org empties such references, and fills them again if it undeletes the record, and need not move the rows' stamps
    for either (section 5 of the API facts: not verified). So rows that referred to what has come back are among them;
    and, of each record that is not here though all of its object is, one row: it tells whether the record was deleted.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    seen: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The rows, each once."""
        return tuple(dict.fromkeys(row for row, _ in self.pairs))


class Loss(Struct, frozen=True):
    """Rows that are gone in the org, or no longer visible, and stay here until a person says that they may go."""

    found_at: datetime
    """When the org was last asked (this machine's time, UTC): later runs tell it again without asking."""
    message: str
    hint: str


class Ages(Struct, frozen=True):
    """When an object was last looked at for what its stamp does not show (this machine's time, UTC)."""

    refreshed_at: datetime | None = None
    proved_at: datetime | None = None
    first_merged_at: datetime | None = None
    described_as: str | None = None
    loss: Loss | None = None
    """What was found gone since the last proof: what that says does not stand any more."""


class LossLimit(Struct, frozen=True):
    """How many rows of an object may go in one run without a person's word: a share of them, or a handful."""

    share: float = 0.2
    handful: int = 5
    already: int = 0
    """Rows that the run has taken away before: what it finds gone in several ways counts together."""
    come: int = 0
    """Rows that the run has brought before: they were not here, so none of them can be lost."""

    def refuses(self, lost: int, rows: int) -> bool:
        """Whether losing `lost` of the `rows` that are left needs a person's yes."""
        gone, before = self.counted(lost, rows)
        return lost > 0 and gone > self.handful and gone > self.share * before

    def counted(self, lost: int, rows: int) -> tuple[int, int]:
        """How many are gone, and of how many, with what the run has taken away before."""
        return lost + self.already, rows + self.already - self.come

    def after(self, lost: int, come: int = 0) -> LossLimit:
        """What may go once so many have, and so many have come."""
        return replace(self, already=self.already + lost, come=self.come + come)


def accepted_losses(given: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """Those of the objects `names` that `given` lets lose any number of rows, spelt as in `names`.

    `Misuse` for one that is not among them: a slip would agree to nothing, and nobody would know.
    """
    spelt = {name.casefold(): name for name in names}
    given = tuple(given)
    for name in given:
        if name.casefold() not in spelt:
            hint = near(name, spelt.values()) or "Name it among the objects, too."
            raise Misuse(f"A loss is accepted of {name!r}, which is not among the objects.", hint=hint)
    return frozenset(spelt[name.casefold()] for name in given)


def agreement(losing: Iterable[str]) -> str:
    """What the audit log says where somebody lets these objects lose any number of rows; nothing without any."""
    names = ", ".join(sorted(losing))
    return f"accepts the loss of rows of {names}" if names else ""


class Staged(Struct, frozen=True):
    """A pull that was begun and not merged: where it goes on, and how many rows are durable."""

    object_name: str
    since: datetime | None
    resume: str | None
    rows: int
    server_time: datetime | None


class Merged(Struct, frozen=True):
    """What one merge did to an object's table; `unchanged` rows came but held nothing new.

    `over`: by record, what a person is told of our deletion, which took with it what somebody had changed.
    """

    object_name: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    over: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Rows that are not as they were."""
        return self.inserted + self.updated + self.deleted
