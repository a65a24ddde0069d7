"""Undeletions that the org refused, held against the records themselves.

Who undeletes a record gets with it what the org had deleted because of it. That is in no bin by then, and cannot be
brought back by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TypeGuard

from salesforce_sync.errors import ObjectTrouble
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Outcome, Rejected
from salesforce_sync.models.page import Priority, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Org

NOT_IN_BIN = "UNDELETE_FAILED"


def is_not_in_bin(outcome: Outcome) -> TypeGuard[Rejected]:
    """Whether the org says that there is nothing to bring back."""
    undeletes = outcome.change.operation is Operation.UNDELETE
    return undeletes and isinstance(outcome, Rejected) and outcome.code == NOT_IN_BIN


def held_against(org: Org, refused: Sequence[Rejected], schemas: Mapping[str, ObjectSchema]) -> list[Outcome]:
    """The outcomes of these, by one call for each object: a record that is alive in the org has come back."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    for each in refused:
        named[each.change.object_name].append(each.change.record_id)
    alive = {(name, key) for name, ids in named.items() for key in _alive(org, schemas[name], ids)}
    return [
        Applied(each.change, each.change.record_id)
        if (each.change.object_name, each.change.record_id) in alive
        else each
        for each in refused
    ]


def _alive(org: Org, schema: ObjectSchema, ids: Sequence[str]) -> list[str]:
    """Those of them that the org shows, and not as deleted; none where the object cannot be read."""
    asked = schema.only("IsDeleted")
    deleted = [each.name for each in asked.columns].index("IsDeleted")
    request = PullRequest(asked, ids=tuple(ids), priority=Priority.PUSH)
    found: list[str] = []
    try:
        with closing(org.pull(request)) as pages:
            for page in pages:
                assert isinstance(page.body, Rows)  # records that are asked for by id never come as a file
                found += [str(row[0]) for row in page.body.values if not row[deleted]]
    except ObjectTrouble:
        return []
    return found
