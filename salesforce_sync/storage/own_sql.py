"""Statements on the store's own tables: objects and their checkpoints, pulls that were begun, usage, runs."""

from __future__ import annotations

from salesforce_sync.errors import FieldRefused
from salesforce_sync.models.outbox import TOLD
from salesforce_sync.models.run import CAME
from salesforce_sync.storage.sql_text import literal

_HAS_TABLE = """EXISTS (
    SELECT 1 FROM sqlite_master WHERE type = 'table' AND sqlite_master.name = _sync_object.name COLLATE NOCASE)
"""
"""Somebody may have dropped it, by any SQLite tool."""
ALL_OBJECTS = f"SELECT schema FROM _sync_object WHERE {_HAS_TABLE} ORDER BY name"
ONE_OBJECT = "SELECT name, schema, described_at, until, merged, refill, read_at FROM _sync_object WHERE name = ?"
FIND_OBJECT = f"{ONE_OBJECT} AND {_HAS_TABLE}"
HAS_COLUMN = "SELECT 1 FROM pragma_table_info(?) WHERE name = ? COLLATE NOCASE"
FORGET_OBJECT = """
UPDATE _sync_object
SET until = NULL, merged = 0, refill = 0, unfilled = NULL, read_at = NULL, doubt_from = NULL, doubt_to = NULL,
    loss_found_at = NULL, loss = NULL, loss_hint = NULL
WHERE name = ?
"""
FORGET_PROOFS = "DELETE FROM _sync_proof WHERE object_name = ?"
ORG = "SELECT id, instance_url FROM _sync_org"
REMEMBER_ORG = "DELETE FROM _sync_org; INSERT INTO _sync_org (id, instance_url) VALUES (?, ?)"
ADOPT_OBJECT = """
INSERT INTO _sync_object (name, schema, described_at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET schema = excluded.schema, described_at = excluded.described_at
"""
GAINED = "UPDATE _sync_object SET refill = 1, unfilled = ? WHERE name = ?"
UNFILLED = "SELECT unfilled FROM _sync_object WHERE name = ?"
FILLED = "UPDATE _sync_object SET refill = 0, unfilled = NULL WHERE name = ?"
READ_ALL_AGAIN = "UPDATE _sync_object SET refill = 1, unfilled = NULL WHERE name = ?"
MOVE_CHECKPOINT = """
UPDATE _sync_object SET until = max(coalesce(until, ''), ?), merged = 1, refill = 0, unfilled = NULL WHERE name = ?
"""
KEEP_CHECKPOINT = "UPDATE _sync_object SET merged = 1, refill = 0, unfilled = NULL WHERE name = ?"

READ_UNTIL = "UPDATE _sync_object SET read_at = max(coalesce(read_at, ''), ?) WHERE name = ?"
DOUBT = "SELECT doubt_from, doubt_to FROM _sync_object WHERE name = ? AND doubt_from IS NOT NULL"
SET_DOUBT = "UPDATE _sync_object SET doubt_from = ?, doubt_to = ? WHERE name = ?"
REFRESHED = "UPDATE _sync_object SET refreshed_at = ? WHERE name = ?"
AGES = "SELECT refreshed_at, described_as, loss_found_at, loss, loss_hint FROM _sync_object WHERE name = ?"
NOTE_LOSS = "UPDATE _sync_object SET loss_found_at = ?, loss = ?, loss_hint = ? WHERE name = ?"
END_LOSS = "UPDATE _sync_object SET loss_found_at = NULL, loss = NULL, loss_hint = NULL WHERE name = ?"
DESCRIBED_AS = "UPDATE _sync_object SET described_as = ?, described_at = ? WHERE name = ?"

STAGED = "SELECT columns, since, resume, durable, server_time FROM _sync_staging WHERE name = ?"
BEGIN_STAGING = "INSERT OR REPLACE INTO _sync_staging (name, columns, since, partial, kind) VALUES (?, ?, ?, ?, ?)"
STAGED_KIND = "SELECT kind FROM _sync_staging WHERE name = ?"
CANNOT_GO_ON = "UPDATE _sync_staging SET kind = NULL WHERE name = ?"
ANNOUNCED = "UPDATE _sync_staging SET total = ? WHERE name = ?"
TOTAL = "SELECT total FROM _sync_staging WHERE name = ?"
IS_PARTIAL = "SELECT partial FROM _sync_staging WHERE name = ?"
NOTE_SERVER_TIME = "UPDATE _sync_staging SET server_time = ? WHERE name = ? AND server_time IS NULL"
STAGED_DURABLY = "UPDATE _sync_staging SET resume = ?, durable = ? WHERE name = ?"
END_STAGING = "DELETE FROM _sync_staging WHERE name = ?"

NOTE_USAGE = "INSERT OR REPLACE INTO _sync_usage (only, used, most, at) VALUES (1, ?, ?, ?)"
USAGE = "SELECT used, most, at FROM _sync_usage"

RECORD_RUN = """
INSERT INTO _sync_run
    (run_id, object_name, state, started, finished, rows, inserted, updated, deleted, code, message, hint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
FORGET_SAME_RUN = """
DELETE FROM _sync_run WHERE run_id = ?2
    AND id = (SELECT id FROM _sync_run WHERE object_name = ?1 ORDER BY id DESC LIMIT 1)
"""
_CAME = f"(state = 'complete' OR code IN ({', '.join(map(literal, CAME))}))"
KEEP_RUNS = f"""
DELETE FROM _sync_run WHERE object_name = ?1 AND id <= (
    SELECT id FROM _sync_run WHERE object_name = ?1 ORDER BY id DESC LIMIT 1 OFFSET 500)
AND id IS NOT (SELECT id FROM _sync_run WHERE object_name = ?1 AND {_CAME} ORDER BY finished, id LIMIT 1)
"""
"""The latest ones, and the first that brought all: from there the time counts to the first proof (`FIRST_CAME`)."""
LAST_RUN = """
SELECT run_id, object_name, state, started, finished, rows, inserted, updated, deleted, code, message, hint
FROM _sync_run WHERE object_name = ? ORDER BY id DESC LIMIT 1
"""
OBJECTS_WITH_RUNS = "SELECT DISTINCT object_name FROM _sync_run"
FIRST_CAME = f"SELECT min(finished) FROM _sync_run WHERE object_name = ? AND {_CAME}"
LAST_COMPLETE = f"""
SELECT finished FROM _sync_run WHERE object_name = ? AND (state = 'complete' OR code = {literal(FieldRefused.code)})
ORDER BY id DESC LIMIT 1
"""
"""Of the latest run, and not the greatest time: this machine's clock may have been ahead once. A field that the org
refuses to read is told by itself: the others are complete."""

TOLD_KINDS = ", ".join(map(literal, TOLD))
"""The kinds of inbox items for which nothing waits in the outbox."""
