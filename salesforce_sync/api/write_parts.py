"""Writing by single requests in one composite call: each on a condition, and read again in the same call.

An update is sent with `If-Unmodified-Since` (REST guide, Conditional Request Headers; whole seconds). A deletion knows
no such header: it names its record by the result of a query for the record as we know it, and is halted where that
finds nothing. What was there just before is read too, so that nothing is replaced unseen within that second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from msgspec import Struct

from salesforce_sync.api import query, rest
from salesforce_sync.api.composite import CompositeAnswer, Part, PartAnswer
from salesforce_sync.api.responses import is_scope_problem
from salesforce_sync.api.rows import PageDecoder, Row
from salesforce_sync.api.write_outcomes import Fit, gone, outcome_of, read_error
from salesforce_sync.api.write_reads import retrieve, retrieved
from salesforce_sync.api.write_values import record
from salesforce_sync.errors import SyncError
from salesforce_sync.models import values
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Lost, Outcome
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order

Headers = tuple[tuple[str, str], ...]

SAVE_ANYWAY: Headers = (("Sforce-Duplicate-Rule-Header", "allowSave=true"),)

_URL_ROOM = 8_000
"""Characters of a part's path: more fields than that are not named, and all come."""


def headers_of(orders: Sequence[Order]) -> Headers:
    """The headers that these orders' call has; they all allow duplicates, or none does."""
    return SAVE_ANYWAY if orders[0].change.allow_duplicates else ()


def condition(order: Order) -> Headers:
    """That the record has not changed since its stamp; nothing where it has none."""
    stamp = stamp_of(order)
    return () if stamp is None else (("If-Unmodified-Since", format_datetime(stamp, usegmt=True)),)


def stamp_of(order: Order) -> datetime | None:
    """The stamp of the row that the edits were made on; None where there is none that can be asked for.

    CreatedDate, where an object has nothing better, tells of no change: the org would take every edit for too late.
    """
    if order.change.stamp is None or order.schema.change_stamp is None:
        return None
    try:
        return values.parse_datetime(order.change.stamp).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stored_row(schema: ObjectSchema, row: Row) -> dict[str, Stored]:
    """A row of REST by API names, in the stored form."""
    return {each.name: values.from_rest(each.type, cell) for each, cell in zip(schema.columns, row, strict=True)}


def written(order: Order, known: Mapping[str, Stored], row: Row | None) -> Applied:
    """The outcome of an update that was taken: `known` is what was read right before, as far as it could be."""
    stamp = None if order.schema.stamp is None else known.get(order.schema.stamp)
    return Applied(order.change, order.change.record_id, order.replaced(known) or None, row, stamp=stamp)


def stamp_names(schema: ObjectSchema) -> tuple[str, ...]:
    """The name of the object's stamp, if it has one."""
    return () if schema.stamp is None else (schema.stamp,)


def edited(orders: Sequence[Order]) -> list[str]:
    """The fields that any of these changes writes."""
    return list(dict.fromkeys(each.field for order in orders for each in order.change.edits))


class _Reads(Struct, frozen=True):
    """One object's updates in a call, and how their rows are read before and after."""

    orders: tuple[Order, ...]
    number: int

    @property
    def schema(self) -> ObjectSchema:
        return self.orders[0].schema

    @property
    def narrow(self) -> ObjectSchema:
        """The object with the written fields and the stamp alone."""
        return self.schema.only(*edited(self.orders), *stamp_names(self.schema))

    def part(self, reference: str, schema: ObjectSchema) -> Part:
        """The part that reads their rows; a collection is one of five a call, so a single record is read by itself."""
        if len(self.orders) == 1:
            return Part(f"{reference}{self.number}", _record_path(schema, _id(self.orders[0])))
        return retrieve(f"{reference}{self.number}", schema, self.orders)

    def rows(self, answer: CompositeAnswer, reference: str, schema: ObjectSchema) -> dict[str, Row]:
        """What the part brought, by id; nothing where it could not be read."""
        if len(self.orders) > 1:
            several = retrieved(answer, f"{reference}{self.number}", schema, self.orders) or {}
            return {record_id: row for record_id, row in several.items() if row is not None}
        told = answer.parts.get(f"{reference}{self.number}")
        if told is None or not 200 <= told.status < 300:
            return {}
        try:
            return {_id(self.orders[0]): PageDecoder(schema).record(told.body)}
        except SyncError:
            return {}


@dataclass(slots=True)
class PartsCall:
    """One composite call that brings these orders over, and how its answer is read."""

    orders: Sequence[Order]
    fit: Fit
    reads: list[_Reads] = field(init=False)

    def __post_init__(self) -> None:
        by_object: dict[str, list[Order]] = {}
        for order in self.orders:
            if order.change.operation is Operation.UPDATE:
                by_object.setdefault(order.schema.name, []).append(order)
        self.reads = [_Reads(tuple(some), number) for number, some in enumerate(by_object.values())]

    def parts(self) -> list[Part]:
        """What was there, the writes in their order, and what is there then."""
        before = [each.part("before", each.narrow) for each in self.reads]
        writes = [part for number, order in enumerate(self.orders) for part in _write(order, number)]
        return [*before, *writes, *(each.part("after", each.schema) for each in self.reads)]

    def read(self, answer: CompositeAnswer) -> list[Outcome | None]:
        """The outcome of each order; None where the session ended before it, so that surely nothing was done."""
        before: dict[str, Row] = {}
        after: dict[str, Row] = {}
        narrow: dict[str, ObjectSchema] = {}
        for each in self.reads:
            narrow[each.schema.name] = each.narrow
            before |= each.rows(answer, "before", each.narrow)
            after |= each.rows(answer, "after", each.schema)
        outcomes: list[Outcome | None] = []
        for number, order in enumerate(self.orders):
            match order.change.operation:
                case Operation.UPDATE:
                    was = before.get(_id(order))
                    known = {} if was is None else stored_row(narrow[order.schema.name], was)
                    row = after.get(_id(order))
                    outcomes.append(self._written(answer, number, order, known, row))
                case Operation.CREATE:
                    outcomes.append(self._created(answer, number, order))
                case _:
                    outcomes.append(self._deleted(answer, number, order))
        return outcomes

    def _written(
        self, answer: CompositeAnswer, number: int, order: Order, known: Mapping[str, Stored], row: Row | None
    ) -> Outcome | None:
        refusal = self._not_done(answer, number, order)
        if not isinstance(refusal, Done):
            return refusal
        return written(order, known, row)

    def _created(self, answer: CompositeAnswer, number: int, order: Order) -> Outcome | None:
        done = self._not_done(answer, number, order)
        if not isinstance(done, Done):
            return done
        told = rest.read_id(done.answer.body)
        if told is None:
            return Lost(order.change, "The org's answer to a create has no id.")
        again = answer.parts.get(f"after_write{number}")
        row = None
        if again is not None and again.status == 200:
            try:
                row = PageDecoder(order.schema).record(again.body)
            except SyncError:
                row = None
        return Applied(order.change, told, row=row)

    def _deleted(self, answer: CompositeAnswer, number: int, order: Order) -> Outcome | None:
        told = answer.parts.get(f"write{number}")
        if told is not None and told.status == 400 and stamp_of(order) is not None:
            error = read_error(told.body, told.status, self.fit)
            found = answer.parts.get(f"find{number}")
            if error.code == "PROCESSING_HALTED" and found is not None and found.status == 200:
                still = answer.parts.get(f"after_write{number}")
                there = still is None or still.status == 200
                return Conflicted(order.change) if there else gone(order.change, error)
        done = self._not_done(answer, number, order)
        return Applied(order.change, order.change.record_id) if isinstance(done, Done) else done

    def _not_done(self, answer: CompositeAnswer, number: int, order: Order) -> Outcome | Done | None:
        told = answer.parts.get(f"write{number}")
        if told is None:
            return Lost(order.change, "The org answered only a part of what it was asked.")
        return judged(told, order, self.fit)


class Done(Struct, frozen=True):
    """The org has done what the part asked."""

    answer: PartAnswer


def judged(told: PartAnswer, order: Order, fit: Fit) -> Outcome | Done | None:
    """What the answer to a part says; None if the session had ended before it."""
    if 200 <= told.status < 300:
        return Done(told)
    if told.status == 401 and told.refusal is not None and not is_scope_problem(told.refusal):
        return None
    return outcome_of(order.change, read_error(told.body, told.status, fit))


def _write(order: Order, number: int) -> list[Part]:
    """The parts that write one order."""
    reference, again = f"write{number}", f"after_write{number}"
    schema, name = order.schema, query.identifier(order.schema.name)
    headers = headers_of([order])
    match order.change.operation:
        case Operation.UPDATE:
            headers += condition(order)
            return [Part(reference, f"sobjects/{name}/{_id(order)}", headers, "PATCH", record(order))]
        case Operation.CREATE:
            create = Part(reference, f"sobjects/{name}", headers, "POST", record(order))
            return [create, Part(again, _record_path(schema, f"@{{{reference}.id}}"))]
    stamp = stamp_of(order)
    if stamp is None or schema.stamp is None:
        return [Part(reference, f"sobjects/{name}/{_id(order)}", method="DELETE")]
    find = query.as_it_was(schema, _id(order), schema.stamp, stamp)
    found = f"@{{find{number}.records[0].Id}}"
    return [
        Part(f"find{number}", rest.query_path(find)),
        Part(reference, f"sobjects/{name}/{found}", method="DELETE"),
        Part(again, f"sobjects/{name}/{_id(order)}?fields=Id"),
    ]


def _record_path(schema: ObjectSchema, record_id: str) -> str:
    names = ",".join(query.identifier(each.name) for each in schema.columns)
    path = f"sobjects/{query.identifier(schema.name)}/{record_id}"
    return f"{path}?fields={names}" if len(names) < _URL_ROOM else path


def _id(order: Order) -> str:
    return quote(from_org(order.change.record_id), safe="")
