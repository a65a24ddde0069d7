"""What of a record waits to be sent, shown after it was edited, or an item about it was decided."""

from __future__ import annotations

from collections.abc import Sequence

from salesforce_sync.app import SFSync
from salesforce_sync.commands.options import Options
from salesforce_sync.models.outbox import is_local
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say_json
from salesforce_sync.reports.edits import (
    Values,
    edited_document,
    let_go_document,
    say_edited,
    say_forgotten,
    say_let_go,
)


def show_waiting(
    options: Options, sync: SFSync, object_name: str, record_id: str, referring: Sequence[tuple[str, str, str]] = ()
) -> int:
    """Show what waits of the record now, and what was `referring` to it, if it is gone."""
    collection, values = sync.objects[object_name], Values(sync.objects)
    full = collection.full_id(record_id)
    name = collection.object_name
    change = sync.waiting(name, full)
    gone = change is None and is_local(full) and collection.get(full) is None
    along = {} if change is None else sync.along_with(change)
    if options.json:
        say_json(edited_document(change, name, full, along) | (let_go_document(referring) if gone else {}))
    elif gone:
        say_forgotten(values.record(name, full))
        say_let_go(referring, values)
    else:
        say_edited(change, values.record(name, full), values, along)
    return Exit.COMPLETE
