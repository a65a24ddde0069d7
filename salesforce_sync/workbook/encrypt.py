"""A workbook behind a password, as Excel and LibreOffice open it: AES-256 (ECMA-376, agile encryption)."""

from __future__ import annotations

import importlib.util
from typing import BinaryIO, Final

from salesforce_sync.errors import Misuse

LONGEST: Final = 255
"""Characters that Excel takes for a password."""


def check_password(password: str) -> None:
    """`Misuse` if nobody could open what is encrypted with it, or if this machine cannot encrypt."""
    if not 0 < len(password) <= LONGEST:
        raise Misuse(f"A workbook's password has 1 to {LONGEST} characters.", hint="Choose another one.")
    if importlib.util.find_spec("msoffcrypto") is None:
        hint = "Install it: pip install 'salesforce-sync[password]'"
        raise Misuse("A password needs the package msoffcrypto-tool, which is not installed.", hint=hint)


def encrypt(plain: BinaryIO, password: str, out: BinaryIO) -> None:
    """Write the workbook once more, encrypted. In memory: about four times the size of the file."""
    from msoffcrypto.format.ooxml import OOXMLFile

    plain.seek(0)
    OOXMLFile(plain).encrypt(password, out)
