"""What a test does to the replica and its org behind the page's back."""

from __future__ import annotations

from typing import Any

from salesforce_sync.models.outbox import Kind, Operation
from salesforce_sync.models.outcome import Rejected
from simorg.org import SimOrg


def conflict(replica: Any, org: SimOrg, contact: Any) -> str:
    """Let both sides change two fields of this contact; gives its id."""
    replica.contacts.update(str(contact.id), phone="555-LOCAL", title="Here")
    org.change(str(contact.id), Phone="555-ORG", Title="There")
    replica.pull("Contact")
    return str(contact.id)


def deleted_over(replica: Any, org: SimOrg, contact: Any) -> None:
    """Let a push delete this contact, which somebody edited in the moment before; the push was killed right then."""
    replica.contacts.delete(str(contact.id))
    replica._store.sending(replica.outbox(), "killed", None, None)
    org.change(str(contact.id), Title="Theirs")
    org.remove(str(contact.id))
    replica.pull("Contact")


def uncertain(replica: Any, contact: Any) -> None:
    """Let the answer to a create of this contact's record be lost, of which the connected user then sees nothing."""
    replica.contacts.create(last_name=contact.last_name)
    (change,) = replica.outbox()
    replica._store.sending([change], "killed", None, None)
    lost = Rejected(change, "CREATE_UNCERTAIN", "The answer to this create was lost.", kind=Kind.UNCERTAIN)
    replica._store.settle("killed", [lost])


def put_back(replica: Any) -> None:
    """Let nothing wait: conflicts are the org's, new records are given up, other edits are sent."""
    for item in replica.inbox():
        if item.kind in (Kind.REJECTED, Kind.DUPLICATE):
            replica.drop(item.number)
        else:
            replica.take(item.number, "org")
    for change in replica.outbox():
        if change.operation is Operation.CREATE:
            replica.objects[change.object_name].delete(change.record_id)
    if replica.outbox_count():
        assert replica.push().complete
