"""A workbook behind a password, opened for as long as it is read."""

from __future__ import annotations

import importlib.util
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from salesforce_sync.errors import Misuse, NotAWorkbook, WorkbookEncrypted
from salesforce_sync.workbook.package import OLE

LONGEST_PASSWORD: Final = 255
"""Characters that Excel takes."""


def is_locked(path: Path) -> bool:
    """Whether the file can be a workbook behind a password."""
    try:
        with path.open("rb") as file:
            return file.read(len(OLE)) == OLE
    except OSError:
        return False


@contextmanager
def unlocked(path: Path, password: str | None, folder: Path) -> Iterator[Path]:
    """The workbook as it can be read: decrypted, in a private folder below `folder`, if it has a password.

    `WorkbookEncrypted` if the password is wrong.
    """
    if password is None or not is_locked(path):
        yield path
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix="workbook-") as private:
        plain = Path(private) / path.name  # the name that errors tell
        _decrypt(path, password, plain)
        yield plain


def _decrypt(path: Path, password: str, plain: Path) -> None:
    check_password(password)
    import msoffcrypto
    from msoffcrypto import exceptions

    from salesforce_sync.workbook.sealed import unseal

    with path.open("rb") as locked, plain.open("wb") as out:
        try:
            file = msoffcrypto.OfficeFile(locked)
            file.load_key(password=password, verify_password=True)
            if file.type == "agile":
                info = file.info
                unseal(file.file, file.secret_key, info["keyDataSalt"], info["keyDataHashAlgorithm"], out)
            else:  # Excel 2007's way
                file.decrypt(out)
        except exceptions.InvalidKeyError as error:
            raise WorkbookEncrypted(f"This is not the password of {path.name}.", hint="Try again.") from error
        except (exceptions.FileFormatError, exceptions.DecryptionError, exceptions.ParseError) as error:
            raise NotAWorkbook(f"{path.name} cannot be decrypted: {error}.", hint="Save it in Excel again.") from error
        except (OSError, ValueError, KeyError, IndexError, AttributeError, struct.error) as error:  # a damaged file
            raise NotAWorkbook(f"{path.name} is damaged.", hint="Save it in Excel again.") from error


def check_password(password: str) -> None:
    """`Misuse` if it can be no workbook's password, or if this machine cannot encrypt."""
    if not 0 < len(password) <= LONGEST_PASSWORD:
        raise Misuse(f"A workbook's password has 1 to {LONGEST_PASSWORD} characters.", hint="Give another one.")
    if importlib.util.find_spec("msoffcrypto") is None:
        hint = "Install it: pip install 'salesforce-sync[password]'"
        raise Misuse("A password needs the package msoffcrypto-tool, which is not installed.", hint=hint)
