"""A pull's pages on their way into the store: one after the other, while the next one is brought and prepared."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from salesforce_sync.models.page import Page, Rows
from salesforce_sync.ports import Store


def stage_all(store: Store, pages: Iterable[Page]) -> Generator[tuple[Page, int], None, None]:
    """Each page, with the number of its rows, once it is staged.

    A file is staged in a thread of its own. If the next one comes before that is done, it is prepared meanwhile: where
    the org is slower than the store, nothing is. Decoded rows are staged at once, so that no two pages of them are
    held. Close it before `pages`: it waits for what is under way, and removes the file that is not.
    """
    with ThreadPoolExecutor(1, "stage") as worker:
        under_way: tuple[Page, Future[int]] | None = None
        for page in pages:
            try:
                if under_way is not None:
                    before, count = under_way
                    under_way = None
                    if not count.done():
                        page = store.prepare(page)
                    yield before, count.result()
                if isinstance(page.body, Rows):
                    yield page, store.stage(page)
                else:
                    under_way = page, worker.submit(store.stage, page)
            except BaseException:
                page.drop()
                raise
            del page  # it is not held while the next one comes
        if under_way is not None:
            yield under_way[0], under_way[1].result()
