"""A file that comes in a form (multipart/form-data), as `curl -F` and most HTTP libraries send one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from salesforce_sync.errors import Misuse

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM: Final = "multipart/form-data"
MOST_COUNTED: Final = 1000
"""Parts of a form, and their headers: each costs more time than the few bytes that it takes."""

LONGEST_HEADER: Final = 8192

_WHOLE: Final = "Send the workbook as the body, or as the file of a form: curl -F file=@plan.xlsx"


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form that may have files."""
    return content_type.partition(";")[0].strip().casefold() == FORM


class FileOfForm:
    """Takes a form piece by piece, and writes its one file; other fields are left alone."""

    def __init__(self, content_type: str, out: BinaryIO) -> None:
        _, options = parse_options_header(content_type.encode("latin-1"))
        boundary = options.get(b"boundary")
        if not boundary:
            raise Misuse("The form's Content-Type names no boundary.", hint=_WHOLE)
        self._out = out
        self._header = self._value = b""
        self._is_file = self._ended = False
        self._files = self._counted = 0
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._named,
            "on_header_value": self._valued,
            "on_header_end": self._headed,
            "on_part_data": self._came,
            "on_end": self._end,
        }
        with _readable():
            self._parser = MultipartParser(boundary, callbacks)

    def write(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        with _readable():
            self._parser.write(piece)

    def close(self) -> None:
        """`Misuse` if the form was not whole, or had no file."""
        if not self._ended:
            raise Misuse("The form breaks off before its end.", hint=_WHOLE)
        if not self._files:
            raise Misuse("The form has no file.", hint=_WHOLE)

    def _begin(self) -> None:
        self._is_file = False
        self._count()

    def _named(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bounded()

    def _valued(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _count(self) -> None:
        self._counted += 1
        if self._counted > MOST_COUNTED:
            raise Misuse("The form has too many parts.", hint=_WHOLE)

    def _bounded(self) -> None:
        if len(self._header) + len(self._value) > LONGEST_HEADER:
            raise Misuse("The form has a header that is too long.", hint=_WHOLE)

    def _headed(self) -> None:
        self._count()
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if b"filename" in options or b"filename*" in options:
                self._is_file = True
                self._files += 1
                if self._files > 1:
                    raise Misuse("The form has several files.", hint=_WHOLE)
        self._header = self._value = b""

    def _came(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._out.write(data[start:end])

    def _end(self) -> None:
        self._ended = True


@contextmanager
def _readable() -> Iterator[None]:
    """`Misuse` for what is no form."""
    try:
        yield
    except FormParserError as error:
        raise Misuse(f"The form cannot be read: {error}", hint=_WHOLE) from error
