"""A scripted org that answers composite calls as the REST guide shows them, and may be told to answer otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.api.scripted import Asked, Reply, json_reply, refusal

ROOT = "/services/data/v58.0"
CHANGED = "Mon, 12 Jan 2026 08:00:00 GMT"
Answer = dict[str, Any]
Spoil = Callable[[Answer], Answer]


def page(name: str, *rows: dict[str, Any], total: int | None = None, next_url: str | None = None) -> dict[str, Any]:
    """A query's result."""
    records = [{"attributes": {"type": name, "url": f"{ROOT}/sobjects/{name}/x"}, **row} for row in rows]
    told = {"totalSize": len(rows) if total is None else total, "done": next_url is None, "records": records}
    return told if next_url is None else {**told, "nextRecordsUrl": next_url}


def describe(name: str, **fields: str) -> dict[str, Any]:
    """What describe says, with keys that nobody asked for."""
    types = {"Id": "id", **fields, "SystemModstamp": "datetime"}
    told = [{"name": each, "type": kind, "filterable": True, "sortable": True, "x": 1} for each, kind in types.items()]
    return {"name": name, "label": name, "fields": told, "queryable": True, "sobjectDescribeOption": "FULL"}


@dataclass
class CompositeOrg:
    """`results`: object → the body of its queries; `describes`: object → the body of its describe.

    `spoil` changes a part's answer, `whole` replaces the whole one.
    """

    results: dict[str, Any] = field(default_factory=dict)
    describes: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: {"Last-Modified": CHANGED})
    spoil: Spoil = lambda answer: answer
    whole: Callable[[Asked, list[Answer]], Reply] | None = None
    unchanged: bool = False

    def __call__(self, asked: Asked) -> Reply:
        url = urlsplit(asked.path)
        if url.path == f"{ROOT}/composite":
            return self._composite(asked)
        if url.path.startswith(f"{ROOT}/query"):
            return json_reply(self.results[_object_of(asked.path)])
        if url.path.endswith("/describe"):
            if self.unchanged and "if-modified-since" in asked.headers:
                return Reply(b"", 304)
            return json_reply(self.describes[url.path.split("/")[-2]], **self.headers)
        return refusal("NOT_FOUND", "The requested resource does not exist", 404)

    def _composite(self, asked: Asked) -> Reply:
        order = json.loads(asked.body)
        _check(order)
        answers = [self.spoil(self._part(part)) for part in order["compositeRequest"]]
        if self.whole is not None:
            return self.whole(asked, answers)
        return json_reply({"compositeResponse": answers, "unknownKey": [1]})

    def _part(self, part: dict[str, Any]) -> Answer:
        known = {"referenceId": part["referenceId"], "httpHeaders": {}, "httpStatusCode": 200}
        found = re.fullmatch(rf"{ROOT}/sobjects/(\w+)/describe", part["url"])
        if found is None:
            return {**known, "body": self.results[_object_of(part["url"])]}
        if self.unchanged and part.get("httpHeaders", {}).get("If-Modified-Since"):
            return {**known, "httpStatusCode": 304, "body": None}
        return {**known, "httpHeaders": self.headers, "body": self.describes[found[1]]}


def _object_of(url: str) -> str:
    found = re.search(r" FROM (\w+) ", parse_qs(urlsplit(url).query)["q"][0])
    assert found is not None
    return found[1]


def _check(order: dict[str, Any]) -> None:
    """The rules of the REST guide: a request that breaks one would be refused as a whole."""
    parts = order["compositeRequest"]
    references = [part["referenceId"] for part in parts]
    assert order["allOrNone"] is False
    assert 1 <= len(parts) <= 25
    assert sum("/query" in part["url"] for part in parts) <= 5
    assert len(set(references)) == len(references)
    for part in parts:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", part["referenceId"])
        assert part["method"] == "GET"
        assert part["url"].startswith(f"{ROOT}/")
        assert not {"accept", "authorization", "content-type"} & {name.lower() for name in part.get("httpHeaders", {})}
        assert set(part) <= {"method", "url", "referenceId", "httpHeaders", "body"}
