"""Runs SOQL for REST: pages of JSON text, locators for the rest, child subqueries, aggregates."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, proxy

import apsw

from simorg import ids
from simorg.database import Value, quote
from simorg.http import ApiError
from simorg.results import Refused
from simorg.soql import Context, Plan, SoqlError, child_plan, compile_query, functions, parse
from simorg.soql.scope import Child
from simorg.times import DAY_MS

if TYPE_CHECKING:
    from simorg.org import SimOrg

ID_SIZE = 18
LOCATOR_LIFE_MS = 2 * DAY_MS
MAX_BATCH, MIN_BATCH = 2000, 200
LONG_TEXT_BATCH = 200
MAX_GROUPS = 2000
KEPT_BYTES = 64 * 1024 * 1024  # of waiting ids; beyond it, results whose session has ended are forgotten
TOO_COMPLICATED = "Query is either selecting too many fields or the filter conditions are too complicated."


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, in which API version, and how many rows at once."""

    version: str
    user_id: str
    token: str = ""
    batch: int = MAX_BATCH


@dataclass(frozen=True, slots=True)
class Locator:
    """A result that waits for its next page: the ids found at query time, bound to a session."""

    id: str
    plan: Plan
    ids: bytes
    token: str
    made_ms: int
    parameters: tuple[tuple[str, Value], ...] = ()

    @property
    def total(self) -> int:
        """How many rows the whole result has."""
        return len(self.ids) // ID_SIZE

    def slice(self, start: int, count: int) -> list[str]:
        """The ids of some rows."""
        text = self.ids[start * ID_SIZE : (start + count) * ID_SIZE].decode()
        return [text[at : at + ID_SIZE] for at in range(0, len(text), ID_SIZE)]


class Queries:
    """The queries of one org."""

    def __init__(self, org: SimOrg) -> None:
        self._org: SimOrg = proxy(org)  # weak: else an org that is done with would live as long as its queries
        self._locators: dict[str, Locator] = {}
        self._serial = secrets.randbelow(10**9)
        self._children: list[tuple[str, Child, str]] = []
        functions.register(org.db)
        org.db.create_scalar_function("sf_child", self._child_url, 2)
        # The page that is being made; guarded by the org's lock.
        self._asker = Asker("", "")
        self._plan: Plan | None = None

    def run(self, soql: str, asker: Asker, *, all_rows: bool = False) -> bytes:
        """The first page of a query's result as JSON; raises ApiError."""
        try:
            query = parse(soql)
            with self._org.lock:
                self._org.tick()
                context = Context(self._org, asker.version, asker.user_id, all_rows)
                plan = compile_query(query, context, asker.batch)
                return self._first_page(plan, asker)
        except SoqlError as error:
            raise ApiError(400, error.code, error.message) from error
        except (apsw.SQLError, apsw.TooBigError) as error:
            raise ApiError(400, "QUERY_TOO_COMPLICATED", TOO_COMPLICATED) from error  # more than SQLite takes

    def more(self, locator_id: str, offset: int, asker: Asker) -> bytes:
        """A further page of a result; it can be read again as long as the locator lives."""
        locator = self._locators.get(locator_id)
        if locator is None or not 0 <= offset <= locator.total or self._dead(locator):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        if locator.token != asker.token:
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        with self._org.lock:
            self._org.tick()
            try:
                return self._page(locator, offset, asker)
            except apsw.SQLError as error:  # a field of the query was removed meanwhile
                raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator") from error

    def forget(self, column: str) -> None:
        """A field of this name has another type now: what goes on in its old form would be no JSON."""
        with self._org.lock:
            self._locators = {key: one for key, one in self._locators.items() if quote(column) not in one.plan.page_sql}

    def explain(self, soql: str, asker: Asker) -> dict[str, Any]:
        """What the optimiser would say: every query here is a scan, or a look-up by id."""
        try:
            query = parse(soql)
            with self._org.lock:
                plan = compile_query(query, Context(self._org, asker.version, asker.user_id))
                rows = self._org.database.value(f"SELECT count(*) FROM {quote(plan.schema.name)}")
        except SoqlError as error:
            raise ApiError(400, error.code, error.message) from error
        found = {
            "cardinality": rows,
            "fields": [],
            "leadingOperationType": "TableScan",
            "notes": [],
            "relativeCost": round(rows / 1000 + 0.01, 2),
            "sobjectCardinality": rows,
            "sobjectType": plan.schema.name,
        }
        return {"plans": [found], "sourceQuery": soql}

    def _first_page(self, plan: Plan, asker: Asker) -> bytes:
        if plan.kind == "count":
            total = self._one(plan.ids_sql, plan.params)
            return b'{"totalSize":%d,"done":true,"records":[]}' % total
        if plan.kind == "aggregate":
            return self._groups(plan)
        found = self._one(plan.ids_sql, plan.params) or ""
        if plan.query.for_:
            self._touch(plan, found)
        locator = self._locate(plan, found, asker.token)
        return self._page(locator, 0, asker)

    def _groups(self, plan: Plan) -> bytes:
        rows = [row[0] for row in self._org.db.execute(plan.ids_sql, plan.params)]
        if len(rows) > MAX_GROUPS:
            text = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
            raise SoqlError("EXCEEDED_ID_LIMIT", text)
        return f'{{"totalSize":{len(rows)},"done":true,"records":[{",".join(rows)}]}}'.encode()

    def _locate(self, plan: Plan, found: str, token: str, parameters: tuple[tuple[str, Value], ...] = ()) -> Locator:
        self._serial += 1
        now = self._org.clock.now_ms()
        return Locator(ids.make("0r8", self._serial), plan, found.encode(), token, now, parameters)

    def _page(self, locator: Locator, start: int, asker: Asker) -> bytes:
        size = min(asker.batch, LONG_TEXT_BATCH) if locator.plan.long_texts > 1 else asker.batch
        wanted = locator.slice(start, size)
        params = locator.plan.params | dict(locator.parameters)
        if locator.plan.counts_sql and wanted:
            wanted = self._with_children(locator.plan, params, wanted, asker.batch)
        records = self._records(locator.plan, params, wanted, asker)
        end = start + len(wanted)
        done = end >= locator.total
        if not done:
            self._keep(locator)
        head = b'{"totalSize":%d,"done":%s' % (locator.total, b"true" if done else b"false")
        if not done:
            head += f',"nextRecordsUrl":"{_url(asker.version, locator.id, end)}"'.encode()
        return b"".join((head, b',"records":[', records, b"]}"))

    def _records(self, plan: Plan, params: dict[str, Value], wanted: Sequence[str], asker: Asker) -> bytes:
        if not wanted:
            return b""
        self._asker, self._plan = asker, plan
        self._children.clear()
        records: bytes | None = self._one(plan.page_sql, params | {"ids": json.dumps(wanted)})
        for promised in tuple(self._children):
            self._keep_child(*promised, asker, plan.all_rows)
        return records or b""

    def _with_children(self, plan: Plan, params: dict[str, Value], wanted: list[str], batch: int) -> list[str]:
        """Cut a page so that parents and child rows together fit the batch; one parent always comes."""
        counts = json.loads(self._one(plan.counts_sql, params | {"ids": json.dumps(wanted)}))
        room = batch
        for place, count in enumerate(counts):
            room -= 1 + min(count, batch)
            if room < 0 < place:
                return wanted[:place]
        return wanted

    def _child_url(self, *values: Any) -> str:
        """SQL's sf_child: promise a locator for the child rows that did not fit."""
        place, parent = values
        if self._plan is None:
            raise RuntimeError("sf_child was called outside a page")
        self._serial += 1
        locator_id = ids.make("0r8", self._serial)
        self._children.append((locator_id, self._plan.children[place], parent))
        return _url(self._asker.version, locator_id, self._asker.batch)

    def _keep_child(self, locator_id: str, child: Child, parent: str, asker: Asker, all_rows: bool) -> None:
        context = Context(self._org, asker.version, asker.user_id, all_rows)
        made = child_plan(child, context, asker.batch)
        found = self._one(made.ids_sql, made.params | {"parent": parent}) or ""
        now = self._org.clock.now_ms()
        self._keep(Locator(locator_id, made, found.encode(), asker.token, now, (("parent", parent),)))

    def _keep(self, locator: Locator) -> None:
        if locator.id not in self._locators:
            full = sum(len(one.ids) for one in self._locators.values()) > KEPT_BYTES
            for old in [key for key, one in self._locators.items() if self._expired(one) or (full and self._lost(one))]:
                del self._locators[old]
            self._locators[locator.id] = locator

    def _dead(self, locator: Locator) -> bool:
        return self._expired(locator) or self._org.faults.for_locators(locator.plan.schema.name)

    def _expired(self, locator: Locator) -> bool:
        return self._org.clock.now_ms() - locator.made_ms > LOCATOR_LIFE_MS

    def _lost(self, locator: Locator) -> bool:
        return self._org.sessions.find(locator.token) is None

    def _touch(self, plan: Plan, found: str) -> None:
        """FOR VIEW and FOR REFERENCE: note when the rows were looked at; SystemModstamp does not move."""
        names = {"VIEW": ("LastViewedDate", "LastReferencedDate"), "REFERENCE": ("LastReferencedDate",)}
        wanted = {name for word in plan.query.for_ for name in names.get(word, ()) if plan.schema.field(name)}
        now = self._org.clock.now_ms() // 1000 * 1000
        for at in range(0, len(found), ID_SIZE) if wanted else ():
            with suppress(Refused):  # a row that an open transaction holds is only looked at
                self._org.database.update(plan.schema.name, found[at : at + ID_SIZE], dict.fromkeys(wanted, now))

    def _one(self, sql: str, params: dict[str, Value]) -> Any:
        return next(iter(self._org.db.execute(sql, params)))[0]


_ALL: WeakKeyDictionary[SimOrg, Queries] = WeakKeyDictionary()
_MAKING = threading.Lock()


def queries_of(org: SimOrg) -> Queries:
    """The one Queries of an org."""
    with _MAKING:
        found = _ALL.get(org)
        if found is None:
            found = _ALL[org] = Queries(org)
        return found


def _url(version: str, locator_id: str, offset: int) -> str:
    return f"/services/data/v{version}/query/{locator_id}-{offset}"
