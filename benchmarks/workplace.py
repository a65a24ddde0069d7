"""Where the benchmark works: sizes, a temporary folder, and what several lines share."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.measure import run, task
from benchmarks.org import Org, running_org

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `rounds` is how often each contender runs."""

    rows: int = 1_000_000
    """Rows of the first load."""
    small_rows: int = 100_000
    """Rows of the small load, whose memory is compared with the large one's."""
    rest_pages: int = 500
    """Of 2,000 rows each: as many as the first load has, so that the start of a process counts as little."""
    client_rows: int = 200_000
    """Contacts for the comparison with simple-salesforce."""
    call_rows: tuple[int, ...] = (200_000, 1_000_000)
    """Contacts at which API calls are counted."""
    workbook_rows: int = 200_000
    """Rows of the workbook's one sheet."""
    rounds: int = 3
    seed: int = 1


QUICK = Sizes(
    rows=200_000, small_rows=50_000, rest_pages=25, client_rows=50_000, call_rows=(200_000,), workbook_rows=20_000
)


class Workplace:
    """Hands out folders and makes shared things once. Close it: all of it goes."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._around = ExitStack()
        self._folder = Path(self._around.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        self._made: dict[tuple[object, ...], object] = {}
        self._count = 0

    def close(self) -> None:
        """Stop what runs and remove what was written."""
        self._around.close()

    def say(self, text: str) -> None:
        """Tell the person who waits what is done now."""
        print(f"  … {text}", file=sys.stderr, flush=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder until the block ends."""
        self._count += 1
        folder = self._folder / f"scratch{self._count}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def segments(self, rows: int, *, scattered: bool) -> Path:
        """Bulk CSV files of so many rows."""
        order = "scattered" if scattered else "sorted"
        return self._once(("segments", rows, order), lambda: self._make(f"segments of {rows:,} rows", rows, order))

    def result_pages(self, rows: int) -> Path:
        """The same rows as an org sends them: each file compressed, as a page of a Bulk result."""
        segments = self.segments(rows, scattered=False)

        def make() -> Path:
            self.say(f"compressing {rows:,} rows")
            folder = self._new_folder()
            run(task("make_pages", segments, folder))
            return folder

        return self._once(("pages", rows), make)

    def rest_pages(self) -> Path:
        """Answers to a REST query."""
        pages = self.sizes.rest_pages
        return self._once(("rest",), lambda: self._make(f"{pages} REST pages", pages, "rest"))

    def delta(self, *, scattered: bool) -> Path:
        """A folder with the changes to a tenth of the replica's rows."""
        rows, order = self.sizes.rows, "scattered" if scattered else "sorted"
        what = f"changes of {rows // 10:,} rows"
        return self._once(("delta", order), lambda: self._make(what, rows, f"{order}-delta"))

    def _make(self, what: str, count: int, kind: str) -> Path:
        self.say(f"making {what}, {kind}")
        folder = self._new_folder()
        run(task("make_data", folder, count, self.sizes.seed, kind))
        return folder

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="data-", dir=self._folder))

    def database(self, *, scattered: bool = True) -> Path:
        """A replica of the first load's rows."""
        return self._once(("database", scattered), lambda: self._load(scattered=scattered))

    def _load(self, *, scattered: bool) -> Path:
        segments = self.segments(self.sizes.rows, scattered=scattered)
        self.say("loading the replica that is read")
        folder = self._folder / f"replica{len(self._made)}"
        folder.mkdir()
        run(task("load", segments, folder))
        return folder / "replica.db"

    def wide(self) -> Path:
        """The folder of a replica with the object of 60 columns."""
        return self._once(("wide",), self._load_wide)

    def _load_wide(self) -> Path:
        self.say(f"making a replica of {self.sizes.workbook_rows:,} rows of 60 columns")
        folder = self._new_folder()
        run(task("make_wide", folder, self.sizes.workbook_rows, self.sizes.seed))
        return folder

    def org(self, records: int) -> Org:
        """A simulated org of so many contacts, in a process of its own."""
        return self._once(("org", records), lambda: self._start(records))

    def _start(self, records: int) -> Org:
        self.say(f"making a simulated org of {records:,} contacts")
        return self._around.enter_context(running_org(self._folder, records, self.sizes.seed))

    def _once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[return-value]  # the key says what was made
