"""What must hold after each run, and when the org rests (design.md, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from salesforce_sync.models.run import Run, RunState
from tests.torture.chronicle import Chronicle, Mark, Version
from tests.torture.replica import Replica, same
from tests.torture.violation import Violation

Shown = Mapping[str, Mapping[str, object]]
"""Id → values."""

SHARE, HANDFUL = 0.2, 5
"""Rows that may go without a person's word: this share of an object's, or so few (docs/config.md)."""

IsOneOf = Callable[[Sequence[Version], Mapping[str, object], set[str]], bool]

MOST_CALLS, MOST_READS = 400, 6
"""API calls that one object of one run may cost here, whatever goes wrong: retries have bounds. Beside them the object
may be read so many times from its first page to its last: what has changed, its rows, a new column, the values that
change without a stamp, the proof, and one of them again."""


def after_run(chronicle: Chronicle, replica: Replica, run: Run, before: Mark, rows_a_page: int) -> Mapping[str, Shown]:
    """Every visible row is one that the org had; what is called complete has all that was there when it began.

    Gives what is visible, by object. `rows_a_page` is the least that one call brings.
    """
    if not replica.follows:  # else polls beside it have their own words
        _check_words(replica, run)
    seen = {name: replica.visible(name) for name in replica.objects}
    pages = sum(-(-len(chronicle.versions.get(each.object_name, ())) // rows_a_page) for each in run.objects)
    if run.calls > MOST_CALLS * len(run.objects) + MOST_READS * pages:
        raise Violation("bounded", f"a run over {len(run.objects)} objects cost {run.calls} calls")
    _no_half_rows(chronicle, replica, seen)
    complete = {each.object_name for each in run.objects if each.state is RunState.COMPLETE}
    for name in complete:
        _check_complete(chronicle, replica, name, before[name], seen[name], complete)
    return seen


def _bereft(
    chronicle: Chronicle, replica: Replica, name: str, row: Mapping[str, object], complete: set[str]
) -> Mapping[str, object]:
    """The row as it is once those records are seen to be deleted that it refers to, and that the run did not ask for.

    The org empties such a reference, and need not move the row's stamp: only the object of the record tells of it.
    Nor does any object tell of a record that was removed for good, before a proof compares all ids.
    """
    references = replica.sync.objects[name].schema.references.values()
    others = [each.name for each in references if not complete.intersection(each.reference_to)]
    purged = [each.name for each in references if chronicle.is_purged(row.get(each.name))]
    return {**row, **{each: None for each in (*others, *purged) if chronicle.is_deleted(row.get(each))}}


def shown(replica: Replica) -> Mapping[str, set[str]]:
    """The rows that a person gets, but for those that were edited here: a new one is about to have another id."""
    edited = replica.edited()
    return {name: set(replica.visible(name)) - edited for name in replica.objects}


def no_mass_loss(before: Mapping[str, set[str]], seen: Mapping[str, Shown], accepted: Iterable[str]) -> None:
    """No run takes away more rows than a share or a handful, if nobody has said that it may."""
    for name, rows in before.items():
        lost = len(rows - set(seen[name]))
        if name not in accepted and lost > HANDFUL and lost > SHARE * len(rows):
            raise Violation("mass loss needs a yes", f"{name} lost {lost} of {len(rows)} rows")


def _check_words(replica: Replica, run: Run) -> None:
    told = "SyncComplete" in replica.said
    if told != (run.state is RunState.COMPLETE):
        raise Violation("no false success", f"the run ended {run.state}, the signals were {replica.said}")


def _check_complete(
    chronicle: Chronicle, replica: Replica, name: str, before: Mapping[str, int], visible: Shown, complete: set[str]
) -> None:
    fields, is_one_of = _measure(chronicle, replica, name)
    edited = replica.edited()
    for key, number in before.items():
        since = chronicle.versions[name][key][number:]
        if key in chronicle.ever_hidden or key in edited or any(each.gone for each in since):
            continue
        if key not in visible:
            if not any(each.deleted for each in since):
                raise Violation("no false success", f"{name} is called complete and lacks {key}")
        elif not (
            is_one_of(since, visible[key], fields)
            or _is_doubted(replica, name, since, visible[key])
            or is_one_of(since, _bereft(chronicle, replica, name, visible[key], complete), fields)
        ):
            what = _difference(since[0], visible[key], fields)
            raise Violation("no false success", f"{name} is called complete, but {key} is older: {what}")


def _is_doubted(replica: Replica, name: str, since: Sequence[Version], row: Mapping[str, object]) -> bool:
    """Whether the row changed without a new stamp, after it was read, and is to be read again for that."""
    schema = replica.sync.objects[name].schema
    stamp = None if schema.stamp is None else row.get(schema.stamp)
    return stamp in [each.values.get(str(schema.stamp)) for each in since] and replica.doubts(name, stamp)


def no_half_rows(chronicle: Chronicle, replica: Replica) -> None:
    """Every visible row is one that the org really had, and only deleted rows are tombstones."""
    _no_half_rows(chronicle, replica, {name: replica.visible(name) for name in replica.objects})


def _no_half_rows(chronicle: Chronicle, replica: Replica, seen: Mapping[str, Shown]) -> None:
    edited = replica.edited()
    for name in replica.objects:
        fields, is_one_of = _measure(chronicle, replica, name)
        for key in seen[name].keys() - edited:
            row = seen[name][key]
            versions = chronicle.versions[name].get(key, [])
            if not is_one_of([each for each in versions if not each.deleted], row, fields):
                what = _difference(versions[-1], row, fields) if versions else "no such row"
                raise Violation("no half page", f"{name} {key} was never so in the org: {what}")
        for key in replica.tombstones(name).keys() - edited:
            if not any(each.deleted for each in chronicle.versions[name].get(key, [])):
                raise Violation("deletes told apart", f"{name} {key} is a tombstone and was never deleted")


def at_rest(chronicle: Chronicle, replica: Replica) -> None:
    """The replica equals the org, row by row and field by field."""
    for name in replica.objects:
        _check_equal(chronicle, replica, name)
    left = replica.left_pages()
    if left:
        raise Violation("nothing is left", f"in the folder of pages: {left}")
    if replica.open_runs() and not replica.follows:  # which syncs by itself, perhaps just now
        raise Violation("no false success", f"no end was told of {replica.open_runs()}")
    for status in replica.sync.status().objects:
        shown = len(replica.visible(status.object_name))
        if status.rows != shown or status.staged_rows:
            raise Violation("equal at rest", f"{status.object_name}: status says {status}, {shown} rows are shown")


def formulas(chronicle: Chronicle, replica: Replica) -> None:
    """What changes without a stamp is the org's, too, once it was read again."""
    for name in replica.objects:
        found, fields = replica.visible(name), replica.fields(name)
        for key, values in chronicle.computed(name, fields).items():
            wrong = {each: value for each, value in values.items() if not same(value, found[key].get(each))}
            if wrong:
                raise Violation("formulas are refreshed", f"{name} {key}: {wrong}, here {found[key]!r:.300}")


def _check_equal(chronicle: Chronicle, replica: Replica, name: str) -> None:
    expected, found = chronicle.living(name), replica.visible(name)
    fields = replica.fields(name)
    _check_ids(name, "lacks", expected.keys() - found.keys())
    _check_ids(name, "shows rows that the org does not show:", found.keys() - expected.keys())
    for key, version in expected.items():
        missing = {each for each in version.values if each not in fields}
        if missing - chronicle.unseen_fields(name):
            raise Violation("equal at rest", f"{name} has no column for {sorted(missing)}")
        if not matches(version, found[key], fields):
            raise Violation("equal at rest", f"{name} {key}: {_difference(version, found[key], fields)}")


def _check_ids(name: str, what: str, ids: Iterable[str]) -> None:
    listed = sorted(ids)
    if listed:
        raise Violation("equal at rest", f"{name} {what} {len(listed)} rows: {listed[:5]}")


def _measure(chronicle: Chronicle, replica: Replica, name: str) -> tuple[set[str], IsOneOf]:
    """The fields that are compared, and how. Events tell fields, some of them not at all, and not in any order."""
    if replica.follows:
        return replica.settled[name] & chronicle.told_by_events(name), mixed
    return replica.settled[name], whole


def whole(versions: Sequence[Version], row: Mapping[str, object], fields: set[str]) -> bool:
    """Whether the row is one of the versions."""
    return any(matches(each, row, fields) for each in versions)


def mixed(versions: Sequence[Version], row: Mapping[str, object], fields: set[str]) -> bool:
    """Whether each value of the row is of one of the versions."""
    return bool(versions) and all(
        any(name not in each.values or same(each.values[name], row.get(name)) for each in versions) for name in fields
    )


def matches(version: Version, row: Mapping[str, object], fields: set[str]) -> bool:
    """Whether the row is this version, in all fields of both."""
    if version.gone:
        return False
    for name, value in version.values.items():
        found = row.get(name)
        # Most are one and the same: null, true, false. Millions of values are compared.
        if value is not found and name in fields and not same(value, found):
            return False
    return True


def _difference(version: Version, row: Mapping[str, object], fields: set[str]) -> str:
    differing = [
        f"{name} is {row.get(name)!r:.80}, in the org {value!r:.80}"
        for name, value in version.values.items()
        if name in fields and not same(value, row.get(name))
    ]
    return "; ".join(differing[:4]) or "the row is gone in the org"
