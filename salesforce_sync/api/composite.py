"""Composite: several requests in one call. Of the parts of one call at most five may be queries or collections.

Source: REST guide, Composite; section 6 of the API facts. The answer of each part has its own status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from salesforce_sync.api import rest
from salesforce_sync.api.query import Query
from salesforce_sync.api.responses import Refusal, error_for, is_scope_problem, read_refusal
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Answer, Call, Transport
from salesforce_sync.errors import Incomplete, SyncError, Unreachable
from salesforce_sync.models.connection import Session

MAX_QUERIES = 5
MAX_PARTS = 25


@dataclass(frozen=True, slots=True)
class Part:
    """One request within the call. `reference` has letters and digits only; `path` is below the version's root."""

    reference: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What the org said to one part; the names of its headers are in lower case.

    `told` is a view into the whole answer: the bodies of five thousand rows are not held twice.
    """

    status: int
    told: bytes | memoryview = field(repr=False)
    headers: Mapping[str, str]
    sent: tuple[str, ...] = field(default=(), repr=False)
    """The secrets that went with the question; no error may repeat them."""

    @property
    def body(self) -> bytes:
        """The part's own JSON, as a copy."""
        return bytes(self.told)

    @property
    def refusal(self) -> Refusal | None:
        """Why the org did not answer; None where it did (an unchanged answer, 304, is one)."""
        answered = 200 <= self.status < 300 or self.status == 304
        return None if answered else read_refusal(self.status, self.body, self.sent)

    def checked(self, doing: str) -> bytes:
        """The body of an answer; the error of a refusal is raised."""
        refusal = self.refusal
        if refusal is not None:
            raise error_for(refusal, doing)
        return self.body


class CompositeAnswer(Struct, frozen=True):
    """All parts by reference, the session they belong to, and the org's time (UTC) just before they were asked."""

    parts: Mapping[str, PartAnswer]
    session: Session
    asked: datetime | None

    def part(self, reference: str) -> PartAnswer:
        """One part's answer; `Incomplete` if the org left it out."""
        found = self.parts.get(reference)
        if found is None:
            raise Incomplete("The org answered only a part of what it was asked.", hint="Try again later.")
        return found

    @property
    def session_ended(self) -> bool:
        """Whether a part met the end of the session: it may come between two parts of one call."""
        refusals = (part.refusal for part in self.parts.values() if part.status == 401)
        return any(refusal is not None and not is_scope_problem(refusal) for refusal in refusals)


class _PartReply(msgspec.Struct):
    referenceId: str
    httpStatusCode: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    httpHeaders: dict[str, Any] | None = None


class _Reply(msgspec.Struct):
    compositeResponse: list[_PartReply]


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_REPLY = msgspec.json.Decoder(_Reply)


def ask(
    transport: Transport, parts: Sequence[Part], purpose: Purpose, headers: tuple[tuple[str, str], ...] = ()
) -> CompositeAnswer:
    """Ask all parts in one call, in order and each for itself. `headers` are the call's own.

    Raises what concerns the whole call: an `ObjectTrouble` where the org has no composite or does not take it.
    """
    call = call_of(transport, parts, purpose, headers)
    answer = read(transport.send(call), purpose.doing)
    if answer.session_ended:
        transport.renew(answer.session)
        answer = read(transport.send(call), purpose.doing)
    return answer


def call_of(
    transport: Transport, parts: Sequence[Part], purpose: Purpose, headers: tuple[tuple[str, str], ...] = ()
) -> Call:
    """The call that asks all parts."""
    body = msgspec.json.encode({"allOrNone": False, "compositeRequest": [_order(transport, part) for part in parts]})
    return Call(purpose.doing, "composite", "POST", headers, body, priority=purpose.priority)


def first_page(transport: Transport, asked: Query, decoder: PageDecoder, purpose: Purpose) -> rest.FirstPage:
    """A query's first page by whatever way its length allows: a GET, or one within a POST. One call."""
    if rest.query_fits(transport, asked):
        return rest.ask(transport, asked, decoder, purpose)
    answer = ask(transport, [Part("rows", rest.query_path(asked), rest.PAGE_SIZE)], purpose, rest.PAGE_SIZE)
    page = decoder.decode(answer.part("rows").checked(purpose.doing))
    return rest.FirstPage(page, answer.session, answer.asked)


def _order(transport: Transport, part: Part) -> dict[str, Any]:
    url = f"{transport.root}/{part.path}"
    order: dict[str, Any] = {"method": part.method, "url": url, "referenceId": part.reference}
    if part.headers:
        order["httpHeaders"] = dict(part.headers)
    return order if part.body is None else {**order, "body": part.body}


def read(answer: Answer, doing: str) -> CompositeAnswer:
    """The parts of an answer; `Unreachable` if it cannot be read."""
    try:
        told = _REPLY.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
        hint = "Check salesforce.instance_url and that no proxy stands in between."
        raise Unreachable(f"The org's answer cannot be read; it was to {doing}: {bad}.", hint=hint) from bad
    parts = {each.referenceId: _part(each, answer.session) for each in told.compositeResponse}
    return CompositeAnswer(parts, answer.session, answer.asked)


def _part(reply: _PartReply, session: Session) -> PartAnswer:
    headers = {name.lower(): str(value) for name, value in (reply.httpHeaders or {}).items()}
    return PartAnswer(reply.httpStatusCode, memoryview(reply.body), headers, (session.access_token,))


def problem_of(error: SyncError) -> SyncError:
    """The error as a value, without the frames that it came through (they hold whole answers)."""
    return error.with_traceback(None)
