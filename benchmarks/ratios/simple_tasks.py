"""The same load by simple-salesforce, as its users write it; `python -m benchmarks.ratios.simple_tasks TASK …`."""

from __future__ import annotations

import csv
import json
import urllib.request
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from benchmarks.ratios.store_tasks import create_table, insert_into
from benchmarks.ratios.telling import perform

VERSION = "58.0"
COMPOUND = ("address", "location", "complexvalue", "base64")


class PlainHttp(HTTPAdapter):
    """Carries `https://` requests over plain HTTP, since simple-salesforce builds only https addresses."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send the request to the same host and path without TLS."""
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def by_rest(folder: str, url: str, token: str) -> dict[str, float]:
    """query_all, then one executemany: values typed as JSON has them."""
    names = _names(url, token)
    records = _client(url, token).query_all(f"SELECT {', '.join(names)} FROM Contact")["records"]
    connection = _database(folder, names)
    with connection:
        connection.executemany(insert_into(len(names)), map(itemgetter(*names), records))
    connection.close()
    return {"rows": len(records)}


def by_bulk(folder: str, url: str, token: str) -> dict[str, float]:
    """Bulk 2.0 into files, then csv and executemany: every value a text."""
    names = _names(url, token)
    bulk: Any = _client(url, token).bulk2
    pages = bulk.Contact.download(f"SELECT {', '.join(names)} FROM Contact", path=folder)
    connection, rows = _database(folder, names), 0
    for page in pages:
        with Path(page["file"]).open(encoding="utf-8", newline="") as file, connection:
            reader = csv.reader(file)
            next(reader)
            connection.executemany(insert_into(len(names)), reader)
        rows += int(page["number_of_records"])
    connection.close()
    return {"rows": rows}


def _client(url: str, token: str) -> Salesforce:
    carrier = Session()
    carrier.mount("https://", PlainHttp())
    return Salesforce(instance=url.removeprefix("http://"), session_id=token, version=VERSION, session=carrier)


def _names(url: str, token: str) -> tuple[str, ...]:
    """The fields that can be loaded by Bulk, `Id` first: those that our own load has."""
    path = f"{url}/services/data/v{VERSION}/sobjects/Contact/describe"
    asked = urllib.request.Request(path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        fields = json.load(answer)["fields"]
    return ("Id", *(each["name"] for each in fields if each["type"] not in COMPOUND and each["name"] != "Id"))


def _database(folder: str, names: tuple[str, ...]) -> apsw.Connection:
    connection = apsw.Connection(str(Path(folder) / "theirs.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
    connection.execute(create_table(names))
    return connection


if __name__ == "__main__":
    perform({"rest": by_rest, "bulk": by_bulk})
