from __future__ import annotations

from salesforce_sync.api.page_sizes import PageSizes

JOB, OTHER = "750R0000000zlh9IAA", "750R0000000zlhAIAQ"
MOST = 250_000


def test_a_job_whose_pages_come_whole_is_asked_for_as_many_rows_as_usual() -> None:
    sizes = PageSizes()

    sizes.whole(JOB, MOST)

    assert sizes.rows(JOB, MOST) == MOST


def test_each_break_after_the_first_asks_for_a_quarter_but_for_a_thousand_at_least() -> None:
    sizes, asked = PageSizes(), []

    for _ in range(7):
        asked.append(sizes.rows(JOB, MOST))
        sizes.broke(JOB, asked[-1])

    assert asked == [MOST, MOST, 62_500, 15_625, 3_906, 1_000, 1_000]
    assert sizes.rows(OTHER, MOST) == MOST


def test_the_size_doubles_with_each_whole_page_and_stays_below_one_that_broke_twice() -> None:
    sizes, asked = PageSizes(), []
    for _ in range(2):
        sizes.broke(JOB, 100_000)

    for _ in range(4):
        asked.append(sizes.rows(JOB, MOST))
        sizes.whole(JOB, asked[-1])

    assert asked == [25_000, 50_000, 50_000, 50_000]


def test_a_size_that_broke_once_is_tried_again() -> None:
    sizes = PageSizes()
    for rows in (MOST, MOST, 62_500):
        sizes.broke(JOB, rows)

    sizes.whole(JOB, 15_625)
    sizes.whole(JOB, 31_250)

    assert sizes.rows(JOB, MOST) == 62_500


def test_breaks_of_different_pages_do_not_count_together() -> None:
    sizes = PageSizes()

    for _ in range(3):
        sizes.broke(JOB, MOST)
        sizes.whole(JOB, MOST)

    assert sizes.rows(JOB, MOST) == MOST


def test_a_job_that_is_read_to_its_end_is_forgotten() -> None:
    sizes = PageSizes()
    for _ in range(2):
        sizes.broke(JOB, MOST)

    sizes.forget(JOB)

    assert sizes.rows(JOB, MOST) == MOST
