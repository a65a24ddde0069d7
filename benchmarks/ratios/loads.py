"""Rows about files on disk becoming tables: CSV against the sqlite3 tool, REST pages against json, a merge."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratios import files
from benchmarks.ratios.processes import Cost, alternate, cpu, fact, median, peak, ratio, run, task
from benchmarks.ratios.table import Plan, Row

SMALL = 100_000


def csv_load(plan: Plan) -> Iterator[Row]:
    """A first load of Bulk CSV files, beside the sqlite3 tool's import of the same files."""
    source = _segments(plan, plan.rows)
    ours, theirs = alternate(plan.rounds, lambda: _load(plan, source), lambda: _import(plan, source))
    yield Row.of("csv-load", ratio(ours, theirs, cpu), 0.80, "x", ours)
    yield Row.of("csv-load-peak", median(ours, peak), 64, "MB", ours)


def flat_memory(plan: Plan) -> Iterator[Row]:
    """The peak of a load must not grow with the number of rows."""
    few, many = _segments(plan, min(SMALL, plan.rows // 3)), _segments(plan, plan.rows)
    small, large = alternate(plan.rounds, lambda: _load(plan, few), lambda: _load(plan, many))
    yield Row.of("flat-memory", median(large, peak) / median(small, peak), 1.05, "x", large)


def rest_load(plan: Plan) -> Iterator[Row]:
    """Pages of a REST query, from bytes to stored rows, beside json and executemany."""
    folder = files.rest_pages(plan.folder / "rest", min(plan.rows, SMALL), plan.seed)
    target = plan.folder / "rest.db"

    def way(name: str) -> Cost:
        cost = run(task("store_tasks", name, target, folder))
        _remove(target)
        return cost

    ours, theirs = alternate(plan.rounds, lambda: way("rest"), lambda: way("json"))
    yield Row.of("rest-load", ratio(ours, theirs, cpu), 0.55, "x", ours)


def merge_10(plan: Plan) -> Iterator[Row]:
    """A delta of a tenth of the rows into a table with two indexes; CPU of the merge alone."""
    base, delta = _segments(plan, plan.rows), files.delta(plan.folder / "delta", plan.rows, plan.seed)

    def way() -> Cost:
        target = plan.folder / "merge.db"
        first, second = _copies(plan, base, "first"), _copies(plan, delta, "second")
        cost = run(task("store_tasks", "merge", target, first, second))
        _remove(target)
        return cost

    (ours,) = alternate(plan.rounds, way)
    yield Row.of("merge-10", median(ours, fact("us_a_row")), 40, "us/row", ours)


def reads(plan: Plan) -> Iterator[Row]:
    """Records out of the replica as typed objects: one by its id, and all of them."""
    folder = plan.folder / "reads"
    folder.mkdir()
    (folder / "config.yaml").write_text("storage:\n  path: replica.db\n", encoding="utf-8")
    run(task("store_tasks", "csv", folder / "replica.db", _copies(plan, _segments(plan, min(plan.rows, SMALL)), "in")))
    (ours,) = alternate(plan.rounds, lambda: run(task("store_tasks", "reads", folder / "config.yaml")))
    yield Row.of("get-us", median(ours, fact("get_us")), 12, "us", ours)
    yield Row.of("all-us", median(ours, fact("all_us")), 6, "us/record", ours)


def _load(plan: Plan, source: list[Path]) -> Cost:
    target = plan.folder / "ours.db"
    cost = run(task("store_tasks", "csv", target, _copies(plan, source, "pages")))
    _remove(target)
    return cost


def _import(plan: Plan, source: list[Path]) -> Cost:
    """The sqlite3 tool makes the table of text columns from the first file's header."""
    tool = shutil.which("sqlite3")
    if tool is None:
        raise RuntimeError("the sqlite3 program is not installed")
    target = plan.folder / "theirs.db"
    steps = [f".import {'--skip 1 ' if number else ''}{path} Contact" for number, path in enumerate(source)]
    cost = run([tool, "-csv", str(target), *steps])
    _remove(target)
    return cost


def _segments(plan: Plan, count: int) -> list[Path]:
    folder = plan.folder / f"csv-{count}"
    return sorted(folder.iterdir()) if folder.exists() else files.segments(folder, count, plan.seed)


def _copies(plan: Plan, source: list[Path], name: str) -> Path:
    """The same files under another name: whoever stages a page removes its file."""
    folder = plan.folder / name
    folder.mkdir(exist_ok=True)
    for path in source:
        os.link(path, folder / path.name)
    return folder


def _remove(target: Path) -> None:
    for path in target.parent.glob(f"{target.name}*"):
        if path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
