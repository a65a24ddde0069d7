"""What a person reads: tables, progress, errors; and the one JSON document for a program instead."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, TextIO

from salesforce_sync.errors import OutputLost
from salesforce_sync.signals import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_SECONDS: Final = 2.0
"""Where there is no terminal, an object's progress gets a line this often at most."""

WIDEST_CELL: Final = 48
"""A longer cell is cut on a terminal; never in a pipe or a file."""


def tolerate_any_encoding() -> None:
    """Let a terminal that has no `→` or no emoji show `?` instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def stand_in_for_closed_streams() -> None:
    """Let a program whose starter has closed its standard streams (`>&-`) do its work all the same.

    A stream that is closed would be no object at all, and its number that of the next file that is opened.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, as long as the process


def say(text: str = "") -> None:
    """Print one line, or several, for a person who asked for it; `OutputLost` where that cannot be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise  # whoever read it has read enough
    except OSError as error:
        raise _lost(error) from error


def lost_output(error: Exception) -> OutputLost | None:
    """What has happened to what click printed (a help text), if the error is that it could not be written.

    Standard output does not tell: where it is not buffered, it has forgotten what it did not write.
    """
    last = [frame for frame, _ in walk_tb(error.__traceback__)][-1:]
    printed = any(frame.f_globals.get("__name__") == "click.utils" for frame in last)
    return _lost(error) if printed and isinstance(error, OSError) else None


def _lost(error: OSError) -> OutputLost:
    _let_go_of(sys.stdout)
    return OutputLost(f"Standard output cannot be written: {error.strerror}.")


def warn(text: str) -> None:
    """Print a line that no program reads, on standard error. Where that cannot be written, there is nobody to tell."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _let_go_of(sys.stderr)


def let_go_of_output() -> None:
    """Print nothing more on standard output: whoever read it has gone."""
    _let_go_of(sys.stdout)


def _let_go_of(stream: TextIO) -> None:
    """Send what the stream still holds nowhere: Python would try to write it at its end, and end with code 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say_json(document: Mapping[str, object]) -> None:
    """Print the one document that a program reads, on one line."""
    say(json.dumps(document, default=_plain, ensure_ascii=not _is_utf8(sys.stdout)))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def stamp(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC, to the second."""
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the unit that a person would use; a time that has not come yet is told as it is (UTC)."""
    if moment is None:
        return "never"
    seconds = int((now - moment).total_seconds())
    if seconds <= -60:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC, ahead of this machine's clock"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their columns, numbers to the right."""
    from rich.cells import cell_len

    widest = WIDEST_CELL if is_terminal(sys.stdout) else sys.maxsize
    texts = [[_cell(value, widest) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
    numeric = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = []
        for cell, width, right in zip(cells, widths, numeric, strict=True):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if right else cell + space)
        return "  ".join(padded).rstrip()

    say(line(columns))
    say("  ".join(_dash() * width for width in widths))
    for row in texts:
        say(line(row))


def _cell(value: object, widest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.hex() if isinstance(value, bytes) else str(value)
    text = clean(text[: widest + 1])
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def clean(text: str) -> str:
    """A text of a record, for a terminal: a control character in it must not steer the terminal."""
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _dash() -> str:
    return "─" if _is_utf8(sys.stdout) else "-"


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches this stream on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


# ── Progress ─────────────────────────────────────────────────────────────────────────────────────────────────────

Listener = Callable[[Progress], None]


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener for `Progress` signals: a live bar per object on a terminal, else a line from time to time."""
    if not is_terminal(sys.stderr):
        yield _PlainProgress()
        return
    with _bars() as listener:
        yield listener


@contextmanager
def silence() -> Iterator[Listener]:
    """A listener that shows nothing, for `--json`."""
    yield lambda signal: None


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    shown = _BarProgress()

    class BarsAndCalls(Bars):
        """The bars, and under them what concerns all of them."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            if shown.calls:
                yield Text(counted(shown.calls, "API call"), style="dim")

    shown.bars = BarsAndCalls(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]}", justify="right"),
        TextColumn("{task.fields[rate]}", justify="right"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with shown.bars:
        yield shown


class _BarProgress:
    """One bar per object, made when the object first tells of itself."""

    bars: Bars

    def __init__(self) -> None:
        self.calls = 0
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._lock = threading.Lock()

    def __call__(self, signal: Progress) -> None:
        with self._lock:
            self.calls = max(self.calls, signal.calls)
            if signal.object not in self._tasks:
                task = self.bars.add_task(signal.object, total=None, rows="", rate="")
                self._tasks[signal.object] = (task, time.monotonic())
            task, began = self._tasks[signal.object]
        seconds = time.monotonic() - began
        rate = f"{signal.rows / seconds:,.0f} rows/s" if signal.rows and seconds > 0.2 else ""
        # Without a total the bar moves to and fro: standing at 0 it would look as if nothing went on.
        total = None if signal.waits_for else signal.total
        self.bars.update(task, completed=signal.rows, total=total, rows=_rows(signal), rate=rate)


class _PlainProgress:
    """A line per object at its beginning and end, and every two seconds between."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def __call__(self, signal: Progress) -> None:
        now = time.monotonic()
        with self._lock:
            told = self._told.get((signal.object, signal.waits_for))
            if told is not None and now - told < PLAIN_SECONDS and signal.rows != signal.total:
                return
            self._told[signal.object, signal.waits_for] = now
        calls = f", {counted(signal.calls, 'API call')}" if signal.calls else ""  # a workbook asks the org nothing
        warn(f"{signal.object}: {_rows(signal)}{calls}")


def _rows(signal: Progress) -> str:
    if signal.waits_for:
        of = f" ({signal.total:,} rows)" if signal.total else ""  # a job that runs still says 0
        return f"waiting for {signal.waits_for}{of}"
    return f"{signal.rows:,} rows" if signal.total is None else f"{signal.rows:,} of {signal.total:,} rows"


def counted(number: int, what: str) -> str:
    """A number of things: `1 change`, `2 changes`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
