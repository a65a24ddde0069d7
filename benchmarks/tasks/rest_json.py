"""REST pages as one would store them: json.loads and executemany (apsw), PAGES into a new database in FOLDER.

Decimals become doubles and datetimes stay as REST writes them; Id is the key.
"""

import json
import sys
from pathlib import Path

import apsw

from benchmarks.columns import COLUMNS, NAMES

KINDS = {"id": "TEXT PRIMARY KEY", "boolean": "INTEGER", "currency": "REAL", "double": "REAL"}

pages, folder = Path(sys.argv[1]), Path(sys.argv[2])
database = apsw.Connection(str(folder / "rows.db"))
database.pragma("journal_mode", "wal")
database.pragma("synchronous", "normal")
columns = ", ".join(f'"{column.name}" {KINDS.get(column.type, "TEXT")}' for column in COLUMNS)
database.execute(f"CREATE TABLE Contact ({columns})")
insert = f"INSERT INTO Contact VALUES ({', '.join('?' * len(NAMES))})"
for file in sorted(pages.glob("*.json")):
    page = json.loads(file.read_bytes())
    with database:
        database.executemany(insert, [tuple(map(record.__getitem__, NAMES)) for record in page["records"]])
database.close()
