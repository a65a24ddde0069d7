"""Reading a workbook of 60 columns back, against libraries that read it; and comparing it with the replica."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Cost, run, task
from benchmarks.table import Line, Target, cpu_line
from benchmarks.workplace import Workplace

CPU = Target(0.3)
PEAK_MB = Target(64)


def reading(place: Workplace) -> Iterator[Line]:
    """Whole processes that look at every cell; each runs once, because the libraries take minutes."""
    rows, folder = place.sizes.workbook_rows, place.wide()
    what = f"reading back {rows:,} rows x 60"
    with place.scratch() as scratch:
        file = scratch / "book.xlsx"
        run(task("write_workbook", folder, file))
        place.say(f"{what}, by three programs in turn")
        costs: dict[str, Cost] = {name: run(task("read_workbook", name, file)) for name in ("ours", *_LIBRARIES)}
        place.say(f"comparing {rows:,} rows x 60 with the replica")
        compared = run(task("compare_workbook", folder, file))
    ours = costs.pop("ours")
    for name, theirs in costs.items():
        yield cpu_line(what, _LIBRARIES[name], ours, theirs, CPU if name == "openpyxl" else None)
        if theirs.facts["cells"] != ours.facts["cells"]:
            yield Line(what, name, trouble=f"{theirs.facts['cells']} cells there, and {ours.facts['cells']} here")
    yield Line(f"{what}, memory", unit="MB", ours=ours.peak, target=PEAK_MB, peak=ours.peak)
    yield Line("import, the preview of it", "", "CPU s", compared.cpu, walls=(compared.wall, None), peak=compared.peak)
    yield Line("import, memory", unit="MB", ours=compared.peak, target=PEAK_MB, peak=compared.peak)


_LIBRARIES = {"openpyxl": "openpyxl, read-only", "calamine": "calamine, the sheet held"}
