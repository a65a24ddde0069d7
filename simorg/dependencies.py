"""What depends on an object or a field: formulas, roll-ups, look-ups, validation and duplicate rules.

SQLite itself tells what a formula reads, and rewrites it when a column is renamed: in a private copy of the empty
tables, so that the org's rows and connection are left alone.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import apsw

from simorg import decimals
from simorg.catalog import SYSTEM_FIELDS
from simorg.database import column_sql, quote
from simorg.results import Refused
from simorg.rules import DuplicateRule, Validation
from simorg.schema import SField, SObject
from simorg.standard import NEEDED

if TYPE_CHECKING:
    from simorg.org import SimOrg

ALIAS = "simorg_row"
READING = frozenset({apsw.SQLITE_READ, apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
Column = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something that reads a field: another field of some object, or a rule (which has no name of its own)."""

    object_name: str
    field: str | None
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} {self.object_name}.{self.field}" if self.field else f"{self.kind} of {self.object_name}"


class Workbench:
    """The org's tables without their rows; `follow` brings them to where the org's are."""

    def __init__(self) -> None:
        from simorg.soql import functions  # the package needs the org

        self._lock = threading.RLock()
        self._tables: dict[str, SObject] = {}
        self._connection = apsw.Connection(":memory:")
        for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
            self._connection.config(option, 0)  # else "Unknown" in double quotes is a text
        decimals.register(self._connection)
        functions.register(self._connection)

    def follow(self, objects: Iterable[SObject]) -> Self:
        """Make the tables of these objects, as far as they are new or not the same, and no others."""
        wanted = {one.name: one for one in objects}
        with self._lock:
            for name in [name for name, one in self._tables.items() if wanted.get(name) is not one]:
                self._connection.execute(f"DROP TABLE {quote(name)}")
                del self._tables[name]
            for name in wanted.keys() - self._tables.keys():
                columns = ", ".join(map(column_sql, wanted[name].stored_fields))
                self._connection.execute(f"CREATE TABLE {quote(name)} ({columns})")
                self._tables[name] = wanted[name]
        return self

    def reads(self, table: str, expression: str) -> frozenset[Column]:
        """Return table and column of everything an expression over a table's row reads, or raise ValueError."""
        found: set[Column] = set()

        def note(action: int, first: str | None, second: str | None, *_: object) -> int:
            if action == apsw.SQLITE_READ and first:
                found.add((first, second or ""))
            return apsw.SQLITE_OK if action in READING else apsw.SQLITE_DENY

        with self._lock:
            self._connection.authorizer = note
            try:
                self._connection.execute(_select(table, expression) + " LIMIT 0", can_cache=False).fetchall()
            except apsw.Error as problem:
                raise ValueError(f"the SQL cannot be used on {table}: {problem}") from problem
            finally:
                self._connection.authorizer = None
        return frozenset(found)

    def renamed(self, table: str, expression: str, column: Column, new_name: str) -> str:
        """Return an expression over a table's row as it reads once a column has another name."""
        connection = self._connection
        head = "CREATE VIEW _formula AS SELECT ("
        rename = f"ALTER TABLE {quote(column[0])} RENAME COLUMN {quote(column[1])} TO {quote(new_name)}"
        with self._lock:
            connection.execute(f"SAVEPOINT rename; {head}{_filled(expression)}) AS x FROM {quote(table)} {ALIAS}")
            try:
                connection.execute(rename)
                ((made,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = '_formula'").fetchall()
            finally:
                connection.execute("ROLLBACK TO rename; RELEASE rename")
        inner = str(made).removeprefix(head).removesuffix(f") AS x FROM {quote(table)} {ALIAS}")
        return inner.replace(ALIAS, "{alias}") if "{alias}" in expression else inner


def _filled(expression: str) -> str:
    return expression.replace("{alias}", ALIAS)


def _select(table: str, expression: str) -> str:
    return f"SELECT ({_filled(expression)}) AS x FROM {quote(table)} {ALIAS}"


def check_sql(org: "SimOrg", object_name: str, expression: str) -> None:
    """Raise ValueError for an SQL expression that cannot be evaluated over an object's rows."""
    schema = org.schema(object_name)
    if schema is None:
        raise ValueError(f"there is no object {object_name}")
    org.workbench.follow(org.objects.values()).reads(schema.name, expression)


def protected(schema: SObject, one: SField) -> str | None:
    """Return why an administrator cannot remove, rename or retype a field, or None when he can."""
    if one.name in SYSTEM_FIELDS:
        return f"{schema.name}.{one.name} is a system field"
    if one.name_field:
        return f"{schema.name}.{one.name} names the rows"
    if one.name in NEEDED.get(schema.name, ()) or (one.name == "MasterRecordId" and schema.mergeable):
        return f"{schema.name}.{one.name} is needed by the platform"
    if one.compound and one.compound != one.name and schema.field(one.compound):
        return f"{schema.name}.{one.name} is a part of {one.compound}"
    return None


def whole(schema: SObject, one: SField) -> tuple[SField, ...]:
    """Return a field with the parts that come and go with it (those of an address or location)."""
    return (one, *schema.parts_of(one.name)) if one.type in ("address", "location") else (one,)


def dependents(org: "SimOrg", columns: frozenset[Column], gone: str | None = None) -> list[Dependent]:
    """Return what reads any of these columns; with `gone` also the look-ups that point to that object only."""
    bench = org.workbench.follow(org.objects.values())
    found = []
    for schema in org.objects.values():
        for one in schema.fields:
            if one.formula is not None and bench.reads(schema.name, one.formula) & columns:
                found.append(Dependent(schema.name, one.name, "roll-up" if one.rollup else "formula"))
            elif gone is not None and one.reference_to == (gone,):
                found.append(Dependent(schema.name, one.name, "look-up"))
    rules = [rule for rule in all_rules(org) if rule_columns(org, bench, rule) & columns]
    return found + [Dependent(rule.object_name, None, _kind(rule)) for rule in rules]


def all_rules(org: "SimOrg") -> Iterator[Validation | DuplicateRule]:
    """Return the validation and duplicate rules."""
    yield from org.rules.validations
    yield from org.rules.duplicate_rules


def _kind(rule: Validation | DuplicateRule) -> str:
    return "validation rule" if isinstance(rule, Validation) else "duplicate rule"


def rule_columns(org: "SimOrg", bench: Workbench, rule: Validation | DuplicateRule) -> frozenset[Column]:
    """Return what a rule reads; a rule that is a Python function tells nothing."""
    schema = org.schema(rule.object_name)
    if schema is None:
        return frozenset()
    if isinstance(rule, DuplicateRule):
        return frozenset((schema.name, known.name) for name in rule.fields if (known := schema.field(name)))
    place = schema.field(rule.field) if rule.field else None
    shown = frozenset({(schema.name, place.name)}) if place else frozenset()
    return shown if callable(rule.broken_when) else shown | bench.reads(schema.name, rule.broken_when)


def refuse_dependents(what: str, found: Iterable[Dependent]) -> None:
    """Refuse a change of the schema that something depends on, naming what has to go first."""
    names = ", ".join(map(str, found))
    if names:
        raise Refused("DEPENDENCY_EXISTS", f"{what} is used by {names}; remove what uses it first")


def follow_rename(
    org: "SimOrg", schema: SObject, old: SField, new: SField
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return SQL and shown text of every formula that a rename changes, by object and (old) field name."""
    bench = org.workbench.follow(org.objects.values())
    column = (schema.name, old.name)
    changed = {}
    for owner in org.objects.values():
        for one in owner.fields:
            if one.formula is not None and column in bench.reads(owner.name, one.formula):
                sql = bench.renamed(owner.name, one.formula, column, new.name)
                changed[owner.name, one.name] = (sql, _renamed_text(one.formula_text, old, new))
    return changed


def _renamed_text(text: str | None, old: SField, new: SField) -> str | None:
    pairs = [(old.name, new.name), (old.relationship_name, new.relationship_name)]
    for before, after in pairs if text else ():
        if before and after:
            text = re.sub(rf"\b{re.escape(before)}\b", after, str(text))
    return text


def follow_rename_in_rules(org: "SimOrg", schema: SObject, old: str, new: str) -> None:
    """Let the rules go on meaning a field that gets another name; to be called before the rename."""
    bench = org.workbench.follow(org.objects.values())
    rules, column = org.rules, (schema.name, old)
    for place, rule in enumerate(rules.validations):
        if column in rule_columns(org, bench, rule):
            condition = rule.broken_when
            if isinstance(condition, str):
                condition = bench.renamed(schema.name, condition, column, new)
            field = new if rule.field and rule.field.lower() == old.lower() else rule.field
            rules.validations[place] = replace(rule, broken_when=condition, field=field)
    for place, known in enumerate(rules.duplicate_rules):
        if column in rule_columns(org, bench, known):
            fields = tuple(new if name.lower() == old.lower() else name for name in known.fields)
            rules.duplicate_rules[place] = replace(known, fields=fields)
