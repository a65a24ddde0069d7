"""Conditional requests: HTTP dates with one-second grain, and the ETag of Account rows."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from simorg.database import Row
from simorg.http import ApiError, Response
from simorg.times import to_ms

_TAGS = re.compile(r'\*|(W/)?"[^"]*"(-gzip)?(\s*,\s*(W/)?"[^"]*"(-gzip)?)*')
FAILED = "The condition of the request was not met"


def header_ms(headers: Mapping[str, str], name: str, *, strict: bool) -> int | None:
    """Return an HTTP date header as milliseconds; a bad one is ignored, or answered with 400 when `strict`."""
    text = headers.get(name)
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError) as problem:
        if strict:
            raise ApiError(400, "INVALID_HEADER", f"{name}: invalid date {text}") from problem
        return None
    return to_ms(moment.astimezone(UTC) if moment.tzinfo else moment)


def etag(row: Row) -> str:
    """Return the entity tag of a row."""
    seed = "/".join(str(row.get(name)) for name in ("Id", "SystemModstamp", "LastModifiedDate")).encode()
    return '"' + base64.b64encode(hashlib.sha1(seed, usedforsecurity=False).digest()).decode() + '"'


def check(headers: Mapping[str, str], method: str, changed_ms: int, tag: str | None) -> Response | None:
    """Return 304 where the client has it all already, raise 412 where it is too late, else None."""
    writing = method != "GET"
    if tag is not None:
        early = _check_tag(headers, tag, writing)
        if early is not None:
            return early
    changed = changed_ms // 1000
    unmodified = header_ms(headers, "if-unmodified-since", strict=writing)
    if unmodified is not None and changed > unmodified // 1000:
        raise ApiError(412, "PRECONDITION_FAILED", FAILED)
    modified = header_ms(headers, "if-modified-since", strict=writing)
    if modified is not None and changed <= modified // 1000:
        return Response(304)
    return None


def _check_tag(headers: Mapping[str, str], tag: str, writing: bool) -> Response | None:
    for name in ("if-match", "if-none-match"):
        if writing and not _TAGS.fullmatch(headers.get(name, "*").strip()):
            raise ApiError(400, "INVALID_HEADER", f"{name}: invalid entity tag {headers[name]}")
    wanted = headers.get("if-match")
    if wanted is not None and tag not in _tags(wanted) and wanted.strip() != "*":
        raise ApiError(412, "PRECONDITION_FAILED", FAILED)
    unwanted = headers.get("if-none-match")
    if unwanted is not None and (tag in _tags(unwanted) or unwanted.strip() == "*"):
        if writing:
            raise ApiError(412, "PRECONDITION_FAILED", FAILED)
        return Response(304, b"", {"ETag": tag})
    return None


def _tags(text: str) -> set[str]:
    """Read a list of tags; the `-gzip` that a compressed answer adds does not count."""
    tags = (part.strip().removeprefix("W/").removesuffix("-gzip") for part in text.split(","))
    return {tag.replace('-gzip"', '"') for tag in tags}
