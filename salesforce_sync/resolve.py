"""Three-way merge: local edits against a newer row of the org, by their base. Pure.

It stands below the ports, and not in `sync`, because every store asks it within its merge's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.draft import Draft
from salesforce_sync.models.forms import same_text
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.inbox import Conflict, Contested, Verdict
from salesforce_sync.models.outbox import Change, Edit, Kind, Operation
from salesforce_sync.models.outcome import went_with
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.schema import SYSTEM_FIELDS, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, parse_datetime, same, store_datetime, store_decimal

CURRENCY = "CurrencyIsoCode"
_WIDE = Context(prec=400)
_TOLD_APART = timedelta(seconds=2)
"""The org tells its time, and stamps its rows, in whole seconds: the order of what lies closer is not known."""


class Policy(StrEnum):
    """What happens to a field that both sides have changed."""

    ASK = "ask"
    ORG = "org"
    LOCAL = "local"
    NEWEST = "newest"


class Policies(Struct, frozen=True):
    """The policy of each object and field: keys are `Object.Field`, `Object` or nothing (`default`), in lower case."""

    default: Policy = Policy.ASK
    named: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, object_name: str, field_name: str = "") -> Policy:
        """The narrowest policy that was named."""
        keys = f"{object_name}.{field_name}".casefold(), object_name.casefold()
        return next((self.named[key] for key in keys if key in self.named), self.default)


ASK_ALWAYS = Policies()


def judge(contested: Contested, schema: ObjectSchema, policies: Policies) -> Verdict:
    """What becomes of the record's edits now that the org shows this row.

    With a `kind` all edits stay as they are, and the record waits. Only beneath a deletion they are judged all the
    same, for the day on which it is taken back: their base would else be older than the row. A change that waits for
    CHANGED_THERE goes on waiting until a person decides, whatever is judged later, unless `revert` ends it: the base
    that it was made on is gone by then. An edit whose column did not come stays as it is: kept on its base, or in
    conflict if it was.
    """
    gone = contested.org is None or bool(contested.org.get("IsDeleted"))
    match contested.operation:
        case Operation.UPDATE if gone:
            return _edited_and_gone(contested, policies)
        case Operation.DELETE:
            return Verdict(revert=True) if contested.org is None or gone else _deleted(contested, schema, policies)
        case Operation.UNDELETE if contested.org is None:
            message = f"{_where_it_went(contested)} It cannot be brought back."
            return Verdict(kind=Kind.DELETED_THERE, message=message)
        case Operation.UNDELETE if not gone and not contested.edits:
            return Verdict(revert=True)
    return _by_field(contested, schema, policies)


def judge_draft(
    draft: Draft, schema: ObjectSchema, here: Mapping[str, Stored], org: Mapping[str, Stored], policies: Policies
) -> tuple[Contested, Verdict]:
    """What becomes of an update that was made on an older base; `Misuse` where it would replace a newer local edit.

    `here` is the row as it is shown, local edits with it; `org` as the org shows it. Where it is not known when the
    edit was made (by the org's clock), the policy `newest` asks.
    """

    def unmoved(name: str) -> bool:
        return same(_kind(schema, name), here[name], draft.base.get(name, here[name]))

    wanted = {name: value for name, value in draft.values.items() if not same(_kind(schema, name), value, here[name])}
    for name in wanted:
        if not unmoved(name) and not same(_kind(schema, name), here[name], org[name]):
            raise _edited_since(schema, name, here[name])
    # What is as its author saw it has been judged before: a local edit that was there already is nobody's change.
    base = {name: org[name] if unmoved(name) else draft.base[name] for name in org if name in draft.base}
    edits = tuple(Edit(name, base.get(name, org[name]), value) for name, value in wanted.items())
    times = {} if draft.edited_at is None else dict.fromkeys(wanted, draft.edited_at)
    contested = Contested(schema.name, draft.record_id, Operation.UPDATE, edits, base, org, times=times)
    return contested, judge(contested, schema, policies)


def _edited_since(schema: ObjectSchema, name: str, value: Stored) -> Misuse:
    return Misuse(
        f"{schema.name}.{name} was edited here since, to {value!r}.",
        code="EDITED_SINCE",
        hint="Read the record (export) again, then write the value that is to hold.",
    )


def known_to_author(draft: Draft, schema: ObjectSchema) -> dict[str, Stored]:
    """The values that the draft's author saw in what it writes or deletes, as far as there were any.

    Of a deletion no references: the org empties those to what was deleted.
    """
    names = draft.values if draft.operation is Operation.UPDATE else set(data_fields(schema)) - schema.references.keys()
    return {name: draft.base[name] for name in names if draft.base.get(name) is not None}


def check_pushed_edits(
    draft: Draft,
    schema: ObjectSchema,
    here: Mapping[str, Stored],
    history: Iterable[Replaced],
    since: datetime | None,
) -> None:
    """`Misuse` if a push has sent, since the draft's author read the record, what somebody else had edited here.

    The author's own edits are in what was seen: a push then began elsewhere. `since`: when it was read at the earliest,
    by this machine's clock; None: that is not known.
    """
    names = draft.values if draft.operation is Operation.UPDATE else data_fields(schema)
    moved = {
        name
        for name in names
        if name in draft.base and name in here and not same(_kind(schema, name), here[name], draft.base[name])
    }
    pushed = {
        each.field
        for each in history
        if each.origin is Origin.PUSH
        and each.field in moved
        and same(_kind(schema, each.field), each.old, draft.base[each.field])
        and (since is None or each.at >= since)
    }
    if draft.operation is Operation.DELETE:
        check_draft_deletion(replace(draft, base={name: draft.base[name] for name in pushed}), schema, here)
        return
    for name in draft.values:
        if name in pushed and not same(_kind(schema, name), here[name], draft.values[name]):
            raise _edited_since(schema, name, here[name])


def check_newer_edits(
    draft: Draft, schema: ObjectSchema, here: Mapping[str, Stored], org: Mapping[str, Stored]
) -> None:
    """`Misuse` if what is drafted would replace, or delete, a local edit that its author has not seen."""
    edited = [
        name
        for name in draft.base
        if name in here and name in org and not same(_kind(schema, name), here[name], org[name])
    ]
    if draft.operation is Operation.DELETE:
        check_draft_deletion(replace(draft, base={name: draft.base[name] for name in edited}), schema, here)
        return
    for name in edited:
        value = draft.values.get(name, here[name])
        if not any(same(_kind(schema, name), here[name], each) for each in (value, draft.base[name])):
            raise _edited_since(schema, name, here[name])


def to_write(contested: Contested, schema: ObjectSchema, verdict: Verdict) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """What a judged draft writes here, and the fields in which the org's value holds by the policy.

    The org's own value is written too where a local edit stands before it: that ends the edit.
    """
    asked = {each.field: each.value for each in contested.edits}
    org = contested.org or {}
    back = [name for name in verdict.done if same(_kind(schema, name), asked[name], org.get(name))]
    wanted = {each.field: each.value for each in verdict.keep} | {name: asked[name] for name in back}
    wanted |= {each.field: each.local for each in verdict.conflicts}
    return wanted, tuple(name for name in verdict.done if name not in back)


def check_draft_deletion(draft: Draft, schema: ObjectSchema, here: Mapping[str, Stored]) -> None:
    """`Misuse` if the record is not as the author of its deletion saw it."""
    changed = [
        name
        for name in data_fields(schema)
        if name in draft.base and not same(_kind(schema, name), draft.base[name], here[name])
    ]
    if changed:
        raise Misuse(
            f"The record has changed since, so it is not deleted: {', '.join(changed)}.",
            code="CHANGED_SINCE",
            hint="Read the record (export) again, and look at it.",
        )


def overwritten(
    schema: ObjectSchema, change: Change, there: Mapping[str, Stored], policies: Policies
) -> tuple[Conflict, ...]:
    """What a person has to be told of what our write found in the org: other values, unless `local` holds for them."""
    return tuple(
        Conflict(each.field, each.base, each.value, there[each.field])
        for each in change.edits
        if each.field in there
        and not same(_kind(schema, each.field), there[each.field], each.value)
        and policies.of(schema.name, each.field) is not Policy.LOCAL
    )


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Fate(StrEnum):
    """What the rules say of one edit before its group and the policy are asked."""

    KEEP = "keep"
    DONE = "done"
    CLASH = "clash"


def _by_field(contested: Contested, schema: ObjectSchema, policies: Policies) -> Verdict:
    keep: list[Edit] = []
    done: list[str] = []
    conflicts: list[Conflict] = []
    for group in _groups(contested.edits, schema):
        clash = _group_clashes(group, contested, schema)
        held = _policies(group, contested, schema, policies)
        for edit in group:
            fate = _fate(edit, contested, schema)
            if clash and fate is not _Fate.DONE:
                fate = _by_policy(*held[edit.field], edit, contested, schema)
            elif edit.field in contested.disputed and fate is _Fate.KEEP and not _can_be_sent(edit, contested, schema):
                fate = _Fate.CLASH
            shown = _shown(edit, contested)
            if fate is _Fate.KEEP:
                keep.append(replace(edit, base=shown))
            elif fate is _Fate.DONE:
                done.append(edit.field)
            else:
                conflicts.append(Conflict(edit.field, edit.base, edit.value, shown))
    return Verdict(tuple(keep), tuple(done), tuple(conflicts))


def _can_be_sent(edit: Edit, contested: Contested, schema: ObjectSchema) -> bool:
    """Whether the field came with the row, and may be written."""
    return edit.field in (contested.org or {}) and writable(schema, edit.field, contested.operation)


def writable(schema: ObjectSchema, name: str, operation: Operation) -> bool:
    """Whether the field is there, and the connected user may write it."""
    if not schema.has(name):
        return False
    field_ = schema.field(name)
    return field_.createable if operation is Operation.CREATE else field_.updateable


def _shown(edit: Edit, contested: Contested) -> Stored:
    """The org's value of an edited field; the one before where its column did not come."""
    return (contested.org or {}).get(edit.field, edit.base)


def _fate(edit: Edit, contested: Contested, schema: ObjectSchema) -> _Fate:
    kind, shown = _kind(schema, edit.field), _shown(edit, contested)
    if edit.in_flight and _has_arrived(edit, contested, schema):
        return _Fate.DONE if same(kind, edit.value, edit.sent) else _Fate.KEEP
    if same(kind, edit.value, shown):
        # What is in flight may still arrive and take the place of the value that is the same by now.
        return _Fate.KEEP if edit.in_flight else _Fate.DONE
    return _Fate.KEEP if same(kind, edit.base, shown) else _Fate.CLASH


def _has_arrived(edit: Edit, contested: Contested, schema: ObjectSchema) -> bool:
    return arrived(schema, edit.field, edit.sent, _shown(edit, contested))


def _by_policy(
    policy: Policy, edited_at: datetime | None, edit: Edit, contested: Contested, schema: ObjectSchema
) -> _Fate:
    match policy:
        case Policy.ORG:
            return _Fate.DONE
        case Policy.LOCAL:
            return _Fate.KEEP
        case Policy.NEWEST if (here := _newer_here(edited_at, contested, schema)) is not None:
            return _Fate.KEEP if here else _Fate.DONE
    # What equals the org's value needs no question; it is here only because something in flight may still arrive.
    alike = same(_kind(schema, edit.field), edit.value, _shown(edit, contested))
    return _Fate.KEEP if alike else _Fate.CLASH


def _newer_here(edited_at: datetime | None, contested: Contested, schema: ObjectSchema) -> bool | None:
    """Whether what was edited here is younger than the org's row; None where that cannot be told."""
    org = contested.org or {}
    stamp = org.get("LastModifiedDate") or org.get(schema.stamp or "")
    if edited_at is None or not isinstance(stamp, str):
        return None
    try:
        later = edited_at - parse_datetime(stamp)
    except (ValueError, TypeError):
        return None
    return None if abs(later) <= _TOLD_APART else later > timedelta(0)


def alike(schema: ObjectSchema, name: str, one: Stored, other: Stored) -> bool:
    """Whether a field holds the same with both values."""
    return same(_kind(schema, name), one, other)


def arrived(schema: ObjectSchema, name: str, sent: Stored, shown: Stored) -> bool:
    """Whether the org's value is the one that was sent, as far as an org may tidy it up.

    It trims blanks, keeps a number to its field's scale (rounded or cut) and a time to the second, a picklist's value
    in the list's own case, and several of them in the list's order; its automation gives phone numbers another form,
    and an address on the web its scheme.
    """
    kind = _kind(schema, name)
    if same(kind, sent, shown):
        return True
    field_ = schema.field(name)
    match kind:
        case FieldType.DECIMAL if field_.precision and sent is not None:
            return any(same(kind, _at_scale(sent, field_.scale, how), shown) for how in (ROUND_HALF_UP, ROUND_DOWN))
        case FieldType.DATETIME if isinstance(sent, str) and isinstance(shown, str):
            return store_datetime(sent)[:19] == store_datetime(shown)[:19]
        case FieldType.TEXT:
            return same_text(field_, str(sent or ""), str(shown or ""))
    return False


def _at_scale(value: Stored, scale: int, rounding: str) -> Stored:
    try:
        return store_decimal(Decimal(str(value)).quantize(Decimal(1).scaleb(-scale), rounding, _WIDE))
    except ArithmeticError:
        return value


# ── groups: fields that merge as one ─────────────────────────────────────────────────────────────────────────────


def _related(name: str, schema: ObjectSchema) -> frozenset[str]:
    """The fields that belong to this one: an address's parts, an amount's currency; itself too.

    The parts of a name do not: Salesforce's describe names the compound of FirstName `Name`, a text of its own.
    """
    field_ = next((each for each in schema.columns if each.name == name), None)
    if field_ is None:
        return frozenset((name,))
    related = {name}
    compound = field_.compound_field_name
    if compound and compound != name and not schema.has(compound):
        related |= {each.name for each in schema.columns if each.compound_field_name == compound}
    if schema.has(CURRENCY) and name == CURRENCY:
        related |= {each.name for each in schema.columns if each.salesforce_type == "currency" and each.updateable}
    elif schema.has(CURRENCY) and field_.salesforce_type == "currency" and field_.updateable:
        related.add(CURRENCY)
    return frozenset(related)


def _groups(edits: Sequence[Edit], schema: ObjectSchema) -> list[list[Edit]]:
    """The edits, those together whose fields belong together."""
    waiting = {edit.field: edit for edit in edits}
    groups: list[list[Edit]] = []
    while waiting:
        todo = [next(iter(waiting))]
        group: list[Edit] = []
        while todo:
            name = todo.pop()
            if name in waiting:
                group.append(waiting.pop(name))
                todo += sorted(_related(name, schema) & waiting.keys())
        groups.append(group)
    return groups


def _group_clashes(group: Sequence[Edit], contested: Contested, schema: ObjectSchema) -> bool:
    """Whether the org, too, has changed something in the group, other than to what is here."""
    edited = {edit.field for edit in group}
    if any(_fate(edit, contested, schema) is _Fate.CLASH for edit in group):
        return True
    others = sorted(frozenset().union(*(_related(name, schema) for name in edited)) - edited)
    # In a group, the question stays even if the field itself is back at its base: the neighbour that moved shows
    # the org's new value on both sides by now.
    if len(edited) + len(others) > 1 and edited & contested.disputed:
        return True
    return any(_differs(name, contested, schema) for name in others)


def _differs(name: str, contested: Contested, schema: ObjectSchema) -> bool:
    """Whether the org's value of a field is not what it was; False where it is not known."""
    org = contested.org or {}
    if name not in org or name not in contested.base:
        return False
    return not same(_kind(schema, name), contested.base[name], org[name])


def _policies(
    group: Sequence[Edit], contested: Contested, schema: ObjectSchema, policies: Policies
) -> dict[str, tuple[Policy, datetime | None]]:
    """For each edit of the group that is open still its policy, and when the last of those was made that go with it.

    For all that still belong together: two amounts do as long as their currency is edited, too. A person is asked where
    the policy is not one for all; the time is not known where one of them is not.
    """
    held: dict[str, tuple[Policy, datetime | None]] = {}
    for part in _groups([edit for edit in group if _fate(edit, contested, schema) is not _Fate.DONE], schema):
        found = {policies.of(contested.object_name, edit.field) for edit in part}
        policy = found.pop() if len(found) == 1 else Policy.ASK
        times = [contested.times[edit.field] for edit in part if edit.field in contested.times]
        last = max(times) if len(times) == len(part) else None
        held |= dict.fromkeys((edit.field for edit in part), (policy, last))
    return held


def _kind(schema: ObjectSchema, name: str) -> FieldType:
    return next((each.type for each in schema.columns if each.name == name), FieldType.TEXT)


# ── whole records ────────────────────────────────────────────────────────────────────────────────────────────────


def _edited_and_gone(contested: Contested, policies: Policies) -> Verdict:
    policy = policies.of(contested.object_name)
    message = _where_it_went(contested)
    if policy is Policy.ORG:
        return Verdict(revert=True, message=message)
    if policy in (Policy.LOCAL, Policy.NEWEST):
        # A record is never made again on its own: children, history and the id that others know would be lost.
        message += f" The policy {policy.value!r} cannot write to it, and nothing is created again without being asked."
    return Verdict(kind=Kind.DELETED_THERE, message=message, master=_master(contested))


_NOT_SHOWN = "The org shows it no more: it was purged, or the connected user may not see it."

_WHY_GONE = {
    Cause.DELETED: "The org shows it no more: it was deleted.",
    Cause.PURGED: "It was deleted in the org, and is not in its bin any more.",
    Cause.HIDDEN: "The connected user may not see it any more; it is not known to be deleted.",
}


def _where_it_went(contested: Contested) -> str:
    if contested.org is None:
        return _NOT_SHOWN if contested.cause is None else _WHY_GONE.get(contested.cause, _NOT_SHOWN)
    master = _master(contested)
    if master:
        return f"It was merged into {master} in the org."
    return f"It was deleted in the org{f' {went_with(contested.with_it)}' if contested.with_it else ''}."


def as_told(before: str, now: str) -> str:
    """What is said of where a record went: with what it went is known when that is deleted, and not told twice."""
    return before if before.startswith(f"{now.partition('.')[0]} with ") else now


def _master(contested: Contested) -> str:
    return str((contested.org or {}).get("MasterRecordId") or "")


def _deleted(contested: Contested, schema: ObjectSchema, policies: Policies) -> Verdict:
    """Deleted here, alive there: the deletion goes on unless somebody has changed the record."""
    edits = _by_field(contested, schema, policies)
    ours = {edit.field for edit in contested.edits if edit.in_flight and _has_arrived(edit, contested, schema)}
    changed = [name for name in data_fields(schema) if name not in ours and _differs(name, contested, schema)]
    if not changed or contested.is_own:
        return edits
    message = changed_there(changed)
    match policies.of(contested.object_name):
        case Policy.ORG:
            return Verdict(revert=True, message=message)
        case Policy.LOCAL:
            return edits
        case Policy.NEWEST if (here := _newer_here(contested.edited_at, contested, schema)) is not None:
            return edits if here else Verdict(revert=True, message=message)
    asked = tuple(Conflict(name, contested.base[name], None, (contested.org or {})[name]) for name in changed)
    return replace(edits, kind=Kind.CHANGED_THERE, message=message, changed=asked)


def changed_there(fields: Sequence[str]) -> str:
    """What is told of a record that is deleted here, and in which somebody has changed these fields."""
    return f"Changed in the org since: {', '.join(fields)}."


def changed_again(before: Sequence[Conflict], now: Sequence[Conflict]) -> tuple[Conflict, ...]:
    """What a person was told, and what has been changed since: each field from the first value to the last."""
    known, newer = {each.field: each for each in before}, {each.field: each for each in now}
    told = [
        each if (later := newer.get(each.field)) is None else Conflict(each.field, each.base, None, later.org)
        for each in before
    ]
    return (*told, *(each for each in now if each.field not in known))


def taken_along(contested: Contested, schema: ObjectSchema, policies: Policies) -> tuple[Conflict, ...]:
    """What somebody had changed in a record that our deletion took, unless `local` holds for the object.

    Nothing where the record lives, or was merged away by somebody.
    """
    org = contested.org or {}
    if not org.get("IsDeleted") or _master(contested) or policies.of(contested.object_name) is Policy.LOCAL:
        return ()
    changed = [name for name in data_fields(schema) if _differs(name, contested, schema)]
    return tuple(Conflict(name, contested.base[name], None, org[name]) for name in changed)


def data_fields(schema: ObjectSchema) -> list[str]:
    """The fields that a person fills in: neither the system's nor calculated ones."""
    return [each.name for each in schema.columns if not each.calculated and each.name not in SYSTEM_FIELDS]
