"""The SQL of seeded columns that depend on the number `k` of their row: references and stamps."""

from collections.abc import Iterator

SPREAD_MS = 200 * 86_400_000
# SQL for the references of row `k`; {Account} etc. are the numbers of rows.
REFERENCES: dict[str, dict[str, str]] = {
    "Account": {
        "ParentId": "CASE WHEN k > 20 AND k % 8 = 0 THEN seed_id('001', k / 8) END",
        "RecordTypeId": "seed_id('012', 1 + k % 2)",
    },
    "Contact": {
        "AccountId": "CASE WHEN k % 10 THEN seed_id('001', 1 + (k * 7919) % {Account}) END",
        "ReportsToId": "CASE WHEN k > 10 AND k % 9 = 0 THEN seed_id('003', k / 9) END",
    },
    "Lead": {
        "ConvertedAccountId": "CASE WHEN k % 25 = 0 THEN seed_id('001', 1 + k % {Account}) END",
        "ConvertedContactId": "CASE WHEN k % 25 = 0 THEN seed_id('003', 1 + k % {Contact}) END",
    },
    "Opportunity": {
        "AccountId": "seed_id('001', 1 + (k * 104729) % {Account})",
        "Pricebook2Id": "CASE WHEN k % 3 = 0 THEN seed_id('01s', 1) END",
    },
    "PricebookEntry": {
        "Product2Id": "seed_id('01t', (k + 1) / 2)",
        "Pricebook2Id": "seed_id('01s', 2 - k % 2)",
    },
    "Contract": {"AccountId": "seed_id('001', 1 + (k * 31) % {Account})"},
    "Order": {
        "AccountId": "seed_id('001', 1 + (k * 17) % {Account})",
        "ContractId": "CASE WHEN k % 4 = 0 THEN seed_id('800', 1 + k % {Contract}) END",
        "Pricebook2Id": "seed_id('01s', 1)",
        "BillToContactId": "CASE WHEN k % 2 THEN seed_id('003', 1 + (k * 13) % {Contact}) END",
        "LegalEntityId": "seed_id('0fw', 1 + k % {LegalEntity})",
    },
    "OrderItem": {
        "OrderId": "seed_id('801', (k + 1) / 2)",
        "Product2Id": "seed_id('01t', 1 + k % {Product2})",
        "PricebookEntryId": "seed_id('01u', 1 + 2 * (k % {Product2}))",
    },
    "Widget__c": {
        "Account__c": "seed_id('001', 1 + (k * 101) % {Account})",
        "Contact__c": "CASE WHEN k % 3 THEN seed_id('003', 1 + (k * 37) % {Contact}) END",
        "Parent__c": "CASE WHEN k > 10 AND k % 5 = 0 THEN seed_id('a00', k / 5) END",
    },
}
CONVERTED = {
    "IsConverted": "k % 25 = 0",
    "Status": "CASE WHEN k % 25 = 0 THEN 'Closed - Converted' ELSE t.\"Status\" END",
    "ConvertedDate": "CASE WHEN k % 25 = 0 THEN date('2024-01-15', '+' || (k % 300) || ' days') END",
}


def stamps(now: int, count: int) -> Iterator[tuple[str, str]]:
    """Created in the order of the ids over the past months; changed later, many in one second (batch jobs)."""
    first, span = now - SPREAD_MS, (SPREAD_MS - 7_200_000) // 1000
    created = f"({first} + k * {span} / {count + 1} * 1000)"
    later = f"({created} + ((k * 2654435761) % 1000) * ({now - 3_600_000} - {created}) / 1000 / 1000 * 1000)"
    batch = f"max({created}, {now - 7_200_000} - (k % 50) * 86400000)"
    changed = f"CASE WHEN k % 5 = 0 THEN {batch} WHEN k % 5 < 3 THEN {created} ELSE {later} END"
    yield "CreatedDate", created
    yield "LastModifiedDate", changed
    yield "SystemModstamp", changed
