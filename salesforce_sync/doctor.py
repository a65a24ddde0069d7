"""`doctor`: what stands in the way of a sync, here and in the org, and what to do about it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from salesforce_sync.app import SFSync
from salesforce_sync.errors import BudgetSpent, ObjectNotFound, ObjectTrouble, SyncError
from salesforce_sync.storage.medium import only_reads

if TYPE_CHECKING:
    from salesforce_sync.api.client import SalesforceOrg
    from salesforce_sync.models.schema import ObjectSchema

SOUND_SQLITE: Final = (3, 51, 3)
"""Before it, two connections that checkpoint at once can corrupt a WAL file."""

_GB: Final = 2**30
_SKEW_WARN, _SKEW_FAIL = timedelta(minutes=1), timedelta(minutes=3)


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One thing that was looked at. `todo` says what to do, where something is to be done."""

    level: Level
    check: str
    found: str
    todo: str = ""


def examine(sync: SFSync) -> Iterator[Finding]:
    """Look at everything, the org last; a few API calls. Findings come as they are made."""
    yield _sqlite()
    yield from _disk(sync.config.storage.path)
    yield from _modes(sync)
    yield from _audit(sync)
    yield from _waiting(sync)
    yield from _org(sync)


# ── This machine ─────────────────────────────────────────────────────────────────────────────────────────────────


def _sqlite() -> Finding:
    import apsw

    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")[:3]) < SOUND_SQLITE:
        todo = "Install a newer apsw: this version can corrupt a database that two programs write to."
        return Finding(Level.FAIL, "SQLite", version, todo)
    return Finding(Level.OK, "SQLite", version)


def _disk(database: Path) -> Iterator[Finding]:
    if only_reads(database):
        todo = "Mount it for writing, or give the folder to this user; `status`, `query` and all that only reads work."
        yield Finding(Level.FAIL, "medium", f"{database} can only be read here", todo)
    free, size = shutil.disk_usage(database.parent).free, database.stat().st_size
    found = f"{free / _GB:.1f} GB free; the database has {size / _GB:.2f} GB"
    if free < _GB // 10:
        yield Finding(Level.FAIL, "disk", found, "Make room: the next sync may find the disk full.")
    elif free < max(_GB, size // 2):
        yield Finding(Level.WARN, "disk", found, "Make room: a first load, or a change of a field, needs more.")
    else:
        yield Finding(Level.OK, "disk", found)


def _modes(sync: SFSync) -> Iterator[Finding]:
    open_ones = [each for each in _private_files(sync) if stat.S_IMODE(each.stat().st_mode) & 0o077]
    for each in open_ones:
        mode = "700" if each.is_dir() else "600"
        found = f"{each} is open to others ({stat.S_IMODE(each.stat().st_mode):04o})"
        yield Finding(Level.WARN, "file modes", found, f"chmod {mode} {each}")
    if not open_ones:
        yield Finding(Level.OK, "file modes", "only their owner can read the data")


def _private_files(sync: SFSync) -> Iterator[Path]:
    """The replica, what lies beside it, its folder if it holds nothing else, and .env."""
    path = sync.config.storage.path
    if path.parent.name == "data" or sync.config.home is not None:
        yield path.parent
    yield from sorted(path.parent.glob(f"{path.name}*"))
    yield from sorted(sync.config.house.glob("access.db*"))
    beside = Path.cwd() if sync.config.file is None else sync.config.file.parent
    yield from (each for each in [beside / ".env"] if each.is_file())


def _audit(sync: SFSync) -> Iterator[Finding]:
    if not (sync.config.house / "access.db").exists():
        return
    from salesforce_sync.access import Access
    from salesforce_sync.app import SystemClock

    with Access(sync.config, SystemClock()) as access:
        verdict = access.audit.verify()
    if verdict.broken is None:
        yield Finding(Level.OK, "audit log", f"{verdict.sound} entries, unbroken")
    else:
        todo = "Somebody has changed it, or the file is damaged: compare with a backup."
        yield Finding(Level.FAIL, "audit log", f"broken at entry {verdict.broken}: {verdict.why}", todo)


def _waiting(sync: SFSync) -> Iterator[Finding]:
    items, edits = sync.inbox_count(), sync.outbox_count()
    if items:
        yield Finding(Level.WARN, "inbox", f"{items} wait for a decision", "salesforce-sync inbox")
    else:
        yield Finding(Level.OK, "inbox", f"empty; {edits} edited records wait to be sent")


# ── The org ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _org(sync: SFSync) -> Iterator[Finding]:
    try:
        org = sync.connected_org()
        org.objects()
    except SyncError as error:
        yield Finding(Level.FAIL, "connection", error.message, error.hint)
        return
    address = org.address
    yield Finding(Level.OK, "connection", f"logged in at {address}; the user may use the API")
    try:
        sync.check_org()
    except SyncError as error:
        yield Finding(Level.FAIL, "replica", error.message, error.hint)
    for check, ask in _ASKED:
        try:
            yield from ask(sync, org)
        except BudgetSpent as error:  # which says nothing of what would have been asked
            yield Finding(Level.WARN, check, "not asked: the day's API calls are spent", error.hint)
        except SyncError as error:
            yield Finding(Level.FAIL, check, error.message, error.hint)


def _edition(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    facts = org.about()
    told = f"{facts.name or facts.host}: {facts.edition or 'edition not told'}, {facts.kind}"
    if sync.unconfirmed() is not None:
        todo = "Edits wait until somebody says yes, once: 'salesforce-sync push', in a script 'push --yes'."
        yield Finding(Level.WARN, "org", told, todo)
    else:
        yield Finding(Level.OK, "org", told)


def _rights(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    may = org.rights()
    if may is None:
        yield Finding(Level.WARN, "rights", "the org does not tell what the user may see", _VIEW_ALL)
    elif not may.view_all:
        yield Finding(Level.WARN, "rights", "the user sees only records that are shared with him", _VIEW_ALL)
    else:
        more = ", and change all" if may.modify_all else ""
        yield Finding(Level.OK, "rights", f"the user sees all records{more}")


_VIEW_ALL: Final = "For a whole replica give the user View All Data, or View All for each object, in a permission set."


def _bulk(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    try:
        refusal = org.takes_bulk()
    except ObjectTrouble as error:
        yield Finding(Level.WARN, "Bulk API", f"the org does not tell whether the user may use it: {error.message}")
        return
    if refusal is None:
        yield Finding(Level.OK, "Bulk API", "the user may use it")
    else:
        yield Finding(Level.WARN, "Bulk API", f"{refusal.message} All goes by REST, 2,000 rows a call.", refusal.hint)


def _objects(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    names = sync.config.sync.objects
    for name, described in zip(names, org.describe_together(names), strict=True):
        yield _described_alone(org, name) if described is None else _object(name, described.schema)


def _described_alone(org: SalesforceOrg, name: str) -> Finding:
    """What is found of an object that was not described with the others, whatever the reason."""
    try:
        return _object(name, org.describe(name))
    except ObjectNotFound:
        return _object(name, None)
    except ObjectTrouble as error:
        return Finding(Level.FAIL, name, error.message, error.hint)


def _object(name: str, schema: ObjectSchema | None) -> Finding:
    if schema is None or not schema.queryable:
        what = "there is no such object, or it is hidden from the user" if schema is None else "it cannot be queried"
        todo = "Check the name in sync.objects, and the user's Read permission."
        return Finding(Level.FAIL, name, what, todo)
    lacking = [
        right
        for right, has in (("create", schema.createable), ("edit", schema.updateable), ("delete", schema.deletable))
        if not has
    ]
    if lacking:
        todo = f"Edits of this kind will be refused; give the user {' and '.join(lacking).title()} if they are wanted."
        return Finding(Level.WARN, schema.name, f"read; the user may not {' or '.join(lacking)}", todo)
    return Finding(Level.OK, schema.name, "read, create, edit, delete")


def _clock(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    told = org.time()
    if told is None:
        yield Finding(Level.WARN, "clock", "the org does not tell its time")
        return
    skew = abs(datetime.now(UTC) - told)
    found = f"{skew.total_seconds():.0f} s from the org's"
    level = Level.FAIL if skew > _SKEW_FAIL else Level.WARN if skew > _SKEW_WARN else Level.OK
    todo = "" if level is Level.OK else "Set this machine's clock (timedatectl set-ntp true): JWT logins need it right."
    yield Finding(level, "clock", found, todo)


def _calls(sync: SFSync, org: SalesforceOrg) -> Iterator[Finding]:
    usage = org.usage
    if usage.used is None or usage.limit is None:
        yield Finding(Level.WARN, "API calls", "the org does not tell how many were used")
        return
    found = f"{usage.used:,} of {usage.limit:,} used in 24 hours, by everybody together"
    share = usage.used / usage.limit if usage.limit else 1.0
    level = Level.FAIL if share >= 1 else Level.WARN if share >= 0.8 else Level.OK
    todo = "" if level is Level.OK else "Find out who else uses them (Setup, API Usage), or sync less often."
    yield Finding(level, "API calls", found, todo)


_ASKED: Final[tuple[tuple[str, Callable[[SFSync, SalesforceOrg], Iterator[Finding]]], ...]] = (
    ("org", _edition),
    ("rights", _rights),
    ("Bulk API", _bulk),
    ("objects", _objects),
    ("clock", _clock),
    ("API calls", _calls),
)


def worst(findings: Iterable[Finding]) -> Level:
    """The worst of them."""
    order = tuple(Level)
    return max((each.level for each in findings), key=order.index, default=Level.OK)


def readable(findings: Iterable[Finding]) -> Iterator[str]:
    """Lines for a person."""
    for each in findings:
        yield f"{each.level:<5} {each.check}: {each.found}"
        if each.todo:
            yield f"      {each.todo}"


def document(findings: Iterable[Finding]) -> dict[str, object]:
    """The same for a program."""
    told = tuple(findings)
    return {
        "level": worst(told).value,
        "checks": [{"level": e.level.value, "check": e.check, "found": e.found, "todo": e.todo or None} for e in told],
    }
