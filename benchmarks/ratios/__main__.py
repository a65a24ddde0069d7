"""`python -m benchmarks.ratios [--rows N] [--quick] [NAME …]`: measure, and print one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ratios import loads, orgs, start
from benchmarks.ratios.table import Group, Plan, head, line, titles

GROUPS: dict[str, Group] = {
    "csv-load": loads.csv_load,
    "flat-memory": loads.flat_memory,
    "rest-load": loads.rest_load,
    "reads": loads.reads,
    "import": start.imports,
    "calls": orgs.calls,
    "http-load": orgs.http_load,
    "vs-simple-salesforce": orgs.against_simple_salesforce,
    "merge-10": loads.merge_10,
}
QUICK_ROWS = 30_000
ROWS = 300_000
ROUNDS = 3


def main() -> int:
    """Print the table; 1 if something could not be measured. A target that does not hold is no error."""
    options = _arguments()
    names = options.names or list(GROUPS)
    with _plan(options) as plan:
        print(*head(plan), "", titles(), sep="\n", flush=True)
        ok = [_group(name, plan) for name in names]
    return 0 if all(ok) else 1


def _group(name: str, plan: Plan) -> bool:
    try:
        for row in GROUPS[name](plan):
            print(line(row), flush=True)
    except Exception as error:  # the other rows are still worth measuring
        print(f"{name:<22}ERROR {type(error).__name__}: {error}", flush=True)
        return False
    return True


@contextmanager
def _plan(options: argparse.Namespace) -> Iterator[Plan]:
    rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        yield Plan(rows, 1 if options.quick else ROUNDS, options.seed, options.quick, Path(folder))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.ratios", description="Speed and memory, beside named yardsticks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows to measure: {', '.join(GROUPS)}")
    parser.add_argument("--rows", type=int, help=f"rows of the loads (default: {ROWS:,})")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same rows (default: 7)")
    parser.add_argument("--quick", action="store_true", help=f"one round of {QUICK_ROWS:,} rows: to see that it runs")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(GROUPS))
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}")
    if options.rows is not None and options.rows < 3_000:
        parser.error("--rows must be 3,000 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
