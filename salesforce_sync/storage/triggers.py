"""The triggers that turn an INSERT, UPDATE or DELETE on an object's table into an edit in the outbox.

Whoever writes the table fires them: this package, the `sqlite3` shell, any SQLite tool. They are therefore written in
what SQLite had in 2018 (3.24) and call nothing but its built-in functions. Merges run where triggers are off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.storage.checks import IS_LOCAL, refuse, refused_insert, refused_update
from salesforce_sync.storage.own_sql import TOLD_KINDS
from salesforce_sync.storage.same_values import decimal, full_id, same_id
from salesforce_sync.storage.sql_text import joined, literal, quote

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"


_IN_SEVERAL_FORMS = FieldType.DECIMAL, FieldType.REFERENCE
"""Types of which a tool may write a value in another form than the stored one: as text, and in 15 characters."""

_NO_EDIT = "in_flight = 0 AND ((contested = 0 AND value IS base) OR (contested = 1 AND value IS org))"
"""A field that is back where the org has it is no edit any more, unless something else is on its way there."""


def triggers(schema: ObjectSchema, lost: Sequence[str] = ()) -> dict[str, str]:
    """The object's triggers: name → CREATE TRIGGER statement. `lost`: columns of fields that it has no more."""
    made = {
        "check_insert": _check(schema, "check_insert", "BEFORE INSERT", refused_insert(schema)),
        "lost_insert": _lost(schema, "lost_insert", "BEFORE INSERT", {each: "NULL" for each in lost}),
        "lost_update": _lost(schema, "lost_update", "BEFORE UPDATE", {each: f"OLD.{quote(each)}" for each in lost}),
        "insert": _insert(schema),
        "check_update": _check(schema, "check_update", "BEFORE UPDATE", refused_update(schema)),
        "update": _update(schema),
        "blank": _blank(schema),
        "bin": _bin(schema),
        "delete": _delete(schema),
    }
    return {trigger_name(schema.name, kind): text for kind, text in made.items() if text}


def trigger_name(object_name: str, kind: str) -> str:
    """The name of one of the object's triggers."""
    return f"_sync_on_{kind}_{object_name}"


def _create(schema: ObjectSchema, kind: str, event: str, statements: list[str], when: str = "") -> str:
    name, table = quote(trigger_name(schema.name, kind)), quote(schema.name)
    body = "\n".join(f"  {each};" for each in statements)
    return f"CREATE TRIGGER {name} {event} ON {table}{f' WHEN {when}' if when else ''} BEGIN\n{body}\nEND"


def _check(schema: ObjectSchema, kind: str, event: str, refused: str) -> str:
    """A trigger that does nothing else."""
    return _create(schema, kind, event, ["SELECT 1"], refused)


def _lost(schema: ObjectSchema, kind: str, event: str, lost: Mapping[str, str]) -> str:
    """Refuse to write what would never be sent; `lost`: column → what it may be."""
    if not lost:
        return ""
    whens = " ".join(
        f"WHEN NEW.{quote(name)} IS NOT {old} THEN {refuse(f'{schema.name}.{name} {_why_lost(schema, name)}')}"
        for name, old in lost.items()
    )
    return _check(schema, kind, event, f"CASE {whens} END")


def _why_lost(schema: ObjectSchema, name: str) -> str:
    kept = "what was last known of it is kept"
    if any(each.field == name for each in schema.refusals):
        return f"is a field that the org describes and refuses to read: {kept}, and status says when it is tried again"
    return f"is not in the org any more, or hidden from the connected user: {kept}"


# ── edits into the outbox ────────────────────────────────────────────────────────────────────────────────────────


def _mine(schema: ObjectSchema, row: str = "NEW") -> str:
    return f'object_name = {literal(schema.name)} AND record_id = {row}."Id"'


def _editable(schema: ObjectSchema, wanted: Callable[[Field], bool]) -> list[Field]:
    return [each for each in schema.columns if each.name not in ("Id", "IsDeleted") and wanted(each)]


def _changed_condition(fields: list[Field]) -> str:
    """Whether any of these fields changes."""
    if not fields:
        return "0"
    old, new = (", ".join(f"{row}.{quote(each.name)}" for each in fields) for row in ("OLD", "NEW"))
    return f"({old}) IS NOT ({new})" if len(fields) > 1 else f"{old} IS NOT {new}"


def _insert(schema: ObjectSchema) -> str:
    fields = _editable(schema, lambda field: field.createable)
    if not schema.createable:
        return ""
    columns = "object_name, record_id, operation, edited_at"
    # A row that was replaced is gone by now, and no trigger was told: it may be in the org, or on its way there.
    replaced = f'NEW."Id" NOT {IS_LOCAL} OR EXISTS (SELECT 1 FROM _sync_outbox WHERE {_mine(schema)})'
    why = f"A {schema.name} is not put in another one's place: use UPDATE, or INSERT ... ON CONFLICT (Id) DO UPDATE"
    statements = [
        f"SELECT {refuse(why)} WHERE {replaced}",
        f"INSERT INTO _sync_outbox ({columns}) VALUES ({literal(schema.name)}, NEW.\"Id\", 'create', {_NOW})",
    ]
    if fields:
        in_stored_form = _by_form(
            fields,
            {"NEW": "wanted"},
            others="wanted",
            decimals=f"{decimal('wanted')} AS wanted",
            ids=f"{full_id('wanted')} AS wanted",
        )
        told = f'SELECT {literal(schema.name)}, NEW."Id", field, wanted, {_NOW}'
        edits = " UNION ALL ".join(f"{told} FROM ({each} WHERE wanted IS NOT NULL)" for each in in_stored_form)
        statements.append(f"INSERT INTO _sync_edit (object_name, record_id, field, value, edited_at) {edits}")
        for named_really in _real_names(schema, fields):
            statements += named_really
        statements += _in_form(schema, fields)
    return _create(schema, "insert", "AFTER INSERT", statements)


def _update(schema: ObjectSchema) -> str:
    fields = _editable(schema, lambda field: field.updateable or field.createable)
    # What cannot be edited may be written all the same, as it is and in another form.
    others = [each for each in schema.columns if each not in fields and each.type in _IN_SEVERAL_FORMS]
    if not fields and not others:
        return ""
    mine = _mine(schema)
    full = f"CASE WHEN {same_id('was', 'wanted')} THEN max(was, wanted)"  # of the two the longer one
    both = _by_form(
        [*fields, *others],
        {"OLD": "was", "NEW": "wanted"},
        others="was, wanted",
        decimals=f"{decimal('was')} AS was, {decimal('wanted')} AS wanted",
        ids=f"{full} ELSE was END AS was, {full} ELSE {full_id('wanted')} END AS wanted",
    )
    told = (
        f'{literal(schema.name)}, NEW."Id", field, CASE WHEN NEW."Id" {IS_LOCAL} THEN NULL ELSE was END, wanted, {_NOW}'
    )
    # Also of one that is the same in another form: it gives the row its form, and then goes as one that is none.
    edits = " UNION ALL ".join(f"SELECT {told} FROM ({each} WHERE was IS NOT wanted)" for each in both)
    edit = (
        # With a WHERE: SQLite would take the ON behind it for that of a join.
        f"INSERT INTO _sync_edit (object_name, record_id, field, base, value, edited_at) {edits} WHERE 1"
        " ON CONFLICT (object_name, record_id, field)"
        " DO UPDATE SET value = excluded.value, edited_at = excluded.edited_at"
    )
    in_edits, in_row = _real_names(schema, fields)
    statements = [
        edit,
        *in_edits,
        *_in_form(schema, schema.columns),
        f"DELETE FROM _sync_edit WHERE {mine} AND {_NO_EDIT}",
        f"INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) SELECT {literal(schema.name)},"
        f" NEW.\"Id\", 'update', {_NOW} WHERE EXISTS (SELECT 1 FROM _sync_edit WHERE {mine})"
        f" ON CONFLICT (object_name, record_id) DO UPDATE SET state = {_released(mine)}, attempts = 0,"
        " not_before = NULL, edited_at = excluded.edited_at",
        *_let_go(schema),
        *_tidy(schema),
        *in_row,
    ]
    alive = ' AND NEW."IsDeleted" IS NOT 1' if schema.has("IsDeleted") else ""
    return _create(schema, "update", "AFTER UPDATE", statements, _changed_condition([*fields, *others]) + alive)


def _by_form(fields: Sequence[Field], rows: Mapping[str, str], *, others: str, decimals: str, ids: str) -> list[str]:
    """SELECTs of the fields' names and of what is asked of their values, by the forms that these may come in.

    `rows`: what a value of each of these rows is called.
    """
    asked = {FieldType.DECIMAL: decimals, FieldType.REFERENCE: ids}
    parts = [(others, [each for each in fields if each.type not in asked])]
    parts += [(values, [each for each in fields if each.type is kind]) for kind, values in asked.items()]
    columns = ", ".join(f"nullif(column{at}, '') AS {called}" for at, called in enumerate(rows.values(), 2))
    return [
        f"SELECT field, {values} FROM (SELECT column1 AS field, {columns} FROM (VALUES {_listed(some, rows)}))"
        for values, some in parts
        if some
    ]


def _listed(fields: Sequence[Field], rows: Iterable[str]) -> str:
    # With a plus: SQLite would name a column of VALUES after a bare one, and take over its affinity.
    cells = [[f"+{row}.{quote(each.name)}" for row in rows] for each in fields]
    return ", ".join(f"({', '.join([literal(each.name), *some])})" for each, some in zip(fields, cells, strict=True))


def _in_form(schema: ObjectSchema, fields: Sequence[Field]) -> list[str]:
    """A statement that gives the decimals and ids of a row the form of their edits, if any may have come in another."""
    decimals, ids = ([quote(each.name) for each in fields if each.type is kind] for kind in _IN_SEVERAL_FORMS)
    if not decimals and not ids:
        return []
    # Every edit asks this: in a list it is cheap, and takes little room.
    came = [f"'text' IN ({', '.join(f'typeof(NEW.{name})' for name in decimals)})"] if decimals else []
    came += [f"15 IN ({', '.join(f'length(NEW.{name})' for name in ids)})"] if ids else []
    values = ", ".join(
        f"coalesce(max(CASE field WHEN {literal(each.name)} THEN value END), NEW.{quote(each.name)})"
        for kind in _IN_SEVERAL_FORMS
        for each in fields
        if each.type is kind
    )
    form = f"SELECT {values} FROM _sync_edit WHERE {_mine(schema)}"
    assigned = f"({', '.join([*decimals, *ids])}) = ({form})"
    return [f"UPDATE {quote(schema.name)} SET {assigned} WHERE rowid = NEW.rowid AND ({' OR '.join(came)})"]


def _real_names(schema: ObjectSchema, fields: list[Field]) -> tuple[list[str], list[str]]:
    """Statements that put real ids for local ones that the org has answered by now: into the edits, and into the row.

    A value that is put only into the one of them would differ from what the org shows for ever.
    """
    names = [each.name for each in fields if each.type is FieldType.REFERENCE]
    if not names:
        return [], []
    real = "SELECT record_id FROM _sync_local WHERE local_id ="
    local = joined([f"NEW.{quote(name)} {IS_LOCAL}" for name in names], " OR ")
    listed = ", ".join(map(literal, names))
    cells = ", ".join(f"{quote(name)} = coalesce(({real} {quote(name)}), {quote(name)})" for name in names)
    return (
        [
            f"UPDATE _sync_edit SET value = coalesce(({real} value), value) WHERE ({local}) AND {_mine(schema)}"
            f" AND field IN ({listed})"
        ],
        [f"UPDATE {quote(schema.name)} SET {cells} WHERE ({local}) AND rowid = NEW.rowid"],
    )


def _waits_as_a_whole(mine: str) -> str:
    """Whether the record waits for more than another value: an edit does not answer that."""
    kinds = "'uncertain', 'deleted there', 'changed there'"
    return f"EXISTS (SELECT 1 FROM _sync_inbox WHERE {mine} AND kind IN ({kinds}))"


def _released(mine: str) -> str:
    return f"CASE WHEN {_waits_as_a_whole(mine)} THEN state ELSE 'waiting' END"


def _gone_there(mine: str) -> str:
    return f"EXISTS (SELECT 1 FROM _sync_inbox WHERE {mine} AND kind = 'deleted there')"


def _let_go(schema: ObjectSchema) -> list[str]:
    """The org has deleted it, and the last edit that kept it here was taken back: it is deleted here too."""
    mine = _mine(schema)
    when = f"rowid = NEW.rowid AND NOT EXISTS (SELECT 1 FROM _sync_edit WHERE {mine}) AND {_gone_there(mine)}"
    table = quote(schema.name)
    if schema.has("IsDeleted") and schema.deletable:
        return [f'UPDATE {table} SET "IsDeleted" = 1 WHERE {when}']
    return [f"DELETE FROM {table} WHERE {when}"]


def _tidy(schema: ObjectSchema) -> list[str]:
    """Take out of the outbox and the inbox what has no reason to be there any more."""
    mine = _mine(schema)
    no_edits = f"NOT EXISTS (SELECT 1 FROM _sync_edit WHERE {mine})"
    in_outbox = f"EXISTS (SELECT 1 FROM _sync_outbox WHERE {mine} AND state = 'parked')"
    disputed = f"EXISTS (SELECT 1 FROM _sync_edit WHERE {mine} AND contested = 1)"
    return [
        f"DELETE FROM _sync_outbox WHERE {mine} AND operation = 'update' AND sending IS NULL AND {no_edits}",
        f"DELETE FROM _sync_inbox WHERE {mine} AND kind NOT IN ('conflict', {TOLD_KINDS}) AND NOT {in_outbox}",
        f"DELETE FROM _sync_inbox WHERE {mine} AND kind = 'conflict' AND NOT {disputed}",
    ]


def _blank(schema: ObjectSchema) -> str:
    """Salesforce keeps no empty text: it is null there, so it is null here."""
    texts = [
        each
        for each in _editable(schema, lambda field: field.updateable or field.createable)
        if each.type not in (FieldType.BOOLEAN, FieldType.INTEGER)
    ]
    if not texts:
        return ""
    empty = f"'' IN ({', '.join(f'NEW.{quote(each.name)}' for each in texts)})"
    emptied = ", ".join(f"{quote(each.name)} = nullif({quote(each.name)}, '')" for each in texts)
    return _create(
        schema,
        "blank",
        "AFTER UPDATE",
        [f"UPDATE {quote(schema.name)} SET {emptied} WHERE rowid = NEW.rowid"],
        empty,
    )


def _bin(schema: ObjectSchema) -> str:
    """IsDeleted set to 1 is a deletion, and to 0 an undeletion."""
    if not schema.has("IsDeleted") or not schema.deletable:
        return ""
    put = (
        f"DO UPDATE SET state = CASE WHEN NEW.\"IsDeleted\" = 0 THEN 'waiting' ELSE {_released(_mine(schema))} END,"
        " attempts = 0, not_before = NULL,"
        " edited_at = excluded.edited_at, operation ="
    )
    back = f"CASE WHEN record_id {IS_LOCAL} THEN 'create' ELSE 'update' END"
    mine = _mine(schema)
    gone = f'NEW."IsDeleted" = 1 AND {_gone_there(mine)}'
    taken_back = "operation = 'undelete' AND sending IS NOT 'undelete' AND NEW.\"IsDeleted\" = 1"
    was_undelete = f"EXISTS (SELECT 1 FROM _sync_outbox WHERE {mine} AND {taken_back})"
    statements = [
        # A deletion that takes an undeletion back ends the edits that were made in between, too.
        f"DELETE FROM _sync_edit WHERE {mine} AND (({gone}) OR {was_undelete})",
        # What was edited and sent before its record was deleted here.
        f'DELETE FROM _sync_edit WHERE {mine} AND NEW."IsDeleted" = 0 AND {_NO_EDIT}',
        f"DELETE FROM _sync_outbox WHERE {mine} AND sending IS NULL AND {gone}",
        f"INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) SELECT {literal(schema.name)},"
        f" NEW.\"Id\", CASE NEW.\"IsDeleted\" WHEN 1 THEN 'delete' ELSE 'undelete' END, {_NOW} WHERE NOT ({gone})"
        f" ON CONFLICT (object_name, record_id) {put} CASE"
        f" WHEN excluded.operation = 'undelete' AND operation = 'delete' AND sending IS NOT 'delete' THEN {back}"
        " WHEN excluded.operation = 'delete' AND operation = 'undelete' AND sending IS NOT 'undelete' THEN 'update'"
        " ELSE excluded.operation END",
        *_tidy(schema),
        f"DELETE FROM _sync_inbox WHERE {mine} AND {gone}",
        _dispute_beneath(schema),
    ]
    return _create(
        schema,
        "bin",
        'AFTER UPDATE OF "IsDeleted"',
        statements,
        'coalesce(OLD."IsDeleted", 0) IS NOT coalesce(NEW."IsDeleted", 0)',
    )


def _dispute_beneath(schema: ObjectSchema) -> str:
    """What was in dispute beneath a deletion waits by itself once the deletion is taken back."""
    mine = _mine(schema)
    disputed = f"FROM _sync_edit WHERE {mine} AND contested = 1"
    fields = f"""(SELECT '["' || group_concat(field, '","') || '"]' {disputed})"""
    hint = literal("Take the org's values, the local ones, or write others.")
    return (
        "INSERT OR IGNORE INTO _sync_inbox (object_name, record_id, kind, at, code, hint, fields)"
        f" SELECT {literal(schema.name)}, NEW.\"Id\", 'conflict', {_NOW}, 'CONFLICT', {hint}, {fields}"
        f' WHERE NEW."IsDeleted" = 0 AND EXISTS (SELECT 1 {disputed})'
    )


def _delete(schema: ObjectSchema) -> str:
    mine = _mine(schema, "OLD")
    if not schema.deletable:
        local = f'OLD."Id" NOT {IS_LOCAL}'
        refusal = f"SELECT {refuse(f'{schema.name} records cannot be deleted')} WHERE {local}"
        return _create(schema, "delete", "BEFORE DELETE", [refusal, *_forget(mine)])
    # A record that was made here and is not on its way to the org is simply gone.
    here_only = f'OLD."Id" {IS_LOCAL} AND NOT EXISTS (SELECT 1 FROM _sync_outbox WHERE {mine} AND sending IS NOT NULL)'
    forget = [f"{each} AND {here_only}" for each in _forget(mine)]
    # The outbox row tells whether it is here only: it goes last.
    known_there = f'(OLD."Id" NOT {IS_LOCAL} OR EXISTS (SELECT 1 FROM _sync_outbox WHERE {mine}))'
    if schema.has("IsDeleted"):
        kept = f'UPDATE {quote(schema.name)} SET "IsDeleted" = 1 WHERE rowid = OLD.rowid AND "IsDeleted" IS NOT 1'
        stay = f"SELECT RAISE(IGNORE) WHERE {known_there}"
        return _create(schema, "delete", "BEFORE DELETE", [*forget, f"{kept} AND {known_there}", stay])
    return _create(schema, "delete", "BEFORE DELETE", [*forget, *_note_whole_row(schema, known_there)])


def _forget(mine: str) -> list[str]:
    return [f"DELETE FROM {table} WHERE {mine}" for table in ("_sync_edit", "_sync_inbox", "_sync_outbox")]


def _note_whole_row(schema: ObjectSchema, known_there: str) -> list[str]:
    """Without IsDeleted there is no tombstone: the row leaves the table, and its values wait as bases."""
    rows = ", ".join(f"({literal(each.name)}, +OLD.{quote(each.name)})" for each in schema.columns if each.name != "Id")
    return [
        f'INSERT INTO _sync_edit (object_name, record_id, field, base, value) SELECT {literal(schema.name)}, OLD."Id",'
        f" column1, nullif(column2, ''), nullif(column2, '') FROM (VALUES {rows}) WHERE {known_there}"
        " ON CONFLICT (object_name, record_id, field) DO NOTHING",
        f"INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) SELECT {literal(schema.name)},"
        f" OLD.\"Id\", 'delete', {_NOW} WHERE {known_there}"
        " ON CONFLICT (object_name, record_id) DO UPDATE SET operation = 'delete', state = 'waiting', attempts = 0,"
        " not_before = NULL, edited_at = excluded.edited_at",
    ]
