"""All contacts by simple-salesforce's Bulk 2 query, csv and executemany, as texts: URL, client id, secret, folder."""

import csv
import io
import sys
from pathlib import Path

from benchmarks.contacts import connect, finish, table

contacts = connect(*sys.argv[1:4])
database, insert = table(Path(sys.argv[4]), contacts)
for page in contacts.client.bulk2.Contact.query(contacts.soql, wait=0.5):
    lines = csv.reader(io.StringIO(page, newline=""))
    next(lines)
    database.executemany(insert, lines)
finish(database)
