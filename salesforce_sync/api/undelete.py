"""Bringing records back from the recycle bin: REST has no resource for it, the SOAP API has a call.

Source: SOAP API guide, undelete(); up to 200 ids a call. The session id stands in the envelope, not in a header.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from xml.sax.saxutils import escape

from msgspec import Struct

from salesforce_sync.api import write_outcomes
from salesforce_sync.api.responses import Refusal
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.api.write_outcomes import Fit, RowError, outcome_of
from salesforce_sync.models.connection import Session
from salesforce_sync.models.outcome import Applied, Lost, Outcome, Rejected
from salesforce_sync.models.page import Priority
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.ports import Order

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_HEADERS = (("Content-Type", "text/xml; charset=UTF-8"), ("Accept", "text/xml"), ("SOAPAction", '""'))
_ENVELOPE = (
    f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{_SOAP}" xmlns:p="{_PARTNER}">'
    "<e:Header><p:SessionHeader><p:sessionId>{session}</p:sessionId></p:SessionHeader>"
    "<p:CallOptions><p:client>salesforce-sync</p:client></p:CallOptions></e:Header>"
    "<e:Body><p:undelete>{ids}</p:undelete></e:Body></e:Envelope>"
)


NO_SOAP_API = "NO_SOAP_API"
"""Our code for an org in which nobody can undelete from without."""


def _path(transport: Transport) -> str:
    """Where the org's SOAP API is."""
    return f"/services/Soap/u/{transport.root.rpartition('/v')[2]}"


class Undelete(Struct, frozen=True):
    """One call for up to 200 records, and how its answer is read."""

    orders: Sequence[Order]
    fit: Fit

    def call(self, transport: Transport) -> Call:
        """The call; its body holds the session that it is sent with."""
        ids = "".join(f"<p:ids>{from_org(order.change.record_id)}</p:ids>" for order in self.orders)

        def body(session: Session) -> bytes:
            return _ENVELOPE.format(session=escape(session.access_token), ids=ids).encode()

        return Call("bring records back", _path(transport), "POST", _HEADERS, body, priority=Priority.PUSH)

    def read(self, body: bytes) -> list[Outcome]:
        """The outcome of each order."""
        root = _parsed(body)
        results = [] if root is None else list(root.iter(f"{{{_PARTNER}}}result"))
        if len(results) != len(self.orders):
            return [Lost(order.change, "The org's answer to an undelete cannot be read.") for order in self.orders]
        return [self._outcome(order, result) for order, result in zip(self.orders, results, strict=True)]

    def refused(self, refusal: Refusal, transport: Transport) -> list[Outcome]:
        """The outcomes where the call was not taken; an org may have no SOAP API, or something may stand before it."""
        if refusal.status not in (404, 405):
            return [write_outcomes.refused(order.change, refusal, self.fit) for order in self.orders]
        what = (
            f"The org has no SOAP API at {_path(transport)}, and nothing else brings records back."
            " Restore the record from the recycle bin in Salesforce: the next sync brings it here."
        )
        return [Rejected(order.change, NO_SOAP_API, what) for order in self.orders]

    def _outcome(self, order: Order, result: ET.Element) -> Outcome:
        if _text(result, "success") == "true":
            return Applied(order.change, order.change.record_id)
        error = result.find(f"{{{_PARTNER}}}errors")
        holder = result if error is None else error
        code, message = _text(holder, "statusCode"), _text(holder, "message")
        return outcome_of(order.change, RowError(self.fit(code) or "UNKNOWN_EXCEPTION", self.fit(message)))


def fault_of(refusal: Refusal, fit: Fit) -> Refusal | None:
    """The SOAP fault that an answer holds, as REST would tell it; None if it is none.

    A fault comes with the status of a server's failure, but it says that the call was not taken at all.
    """
    root = _parsed(refusal.body)
    fault = None if root is None else root.find(f"{{{_SOAP}}}Body/{{{_SOAP}}}Fault")
    if fault is None:
        return None
    told = {child.tag.rpartition("}")[2]: child.text or "" for child in fault}
    code = told.get("faultcode", "").rpartition(":")[2]
    return Refusal(401 if code == "INVALID_SESSION_ID" else 400, fit(code), fit(told.get("faultstring", "")))


def _text(element: ET.Element, name: str) -> str:
    return (element.findtext(f"{{{_PARTNER}}}{name}") or "").strip()


def _parsed(body: bytes) -> ET.Element | None:
    """The document; None if it is none, or one that declares a type: entities can be bombs, and no answer has them."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        return ET.fromstring(body)
    except ET.ParseError:
        return None
