"""Texts that an org (or whatever stands before it) says, made fit for a person's terminal and for a log. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_BLOT = "***"

_UNFIT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, with which a text could rule a terminal; those that turn its direction; halves of characters."""


_ESCAPES = frozenset("\\%&+")
"""What every form but the plain one has in it."""


def said(text: str, secrets: Iterable[str] = ()) -> str:
    """The text in one line, without control characters, and with every secret blotted out.

    Some servers repeat in an error what they were sent.
    """
    plain = " ".join(_UNFIT.sub("", text).split())
    return without_secrets(plain, secrets)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret blotted out, in whatever form it is written: plain, or escaped for JSON, URL, HTML."""
    for secret in secrets:
        if not secret or len(text) < len(secret):
            continue  # no form is shorter than the secret
        # A pattern for a token of some hundred characters takes milliseconds to make.
        plain = _ESCAPES.isdisjoint(text)
        text = text.replace(secret, _BLOT) if plain else _forms(secret).sub(_BLOT, text)
    return text


@lru_cache(maxsize=16)
def _forms(secret: str) -> re.Pattern[str]:
    return re.compile("".join(map(_written, secret)), re.ASCII)


def _written(character: str) -> str:
    """How a character may be written."""
    code = ord(character)
    forms = [re.escape(character), rf"\\+u(?i:{code:04x})", rf"&\#0*{code};", rf"&\#(?i:x0*{code:x});"]
    forms += ["".join(f"%(?i:{byte:02x})" for byte in character.encode("utf-8", "replace"))]
    if character in '/"\\':
        forms.append(rf"\\+{re.escape(character)}")
    if character == " ":
        forms.append(r"\+")
    if character == "&":
        forms.append("&amp;")
    return f"(?:{'|'.join(forms)})"
