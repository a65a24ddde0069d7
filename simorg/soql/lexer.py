"""SOQL text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simorg.soql.errors import SoqlError, malformed

MAX_QUERY = 100_000
MAX_LITERAL = 4_000

_TOKEN = re.compile(
    r"""(?P<space>\s+)
  | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|z|[+-]\d{2}:?\d{2})?)
  | (?P<date>\d{4}-\d{2}-\d{2}(?![\dT]))
  | (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?)
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z]{3}\d+\.\d+|[A-Za-z_][A-Za-z0-9_]*)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<symbol>!=|<>|<=|>=|[=<>(),.:])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_PLAIN = {
    "n": "\n",
    "N": "\n",
    "r": "\r",
    "R": "\r",
    "t": "\t",
    "T": "\t",
    "b": "\b",
    "B": "\b",
    "f": "\f",
    "F": "\f",
    '"': '"',
    "'": "'",
    "\\": "\\",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `kind` is name, number, string, date, datetime, time, symbol or end; `at` is its 0-based place."""

    kind: str
    text: str
    at: int

    @property
    def upper(self) -> str:
        """The text in capitals, for keywords; empty for strings, which are never keywords."""
        return "" if self.kind == "string" else self.text.upper()


def tokens(text: str) -> tuple[Token, ...]:
    """Cut a query into tokens, ending with one of kind `end`; raises SoqlError on what is no token."""
    if len(text) > MAX_QUERY:
        raise SoqlError("MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_QUERY} characters.")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _no_token(text, at)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    found.append(Token("end", "<EOF>", len(text)))
    return tuple(found)


def unescape(text: str, token: Token) -> str:
    """The value of a string token: the escapes of SOQL resolved, `\\_` and `\\%` kept for LIKE."""
    body = token.text[1:-1]
    if len(body) > MAX_LITERAL:
        raise malformed(text, token.at, f"String literal is longer than {MAX_LITERAL} characters")
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        escape = match.group(1)
        if len(escape) == 5:
            char = chr(int(escape[1:], 16))
            return char * 2 if char == "\\" else char
        if escape in "_%":
            return match.group()
        if escape not in _PLAIN:
            raise malformed(text, token.at + 1 + match.start(), f"invalid character escape '\\{escape}'")
        # A backslash stays doubled until LIKE or a plain comparison reads it: only then is its meaning known.
        return "\\\\" if escape == "\\" else _PLAIN[escape]

    return _ESCAPE.sub(replace, body)


def plain(value: str) -> str:
    """A string value outside LIKE: there `\\_` and `\\%` mean the bare character."""
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) if "\\" in value else value


def _no_token(text: str, at: int) -> SoqlError:
    if text[at] == "'":
        return malformed(text, at, "unclosed string literal")
    return malformed(text, at, f"unexpected char: '{text[at]}'")
