"""Plain words for a request that is not in its form: which part of it, and what that part may be.

Said from the schemas of the OpenAPI document, and not from the texts of the libraries that decode: those speak of types
and patterns of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from salesforce_sync.web.bodies import Body

Schema = Mapping[str, Any]


def of_body(kind: type[Any], body: bytes) -> str:
    """Why this body, which could not be decoded, is none of this kind."""
    if not body.strip():
        return "The body is empty: it has to be a JSON object."
    try:
        given = msgspec.json.decode(body)
    except UnicodeDecodeError:
        return "The body is not JSON: it is not UTF-8."
    except RecursionError:
        return "The body is not JSON: too many brackets stand within each other."
    except msgspec.DecodeError as error:
        return f"The body is not JSON: {_of_syntax(str(error), body)}."
    if not isinstance(given, dict):
        return "The body has to be a JSON object."
    return _of_members(kind, given) if issubclass(kind, Body) else "The body cannot be read."


def of_strangers(kind: type[Body], body: bytes) -> str | None:
    """What to say of an object, which could be decoded, that has members and none that is known; None of any other."""
    given = msgspec.json.decode(body)
    known = [each.encode_name for each in msgspec.structs.fields(kind)]
    if not given or not set(known).isdisjoint(given):
        return None
    return f"{_choice(_quoted(list(given)[:3]))} is not known here: the body may have {_choice(_quoted(known))}."


def _quoted(names: list[str]) -> list[str]:
    return [f"'{name}'" for name in names]


_ESCAPE: Final = re.compile(rb"\\u(d[89ab]..)\\u(d[c-f]..)|\\u(d[89a-f]..)|\\.", re.IGNORECASE | re.DOTALL)


def _half(body: bytes) -> str | None:
    """The first escape in this JSON that is one half of a character (a UTF-16 surrogate) without the other."""
    alone = next((found for found in _ESCAPE.finditer(body) if found[3]), None)
    return None if alone is None else alone[0].decode("ascii", "replace")


def _of_syntax(told: str, body: bytes) -> str:
    half = _half(body)
    if half is not None and ("truncated" in told or "surrogate" in told):
        return f"half a character stands alone in it: '{half}'"
    told = told.removeprefix("JSON is malformed: ")
    return "it ends too early" if "truncated" in told else told


def _of_members(kind: type[Body], given: Mapping[str, Any]) -> str:
    properties = _properties(kind)
    for each in msgspec.structs.fields(kind):
        name, form = each.encode_name, form_of(properties[each.encode_name])
        if name not in given:
            if each.required:
                return f"'{name}' is missing: {form}."
            continue
        try:
            msgspec.convert(given[name], each.type)
        except msgspec.ValidationError:
            return f"'{name}' has to be {form}."
    return "The body cannot be read."


def _properties(kind: type[Body]) -> Mapping[str, Schema]:
    _, components = msgspec.json.schema_components([kind])
    properties: Mapping[str, Schema] = components[kind.__name__]["properties"]
    return properties


def of_parameter(name: str, schema: Schema, given: object) -> str:
    """Why this value is none of the parameter with this schema."""
    most = max((each.get("exclusiveMaximum", 0) for each in _options(schema)), default=0)
    # Python reads no number of thousands of digits.
    too_large = most > 0 and isinstance(given, str) and given.isdecimal() and (len(given) > 99 or int(given) >= most)
    return f"'{name}' has to be {form_of(schema)}{', and is too large' if too_large else ''}."


def form_of(schema: Schema) -> str:
    """What a value of this schema is, in words; null is not spoken of."""
    first = _options(schema)[0]
    if "enum" in first:
        return _choice(_quoted([each for each in first["enum"] if each is not None]))
    match first.get("type"):
        case "array":
            return f"a list of {_span(first.get('minItems'), first.get('maxItems'))}{_PLURALS[first['items']['type']]}"
        case "integer":
            return "a whole number" + _range(first)
        case "string":
            span = _span(first.get("minLength"), first.get("maxLength"))
            return f"a text of {span}characters" if span else "a text"
        case "boolean":
            return "true or false"
        case "object":
            return "an object"
    return "a value"


_PLURALS: Final = {"string": "texts", "integer": "whole numbers", "object": "objects"}


def _options(schema: Schema) -> Sequence[Schema]:
    given = schema.get("anyOf", (schema,))
    return [each for each in given if each.get("type") != "null"] or [{}]


def _choice(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _span(least: int | None, most: int | None) -> str:
    """`1 to 500 `, `at most 300 `, or nothing."""
    if most is None:
        return "" if least is None else f"at least {least} "
    return f"{least} to {most} " if least is not None else f"at most {most} "


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if most is not None and least is not None:
        return f" from {least} to {most}"
    if most is not None:
        return f" of at most {most}"
    return "" if least is None else f" of at least {least}"
