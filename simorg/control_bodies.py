"""The bodies of the control API: what each call takes. A mistake becomes a ValueError that names its place."""

import re
import threading
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from simorg.faults import Fault

DECADE_SECONDS = 10 * 366 * 86_400.0
Count = Annotated[int, Meta(ge=0, le=10**12)]
Seconds = Annotated[float, Meta(ge=0, le=DECADE_SECONDS)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Line = Name | dict[str, Any]
Action = Literal["create", "read", "update", "delete"]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON object whose keys are known."""


class Clock(Body):
    """`POST clock`."""

    freeze: bool | UnsetType = UNSET
    set: str | int | UnsetType = UNSET
    advance: Annotated[float, Meta(ge=-DECADE_SECONDS, le=DECADE_SECONDS)] = 0.0


class Usage(Body):
    """`POST usage`."""

    used: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType = UNSET


class Sessions(Body):
    """`POST sessions`."""

    expire: Name | UnsetType = UNSET
    idle_seconds: Annotated[float, Meta(gt=0, le=1e12)] | UnsetType = UNSET
    tokens: Literal["session_id", "jwt"] | UnsetType = UNSET
    other_org: Annotated[str, Meta(pattern="^00D[0-9A-Za-z]{15}$")] | UnsetType = UNSET
    open: bool = False


class App(Body):
    """`POST clients`."""

    client_id: Name | UnsetType = UNSET
    secret: Name | UnsetType = UNSET
    run_as: str | UnsetType | None = UNSET
    scopes: str | UnsetType = UNSET
    redirect_uris: list[str] | UnsetType = UNSET
    public_key: str | UnsetType | None = UNSET
    rotate_refresh_tokens: bool | UnsetType = UNSET
    approved: bool | UnsetType = UNSET


class FaultBody(Body):
    """`POST faults`: the keys of Fault, which checks their ranges."""

    method: str = ".*"
    path: str = ""
    sends: str = ""
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    drop: str | None = None
    done: bool = False
    save_rows: int | None = None
    expire: bool = False
    job: str | None = None
    locators: str | None = None

    def made(self) -> Fault:
        """Return the fault, or raise ValueError."""
        return Fault(**msgspec.structs.asdict(self))


Operation = Literal[
    "create",
    "update",
    "upsert",
    "delete",
    "undelete",
    "purge",
    "merge",
    "convert",
    "empty_bin",
    "empty_old_bin",
    "hide",
    "show",
    "lock",
    "unlock",
]
NEEDS: dict[str, tuple[str, ...]] = {
    "create": ("object", "rows"),
    "update": ("object", "rows"),
    "upsert": ("object", "rows", "key"),
    "merge": ("master", "ids"),
    "empty_bin": (),
    "empty_old_bin": (),
}


class Rows(Body):
    """`POST rows`."""

    operation: Operation
    object: Name | UnsetType = UNSET
    rows: list[dict[str, Any]] | UnsetType = UNSET
    ids: list[str] | UnsetType = UNSET
    key: Name | UnsetType = UNSET
    master: str | UnsetType = UNSET
    values: dict[str, Any] | None = None
    user: str | None = None
    account: str | None = None
    opportunity: str | None = None
    days: Annotated[float, Meta(ge=0, le=36_600)] = 0.0
    times: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    late_seconds: Seconds = 0.0

    def __post_init__(self) -> None:
        missing = [name for name in NEEDS.get(self.operation, ("ids",)) if getattr(self, name) is UNSET]
        if missing:
            raise ValueError(f"{self.operation} needs {' and '.join(missing)}")
        if self.operation == "convert" and (not isinstance(self.ids, list) or len(self.ids) != 1):
            raise ValueError("convert needs the id of one lead in ids")


class RecordTypeBody(Body):
    """A record type of a new object."""

    id: Annotated[str, Meta(min_length=18, max_length=18)]
    name: Name
    developer_name: Name
    default: bool = False
    active: bool = True


class Flags(Body):
    """What can be done with the rows of a new object."""

    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    undeletable: bool = True
    mergeable: bool = False
    queryable: bool = True
    replicateable: bool = True
    bulk: bool = True
    layoutable: bool = True


class Declaration(Body):
    """A new object, as in `objects/*.toml`."""

    label: Name
    plural: Name
    prefix: Annotated[str, Meta(pattern="^[0-9A-Za-z]{3}$")]
    fields: dict[Name, Line]
    viewed: bool = False
    without: list[str] = msgspec.field(default_factory=list)
    flags: Flags = msgspec.field(default_factory=Flags)
    record_types: list[RecordTypeBody] = msgspec.field(default_factory=list)


class Schema(Body):
    """`POST schema`."""

    operation: Literal["add_field", "remove_field", "rename_field", "retype_field", "add_object", "remove_object"]
    object: Name
    field: Name | UnsetType = UNSET
    is_: Line | UnsetType = msgspec.field(default=UNSET, name="is")
    new_name: Name | UnsetType = UNSET
    declaration: Declaration | UnsetType = UNSET

    def __post_init__(self) -> None:
        needed = {
            "add_field": ("field", "is"),
            "retype_field": ("field", "is"),
            "remove_field": ("field",),
            "rename_field": ("field", "new_name"),
            "add_object": ("declaration",),
        }.get(self.operation, ())
        missing = [name for name in needed if getattr(self, "is_" if name == "is" else name) is UNSET]
        if missing:
            raise ValueError(f"{self.operation} needs {' and '.join(missing)}")


class Permissions(Body):
    """`POST permissions`."""

    object: Name | UnsetType = UNSET
    deny: list[Action] = msgspec.field(default_factory=list)
    hide_fields: list[Name] = msgspec.field(default_factory=list)
    read_only: list[Name] = msgspec.field(default_factory=list)
    allow: bool = False
    can_set_audit_fields: bool | UnsetType = UNSET
    can_view_encrypted: bool | UnsetType = UNSET
    no_bulk: Name | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        if self.object is UNSET and (self.deny or self.hide_fields or self.read_only or self.allow):
            raise ValueError("deny, hide_fields, read_only and allow need an object")


class ValidationBody(Body):
    """A validation rule."""

    object_name: Name
    broken_when: Name
    message: str
    field: Name | None = None


class DuplicateBody(Body):
    """A duplicate rule."""

    object_name: Name
    fields: Annotated[list[Name], Meta(min_length=1)]
    name: str = "Standard_Duplicate_Rule"
    allow_save: bool = True
    message: str = "Use one of these records?"


class Normalise(Body, tag_field="does", tag="normalise"):
    """A trigger that saves a text in another form."""

    object_name: Name
    field: Name
    to: Literal["upper", "lower", "title", "trim"]


class Fill(Body, tag_field="does", tag="fill"):
    """A trigger that saves an empty field with a value."""

    object_name: Name
    field: Name
    value: Any


class CountOnParent(Body, tag_field="does", tag="count_on_parent"):
    """A trigger that keeps the number of rows on their parent."""

    object_name: Name
    reference: Name
    field: Name


class FailWhen(Body, tag_field="does", tag="fail_when"):
    """A trigger that fails for rows of a condition."""

    object_name: Name
    condition: Name
    message: str = ""


class Contend(Body):
    """The look-up whose parents the chunks of a Bulk job hold."""

    object_name: Name
    field: Name


class Rules(Body):
    """`POST rules`."""

    validation: ValidationBody | UnsetType = UNSET
    duplicate: DuplicateBody | UnsetType = UNSET
    trigger: Normalise | Fill | CountOnParent | FailWhen | UnsetType = UNSET
    contend_for_parents: Contend | UnsetType = UNSET
    reorder_collated_parts: bool | UnsetType = UNSET
    condition_stamp: Literal["SystemModstamp", "LastModifiedDate"] | UnsetType = UNSET
    forget: Name | UnsetType = UNSET
    clear: bool = False


class Gap(Body):
    """A GAP event about a row."""

    id: Name
    action: Literal["CREATE", "UPDATE", "DELETE", "UNDELETE"] = "UPDATE"


class MishapsBody(Body):
    """What goes wrong on the way to the subscribers of events; see Mishaps."""

    silent: bool | UnsetType = UNSET
    slow: Annotated[float, Meta(ge=0, le=600)] | UnsetType = UNSET
    repeat: Annotated[int, Meta(ge=0, le=100)] | UnsetType = UNSET
    refuse_replays: bool | UnsetType = UNSET
    cut_after: Annotated[int, Meta(ge=1, le=10**9)] | UnsetType | None = UNSET
    gaps: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType = UNSET
    reorder: bool | UnsetType = UNSET
    page: Annotated[int, Meta(ge=1, le=100)] | UnsetType = UNSET
    limit: bool | UnsetType = UNSET


class EventsBody(Body):
    """`POST events`."""

    select: list[Name] = msgspec.field(default_factory=list)
    gap: Gap | UnsetType = UNSET
    overflow: Name | UnsetType = UNSET
    converted: Name | UnsetType = UNSET
    cut: bool = False
    ping_seconds: Annotated[float, Meta(gt=0, le=270)] | UnsetType = UNSET
    overflow_after: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType = UNSET
    send_diffs: bool | UnsetType = UNSET
    channels: dict[Name, list[Name]] = msgspec.field(default_factory=dict)
    managed: dict[Name, Name] = msgspec.field(default_factory=dict)
    mishaps: MishapsBody | UnsetType = UNSET


Kind = TypeVar("Kind", bound=Body)

# msgspec crashes when two threads meet a type at once that it has not seen before.
_making = threading.Lock()


def read(kind: type[Kind], data: bytes) -> Kind:
    """Return the body as what a call takes, or raise ValueError."""
    try:
        with _making:
            # rows may hold 18-digit amounts, which must not pass through a float
            decoder = msgspec.json.Decoder(kind, float_hook=Decimal)
        return decoder.decode(data)
    except msgspec.DecodeError as problem:
        text = re.sub(r"`(\w+) \| unset`", r"`\1`", str(problem))
        raise ValueError(text) from problem


def sent(body: Body) -> dict[str, Any]:
    """Return what was sent, by its Python names."""
    values = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in values.items() if value is not UNSET}
