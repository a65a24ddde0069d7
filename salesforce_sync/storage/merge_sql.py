"""Statements of a merge: how staged rows enter the table."""

from __future__ import annotations

from collections.abc import Sequence

from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.storage.reading_sql import alive
from salesforce_sync.storage.sql_text import literal, quote
from salesforce_sync.storage.staging_sql import staging_table

CAME = "temp._sync_came"
MAKE_CAME = f"""
CREATE TABLE IF NOT EXISTS {CAME} (key PRIMARY KEY, here INTEGER, place INTEGER, dies INTEGER) WITHOUT ROWID
"""
"""The staged rows in the order in which they enter: those whose records are here as they lie in the table, then new
ones by their ids. What changes together is then in the cache together. `here` and `place` are a row's places in the
table, null for a new one, and in staging; a record that came twice does not fit in."""
END_CAME = f"DELETE FROM {CAME}"


def order_staged(object_name: str, *, deletable: bool) -> str:
    """Only places are sorted, and not rows; and a merge that did not find them here would copy all rows, because it
    reads the table that it writes."""
    staging, table = quote(staging_table(object_name)), quote(object_name)
    dies = 'c."IsDeleted" IS 1' if deletable else "0"
    return f"""
INSERT INTO {CAME}
SELECT coalesce(h._rowid_, c."Id") AS key, h._rowid_, c._rowid_, {dies}
FROM {staging} c LEFT JOIN {table} h ON h."Id" = c."Id" ORDER BY key
"""


def came_and_staged(object_name: str) -> str:
    """The staged rows `s` with their places `o`, in their order."""
    return f"{CAME} o CROSS JOIN {quote(staging_table(object_name))} s ON s._rowid_ = o.place"


def count_merge(object_name: str, *, deletable: bool, stamp: str | None) -> str:
    """What a merge is about to do: new live rows, new tombstones, tombstones that live again, rows that die, staged;
    and how many of these are live here now.

    `:trusted` is as in `merge`.
    """
    staging, table = quote(staging_table(object_name)), quote(object_name)
    dead = 't."IsDeleted" IS 1' if deletable else "false"
    # Asked last, of the few for which the rest holds: it looks a row up.
    enters = f"EXISTS (SELECT 1 FROM {staging} s WHERE s._rowid_ = o.place{may_enter('s', stamp)})"
    return f"""
SELECT count(*) FILTER (WHERE o.here IS NULL AND NOT o.dies),
       count(*) FILTER (WHERE o.here IS NULL AND o.dies),
       count(*) FILTER (WHERE o.here NOTNULL AND NOT o.dies AND {dead} AND {enters}),
       count(*) FILTER (WHERE o.here NOTNULL AND o.dies AND NOT {dead} AND {enters}),
       count(*),
       count(*) FILTER (WHERE o.here NOTNULL AND NOT {dead})
FROM {CAME} o LEFT JOIN {table} t ON t._rowid_ = o.here
"""


def may_enter(come: str, stamp: str | None) -> str:
    if stamp is None:
        return ""
    here = f"t.{quote(stamp)}"
    return f" AND coalesce({come}.{quote(stamp)} >= {here} OR {here} > :trusted, 1)"


def merge(object_name: str, columns: Sequence[Field], stamp: str | None) -> str:
    """One statement; rows that hold nothing new are left alone, and an older row never replaces a newer one.

    Only stamps up to `:trusted` count for that: a later one was ahead of the org's clock when the row was read.
    """
    names, table = [quote(each.name) for each in columns], quote(object_name)
    others = [name for name in names if name != '"Id"']
    assigned = ", ".join(f"{name} = excluded.{name}" for name in others)
    # The stamp first: it differs in nearly every row that differs at all, and the first difference decides.
    others.sort(key=lambda name: stamp is None or name != quote(stamp))
    came, here = (", ".join(f"{row}.{name}" for name in others) for row in ("excluded", "t"))
    # By their places in the table: by their ids SQLite would look each of them up again.
    return f"""
INSERT INTO {table} AS t (_rowid_, {", ".join(names)})
SELECT o.here, {", ".join(f"s.{name}" for name in names)} FROM {came_and_staged(object_name)} WHERE true
ON CONFLICT (_rowid_) DO UPDATE SET {assigned} WHERE ({came}) IS NOT ({here}){may_enter("excluded", stamp)}
"""


def shown_again(schema: ObjectSchema) -> str:
    """A record that the org shows again needs nobody who lets it be seen."""
    live = f'SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = _sync_inbox.record_id AND {alive(schema)}'
    return f"DELETE FROM _sync_inbox WHERE object_name = ? AND kind = {literal(Kind.NOT_SHOWN)} AND EXISTS ({live})"


def come_back(schema: ObjectSchema) -> str:
    """A record that the org shows again is no longer gone."""
    live = f'SELECT 1 FROM {quote(schema.name)} t WHERE t."Id" = _sync_gone.id AND {alive(schema)}'
    return f"DELETE FROM _sync_gone WHERE object_name = ? AND EXISTS ({live})"
