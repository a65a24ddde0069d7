"""The end of rows and their way back: delete, undelete, purge, merge, and the conversion of leads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simorg.database import Row, quote
from simorg.results import Refused, Saved
from simorg.schema import ChildRelationship, SObject
from simorg.times import DAY_MS, from_ms
from simorg.writer import NO_ACCESS, Writer, check_unique

if TYPE_CHECKING:
    from simorg.org import SimOrg

BIN_DAYS = 15
NOT_FOLLOWED = frozenset({"CreatedById", "LastModifiedById", "MasterRecordId"})


def delete(org: "SimOrg", record_id: str) -> Saved:
    """Put a row into the recycle bin, with the children that go along; other look-ups to it become null."""
    schema, row = _deletable(org, record_id)
    org.rules.check_locks(schema, row)
    _delete(org, schema, record_id, record_id)
    return Saved(record_id)


def _deletable(org: "SimOrg", record_id: str) -> tuple[SObject, Row]:
    schema = org.object_of_id(record_id)
    view = org.object(schema.name) if schema else None
    if schema is None or view is None:
        raise Refused("MALFORMED_ID", f"malformed id {record_id}", "Id")
    row = org.living(schema, record_id)
    if not view.deletable or record_id in org.permissions.read_only_records or not org.visible(schema.name, record_id):
        raise Refused("INSUFFICIENT_ACCESS_OR_READONLY", NO_ACCESS, status=403)
    return schema, row


def _delete(org: "SimOrg", schema: SObject, record_id: str, root: str) -> None:
    for child, link, child_id in _children(org, schema, record_id):
        if link.restricted_delete:
            text = "Your attempt to delete could not be completed because it is associated with other records."
            raise Refused("DELETE_FAILED", text)
        if link.cascade_delete:
            _delete(org, child, child_id, root)
        else:
            _cut_lookup(org, child, link, child_id, record_id)
    now = org.now_stamp()
    if schema.soft_delete:
        org.database.update(schema.name, record_id, {"IsDeleted": 1, "SystemModstamp": now})
    else:
        org.database.remove(schema.name, record_id)
    org.database.write("INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?, ?)", (schema.name, record_id, now, root))
    _fire(org, schema, "delete", record_id)


def _fire(org: "SimOrg", schema: SObject, operation: str, record_id: str) -> None:
    """Run the triggers after a row has gone or come back; one that is gone at once has none."""
    row = org.database.get(schema, record_id) if org.rules.triggers else None
    if row is not None:
        org.rules.fire(org, schema, "after", operation, row, row)


def _children(org: "SimOrg", schema: SObject, record_id: str) -> Iterator[tuple[SObject, ChildRelationship, str]]:
    for link in schema.child_relationships:
        child = org.objects.get(link.child)
        if child is None or link.field in NOT_FOLLOWED or child.field(link.field) is None:
            continue
        alive = ' AND "IsDeleted" = 0' if child.soft_delete else ""
        sql = f'SELECT "Id" FROM {quote(child.name)} WHERE {quote(link.field)} = ?{alive}'
        for (child_id,) in org.database.rows(sql, (record_id,)):
            yield child, link, child_id


def _cut_lookup(org: "SimOrg", child: SObject, link: ChildRelationship, child_id: str, parent_id: str) -> None:
    changes: Row = {link.field: None}
    if org.rules.move_stamp_of_nulled_lookups:  # a system edit: LastModifiedDate stays
        changes["SystemModstamp"] = org.now_stamp()
    org.database.update(child.name, child_id, changes)
    org.database.write("INSERT INTO _nulled VALUES (?, ?, ?, ?)", (parent_id, child.name, child_id, link.field))


def undelete(org: "SimOrg", record_id: str) -> Saved:
    """Take a row out of the recycle bin, with what was deleted because of it, and mend look-ups that became null."""
    schema = org.object_of_id(record_id)
    row = org.database.get(schema, record_id) if schema else None
    if schema is None or row is None or not is_in_bin(org, record_id):
        raise Refused("UNDELETE_FAILED", "Entity is not in the recycle bin", "Id")
    for name, one_id in org.database.rows("SELECT object, id FROM _deleted WHERE root = ?", (record_id,)):
        _check_keys(org, org.objects[name], one_id)
        changes: Row = {"IsDeleted": 0, "SystemModstamp": org.now_stamp()}
        if "MasterRecordId" in row and one_id == record_id:
            changes["MasterRecordId"] = None
        org.database.update(name, one_id, changes)
        org.database.write("DELETE FROM _deleted WHERE object = ? AND id = ?", (name, one_id))
        _mend_lookups(org, one_id)
        _fire(org, org.objects[name], "undelete", one_id)
    return Saved(record_id)


def is_in_bin(org: "SimOrg", record_id: str) -> bool:
    """Return whether a row lies in the recycle bin itself; one that went with its master does not."""
    return org.database.value("SELECT 1 FROM _deleted WHERE id = ? AND root = id", (record_id,)) is not None


def _check_keys(org: "SimOrg", schema: SObject, record_id: str) -> None:
    """Refuse to bring a row back whose unique value another row has taken meanwhile."""
    row = org.database.get(schema, record_id) or {}
    for one in schema.stored_fields:
        if one.unique and row.get(one.name) is not None:
            check_unique(org, schema, one, row)


def _mend_lookups(org: "SimOrg", parent_id: str) -> None:
    for child, child_id, name in org.database.rows(
        "SELECT child, id, field FROM _nulled WHERE parent = ?", (parent_id,)
    ):
        if child in org.objects and org.objects[child].field(name):
            row = org.database.get(org.objects[child], child_id)
            if row is not None and row[name] is None:
                moved = {"SystemModstamp": org.now_stamp()} if org.rules.move_stamp_of_mended_lookups else {}
                org.database.update(child, child_id, {name: parent_id, **moved})
    org.database.write("DELETE FROM _nulled WHERE parent = ?", (parent_id,))


def purge(org: "SimOrg", record_id: str) -> Saved:
    """Remove a row for good, from the recycle bin or (hard delete) while it lives; its children go with it."""
    schema = org.object_of_id(record_id)
    row = org.database.get(schema, record_id) if schema else None
    if schema is None or row is None:
        raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
    if not row.get("IsDeleted"):
        delete(org, record_id)
    for name, one_id in org.database.rows("SELECT object, id FROM _deleted WHERE root = ?", (record_id,)):
        org.database.remove(name, one_id)
        org.database.write("UPDATE _deleted SET root = NULL WHERE object = ? AND id = ?", (name, one_id))
        org.database.write("DELETE FROM _nulled WHERE parent = ?", (one_id,))
    return Saved(record_id)


def empty_bin(org: "SimOrg", days: float = 0) -> int:
    """Purge what has been in the recycle bin for at least so many days; return the number of rows."""
    before = org.clock.now_ms() - int(days * DAY_MS)
    roots = org.database.rows("SELECT DISTINCT root FROM _deleted WHERE root IS NOT NULL AND at <= ?", (before,))
    return sum(_purged(org, root) for (root,) in roots)


def _purged(org: "SimOrg", root: str) -> bool:
    """Purge a row unless somebody holds it; then the next time takes it."""
    try:
        with org.transaction():
            purge(org, root)
    except Refused:
        return False
    return True


def merge(org: "SimOrg", master_id: str, losers: Sequence[str], values: Mapping[str, Any], user_id: str) -> Saved:
    """Merge one or two rows into a master: they are deleted with MasterRecordId, their children move over."""
    schema = org.object_of_id(master_id)
    if schema is None or not schema.mergeable or not 1 <= len(losers) <= 2 or master_id in losers:
        raise Refused("INVALID_ARGUMENT", "merge takes one master and one or two other records of one mergeable object")
    for loser in losers:
        if org.object_of_id(loser) is not schema:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        org.living(schema, loser)
        for child, link, child_id in list(_children(org, schema, loser)):
            moved: Row = {link.field: master_id, "SystemModstamp": org.now_stamp()}
            org.database.update(child.name, child_id, moved)
        org.database.update(schema.name, loser, {"MasterRecordId": master_id})
        _delete(org, schema, loser, loser)
    return Writer(org, user_id).update(schema.name, master_id, values)


def convert_lead(org: "SimOrg", lead_id: str, account_id: str | None, user_id: str, opportunity: str | None) -> Row:
    """Turn a lead into a contact, an account (unless one is given) and, when named, an opportunity."""
    schema = org.objects["Lead"]
    lead = org.living(schema, lead_id)
    if lead["IsConverted"]:
        raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    writer = Writer(org, user_id)
    firm = {"Name": lead["Company"], **_taken_over(org, lead, "Account", "Phone")}
    account = account_id or writer.create("Account", firm).id
    same = _taken_over(org, lead, "Contact", "FirstName", "LastName", "Email", "Phone", "Title", "LeadSource")
    contact = writer.create("Contact", {**same, "AccountId": account}).id
    made: Row = {"ConvertedAccountId": account, "ConvertedContactId": contact, "ConvertedOpportunityId": None}
    if opportunity:
        day = from_ms(org.clock.now_ms()).date().isoformat()
        deal = {"Name": opportunity, "StageName": "Prospecting", "CloseDate": day, "AccountId": account}
        made["ConvertedOpportunityId"] = writer.create("Opportunity", deal).id
    today = from_ms(org.clock.now_ms()).date().isoformat()
    now = org.now_stamp()
    stamps: Row = {"LastModifiedDate": now, "SystemModstamp": now, "LastModifiedById": user_id}
    status: Row = {"IsConverted": 1, "ConvertedDate": today, "Status": "Closed - Converted"}
    org.database.update("Lead", lead_id, made | status | stamps)
    return made


def _taken_over(org: "SimOrg", lead: Row, target: str, *names: str) -> Row:
    """Return the values of a lead that both objects have a field for."""
    schema = org.schema(target)
    return {name: lead[name] for name in names if name in lead and schema is not None and schema.field(name)}
