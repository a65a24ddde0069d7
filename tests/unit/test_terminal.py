"""What a person reads: tables that hold together whatever is in them, and times in words."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from salesforce_sync.process import terminal
from salesforce_sync.signals import Progress

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0.4, "just now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7_199, "1 hour ago"),
        (86_400 * 3, "3 days ago"),
        (-86_400, "2026-01-16 10:30 UTC, ahead of this machine's clock"),
    ],
)
def test_times_are_told_in_the_unit_that_a_person_would_use(seconds, words):
    assert terminal.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_never_is_never():
    assert terminal.ago(None, NOW) == "never"


def test_a_table_is_aligned_by_what_is_seen_on_the_screen(capsys):
    terminal.say_table(("name", "rows"), [("日本", 5), ("é😀", 1_000), (None, None)])

    assert capsys.readouterr().out == "name  rows\n────  ────\n日本     5\né😀   1000\n\n"


def test_an_empty_table_has_its_columns(capsys):
    terminal.say_table(("Id", "LastName"), [])

    assert capsys.readouterr().out == "Id  LastName\n──  ────────\n"


def test_nothing_in_a_cell_can_steer_the_terminal(capsys):
    terminal.say_table(("text",), [("a\x1b[31mb\r\n\tc\u202ed\x00",)])

    shown = capsys.readouterr().out
    assert shown.splitlines()[2] == r"a\x1b[31mb\r\n\tc\u202ed\x00"


def test_in_a_pipe_no_cell_is_cut(capsys):
    terminal.say_table(("text",), [("x" * 500,)])

    assert "x" * 500 in capsys.readouterr().out


def test_json_is_one_line_with_exact_values(capsys):
    terminal.say_json({"at": NOW, "amount": Decimal("1234567890123456.78"), "bytes": b"\x01\xff", "none": None})

    expected = '{"at": "2026-01-15T10:30:00Z", "amount": "1234567890123456.78", "bytes": "01ff", "none": null}\n'
    assert capsys.readouterr().out == expected


def test_plain_progress_tells_the_beginning_and_the_end_and_little_between(capsys):
    with terminal.progress() as listener:
        for rows in range(0, 10_001, 100):
            listener(Progress("Contact", rows, 10_000, calls=3))

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Contact: 0 of 10,000 rows, 3 API calls"
    assert lines[-1] == "Contact: 10,000 of 10,000 rows, 3 API calls"
    assert len(lines) < 10


def test_plain_progress_says_what_it_waits_for_and_goes_on(capsys):
    with terminal.progress() as listener:
        listener(Progress("Contact", 0, 10_000, calls=3, waits_for="the org's job"))
        listener(Progress("Contact", 0, 10_000, calls=4))
        listener(Progress("Contact", 10_000, 10_000, calls=5))

    assert capsys.readouterr().err.splitlines() == [
        "Contact: waiting for the org's job (10,000 rows), 3 API calls",
        "Contact: 0 of 10,000 rows, 4 API calls",
        "Contact: 10,000 of 10,000 rows, 5 API calls",
    ]


def test_progress_without_a_total_says_what_it_knows(capsys):
    with terminal.progress() as listener:
        listener(Progress("Lead", 7, None, calls=1))

    assert capsys.readouterr().err == "Lead: 7 rows, 1 API call\n"


def test_silence_says_nothing(capsys):
    with terminal.silence() as listener:
        listener(Progress("Lead", 7, None, calls=1))

    assert capsys.readouterr() == ("", "")


def test_a_dumb_terminal_is_none(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    smart = terminal.is_terminal(Screen())
    monkeypatch.setenv("TERM", "dumb")

    assert smart
    assert not terminal.is_terminal(Screen())
    assert not terminal.is_terminal(io.StringIO())


def test_what_asks_the_org_nothing_tells_of_no_calls(capsys):
    with terminal.progress() as listener:
        listener(Progress("Lead", 7, 7, calls=0))

    assert capsys.readouterr().err == "Lead: 7 of 7 rows\n"
