"""A small org for pulls: one object of numbered rows, by REST and by Bulk, whose answers a test may spoil."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs, urlsplit

from tests.unit.api.schemas import schema_of
from tests.unit.api.scripted import Asked, Reply, json_reply, refusal

SCHEMA = schema_of(Name="string")
HEADER = '"Id","Name","SystemModstamp"'
ROOT = "/services/data/v58.0"
JOB = "750R0000000zlh9IAA"
CREATED = "2026-01-15T10:00:00.000+0000"
Spoil = Callable[[Asked, Reply], Reply]


def row_id(number: int) -> str:
    return f"003{number:015d}"


def name(number: int) -> str:
    return f'Row "{number}",\nsecond line'


@cache
def in_csv(number: int) -> str:
    """A row as a line of a result, without its end."""
    return '"{}","{}",""'.format(row_id(number), name(number).replace('"', '""'))


@cache
def in_json(rows: int, start: int, end: int) -> bytes:
    """A REST page of an org with so many rows."""
    records = [
        {"attributes": {"type": "Contact"}, "Id": row_id(at), "Name": name(at), "SystemModstamp": None}
        for at in range(start, end)
    ]
    body = {"totalSize": rows, "done": end == rows, "records": records}
    if end < rows:
        body["nextRecordsUrl"] = f"{ROOT}/query/0r8Hu1lKCluUiC9IMK-{end}"
    return json.dumps(body).encode()


@dataclass
class BulkOrg:
    """`rows` rows, `rest_page` of them a REST page, `result_page` a Bulk result page; done at look `looks`.

    A result page has fewer where fewer are asked for.
    """

    rows: int
    rest_page: int = 2000
    result_page: int = 250_000
    looks: int = 1
    end: str = "JobComplete"
    newline: str = "\n"
    header: str = HEADER
    job_refusal: Reply | None = None
    spoil: Spoil = lambda asked, reply: reply
    looked: int = 0
    jobs: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        return self.spoil(asked, self._answer(asked))

    def _answer(self, asked: Asked) -> Reply:
        url = urlsplit(asked.path)
        told = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        match url.path.removeprefix(ROOT).split("/")[1:]:
            case ["query" | "queryAll"]:
                return self._rest(0)
            case ["query", locator]:
                return self._rest(int(locator.split("-")[1]))
            case ["jobs", "query"]:
                self.jobs.append(json.loads(asked.body))
                return self.job_refusal or json_reply(self._job("UploadComplete"))
            case ["jobs", "query", _]:
                self.looked += 1
                return json_reply(self._job(self.end if self.looked >= self.looks else "InProgress"))
            case ["jobs", "query", _, "results"]:
                most = min(self.result_page, int(told["maxRecords"]))
                return self._result(int(told.get("locator", "p0")[1:]), most)
        return refusal("NOT_FOUND", "The requested resource does not exist", 404)

    def _rest(self, start: int) -> Reply:
        end = min(self.rows, start + self.rest_page)
        return Reply(in_json(self.rows, start, end), 200, {"Content-Type": "application/json;charset=UTF-8"})

    def _job(self, state: str) -> dict[str, object]:
        job: dict[str, object] = {"id": JOB, "operation": "query", "object": "Contact", "createdDate": CREATED}
        done = {"numberRecordsProcessed": self.rows} if state == "JobComplete" else {}
        failed = {"errorMessage": "Disk on fire"} if state == "Failed" else {}
        return {**job, "state": state, "apiVersion": 58.0, **done, **failed}

    def _result(self, start: int, most: int) -> Reply:
        end = min(self.rows, start + most)
        lines = [self.header, *map(in_csv, range(start, end))]
        headers = {
            "Content-Type": "text/csv",
            "Sforce-NumberOfRecords": str(end - start),
            "Sforce-Locator": "null" if end == self.rows else f"p{end}",
        }
        return Reply("".join(line + self.newline for line in lines).encode(), 200, headers)


def once(part: str, change: Callable[[Reply], Reply], *, times: int = 1) -> Spoil:
    """Spoil the first `times` answers to requests whose path has `part`."""
    left = [times]

    def spoil(asked: Asked, reply: Reply) -> Reply:
        if part not in asked.path or left[0] == 0:
            return reply
        left[0] -= 1
        return change(reply)

    return spoil
