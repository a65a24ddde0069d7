"""The error that SOQL raises, with Salesforce's code, text and position block."""

from __future__ import annotations

_WIDEST_LINE = 200
_AROUND = 90


class SoqlError(Exception):
    """A query was refused; `code` and `message` are what Salesforce puts on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def at(text: str, position: int, code: str, message: str) -> SoqlError:
    """Make an error with the caret block that points at `position` (0-based) in the query `text`.

    The block starts with a newline; row and column are 1-based (salesforce-api 3.4).
    """
    row, column, line = _locate(text, position)
    line, shift = _window(line, column)
    caret = " " * (column - 1 - shift) + "^"
    block = f"\n{line}\n{caret}\nERROR at Row:{row}:Column:{column}\n"
    return SoqlError(code, block + message)


def malformed(text: str, position: int, message: str) -> SoqlError:
    """A syntax error at a position."""
    return at(text, position, "MALFORMED_QUERY", message)


def no_such_column(text: str, position: int, name: str, entity: str) -> SoqlError:
    """The text Salesforce gives for a field that is unknown, or hidden from the user."""
    return at(
        text,
        position,
        "INVALID_FIELD",
        f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append "
        "the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate "
        "names.",
    )


def no_such_relation(text: str, position: int, name: str, place: str = "field path") -> SoqlError:
    """The text Salesforce gives for an unknown relationship, in a field path or in a child's FROM."""
    return at(
        text,
        position,
        "INVALID_FIELD" if place == "field path" else "INVALID_TYPE",
        f"Didn't understand relationship '{name}' in {place}. If you are attempting to use a custom relationship, be "
        "sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call "
        "for the appropriate names.",
    )


def no_such_type(text: str, position: int, name: str) -> SoqlError:
    """The text Salesforce gives for an unknown object in FROM."""
    return at(
        text,
        position,
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the "
        "'__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
    )


def _locate(text: str, position: int) -> tuple[int, int, str]:
    before = text[:position]
    row = before.count("\n") + 1
    start = before.rfind("\n") + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)].rstrip("\r")
    return row, position - start + 1, line


def _window(line: str, column: int) -> tuple[str, int]:
    # A query of 55 fields would otherwise come back whole in every error.
    if len(line) <= _WIDEST_LINE:
        return line, 0
    start = max(0, column - 1 - _AROUND)
    return line[start : column + _AROUND], start
