"""What simple-salesforce needs to ask for the same contacts that a sync brings."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

NOT_SYNCED = ("address", "location", "base64")


class _PlainHttp(HTTPAdapter):
    """The library builds https addresses only; the simulated org answers on loopback without it."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Contacts:
    """A client that is logged in, and the names of the fields that a sync of Contact has columns for."""

    client: Any
    names: tuple[str, ...]

    @property
    def soql(self) -> str:
        return f"SELECT {', '.join(self.names)} FROM Contact"


def connect(url: str, client_id: str, client_secret: str) -> Contacts:
    """Log in with client credentials, and ask what fields there are."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    with urlopen(f"{url}/services/oauth2/token", urlencode(form).encode()) as answer:
        token = json.load(answer)["access_token"]
    session = Session()
    session.mount("https://", _PlainHttp())
    client = Salesforce(instance_url=url, session_id=token, version="58.0", session=session)
    fields = client.restful("sobjects/Contact/describe")["fields"]
    return Contacts(client, tuple(field["name"] for field in fields if field["type"] not in NOT_SYNCED))


def table(folder: Path, contacts: Contacts) -> tuple[sqlite3.Connection, str]:
    """A new database with a table for the contacts, and the statement that inserts one."""
    database = sqlite3.connect(folder / "contacts.db")
    listed = ", ".join(f'"{name}"' for name in contacts.names)
    database.execute(f"CREATE TABLE Contact ({listed})")
    return database, f"INSERT INTO Contact VALUES ({', '.join('?' * len(contacts.names))})"


def edited(number: int, kind: str) -> dict[str, Any]:
    """What is written in the nth contact; a new one has a name, too."""
    values = {"Title": f"Title {os.getpid()} {number}", "Phone": f"555-{number:07}"}
    return values if kind == "update" else {**values, "LastName": f"Made {os.getpid()} {number}"}


def finish(database: sqlite3.Connection) -> None:
    """Commit, close, and tell how many rows are there."""
    database.commit()
    (rows,) = database.execute("SELECT count(*) FROM Contact").fetchone()
    database.close()
    print(json.dumps({"rows": rows}))
