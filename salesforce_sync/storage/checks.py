"""What describe knows to be wrong, refused by triggers: in any SQLite tool, with words that say why.

Every connection holds all triggers as they were parsed, which would be most of what a process with many wide objects
holds. So the conditions stand in each trigger once, and look up in `_sync_rule` what a field takes; only the words
stand there for each field, as SQLite before 3.47 takes nothing but literals for them. And all of it stands in the
triggers' WHEN, which SQLite keeps in less than half the room that a statement of their bodies takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final

import apsw

from salesforce_sync.models.outbox import LOCAL_PREFIX
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.storage.same_values import is_number, same_id, same_number
from salesforce_sync.storage.sql_text import literal, quote

IS_LOCAL: Final = f"GLOB '{LOCAL_PREFIX}*'"
_UNCHECKED: Final = ("Id", "IsDeleted")


# ── what a field takes ───────────────────────────────────────────────────────────────────────────────────────────

_RULES = """
SELECT object_name, number, field, type, creates, changes, needed, length, digits, picklist
FROM _sync_rule WHERE object_name = ? ORDER BY number
"""
_PUT_RULE = "INSERT INTO _sync_rule VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Rule = tuple[str, int, str, str, str, str, int, int | None, int | None, str | None]
"""A row of `_sync_rule`, as its columns go."""


def write_rules(db: apsw.Connection, schema: ObjectSchema) -> None:
    """Put down what the object's fields take, where the checks look it up."""
    wanted = [_rule(schema, number, each) for number, each in _checked(schema)]
    if list(db.execute(_RULES, (schema.name,))) != wanted:
        db.execute("DELETE FROM _sync_rule WHERE object_name = ?", (schema.name,))
        db.executemany(_PUT_RULE, wanted)


def _checked(schema: ObjectSchema) -> list[tuple[int, Field]]:
    """The fields that are looked at, and the number by which the checks call each of them."""
    return [(number, each) for number, each in enumerate(schema.columns) if each.name not in _UNCHECKED]


def _rule(schema: ObjectSchema, number: int, field: Field) -> Rule:
    creates = "never" if not field.createable else "must" if field.required else "may"
    changes = "may" if field.updateable else "once" if field.createable else "never"
    length = field.length if field.length and field.type is FieldType.TEXT else None
    picklist = None
    if field.restricted_picklist and field.picklist:
        picklist = "several" if field.salesforce_type == "multipicklist" else "one"
    kind, needed = field.type.value, int(not field.nillable)
    return schema.name, number, field.name, kind, creates, changes, needed, length, field.whole_digits, picklist


# ── the statements of the triggers ───────────────────────────────────────────────────────────────────────────────


class Wrong(IntEnum):
    """What is wrong with a field's value: what the conditions find, and the words are for."""

    READ_ONLY = 0
    EMPTY = 1
    ONCE = 2
    FORM = 3
    TOO_LARGE = 4
    UNLISTED = 5
    NOBODY = 6
    NOT_TEXT = 7


_KINDS: Final = 10
"""A field's number times this, and what is wrong with its value, are one number, which has its words."""

_IS_DELETED: Final = -1
_UNCHANGEABLE: Final = -2
Words = tuple[int, str]


def refused_insert(schema: ObjectSchema) -> str:
    """An expression that refuses a new row that is wrong; it is never true."""
    if not schema.createable:
        return refuse(f"{schema.name} records cannot be made here")
    given = f"Salesforce gives the Id: leave it out, or write one that begins with {LOCAL_PREFIX}"
    rows = ", ".join(f"({number}, +NEW.{quote(each.name)})" for number, each in _checked(schema))
    found = f"SELECT column1 AS number, column2 AS given, nullif(column2, '') AS wanted FROM (VALUES {rows})"
    needed = "".join(f", {number}" for number, each in _checked(schema) if each.required)
    looked_at = f"given IS NOT NULL OR v.number IN (-1{needed})"
    wrong = f"""CASE WHEN creates = 'never' THEN {Wrong.READ_ONLY:d}
      WHEN wanted IS NULL THEN CASE creates WHEN 'must' THEN {Wrong.EMPTY:d} END
      ELSE {_wrong(schema)} END"""
    words = [(_code(number, what), why) for number, each in _checked(schema) for what, why in _not_new(schema, each)]
    checked = _checks(schema, found, looked_at, f"v.number * {_KINDS} + {wrong}", words)
    # What an UPSERT then edits comes this way first; nothing else gets any further with an Id that is here.
    here = f'EXISTS (SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = NEW."Id")'
    own, mine = literal(schema.name), f"{LOCAL_PREFIX}{schema.name}-"
    made = 'EXISTS (SELECT 1 FROM _sync_local l WHERE l.local_id = NEW."Id")'
    another = f"""(EXISTS (SELECT 1 FROM _sync_local l WHERE l.local_id = NEW."Id" AND l.object_name <> {own})
      OR EXISTS (SELECT 1 FROM _sync_outbox o WHERE o.record_id = NEW."Id" AND o.object_name <> {own}))"""
    taken = f"A record of another object has this local id: choose one that none has, such as {mine}1"
    by_now = f"The {schema.name} of this local id is in the org by now: change it under the Id that it has there"
    id_not_text = _not_utf_8('NEW."Id"')
    return (
        f'CASE WHEN {here} THEN NULL WHEN NEW."Id" NOT {IS_LOCAL} THEN {refuse(given)}'
        f" WHEN {id_not_text} THEN {refuse(f'{schema.name}.Id {_NOT_UTF_8}')}"
        f" WHEN {another} THEN {refuse(taken)} WHEN {made} THEN {refuse(by_now)} ELSE {checked} END"
    )


def refused_update(schema: ObjectSchema) -> str:
    """An expression that refuses a change of a row that is wrong; it is never true."""
    rows = ", ".join(
        f"({at}, +OLD.{name}, +NEW.{name})" for at, each in _checked(schema) for name in [quote(each.name)]
    )
    found = f"SELECT column1 AS number, nullif(column2, '') AS was, nullif(column3, '') AS wanted FROM (VALUES {rows})"
    on_its_way = (
        f"EXISTS (SELECT 1 FROM _sync_outbox WHERE object_name = {literal(schema.name)}"
        ' AND record_id = NEW."Id" AND sending IS NOT NULL)'
    )
    wrong = f"""CASE WHEN changes = 'never' THEN {Wrong.READ_ONLY:d}
      WHEN changes = 'once' AND (OLD."Id" NOT {IS_LOCAL} OR {on_its_way}) THEN {Wrong.ONCE:d}
      WHEN wanted IS NULL THEN CASE WHEN type = 'boolean' THEN {Wrong.FORM:d} WHEN needed THEN {Wrong.EMPTY:d} END
      ELSE {_wrong(schema)} END"""
    whole, whole_words = _of_the_record(schema)
    code = f"CASE {whole} ELSE v.number * {_KINDS} + {wrong} END" if whole else f"v.number * {_KINDS} + {wrong}"
    words = [(_code(number, what), why) for number, each in _checked(schema) for what, why in _no_change(schema, each)]
    # What comes as text, as from a CSV file, is no change where it is what is here.
    number, key = same_number("was", "wanted"), same_id("was", "wanted")
    same = f"CASE type WHEN 'decimal' THEN {number} WHEN 'reference' THEN {key} END"
    checked = _checks(schema, found, f"was IS NOT wanted AND ({same}) IS NOT 1", code, [*whole_words, *words])
    flags = " ".join(f"WHEN {when} THEN {refuse(why)}" for when, why in _flags(schema))
    return f"CASE {flags} ELSE {checked} END"


def refuse(message: str) -> str:
    """What ends the statement that fired the trigger, and undoes it."""
    return f"RAISE(ABORT, {literal(message)})"


def _flags(schema: ObjectSchema) -> Iterator[tuple[str, str]]:
    """When a change of the two columns that are no data is refused, and why."""
    yield 'NEW."Id" IS NOT OLD."Id"', "An Id cannot be changed"
    if schema.has("IsDeleted"):
        yield 'NEW."IsDeleted" NOT IN (0, 1)', "IsDeleted is 0 or 1"
        if not schema.deletable:
            never = f"{schema.name} records cannot be deleted or brought back"
            yield 'NEW."IsDeleted" IS NOT OLD."IsDeleted"', never


def _of_the_record(schema: ObjectSchema) -> tuple[str, list[Words]]:
    """What refuses the change of any field, and the words for that."""
    whens, words = "", []
    if not schema.updateable:
        whens += f'WHEN OLD."Id" NOT {IS_LOCAL} THEN {_UNCHANGEABLE}'
        words.append((_UNCHANGEABLE, f"{schema.name} records cannot be changed"))
    if schema.has("IsDeleted"):
        whens += f' WHEN OLD."IsDeleted" IS 1 AND NEW."IsDeleted" IS 1 THEN {_IS_DELETED}'
        words.append((_IS_DELETED, "A deleted record: leave it out (WHERE IsDeleted = 0), or first set IsDeleted = 0"))
    return whens, words


def _checks(schema: ObjectSchema, found: str, looked_at: str, code: str, words: Sequence[Words]) -> str:
    """The first field in which something is wrong refuses the row; else this is no more than NULL."""
    whens = " ".join(f"WHEN {number} THEN {refuse(why)}" for number, why in words)
    return (
        f"(SELECT max(CASE code {whens} END) FROM (SELECT {code} AS code FROM ({found}) v"
        f" LEFT JOIN _sync_rule r ON r.object_name = {literal(schema.name)} AND r.number = v.number"
        f" WHERE {looked_at}))"
    )


def _code(number: int, what: Wrong) -> int:
    return number * _KINDS + what


# ── the words of a field ─────────────────────────────────────────────────────────────────────────────────────────


def why_read_only(field: Field) -> str:
    """Why a field cannot be written, to follow its name."""
    if field.calculated:
        return "is calculated by Salesforce and cannot be written"
    return "is read-only for the connected user"


def _not_new(schema: ObjectSchema, field: Field) -> Iterator[tuple[Wrong, str]]:
    """What may be wrong with the field in a new row, and the words for that."""
    named = f"{schema.name}.{field.name}"
    if not field.createable:
        yield Wrong.READ_ONLY, f"{named} {why_read_only(field)}"
        return
    if field.required:
        yield Wrong.EMPTY, f"{named} is required"
    for what, why in _no_value(field):
        yield what, f"{named} {why}"


def _no_change(schema: ObjectSchema, field: Field) -> Iterator[tuple[Wrong, str]]:
    """The same, where its value changes."""
    named = f"{schema.name}.{field.name}"
    if not field.updateable and not field.createable:
        yield Wrong.READ_ONLY, f"{named} {why_read_only(field)}"
        return
    if not field.updateable:
        yield Wrong.ONCE, f"{named} can only be set when the record is made"
    if not field.nillable:
        yield Wrong.EMPTY, f"{named} is required: it cannot be emptied"
    for what, why in _no_value(field):
        yield what, f"{named} {why}"


_FORMS: Final = {
    FieldType.BOOLEAN: "is 0 or 1",
    FieldType.INTEGER: "is a whole number",
    FieldType.DECIMAL: "is a number, written like 1234.5",
    FieldType.DATE: "is a date, written like 2026-01-31",
    FieldType.DATETIME: "is a datetime in UTC, written like 2026-01-31T14:30:00.000Z",
    FieldType.TIME: "is a time, written like 14:30:00.000Z",
    FieldType.ID: "is an id, a text of 15 or 18 characters",
    FieldType.REFERENCE: "is an id, a text of 15 or 18 characters",
}


_NOT_UTF_8: Final = "is not UTF-8 text: convert the file first, such as by iconv -f WINDOWS-1252 -t UTF-8"


def _no_value(field: Field) -> Iterator[tuple[Wrong, str]]:
    """What a given value may surely be wrong by, and the words for that, to follow the field's name."""
    most = f" of {field.length} characters at most" if field.length else ""
    yield Wrong.FORM, _FORMS.get(field.type, f"holds text{most}, and no binary value (a blob)")
    if field.type is FieldType.TEXT:
        yield Wrong.NOT_TEXT, _NOT_UTF_8
    if field.type in (FieldType.ID, FieldType.REFERENCE):
        yield Wrong.NOBODY, "is the id of no record that was made here"
    if field.whole_digits is not None:
        yield Wrong.TOO_LARGE, f"holds {field.whole_digits} digits before the point at most"
    if field.restricted_picklist and field.picklist:
        yield Wrong.UNLISTED, f"takes only values of its picklist: {_some(field)}"


def _some(field: Field) -> str:
    values = [value for value, active in field.picklist if active]
    return ", ".join(values[:8]) + (", …" if len(values) > 8 else "")


# ── the conditions, of all fields at once ────────────────────────────────────────────────────────────────────────


def _wrong(schema: ObjectSchema) -> str:
    """What is surely wrong with the value `wanted` of a field of this rule; NULL if nothing is."""
    return f"""CASE type
        WHEN 'text' THEN {_wrong_text(schema)}
        WHEN 'boolean' THEN CASE WHEN wanted NOT IN (0, 1) THEN {Wrong.FORM:d} END
        WHEN 'integer' THEN CASE WHEN typeof(wanted) <> 'integer' THEN {Wrong.FORM:d} {_TOO_LARGE} END
        WHEN 'decimal' THEN CASE WHEN {_NOT_A_NUMBER} THEN {Wrong.FORM:d} {_TOO_LARGE} END
        WHEN 'date' THEN CASE WHEN date(wanted, '+0 days') IS NOT wanted THEN {Wrong.FORM:d} END
        WHEN 'datetime' THEN
          CASE WHEN strftime('%Y-%m-%dT%H:%M:%fZ', wanted, '+0 days') IS NOT wanted THEN {Wrong.FORM:d} END
        WHEN 'time' THEN CASE WHEN strftime('%H:%M:%fZ', wanted) IS NOT wanted THEN {Wrong.FORM:d} END
        ELSE {_WRONG_ID}
      END"""


# '+0 days' makes SQLite look at the day: without it, 2026-02-30 is given back as it is.

# Digits that a double cannot keep are stored as text, so a text of digits, sign and point is a number too.
_NOT_WRITTEN_SO = f"NOT ({is_number('wanted')})"
_NOT_A_NUMBER = (
    f"CASE typeof(wanted) WHEN 'text' THEN {_NOT_WRITTEN_SO} WHEN 'blob' THEN 1 ELSE abs(wanted) = 9e999 END"
)

# A text has more digits than a double can keep, so they are counted.
_WHOLE = "substr(wanted || '.', 1, instr(wanted || '.', '.') - 1)"
_TOO_MANY = f"CASE typeof(wanted) WHEN 'text' THEN length(ltrim({_WHOLE}, '-+0')) > digits"
_TOO_LARGE = f"WHEN {_TOO_MANY} ELSE abs(wanted) >= CAST('1e' || digits AS REAL) END THEN {Wrong.TOO_LARGE:d}"

_MADE = "EXISTS (SELECT 1 FROM _sync_outbox o WHERE o.record_id = wanted)"
_GIVEN = "EXISTS (SELECT 1 FROM _sync_local l WHERE l.local_id = wanted)"
_WRONG_ID = f"""CASE
          WHEN typeof(wanted) = 'blob' THEN {Wrong.FORM:d}
          WHEN wanted NOT {IS_LOCAL} THEN
            CASE WHEN length(wanted) NOT IN (15, 18) OR wanted GLOB '*[^ -~]*' THEN {Wrong.FORM:d} END
          WHEN NOT (wanted = NEW."Id" OR {_MADE} OR {_GIVEN}) THEN {Wrong.NOBODY:d}
        END"""

# The values of a multi-select picklist, `A;B`, one a row.
_CUT = "substr(rest, 1, instr(rest, ';') - 1), substr(rest, instr(rest, ';') + 1)"
_PARTS = (
    "WITH RECURSIVE parts (part, rest) AS (SELECT '', wanted || ';'"
    f" UNION ALL SELECT {_CUT} FROM parts WHERE rest <> '') SELECT part FROM parts"
)


def _not_utf_8(text: str) -> str:
    """Whether this is surely no UTF-8: it has bytes beyond ASCII, and each stands alone, or one has not what it begins.

    SQLite takes any bytes for text, and has no test of them. It reads a byte that goes on where nothing began as the
    character of that number, and one that begins what does not go on as U+FFFD, as it does U+FFFE and U+FFFF. What
    passes all the same is found where the outbox is read.
    """
    blob = f"CAST({text} AS BLOB)"
    cut = f"{text} GLOB '*\ufffd*' AND NOT instr({blob}, x'EFBF')"
    alone = f"length({blob}) = length({text}) AND {text} GLOB '*[' || char(128) || '-' || char(191) || ']*'"
    return f"CASE WHEN {text} GLOB '*[^ -~]*' THEN {cut} OR {alone} END"


def _wrong_text(schema: ObjectSchema) -> str:
    listed = (
        f"EXISTS (SELECT 1 FROM _sync_picklist p WHERE p.object_name = {literal(schema.name)}"
        " AND p.field = r.field AND p.value ="
    )
    several = f"EXISTS (SELECT 1 FROM ({_PARTS}) WHERE part <> '' AND NOT {listed} part))"
    return f"""CASE
          WHEN typeof(wanted) = 'blob' OR length(wanted) > length THEN {Wrong.FORM:d}
          WHEN {_not_utf_8("wanted")} THEN {Wrong.NOT_TEXT:d}
          WHEN CASE picklist WHEN 'one' THEN NOT {listed} wanted) WHEN 'several' THEN {several} END
            THEN {Wrong.UNLISTED:d}
        END"""
