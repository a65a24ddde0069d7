"""The two calls of the SOAP API that REST has no resource for: undelete() and emptyRecycleBin().

Envelopes as in the partner and enterprise WSDLs; the fault of an ended session is what clients' recorded answers show.
Not sure are the texts of the other faults and that every fault has HTTP status 500 (SOAP 1.1 says so).
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from simorg import lifecycle
from simorg.http import Call, Response, Route
from simorg.org import VERSIONS
from simorg.results import Refused, Result, Saved
from simorg.writer import NO_ACCESS, for_each

if TYPE_CHECKING:
    from simorg.org import SimOrg

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
KINDS = {"u": "partner", "c": "enterprise"}
MAX_IDS = 200
XML_TYPE = "text/xml;charset=UTF-8"


class SoapFault(Exception):
    """The call as a whole was refused; `code` is Salesforce's, or None for an envelope that nobody can read."""

    def __init__(self, code: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module; a server URL may end with the org's id."""
    one = "/services/Soap/{kind}/{api}"
    return [Route(path, {"POST": answer}, auth=False) for path in (one, one + "/{org}")]


def answer(call: Call) -> Response:
    """Do one SOAP call; a refusal is a fault."""
    kind = KINDS.get(call.params["kind"], "partner")
    try:
        return _envelope(f'xmlns="urn:{kind}.soap.sforce.com"', _done(call, kind))
    except SoapFault as fault:
        return _fault(kind, fault)


def _done(call: Call, kind: str) -> str:
    """Return the inside of the answer's body."""
    if call.params["kind"] not in KINDS or call.params["api"] not in VERSIONS:
        raise SoapFault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {call.params['api']}")
    if "soapaction" not in call.headers:
        raise SoapFault(None, "SOAPAction HTTP header missing")
    space = f"urn:{kind}.soap.sforce.com"
    header, request = _parts(call.body.read())
    _check_session(call, header.findtext(f"{{{space}}}SessionHeader/{{{space}}}sessionId") or "")
    act = CALLS.get(request.tag.removeprefix(f"{{{space}}}"))
    if act is None:
        text = f"No operation available for request {request.tag}, please check the WSDL for the service."
        raise SoapFault(None, text)
    wanted = [(one.text or "").strip() for one in request.findall(f"{{{space}}}ids")]
    if len(wanted) > MAX_IDS:
        text = f"record limit reached. cannot submit more than {MAX_IDS} records into this call"
        raise SoapFault("EXCEEDED_ID_LIMIT", text)
    all_or_none = header.findtext(f"{{{space}}}AllOrNoneHeader/{{{space}}}allOrNone") in ("true", "1")
    results = for_each(call.org, wanted, lambda one: act(call.org, one), all_or_none=all_or_none)
    name = request.tag.rpartition("}")[2]
    rows = "".join(_row(sent, result) for sent, result in zip(wanted, results, strict=True))
    return f"<{name}Response>{rows}</{name}Response>"


def _parts(data: bytes) -> tuple[ET.Element, ET.Element]:
    """Return the header and the request of an envelope."""
    if b"<!DOCTYPE" in data:  # no call has one, and entities can be bombs
        raise SoapFault(None, "A document type declaration is not allowed")
    try:
        root = ET.fromstring(data)
    except ET.ParseError as problem:
        raise SoapFault(None, f"The envelope cannot be read: {problem}") from problem
    header, body = root.find(f"{{{ENVELOPE}}}Header"), root.find(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or body is None or len(body) != 1:
        raise SoapFault(None, "An envelope with one request in its body is needed")
    return ET.Element("Header") if header is None else header, body[0]


def _check_session(call: Call, token: str) -> None:
    session = call.org.sessions.use(token.strip())
    if session is None or not {"api", "full"} & set(session.scope.split()):
        raise SoapFault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
    if call.org.usage.exhausted:
        raise SoapFault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    call.org.usage.add(1, "POST /services/Soap")


def _undelete(org: "SimOrg", text: str) -> Saved:
    record_id = org.full_id(text)
    schema = org.object_of_id(record_id)
    view = org.object(schema.name) if schema else None
    if view is None or not view.undeletable or not org.visible(view.name, record_id):
        raise Refused("INSUFFICIENT_ACCESS_OR_READONLY", NO_ACCESS)
    return lifecycle.undelete(org, record_id)


def _empty(org: "SimOrg", text: str) -> Saved:
    record_id = org.full_id(text)
    if not lifecycle.is_in_bin(org, record_id):
        raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    return lifecycle.purge(org, record_id)


CALLS: "dict[str, Callable[[SimOrg, str], Saved]]" = {"undelete": _undelete, "emptyRecycleBin": _empty}


def _row(sent: str, result: Result) -> str:
    if isinstance(result, Saved):
        return f"<result><id>{result.id}</id><success>true</success></result>"
    fields = "".join(f"<fields>{escape(name)}</fields>" for name in result.fields)
    error = f"{fields}<message>{escape(result.message)}</message><statusCode>{result.code}</statusCode>"
    return f"<result><errors>{error}</errors><id>{escape(sent)}</id><success>false</success></result>"


def _envelope(spaces: str, inside: str, status: int = 200) -> Response:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{ENVELOPE}" {spaces} '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    )
    return Response(status, text.encode(), {"Content-Type": XML_TYPE})


def _fault(kind: str, fault: SoapFault) -> Response:
    message = escape(fault.message)
    if fault.code is None:
        inside = f"<faultcode>soapenv:Client</faultcode><faultstring>{message}</faultstring>"
    else:
        inside = (
            f"<faultcode>sf:{fault.code}</faultcode><faultstring>{fault.code}: {message}</faultstring><detail>"
            '<sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault">'
            f"<sf:exceptionCode>{fault.code}</sf:exceptionCode>"
            f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail>"
        )
    spaces = f'xmlns:sf="urn:fault.{kind}.soap.sforce.com"'
    return _envelope(spaces, f"<soapenv:Fault>{inside}</soapenv:Fault>", 500)
