"""A pull's pages on their way into the store: one after the other, while the next ones are brought and prepared."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from salesforce_sync.models.page import CsvFile, Page, Rows
from salesforce_sync.ports import Store

MOST_AHEAD = 6
"""Files that wait for the store, or are staged, beside the one that is brought."""

MOST_BYTES = 64 << 20
"""How large those are together: how much room on the disk they take, whatever a page's end leaves of small files."""

PREPARED_COSTS = 1 / 6
"""What a prepared file takes to stage, against one that is not."""


class _Step(NamedTuple):
    page: Page
    size: int
    cost: float
    rows: Future[int]


def stage_all(store: Store, pages: Iterable[Page]) -> Generator[tuple[Page, int], None, None]:
    """Each page, with the number of its rows, once it is staged.

    Files are staged in a thread of their own. One that comes while there is enough to do for it is prepared meanwhile:
    where the org is slower than the store, nothing is. Decoded rows are staged at once, so that no two pages of them
    are held; a page without any, such as one that only ends a Bulk result page, takes its place behind the files.
    Close it before `pages`: then it waits for the file that is being staged, and removes the others.
    """
    line = _Line(store)
    try:
        for page in pages:
            if isinstance(page.body, Rows) and (page.body.values or line.is_idle):
                yield from line.done(0)
                yield page, store.stage(page)
            else:
                line.take(page)
                yield from line.done(MOST_AHEAD - 1, MOST_BYTES)
            del page  # it is not held while the next one comes
        yield from line.done(0)
    except GeneratorExit:
        line.drop()
        raise
    finally:
        line.close()


class _Line:
    """Files in the order in which they are staged. What one of them meets keeps those behind it out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker = ThreadPoolExecutor(1, "stage")
        self._steps: deque[_Step] = deque()
        self._broken = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was taken is staged."""
        return all(each.rows.done() for each in self._steps)

    def take(self, page: Page) -> None:
        """Let the page be staged after the others."""
        left = sum(each.cost for each in self._steps if not each.rows.done())
        if isinstance(page.body, CsvFile) and 2 * left >= _cost(page):
            page = self._store.prepare(page)
        self._steps.append(_Step(page, _size(page), _cost(page), self._worker.submit(self._stage, page)))

    def _stage(self, page: Page) -> int:
        if self._broken:
            page.drop()
            return 0
        try:
            return self._store.stage(page)
        except BaseException:
            self._broken = True
            raise

    def done(self, left: int, size: int = 0) -> Generator[tuple[Page, int], None, None]:
        """The pages that are staged by now, and as many more as it takes until only so many, of that size, are left."""
        while self._steps and (len(self._steps) > left or self._size > size or self._steps[0].rows.done()):
            step = self._steps.popleft()
            yield step.page, step.rows.result()

    @property
    def _size(self) -> int:
        return sum(each.size for each in self._steps)

    def drop(self) -> None:
        """Let no file be staged but the one that is being staged."""
        self._broken = True

    def close(self) -> None:
        """Wait for all that is left: where the org breaks off, what has come is kept."""
        self._worker.shutdown()


def _size(page: Page) -> int:
    """Bytes of the page's file; one that is gone is told when it is staged."""
    if isinstance(page.body, Rows):
        return 0
    try:
        return page.body.path.stat().st_size
    except OSError:
        return 0


def _cost(page: Page) -> float:
    """What it takes to stage the page, as bytes of a CSV file."""
    return _size(page) * (1 if isinstance(page.body, CsvFile) else PREPARED_COSTS)
