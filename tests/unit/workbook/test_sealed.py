"""The encrypted package, sealed and opened in little memory, as msoffcrypto does it and undoes it."""

import io
import os
import tracemalloc

import msoffcrypto
import olefile
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from salesforce_sync.errors import NotAWorkbook
from salesforce_sync.workbook.locked import unlocked
from salesforce_sync.workbook.package import MEGABYTE
from salesforce_sync.workbook.sealed import seal

SIZES = (4_088, 4_096, 4_097, 70_000, 9 * MEGABYTE + 3)
"""Of the last the OLE file needs sectors that tell of more sectors."""


def sealed_file(path, content):
    with path.open("wb+") as out:
        seal(io.BytesIO(content), "secret", out)
    return path


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_is_opened_by_others_and_here(tmp_path, size):
    content = os.urandom(size)
    path = sealed_file(tmp_path / "book.xlsx", content)

    with unlocked(path, "secret", tmp_path) as plain:
        assert plain.read_bytes() == content
    with path.open("rb") as file:
        theirs = msoffcrypto.OfficeFile(file)
        theirs.load_key(password="secret", verify_password=True)
        key, info = theirs.secret_key, theirs.info
        with olefile.OleFileIO(path).openstream("EncryptedPackage") as stream:
            proof = info["encryptedHmacKey"], info["encryptedHmacValue"]
            sized = info["keyDataSalt"], info["keyDataHashAlgorithm"], info["keyDataBlockSize"]
            assert msoffcrypto.method.ecma376_agile.ECMA376Agile.verify_integrity(key, *sized, *proof, stream)


@pytest.mark.parametrize("size", SIZES)
def test_what_others_seal_is_opened(tmp_path, size):
    content = b"PK" + os.urandom(size)
    path = tmp_path / "book.xlsx"
    plain = tmp_path / "plain.xlsx"
    plain.write_bytes(content)
    with plain.open("rb") as source, path.open("wb") as target:
        file = OOXMLFile.__new__(OOXMLFile)
        file.file, file.type = source, "plain"
        file.encrypt("secret", target)

    with unlocked(path, "secret", tmp_path) as opened:
        assert opened.read_bytes() == content


def test_sealing_and_opening_hold_a_small_part_of_the_file(tmp_path):
    path = sealed_file(tmp_path / "small.xlsx", b"x")  # loads what is loaded once
    with (tmp_path / "plain").open("wb+") as plain, (tmp_path / "book.xlsx").open("wb+") as out:
        plain.write(os.urandom(12 * MEGABYTE))
        tracemalloc.start()
        seal(plain, "secret", out)
    with unlocked(tmp_path / "book.xlsx", "secret", tmp_path) as opened:
        peak = tracemalloc.get_traced_memory()[1]
        assert opened.stat().st_size == 12 * MEGABYTE
    tracemalloc.stop()

    assert path.stat().st_size > 0
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize("left", [0.3, 0.7, 0.99])
def test_a_sealed_file_that_was_cut_is_damaged(tmp_path, left):
    path = sealed_file(tmp_path / "book.xlsx", os.urandom(70_000))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * left)])

    with pytest.raises(NotAWorkbook), unlocked(path, "secret", tmp_path):
        pass
