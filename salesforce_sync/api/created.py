"""What the connected user has made in the org since a moment: where a create's answer was lost, it may be among it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.composite import Part
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.errors import LimitExceeded, Misuse, RequestRefused, SyncError
from salesforce_sync.models.page import Priority, Rows
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema

_GRAIN = timedelta(seconds=1)
"""Salesforce's datetimes have whole seconds."""


class Creations:
    """Asks for them. Who the connected user is, is asked once a session: the next one may be another user's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._user: str | None = None
        self._known_by = self._looked_by = ""

    def since(self, schema: ObjectSchema, moment: datetime, by: str | None = None) -> tuple[tuple[object, ...], ...]:
        """The records that the user `by`, or the connected one, has made at or after the moment, less one second.

        Deleted ones too; of all users, if it cannot be known who that is.
        """
        if not schema.has("CreatedDate"):
            text = f"{schema.name} does not tell when its records were made."
            raise RequestRefused(text, code="NO_CREATED_DATE", hint="Look for the record in the org.")
        user = (by or self.user_id()) if schema.has("CreatedById") else None
        asked = query.made_since(schema, moment - _GRAIN, user)
        first, purpose = self._first(schema, query.in_order(asked, schema, "CreatedDate"))
        pages = rest.RestPull(self._transport, schema, first.session, purpose).after(first)
        return tuple(row for page in pages if isinstance(page.body, Rows) for row in page.body.values)

    def _first(self, schema: ObjectSchema, asked: query.Query) -> tuple[rest.FirstPage, Purpose]:
        purpose = Purpose(f"look for new records of {schema.name}", Priority.PUSH)
        decoder = PageDecoder(schema)
        if rest.query_fits(self._transport, asked):
            return rest.ask(self._transport, asked, decoder, purpose), purpose
        answer = composite.ask(self._transport, [Part("rows", rest.query_path(asked), rest.PAGE_SIZE)], purpose)
        page = decoder.decode(answer.part("rows").checked(purpose.doing))
        return rest.FirstPage(page, answer.session, answer.asked), purpose

    def user_id(self) -> str | None:
        """The connected user's id; None where the org does not tell it to this session."""
        if self._user is None or self._known_by != self._transport.session().access_token:
            self._user = self._asked()
            if self._user is None and self._looked_by != self._transport.session().access_token:
                # A session that has ended is refused here in words of their own, which renew none.
                self._transport.send(Call("ask whether the session lives", "/limits", priority=Priority.PUSH))
                self._looked_by = self._transport.session().access_token
                self._user = self._asked()
            self._known_by = self._transport.session().access_token
        return self._user

    def _asked(self) -> str | None:
        call = Call("ask who is connected", "/services/oauth2/userinfo", priority=Priority.PUSH)
        try:
            told = msgspec.json.decode(self._transport.send(call).body)
            return from_org(str(told["user_id"]))
        except LimitExceeded:
            raise
        except (SyncError, Misuse, msgspec.DecodeError, LookupError, TypeError):
            return None
