"""What tests and administrators add to the write rules: validation, duplicate rules, triggers, row locks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apsw

from simorg import folding, ids
from simorg.database import Row, quote
from simorg.late import locked
from simorg.results import Failure, Refused
from simorg.schema import SObject

if TYPE_CHECKING:
    from simorg.org import SimOrg

ON_SAVE = frozenset({"create", "update"})
ON_ROWS = ON_SAVE | {"delete", "undelete"}
Condition = str | Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Validation:
    """A validation rule: `broken_when` is an SQL condition over the row's columns, or a function of the stored row."""

    object_name: str
    broken_when: Condition
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """Rows with equal (letter case ignored), non-null values in all `fields` are duplicates.

    With `allow_save` (action "allow and alert") the header `allowSave=true` lets the row pass.
    """

    object_name: str
    fields: tuple[str, ...]
    name: str = "Standard_Duplicate_Rule"
    allow_save: bool = True
    message: str = "Use one of these records?"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Called as `run(org, operation, row, old)`; a `before` trigger may change `row` and may raise Refused."""

    object_name: str
    moment: str
    run: "Callable[[SimOrg, str, Row, Row | None], None]"
    operations: frozenset[str]


class Rules:
    """The rules of one org; all are off until added.

    `check` raises ValueError for SQL that an object cannot bear, `index` makes a field quick to find rows by.
    """

    def __init__(self, check: Callable[[str, str], None], index: Callable[[str, str], None]) -> None:
        self.check = check
        self._index = index
        self.validations: list[Validation] = []
        self.duplicate_rules: list[DuplicateRule] = []
        self.triggers: list[Trigger] = []
        self.move_stamp_of_nulled_lookups = True
        self.move_stamp_of_mended_lookups = True
        self.reorder_collated_parts = False
        self.condition_stamp = "SystemModstamp"
        self._locks: dict[str, int | None] = {}
        self._contended: set[tuple[str, str]] = set()
        self._chunk: tuple[str, int] | None = None
        self._holders: dict[tuple[str, str], int] = {}

    def add_validation(
        self, object_name: str, broken_when: Condition, message: str, field: str | None = None
    ) -> Validation:
        """Refuse rows for which the condition holds, with FIELD_CUSTOM_VALIDATION_EXCEPTION and this message."""
        if isinstance(broken_when, str):
            self.check(object_name, broken_when)
        rule = Validation(object_name, broken_when, message, field)
        self.validations.append(rule)
        return rule

    def add_duplicate_rule(self, object_name: str, fields: Sequence[str], **values: Any) -> DuplicateRule:
        """Refuse rows that equal another row in these fields, with DUPLICATES_DETECTED."""
        for name in fields:
            self._index(object_name, name)  # else a push of 10,000 rows reads the table 10,000 times
        rule = DuplicateRule(object_name, tuple(fields), **values)
        self.duplicate_rules.append(rule)
        return rule

    def on_save(
        self,
        object_name: str,
        moment: str,
        run: "Callable[[SimOrg, str, Row, Row | None], None]",
        operations: frozenset[str] = ON_SAVE,
    ) -> Trigger:
        """Call a function `before` or `after` each create and update of an object's rows; others only `after`."""
        if moment not in ("before", "after"):
            raise ValueError("moment is 'before' or 'after'")
        trigger = Trigger(object_name, moment, run, operations)
        self.triggers.append(trigger)
        return trigger

    def lock_row(self, record_id: str, times: int | None = None) -> None:
        """Refuse writes to a row, and to rows that refer to it, with UNABLE_TO_LOCK_ROW; `times` or until unlocked."""
        self._locks[ids.to_18(record_id[:15])] = times

    def unlock_row(self, record_id: str) -> None:
        """Take a lock away."""
        self._locks.pop(ids.to_18(record_id[:15]), None)

    def contend_for_parents(self, object_name: str, field: str) -> None:
        """Let the chunks of a Bulk job hold the parents that their rows refer to by a field.

        The chunks of a job run side by side: a row whose parent an earlier chunk of its job has touched is refused
        with UNABLE_TO_LOCK_ROW. Siblings within one chunk of 200 rows do not disturb each other.
        """
        self._contended.add((object_name.lower(), field))

    @contextmanager
    def in_chunk(self, job_id: str, number: int) -> Iterator[None]:
        """Say that the rows of the block, which holds the org's lock, are those of one chunk of a Bulk job."""
        self._chunk = (job_id, number)
        try:
            yield
        finally:
            self._chunk = None

    def clear(self) -> None:
        """Switch everything off."""
        self.validations.clear()
        self.duplicate_rules.clear()
        self.triggers.clear()
        self._locks.clear()
        self._contended.clear()
        self._holders.clear()
        self.reorder_collated_parts = False
        self.condition_stamp = "SystemModstamp"

    def forget_object(self, object_name: str) -> None:
        """Drop the rules and triggers of an object."""
        gone = object_name.lower()
        self._contended = {one for one in self._contended if one[0] != gone}
        self.validations = [one for one in self.validations if one.object_name.lower() != gone]
        self.duplicate_rules = [one for one in self.duplicate_rules if one.object_name.lower() != gone]
        self.triggers = [one for one in self.triggers if one.object_name.lower() != gone]

    def check_locks(self, schema: SObject, row: Mapping[str, Any]) -> None:
        """Refuse when the row or one that it refers to is locked."""
        if self._chunk is not None and self._contended:
            self._check_chunk(self._chunk, schema, row)
        if not self._locks:
            return
        names = ["Id", *(one.name for one in schema.stored_fields if one.type == "reference")]
        for record_id in [row[name] for name in names if row.get(name) in self._locks]:
            left = self._locks[record_id]
            if left is not None and left <= 1:
                del self._locks[record_id]
            elif left is not None:
                self._locks[record_id] = left - 1
            raise locked(record_id)

    def _check_chunk(self, chunk: tuple[str, int], schema: SObject, row: Mapping[str, Any]) -> None:
        job_id, number = chunk
        for object_name, field in self._contended:
            parent = row.get(field) if object_name == schema.name.lower() else None
            if isinstance(parent, str) and self._holders.setdefault((job_id, parent), number) != number:
                raise locked(parent)

    def fire(self, org: "SimOrg", schema: SObject, moment: str, operation: str, row: Row, old: Row | None) -> None:
        """Run the triggers of one moment."""
        for trigger in self.triggers:
            if trigger.moment != moment or operation not in trigger.operations:
                continue
            if trigger.object_name.lower() == schema.name.lower():
                trigger.run(org, operation, row, old)

    def validate(self, org: "SimOrg", schema: SObject, row: Row) -> None:
        """Refuse a row, written already, that breaks a validation rule."""
        for rule in self.validations:
            if rule.object_name.lower() == schema.name.lower() and _broken(org, schema, rule, row):
                fields = [rule.field] if rule.field else []
                raise Refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, *fields)

    def find_duplicates(self, org: "SimOrg", schema: SObject, row: Row, *, allow: bool, version: str) -> None:
        """Refuse a row that a duplicate rule matches, unless the rule lets it pass and the caller wants that."""
        for rule in self.duplicate_rules:
            if rule.object_name.lower() != schema.name.lower() or (allow and rule.allow_save):
                continue
            found = _duplicates(org, schema, rule, row)
            if found:
                refused = Refused("DUPLICATES_DETECTED", rule.message)
                extra = {"duplicateResut": _duplicate_result(version, schema, rule, found)}
                refused.failure = Failure("DUPLICATES_DETECTED", rule.message, extra=extra)
                raise refused


def _broken(org: "SimOrg", schema: SObject, rule: Validation, row: Row) -> bool:
    if callable(rule.broken_when):
        return rule.broken_when(row)
    sql = f'SELECT 1 FROM {quote(schema.name)} WHERE "Id" = ? AND ({rule.broken_when})'
    try:
        return org.database.value(sql, (row["Id"],)) is not None
    except apsw.Error as problem:  # such as an overflow for this row's values
        text = f"{rule.message} (the rule could not be computed: {problem})"
        raise Refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", text) from problem


def _duplicates(org: "SimOrg", schema: SObject, rule: DuplicateRule, row: Row) -> list[str]:
    values = [row.get(name) for name in rule.fields]
    if any(value is None for value in values):
        return []
    same, bindings = [], {"id": row.get("Id")}
    for number, (name, value) in enumerate(zip(rule.fields, values, strict=True)):
        is_text = isinstance(value, str)
        condition = folding.equals(quote(name)) if is_text else f"{quote(name)} = :folded"
        same.append(condition.replace(":folded", f":v{number}"))
        bindings[f"v{number}"] = folding.fold(value) if isinstance(value, str) else value
    alive = ' AND "IsDeleted" = 0' if schema.soft_delete else ""
    sql = f'SELECT "Id" FROM {quote(schema.name)} WHERE {" AND ".join(same)} AND "Id" IS NOT :id{alive} LIMIT 10'
    return [found[0] for found in org.database.rows(sql, bindings)]


def _duplicate_result(version: str, schema: SObject, rule: DuplicateRule, found: Sequence[str]) -> dict[str, Any]:
    url = f"/services/data/v{version}/sobjects/{schema.name}/"
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": schema.name, "url": url + record_id}, "Id": record_id},
        }
        for record_id in found
    ]
    match = {
        "entityType": schema.name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": records,
        "rule": f"Standard_{schema.name}_Match_Rule_v1_1",
        "size": len(records),
        "success": True,
    }
    return {
        "allowSave": rule.allow_save,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": schema.name,
        "errorMessage": rule.message,
        "matchResults": [match],
    }
