"""Reads bare rows of the replica through MODULE (apsw or sqlite3): MODULE DATABASE. Tells microseconds a row."""

import sqlite3
import sys

import apsw

from benchmarks.columns import NAMES
from benchmarks.reading import sample, tell, timed

module, path = sys.argv[1], sys.argv[2]
database = sqlite3.connect(path) if module == "sqlite3" else apsw.Connection(path)
listed = ", ".join(f'"{name}"' for name in NAMES)
ids = sample([str(record_id) for (record_id,) in database.execute("SELECT Id FROM Contact")])
one = f"SELECT {listed} FROM Contact WHERE Id = ?"


def get_each() -> int:
    for record_id in ids:
        database.execute(one, (record_id,)).fetchone()
    return len(ids)


def read_all() -> int:
    count = 0
    for _ in database.execute(f"SELECT {listed} FROM Contact"):
        count += 1
    return count


tell(get=timed(get_each), all=timed(read_all))
database.close()
