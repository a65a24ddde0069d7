from __future__ import annotations

import gzip
import random
import zlib

import pytest

from salesforce_sync.api import inflate
from salesforce_sync.api.inflate import BLOCK
from salesforce_sync.errors import Unreachable

TEXT = random.Random(7).randbytes(1_800_000).hex("\n", 9).encode()


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "zlib":  # what machines without a wheel of isal use
        monkeypatch.setattr(inflate, "_new", zlib.decompressobj)
    return str(request.param)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1000, 65_536, 10_000_000])
def test_what_was_zipped_comes_back(size: int) -> None:
    assert b"".join(inflate.inflate(chunks(gzip.compress(TEXT), size))) == TEXT


def test_blocks_stay_small_however_well_the_text_was_zipped() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)

    sizes = [len(block) for block in inflate.inflate([bomb])]

    assert max(sizes) <= BLOCK
    assert sum(sizes) == 50_000_000


def test_several_members_are_one_text() -> None:
    assert b"".join(inflate.inflate([gzip.compress(b"one "), gzip.compress(b"two")])) == b"one two"
    assert b"".join(inflate.inflate([gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0"])) == b"one two"


@pytest.mark.parametrize("missing", [1, 8, 9, 5_000])
def test_a_stream_that_stops_early_is_noticed(missing: int) -> None:
    with pytest.raises(Unreachable, match="cut off"):
        list(inflate.inflate(chunks(gzip.compress(TEXT)[:-missing], 65_536)))


def test_a_damaged_stream_is_noticed() -> None:
    damaged = bytearray(gzip.compress(TEXT))
    damaged[-6] ^= 0xFF  # the checksum

    with pytest.raises(Unreachable, match="damaged"):
        list(inflate.inflate([bytes(damaged)]))


def test_an_empty_body_is_empty() -> None:
    assert list(inflate.inflate([])) == []
    assert list(inflate.inflate([b""])) == []
