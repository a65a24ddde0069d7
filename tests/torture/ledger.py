"""What each local edit meant, kept beside the product: to be held against the org's chronicle and the replica."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Change, ChangeState, Kind, is_local
from salesforce_sync.models.outcome import EDITED_TWICE
from tests.torture.chronicle import Chronicle
from tests.torture.violation import Violation


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a person edits: one object's texts, the text that marks a new record, and its references."""

    marker: str
    texts: tuple[str, ...]
    references: dict[str, str]


DESKS = {
    "Account": Desk("Name", ("Site", "Phone", "Description"), {"ParentId": "Account"}),
    "Contact": Desk("LastName", ("Title", "Phone", "Department"), {"AccountId": "Account", "ReportsToId": "Contact"}),
    "Lead": Desk("LastName", ("Title", "Phone", "Description"), {}),
    "Opportunity": Desk("Name", ("NextStep", "Description"), {"AccountId": "Account"}),
    "Widget__c": Desk("Text__c", ("Area__c", "Phone__c"), {"Parent__c": "Widget__c", "Contact__c": "Contact"}),
}

CALLS_APART = timedelta(seconds=2)

MADE_LATER = ("Extra", "Renamed")
"""How the fields begin that an administrator made in a history."""


def texts_among(name: str, fields: Iterable[str]) -> list[str]:
    """Those of an object's fields that people edit: no two edits put the same value there."""
    return sorted(each for each in fields if each in DESKS[name].texts or each.startswith(MADE_LATER))


Resolve = Callable[[str], str]
"""The org's id of a local one, once there is one."""


def folded(value: object) -> object:
    """A text as it is but for what an org's trigger may tidy up: case and blanks."""
    return " ".join(value.split()).casefold() if isinstance(value, str) else value


class Ledger:
    """The edits of one replica. Values of texts are unique over a history, so each can be found again."""

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.edits: dict[tuple[str, str, str], object] = {}
        self.made: dict[str, tuple[str, str]] = {}
        self.given_up: set[str] = set()
        self._touched: set[str] = set()
        self._unanswered: set[tuple[str, str, object, str]] = set()
        self._real: dict[str, str] = {}
        self._known: defaultdict[tuple[str, str], list[tuple[str, object]]] = defaultdict(list)
        self._ours: defaultdict[tuple[str, str], set[object]] = defaultdict(set)

    @property
    def touched(self) -> set[str]:
        """Every record that was ever edited here."""
        return {self.real(each) for each in self._touched} | self._touched

    def real(self, record_id: str) -> str:
        """The org's id, once there is one: it stays."""
        if not is_local(record_id):
            return record_id
        if record_id not in self._real:
            real = self.resolve(record_id)
            if is_local(real):
                return real
            self._real[record_id] = real
        return self._real[record_id]

    def meant(self, value: object) -> object:
        """The value; the org's id in the place of a local one, once there is one."""
        return self.real(value) if isinstance(value, str) else value

    # ── what was done ────────────────────────────────────────────────────────────────────────────────────────────

    def edited(self, name: str, record_id: str, before: dict[str, object], values: dict[str, object]) -> None:
        """A person who saw the values of `before` has put others there."""
        self._touched.add(record_id)
        for field, value in values.items():
            self._known[name, field].append((record_id, folded(before.get(field))))
            self.edits = {key: old for key, old in self.edits.items() if not self._same(key, name, record_id, field)}
            if value is not None:
                # What is referred to, or is no text, is not unique: who wrote it cannot be told.
                texts = isinstance(value, str) and bool(texts_among(name, [field]))
                self.edits[name, record_id, field] = value
                self._ours[name, field] |= {folded(value)} if texts else set()
                self._known[name, field].append((record_id, folded(value)))

    def _same(self, key: tuple[str, str, str], name: str, record_id: str, field: str) -> bool:
        return key[0] == name and key[2] == field and self.real(key[1]) == self.real(record_id)

    def created(self, name: str, record_id: str, marker: str, values: dict[str, object]) -> None:
        """A person has made a record."""
        self.made[marker] = name, record_id
        self.edited(name, record_id, {}, values)

    def forget(self, name: str, record_id: str) -> None:
        """A person has given up what was edited of a record, or the record; references to a new one go with it."""
        real = self.real(record_id)
        self._touched.add(record_id)
        self.given_up |= {mark for mark, (_, made) in self.made.items() if self.real(made) == real}
        self.edits = {
            key: value
            for key, value in self.edits.items()
            if not (key[0] == name and self.real(key[1]) == real) and self.meant(value) != real
        }

    def forget_fields(self, name: str, record_id: str, fields: set[str]) -> None:
        """A person has decided for the org's values of these fields."""
        real = self.real(record_id)
        self.edits = {
            key: value
            for key, value in self.edits.items()
            if not (key[0] == name and self.real(key[1]) == real and key[2] in fields)
        }

    def forget_earlier(self, item: InboxItem) -> None:
        """A person has let the later of two edits stay, of a record that was shown by two rows."""
        gone = {(each.field, folded(each.org)) for each in item.conflicts} if item.code == EDITED_TWICE else set()
        self.edits = {
            key: value
            for key, value in self.edits.items()
            if (key[2], folded(self.meant(value))) not in gone
            or not self._same(key, item.object_name, item.record_id, key[2])
        }

    def told(self, item: InboxItem) -> None:
        """The inbox has said what somebody else put there: whoever writes over it now, knows it."""
        for each in item.conflicts:
            self._known[item.object_name, each.field].append((item.record_id, folded(each.org)))

    def shown(self, name: str, record_id: str, rows: Mapping[str, Mapping[str, object]]) -> None:
        """A person has looked at a record of the org, as it is here, before deciding what comes in its place."""
        for field, value in rows.get(record_id, {}).items():
            self._known[name, field].append((record_id, folded(value)))

    def may_be(self, item: InboxItem, chronicle: Chronicle) -> bool:
        """Whether a record that the org named is the one that was made here: a person sees its marker.

        Where none is named (it could not be looked for), the person looks in the org.
        """
        markers = [mark for mark, (_, made) in self.made.items() if self.real(made) == self.real(item.record_id)]
        ids = {each.record_id for each in item.matches}
        found = {key for mark in markers for key in bearers(chronicle, item.object_name, mark)}
        return item.kind is Kind.UNCERTAIN and bool(found & ids if ids else found)

    # ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────

    def lost(self, chronicle: Chronicle, waiting: set[tuple[str, object]]) -> list[str]:
        """The edits that are neither in the org (now or once) nor among (record, value) of what `waiting` here."""
        found = []
        for (name, record_id, field), value in self.edits.items():
            real, wanted = self.real(record_id), folded(self.meant(value))
            versions = chronicle.versions[name].get(real, [])
            there = any(folded(each.values.get(field)) == wanted for each in versions if not each.gone)
            # In the call that made a record, a deletion may have emptied its reference to what went with it; and in a
            # push that deleted them both.
            went = real != record_id or chronicle.is_deleted(real)
            emptied = went and chronicle.is_deleted(self.meant(value))
            if not there and not emptied and (real, wanted) not in waiting:
                found.append(f"{name} {real} {field} = {value!r}")
        for marker, (name, record_id) in self.made.items():
            kept = marker in self.given_up or (self.real(record_id), folded(marker)) in waiting
            if not kept and not bearers(chronicle, name, marker):
                found.append(f"{name} {record_id}, made here as {marker!r}")
        return found

    def overwritten(self, chronicle: Chronicle, excused: set[object], *, looks_before: bool) -> list[str]:
        """Values in the org in whose place one of ours came, though nobody here had seen them.

        `looks_before`: whether a write may be held against the org's row by a call of its own, before it.
        """
        found = []
        for (name, field), ours in self._ours.items():
            known: defaultdict[str, set[object]] = defaultdict(set)
            for record_id, value in self._known[name, field]:
                known[self.real(record_id)].add(value)
            for key, versions in chronicle.versions[name].items():
                values = [
                    (folded(each.values[field]), each.values.get("SystemModstamp"))
                    for each in versions
                    if field in each.values
                ]
                for at, ((before, stamp), (after, written)) in enumerate(pairwise(values)):
                    wrote = after in ours and after not in excused  # what a trigger fills in, nobody here has written
                    if not wrote or before == after or before in known[key] | excused:
                        continue
                    # docs/two-way.md: of an edit in the second of the stamp that the write was held against, and of
                    # one between the look and the write, nothing but the write's answer tells.
                    unseen = at and (stamp == values[at - 1][1] or (looks_before and _between_calls(stamp, written)))
                    if not (unseen and self._is_unanswered(name, key, field, after)):
                        found.append(f"{name} {key} {field}: {before!r} made way for {after!r}")
        return found

    def _is_unanswered(self, name: str, key: str, field: str, value: object) -> bool:
        return any((name, field, value) == each[:3] and self.real(each[3]) == key for each in self._unanswered)

    def note_unanswered(self, changes: Iterable[Change]) -> None:
        """Of these changes, those that were sent and whose answer has not come."""
        self._unanswered |= {
            (change.object_name, edit.field, folded(edit.sent), change.record_id)
            for change in changes
            if change.state is ChangeState.SENDING
            for edit in change.edits
        }


def _between_calls(stamp: object, written: object) -> bool:
    """Whether no more time lies between two writes than between two calls of a push."""
    known = isinstance(stamp, datetime) and isinstance(written, datetime)
    return known and timedelta(0) <= written - stamp <= CALLS_APART


def bearers(chronicle: Chronicle, name: str, marker: str) -> set[str]:
    """The records of the org that ever had this marker."""
    field, wanted = DESKS[name].marker, folded(marker)
    return {
        key
        for key, versions in chronicle.versions[name].items()
        if any(folded(each.values.get(field)) == wanted for each in versions if not each.gone)
    }


def _not_purged(chronicle: Chronicle, name: str, ids: set[str]) -> set[str]:
    return {key for key in ids if not chronicle.versions[name][key][-1].gone}


def check_nothing_is_doubled(chronicle: Chronicle, ledger: Ledger) -> None:
    """No record that was made here is in the org twice: of those that were visible, for no other can be looked for.

    Nor can one that somebody has purged: where its answer was lost, it is made again (docs/two-way.md).
    """
    found = {
        mark: _not_purged(chronicle, name, bearers(chronicle, name, mark)) for mark, (name, _) in ledger.made.items()
    }
    doubled = {mark: ids for mark, ids in found.items() if len(ids) > 1 and not ids & chronicle.ever_hidden}
    if doubled:
        raise Violation("nothing is doubled", f"{doubled}")


def writes(chronicle: Chronicle) -> Counter[str]:
    """How many versions the chronicle has of each object's rows."""
    return Counter({name: sum(map(len, rows.values())) for name, rows in chronicle.versions.items()})
