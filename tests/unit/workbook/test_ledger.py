"""What an import has found so far: no question about one row looks at all others."""

import pytest

from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.ledger import Ledger

FEW, MANY = 500, 4_000


@pytest.fixture
def ledger():
    made = Ledger()
    yield made
    made.close()


def fill(ledger, first, last, kind=Kind.NEW):
    for at in range(first, last):
        ledger.put(RowChange(kind, "Account", "", "Account", at + 2, name=f"new:{at}"))


def steps(ledger, act):
    """How many steps of SQLite's machine it takes, in hundreds."""
    taken = 0

    def count():
        nonlocal taken
        taken += 1
        return False

    ledger._db.set_progress_handler(count, 100)
    act()
    ledger._db.set_progress_handler(None)
    return taken


def test_a_name_is_looked_up(ledger):
    fill(ledger, 0, FEW)
    before = steps(ledger, lambda: [ledger.has_name(f"new:no {at}") for at in range(100)])
    fill(ledger, FEW, MANY)

    assert steps(ledger, lambda: [ledger.has_name(f"new:no {at}") for at in range(100)]) <= before + 5


@pytest.mark.parametrize("kind", [Kind.EDITED, Kind.NEW, Kind.DELETED])
def test_rows_that_were_taken_in_are_not_looked_at_again(ledger, kind):
    ask = ledger.stuck if kind is Kind.NEW else lambda most: ledger.waiting(kind, most)
    fill(ledger, 0, MANY, kind)
    before = steps(ledger, lambda: ask(100))
    for number, _ in ask(MANY - 100):
        ledger.settle(number, "taken in")

    assert len(ask(MANY)) == 100
    assert steps(ledger, lambda: ask(100)) <= before + 5


def test_new_rows_that_are_ready_are_found_behind_those_that_were_taken_in(ledger):
    fill(ledger, 0, MANY)
    before = steps(ledger, lambda: ledger.ready(100))
    for number, _ in ledger.ready(MANY - 100):
        ledger.settle(number, "taken in", f"local-{number}")

    assert steps(ledger, lambda: ledger.ready(100)) <= before + 5


def test_counting_the_rows_of_a_kind_looks_at_no_others(ledger):
    fill(ledger, 0, FEW)
    before = steps(ledger, lambda: ledger.count(Kind.PROBLEM))
    fill(ledger, FEW, MANY)

    assert steps(ledger, lambda: ledger.count(Kind.PROBLEM)) <= before + 5


def test_a_row_is_settled_or_spoilt_by_its_number(ledger):
    fill(ledger, 0, FEW)
    before = steps(ledger, lambda: _settle_and_spoil(ledger, 1))
    fill(ledger, FEW, MANY)

    assert steps(ledger, lambda: _settle_and_spoil(ledger, 101)) <= before + 5


def _settle_and_spoil(ledger, first):
    for number in range(first, first + 50):
        ledger.settle(number, "taken in", f"local-{number}")
    for number in range(first + 50, first + 100):
        change = RowChange(Kind.NEW, "Account", "", "Account", number + 1, name=f"new:{number - 1}")
        ledger.spoil(number, change, CellProblem("no"))


def test_rows_are_read_page_by_page_whatever_became_of_them(ledger):
    fill(ledger, 0, MANY, Kind.EDITED)
    for number, _ in ledger.waiting(Kind.EDITED, MANY // 2):
        ledger.settle(number, "taken in")
    ways = [lambda: ledger.changes(Kind.EDITED), lambda: ledger.changes(Kind.NEW, Kind.EDITED), ledger.changes]

    for way in ways:
        assert [number for number, _ in way()] == list(range(1, MANY + 1))
        assert steps(ledger, lambda way=way: next(way())) < 50
