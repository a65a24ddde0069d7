"""How many rows of an object are here, whatever its sync has come to."""

from __future__ import annotations

from msgspec.structs import replace

from salesforce_sync.app import SFSync
from salesforce_sync.errors import SyncError
from salesforce_sync.web.progress import ObjectProgress


def counted(sync: SFSync, progress: ObjectProgress) -> ObjectProgress:
    """The same with the live rows of the replica; as it is where nothing of the object is here yet."""
    try:
        if progress.object_name not in sync.objects:
            return progress
        count = sync.objects[progress.object_name].count()
    except SyncError:  # a store that cannot be read now: how far the sync is has to be told all the same
        return progress
    return replace(progress, record_count=count, total_size=count)
