"""What people do in the workbook of a small replica, and what an import makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.storage.private_files import new_private
from salesforce_sync.workbook.changes import Kind, RowChange
from salesforce_sync.workbook.importing import Imported, apply
from tests.contract.edits import ACME
from tests.workbook.books import edit, preview_of, put, row_of


def changes(store: Store, path: Path, **more: Any) -> list[RowChange]:
    """What an import would do."""
    with preview_of(store, path, **more) as preview:
        return list(preview.changes())


def change(store: Store, path: Path, **more: Any) -> RowChange:
    """The one change."""
    (found,) = changes(store, path, **more)
    return found


def told(store: Store, path: Path, **more: Any) -> str:
    """The one problem's message."""
    found = change(store, path, **more)
    assert found.kind is Kind.PROBLEM, found
    return found.message


def apply_to(store: Store, path: Path, **more: Any) -> Imported:
    """Import it."""
    with preview_of(store, path, **more) as preview:
        return apply(store, preview, new_private)


def typed(path: Path, sheet: str = "Account", record_id: str = ACME, **values: object) -> None:
    """A person types these values into a record's row."""
    edit(path, lambda page: put(page, row_of(page, record_id), **values), sheet)


def added(path: Path, sheet: str = "Account", **values: object) -> None:
    """A person writes a row below the last one."""
    edit(path, lambda page: put(page, page.max_row + 1, **values), sheet)


def outbox(store: Store) -> dict[str, tuple[Operation, Mapping[str, Stored]]]:
    """What waits to be sent, by record."""
    return {each.record_id: (each.operation, each.values) for each in store.changes()}
