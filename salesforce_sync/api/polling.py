"""Polls: what is new in up to five objects, and whether they are still described as we know them, in one call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.budget import POLLS_A_CALL
from salesforce_sync.api.composite import CompositeAnswer, Part
from salesforce_sync.api.query import Query
from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import PageDecoder, QueryPage
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.errors import (
    Incomplete,
    ObjectTrouble,
    QueryTimeout,
    RequestRefused,
    SyncError,
    Transient,
    Unreachable,
)
from salesforce_sync.models.page import Poll, Polled, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")

SMALL_PAGE = (("Sforce-Query-Options", "batchSize=200"),)
"""The smallest page that Salesforce gives: a poll wants to know how much is new, not to bring it all."""

_COMPOSITE_REST = 3600.0
"""Seconds for which composite is not tried again where the org did not take it."""

_DESCRIBE_REST = 3600.0
"""Seconds for which an object is not described by a call of its own where several tries have failed."""

_UNCHANGED = "UNCHANGED"

_FRESH = timedelta(minutes=1)
_HTTP_GRAIN = timedelta(seconds=1)


class _Question(Struct, frozen=True):
    """A poll that can be asked; the references of its two parts are made from its number."""

    poll: Poll
    query: Query
    number: int

    @property
    def name(self) -> str:
        return self.poll.schema.name

    @property
    def doing(self) -> str:
        return f"tell what is new in {self.name}"

    @property
    def describing(self) -> str:
        return f"describe {self.name}"

    def parts(self) -> tuple[Part, Part]:
        """The query, and the describe on the condition that it has changed."""
        known = self.poll.described_as
        condition = (("If-Modified-Since", known),) if known else ()
        return (
            Part(f"rows{self.number}", rest.query_path(self.query), SMALL_PAGE),
            Part(f"describe{self.number}", f"sobjects/{self.name}/describe", condition),
        )


class _Fields(Struct, frozen=True):
    """What a poll learns of an object's fields: as in `Polled`."""

    schema: ObjectSchema | None = None
    described_as: str | None = None
    undescribed: SyncError | None = None

    def of(self, answer: Polled) -> Polled:
        """The answer with it."""
        return replace(answer, schema=self.schema, described_as=self.described_as, undescribed=self.undescribed)


class Poller:
    """Asks polls (`ports.Org.poll`). Safe for several threads."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._composite_again = clock.monotonic()
        self._undescribed: dict[str, tuple[SyncError, float]] = {}

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        """The answers in the order of the questions. A poll that cannot be asked costs nothing."""
        answers: dict[int, Polled] = {}
        questions: list[_Question] = []
        for number, each in enumerate(polls):
            try:
                questions.append(_Question(each, _query(each), number))
            except SyncError as problem:
                answers[number] = _no_answer(each, problem)
        for start in range(0, len(questions), POLLS_A_CALL):
            some = questions[start : start + POLLS_A_CALL]
            answers |= {each.number: answer for each, answer in zip(some, self._ask(some), strict=True)}
        return tuple(answers[number] for number in range(len(polls)))

    def _ask(self, questions: Sequence[_Question]) -> list[Polled]:
        if self._clock.monotonic() >= self._composite_again:
            try:
                return self._together(questions)
            except ObjectTrouble as refused:
                log.warning("Polls go one by one, with more calls: %s", refused.message)
                self._composite_again = self._clock.monotonic() + _COMPOSITE_REST
        return [self._alone(question) for question in questions]

    def _together(self, questions: Sequence[_Question]) -> list[Polled]:
        parts = [part for question in questions for part in question.parts()]
        purpose = Purpose(f"tell what is new in {', '.join(question.name for question in questions)}")
        answer = composite.ask(self._transport, parts, purpose, SMALL_PAGE)
        return [self._described(question, _polled(question, answer)) for question in questions]

    def _described(self, question: _Question, polled: Polled) -> Polled:
        """The answer; where it did not describe the object, that is asked by itself once it is overdue.

        An org may describe, and not within a composite call.
        """
        if polled.undescribed is None:
            self._undescribed.pop(question.name, None)
            return polled
        if not question.poll.overdue:
            log.info("%s is not described within a poll: %s", question.name, polled.undescribed.message)
            return _Fields().of(polled)
        fields = self._describe_alone(question)
        if fields.undescribed is not None:
            self._rest(question, fields.undescribed)
        return fields.of(polled)

    def _alone(self, question: _Question) -> Polled:
        """The same by calls of its own, one for the rows and one for the describe."""
        poll, path = question.poll, rest.query_path(question.query)
        fields = self._describe_alone(question)
        if fields.undescribed is not None and not poll.overdue:
            fields = _Fields()
        try:
            if not self._transport.fits(path, SMALL_PAGE):
                raise RequestRefused(f"{question.name} has too many fields for one request.", code="URI_TOO_LONG")
            answer = self._transport.send(Call(question.doing, path, headers=SMALL_PAGE))
            page = _page(poll.schema, answer.body)
        except (ObjectTrouble, QueryTimeout, Incomplete) as problem:
            return fields.of(_no_answer(poll, problem))
        return fields.of(Polled(question.name, Rows(page.rows, page.stored), page.total, answer.asked))

    def _describe_alone(self, question: _Question) -> _Fields:
        """As `_described`, by a call of its own: without it a new field would not be seen for an hour.

        Where several tries have come to nothing, none is made for a while.
        """
        failed, again = self._undescribed.get(question.name, (None, 0.0))
        if failed is not None and self._clock.monotonic() >= again:
            del self._undescribed[question.name]
        elif failed is not None:
            return _Fields(described_as=question.poll.described_as, undescribed=failed)
        _, part = question.parts()
        call = Call(question.describing, part.path, headers=part.headers, refused=_unless_unchanged)
        try:
            answer = self._transport.send(call)
        except Unreachable:
            raise  # the rows would not come either
        except (ObjectTrouble, Transient) as refused:
            error = None if refused.code == _UNCHANGED else composite.problem_of(refused)
            if isinstance(error, Transient):
                self._rest(question, error)
            return _Fields(described_as=question.poll.described_as, undescribed=error)
        return _news(question.poll, answer.body, _condition(answer.modified, answer.asked))

    def _rest(self, question: _Question, error: SyncError) -> None:
        """Do not describe the object by a call of its own for a while."""
        if question.name not in self._undescribed:
            self._undescribed[question.name] = error, self._clock.monotonic() + _DESCRIBE_REST


def _query(poll: Poll) -> Query:
    """What the poll asks; an `ObjectTrouble` where nothing can be asked."""
    schema = poll.schema
    if not schema.queryable:
        raise query.not_queryable(schema)
    if schema.stamp is None:
        raise RequestRefused(f"{schema.name} has no field that tells what changed.", code="NO_STAMP")
    asked = query.newest_first(query.changed_since(schema, schema.stamp, poll.since), schema, schema.stamp)
    too_long = query.too_long(schema, asked)
    if too_long is not None:
        raise too_long
    return asked


def _no_answer(poll: Poll, problem: SyncError) -> Polled:
    problem = composite.problem_of(problem)
    return Polled(poll.schema.name, Rows(()), 0, described_as=poll.described_as, problem=problem)


def _polled(question: _Question, answer: CompositeAnswer) -> Polled:
    poll = question.poll
    rows, describe = question.parts()
    fields = _described(question, answer, describe.reference)
    try:
        body = answer.part(rows.reference).checked(question.doing)
        page = _page(poll.schema, body)
    except SyncError as problem:
        problem = composite.problem_of(problem)
        return fields.of(Polled(question.name, Rows(()), 0, answer.asked, problem=problem))
    return fields.of(Polled(question.name, Rows(page.rows, page.stored), page.total, answer.asked))


def _page(schema: ObjectSchema, body: bytes) -> QueryPage:
    page = PageDecoder(schema).decode(body)
    page = replace(page, rows=tuple(page.rows))  # now: what is wrong with a row is this object's problem
    if len(page.rows) < page.total and (page.done or not page.rows):
        raise Incomplete(f"The org said that {page.total} rows of {schema.name} are new and sent {len(page.rows)}.")
    return page


def _described(question: _Question, answer: CompositeAnswer, reference: str) -> _Fields:
    """The object's describe if it is another than the one asked with, and the condition of the next poll."""
    poll = question.poll
    try:
        part = answer.part(reference)
        part.checked(question.describing)
    except SyncError as refused:
        return _Fields(described_as=poll.described_as, undescribed=composite.problem_of(refused))
    if part.status == 304:
        return _Fields(described_as=poll.described_as)
    return _news(poll, part.body, _condition(part.headers.get("last-modified"), answer.asked))


def _news(poll: Poll, body: bytes, described_as: str | None) -> _Fields:
    try:
        schema = rest.read_schema(body, poll.schema.name)
    except SyncError as bad:
        return _Fields(described_as=poll.described_as, undescribed=composite.problem_of(bad))
    return _Fields(None if schema == poll.schema else schema, described_as)


def _unless_unchanged(refusal: Refusal, doing: str) -> SyncError:
    """304 is an answer too, to a describe on a condition: there is nothing new."""
    unchanged = refusal.status == 304
    return RequestRefused("It is described as before.", code=_UNCHANGED) if unchanged else error_for(refusal, doing)


def _condition(last_modified: str | None, asked: datetime | None) -> str | None:
    """What to send as If-Modified-Since in the next poll, so that no change is missed.

    HTTP dates have whole seconds: a second change within the second of the first would never be seen. So a date that is
    only just past is set back by one second, and the describe comes once more. Without a date the time of the question
    serves, set back by what the clocks of a cluster may differ.
    """
    if last_modified is None:
        return None if asked is None else _http_date(asked - _FRESH)
    try:
        changed = parsedate_to_datetime(last_modified)
    except ValueError:
        return last_modified
    if asked is None or changed.tzinfo is None or changed < asked - _FRESH:
        return last_modified
    return _http_date(changed - _HTTP_GRAIN)


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
