"""Any SQLite tool: a process with Python's own `sqlite3` that runs SQL in one transaction.

`python -m tests.torture.any_tool FILE '[["UPDATE …", [value, …]], …]'` ends with 1, and a message, if it is refused.
"""

from __future__ import annotations

import json
import sqlite3
import sys


def main(path: str, statements: str) -> int:
    """Run the statements, all or none."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in json.loads(statements):
            connection.execute(sql, values)
        connection.execute("COMMIT")
    except sqlite3.Error as refused:
        print(refused)
        return 1
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
