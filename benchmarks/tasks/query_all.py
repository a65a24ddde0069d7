"""All contacts by simple-salesforce's query_all and executemany: URL CLIENT_ID CLIENT_SECRET FOLDER."""

import sys
from pathlib import Path

from benchmarks.contacts import connect, finish, table

contacts = connect(*sys.argv[1:4])
database, insert = table(Path(sys.argv[4]), contacts)
records = contacts.client.query_all_iter(contacts.soql)
database.executemany(insert, (tuple(map(record.__getitem__, contacts.names)) for record in records))
finish(database)
