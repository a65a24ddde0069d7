"""What a request and an answer are for the org's handlers, errors as Salesforce writes them, and routes."""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from simorg.auth import Session
    from simorg.org import SimOrg

JSON_TYPE = "application/json;charset=UTF-8"
SPOOL_BYTES = 4 * 1024 * 1024  # larger request bodies go to disk
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # 18-digit amounts must not pass through a float


@dataclass(slots=True)
class ApiError(Exception):
    """An answer with an error; handlers raise it. `extra` adds keys such as `duplicateResut`."""

    status: int
    code: str
    message: str
    fields: tuple[str, ...] | None = None
    extra: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def item(self, code_key: str = "errorCode") -> dict[str, Any]:
        """Return the error as one element of Salesforce's array; collections and tree call the key `statusCode`."""
        if code_key != "errorCode":
            return {code_key: self.code, "message": self.message, "fields": list(self.fields or ())}
        if self.extra:
            return {**self.extra, code_key: self.code, "message": self.message}
        item: dict[str, Any] = {"message": self.message, code_key: self.code}
        return item if self.fields is None else item | {"fields": list(self.fields)}


class Body:
    """The body of a request, inflated already; `spooled` makes one that goes to disk when it is large."""

    def __init__(self, data: bytes = b"") -> None:
        self.file: IO[bytes] = BytesIO(data)

    @classmethod
    def spooled(cls) -> Self:
        """Return an empty body to be written to; whoever makes it closes its file."""
        made = cls()
        made.file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115
        return made

    def read(self) -> bytes:
        """Return the whole body."""
        self.file.seek(0)
        return self.file.read()

    def rewound(self) -> IO[bytes]:
        """Return the body as a file at its beginning, to be read in blocks."""
        self.file.seek(0)
        return self.file


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it: header names in lower case, `params` from the route's pattern."""

    org: "SimOrg"
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = field(default_factory=Body)
    session: "Session | None" = None
    inner: bool = False  # a part of a composite request

    @property
    def version(self) -> str:
        """The API version in the path, e.g. `58.0`."""
        return self.params.get("version", self.org.version)

    @property
    def user_id(self) -> str:
        """The id of the user whose session this is."""
        return self.session.user_id if self.session else self.org.user_id

    def json(self) -> Any:
        """Return the decoded JSON body; numbers with a point are Decimal."""
        return decode_json(self.body.read())

    def json_object(self) -> dict[str, Any]:
        """Return the decoded JSON body, which must be an object."""
        value = self.json()
        if not isinstance(value, dict):
            start = "START_ARRAY" if isinstance(value, list) else "VALUE_STRING"
            raise parser_error(f"Can not deserialize SObject out of {start} token at [line:1, column:1]")
        return value


@dataclass(slots=True)
class Response:
    """An answer; `body` may be blocks of bytes made one by one (256 KB or more each) for large files."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Response]


class Route:
    """A path pattern such as `/services/data/v{version}/sobjects/{object}` with a handler per method.

    `{name}` takes one path segment, `{name:path}` the rest; a trailing slash is accepted. `takes` are the media
    types that a body sent there may have.
    """

    def __init__(
        self, pattern: str, handlers: Mapping[str, Handler], *, auth: bool = True, takes: str = "application/json"
    ) -> None:
        self.pattern = pattern
        self.takes = takes.split()
        self.handlers = dict(handlers)
        self.auth = auth
        self._regex = _compiled(pattern)

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the parameters of a still percent-encoded path, decoded, or None when it is another path."""
        found = self._regex.match(raw_path)
        if found is None:
            return None
        return {name: unquote(value) for name, value in found.groupdict().items()}

    def allowed(self) -> str:
        """Return the allowed methods as Salesforce lists them."""
        known: list[str] = [name for name in ("GET", "POST", "PATCH", "PUT", "DELETE") if name in self.handlers]
        return ",".join((["HEAD"] if "GET" in known else []) + known)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", pattern)
    regex = re.escape(parts[0])
    for name, whole, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        regex += f"(?P<{name}>{'.+' if whole else '[^/]+'})" + re.escape(rest)
    return re.compile(regex + r"/?\Z")


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding header lets the answer be compressed; `gzip;q=0` does not."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, rest = part.partition(";")
        weight = re.fullmatch(r"\s*q\s*=\s*([\d.]+)\s*", rest)
        weights[name.strip()] = float(weight[1]) if weight and weight[1].count(".") < 2 else 1.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def encode_json(value: Any) -> bytes:
    """Write JSON; `msgspec.Raw` and Decimal keep their digits."""
    return _ENCODER.encode(value)


def decode_json(data: bytes) -> Any:
    """Read JSON, or raise the 400 JSON_PARSER_ERROR that tells where it breaks."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        found = re.search(r"byte (\d+)", str(problem))
        before = data[: int(found[1])] if found else data
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise parser_error(f"Unexpected character or end of input at [line:{line}, column:{column}]") from problem


def parser_error(message: str) -> ApiError:
    """Return the 400 answer for a body that cannot be read."""
    return ApiError(400, "JSON_PARSER_ERROR", message)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, encode_json(body), {"Content-Type": JSON_TYPE, **(headers or {})})


def error_response(error: ApiError) -> Response:
    """Return the error as Salesforce's JSON array."""
    return json_response([error.item()], error.status, error.headers)


def no_content(headers: Mapping[str, str] | None = None) -> Response:
    """Return 204 without a body."""
    return Response(204, b"", dict(headers or {}))


def not_found() -> ApiError:
    """Return the 404 answer for an unknown path or object."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")
