"""A ZIP file that is written in pieces."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from datetime import UTC, datetime

import pytest

from salesforce_sync.workbook import zip_stream
from salesforce_sync.workbook.zip_stream import ZipStream

WHEN = datetime(2026, 11, 26, 14, 30, 10, tzinfo=UTC)


def package(parts):
    out = io.BytesIO()
    stream = ZipStream(out, WHEN)
    for name, pieces in parts.items():
        with stream.part(name) as writer:
            for piece in pieces:
                writer.write(piece)
    stream.finish()
    return out


PARTS = {"a.xml": [b"<a/>"], "ü/b.xml": [b"x" * 100_000, b"", b"y" * 70_000], "empty": []}


@pytest.mark.parametrize("long_from", [0xFFFF_FFFF, 1_000, 100, 0], ids=["short", "sizes", "offsets", "all long"])
def test_every_part_is_read_back(monkeypatch, long_from):
    monkeypatch.setattr(zip_stream, "LONG_FROM", long_from)

    whole = package(PARTS)

    with zipfile.ZipFile(whole) as found:
        assert {name: found.read(name) for name in found.namelist()} == {k: b"".join(v) for k, v in PARTS.items()}
        assert found.testzip() is None
        assert found.getinfo("a.xml").date_time == (2026, 11, 26, 14, 30, 10)


def test_a_program_that_reads_from_the_front_finds_the_same():
    """The local headers, which `zipfile` hardly looks at, tell the sizes too."""
    whole = package(PARTS).getvalue()

    first = whole[: 30 + 5 + 20]

    packed, size = struct.unpack("<2L", first[18:26])
    assert first[:4] == b"PK\3\4"
    assert size == len(b"<a/>")
    assert zlib.decompress(whole[len(first) : len(first) + packed], -15) == b"<a/>"


def test_isal_is_not_needed():
    told = "import sys; sys.modules['isal'] = None; from salesforce_sync.workbook import zip_stream; "
    told += "print(zip_stream.deflate.__name__)"

    ran = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)

    assert ran.stdout.strip() == "zlib"
