"""The memory store's merge of change events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from salesforce_sync.models.event import EventPage, EventsMerged, Lack, Told, fold, what_happened
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.page import Page
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.values import format_datetime
from salesforce_sync.signals import news_of_events
from salesforce_sync.testing.memory_inbox import Deciding
from salesforce_sync.testing.memory_tables import LATEST, Follow, Row, Table, org_view, stored_rows


class Following(Deciding):
    """What `ports.Store` says of change events."""

    def replay(self, object_name: str) -> bytes | None:
        return self._follow(object_name).replay

    def forget_replay(self, object_name: str) -> None:
        follow = self._follow(object_name)
        follow.replay, follow.unsure = None, follow.unsure + 1

    def unsure(self, object_name: str) -> int:
        return self._follow(object_name).unsure

    def note_unsure(self, object_name: str) -> None:
        self._follow(object_name).unsure += 1

    def note_sure(self, object_name: str, times: int) -> None:
        follow = self._follow(object_name)
        follow.unsure = 0 if follow.unsure == times else follow.unsure

    def to_read_again(self, object_name: str, most: int) -> tuple[tuple[str, Lack], ...]:
        again = self._follow(object_name).again.items()
        return tuple(sorted(again, key=lambda each: (each[1] is not Lack.VALUES, each[0]))[:most])

    def merge_events(self, page: EventPage) -> EventsMerged:
        with self._disk.lock:
            table, follow = self._table(page.object_name), self._follow(page.object_name)
            read_at = "" if table.read_at is None else format_datetime(table.read_at)
            here = self._known(table, {each.record_id for each in page.events})
            unread = {key for key, lacks in follow.again.items() if lacks is Lack.VALUES} | _being_deleted(table)
            folded = fold(page.events, table.schema, here, follow.seen, read_at, unread)
            told = tuple(each for key, row in folded.rows.items() for each in self._told(table, row, folded.own[key]))
            if folded.gone:
                taken = self.set_aside(table.schema.name, folded.gone, Cause.DELETED)
                self._disk.untold[table.schema.name] -= taken  # the events tell it
            self._withdraw()
            follow.seen |= folded.seen
            for key, lacks in folded.again.items():
                if follow.again.get(key) is not Lack.VALUES:
                    follow.again[key] = lacks
            follow.replay = page.replay or follow.replay
            follow.unsure += page.unsure
            return self._kept(EventsMerged(table.schema.name, told, folded.stale, len(folded.again)))

    def merge_again(self, page: Page, ids: Sequence[str]) -> EventsMerged:
        with self._disk.lock:
            table = self._table(page.schema.name)
            going = {key for key in _being_deleted(table) if not _goes_along(table, key)}
            rows = [row for row in stored_rows(page) if str(row["Id"]) not in going or row.get("IsDeleted")]
            for row in rows:
                self._shown_deleted(table, row)
            told = tuple(each for row in rows for each in self._told(table, row, own=False))
            for row in rows:
                table.note_shown(row)
            for key in ids:
                self._follow(page.schema.name).again.pop(key, None)
            return self._kept(EventsMerged(table.schema.name, told))

    def _kept(self, merged: EventsMerged) -> EventsMerged:
        self._disk.tale += [(self._clock.now(), signal) for signal in news_of_events(merged)]
        return merged

    def _told(self, table: Table, row: Row, own: bool) -> Iterator[Told]:
        key, stamp = str(row["Id"]), table.schema.stamp
        before = self._known(table, (key,)).get(key)
        if before is not None and stamp is not None and str(row[stamp] or "") < str(before[stamp] or ""):
            return
        action = what_happened(before, row)
        if action is not None:
            self._arrive(table, row, LATEST)
            yield Told(key, action, own)

    def _known(self, table: Table, keys: Iterable[str]) -> dict[str, Row]:
        stamp = table.schema.stamp
        known = {key: self._as_the_org_has_it(table, key) for key in keys if key in table.rows}
        return {key: row for key, row in known.items() if stamp is None or row.get(stamp) is not None}

    def _as_the_org_has_it(self, table: Table, key: str) -> Row:
        pending = table.pending.get(key)
        absent = pending is not None and pending.absent is Cause.DELETED
        return org_view(table, key) | ({"IsDeleted": 1} if absent else {})

    def _follow(self, object_name: str) -> Follow:
        return self._disk.follows.setdefault(object_name.casefold(), Follow())


def _goes_along(table: Table, key: str) -> bool:
    """Whether it goes with another one that is deleted, if the org does so."""
    return key in table.written and bool(table.written[key].with_it)


def _being_deleted(table: Table) -> set[str]:
    """Records that a push has deleted, or is about to: what somebody changes there is seen once they are read."""
    sent = {key for key, each in table.pending.items() if each.sent and each.sent.operation is Operation.DELETE}
    return sent | {key for key, done in table.written.items() if done.operation is Operation.DELETE}
