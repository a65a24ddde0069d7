"""The same writes by simple-salesforce: URL CLIENT_ID CLIENT_SECRET collections|bulk2 update|create ROWS.

As its users do it: 200 rows a collection, or one Bulk 2 job; nothing is compared before, and nothing is read after.
"""

import json
import sys
import time
from typing import Any

from benchmarks.contacts import connect, edited
from benchmarks.org import Org

org, way, kind, rows = Org(*sys.argv[1:4]), sys.argv[4], sys.argv[5], int(sys.argv[6])
client = connect(*sys.argv[1:4]).client
records: list[dict[str, Any]] = [edited(number, kind) for number in range(rows)]
if kind == "update":
    found = client.query_all_iter(f"SELECT Id FROM Contact LIMIT {rows}")
    records = [{"Id": each["Id"], **values} for each, values in zip(found, records, strict=True)]


def by_collections() -> int:
    """Rows that were taken."""
    taken = 0
    for start in range(0, rows, 200):
        some = [{"attributes": {"type": "Contact"}, **each} for each in records[start : start + 200]]
        body = json.dumps({"allOrNone": False, "records": some})
        method = "POST" if kind == "create" else "PATCH"
        answer = client.restful("composite/sobjects", method=method, data=body)
        taken += sum(each["success"] for each in answer)
    return taken


def by_bulk() -> int:
    """Rows that were taken."""
    contacts = client.bulk2.Contact
    jobs = contacts.insert(records=records) if kind == "create" else contacts.update(records=records)
    return sum(int(each["numberRecordsProcessed"]) - int(each["numberRecordsFailed"]) for each in jobs)


calls, began = org.calls(), time.perf_counter()
taken = by_collections() if way == "collections" else by_bulk()
seconds = time.perf_counter() - began
if taken != rows:
    sys.exit(f"{taken} of {rows} were taken")
print(json.dumps({"calls": org.calls() - calls, "seconds": seconds}))
