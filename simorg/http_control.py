"""The control API: what tests can do from Python, over HTTP. It needs no login and never counts as API use."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from simorg import control_bodies as bodies
from simorg import id_tokens, triggers
from simorg.clients import Client
from simorg.control_rows import user_of, write
from simorg.drift import field_of, known
from simorg.events import Events, Managed, Mishaps
from simorg.http import ApiError, Call, Response, Route, json_response
from simorg.render import rest_value
from simorg.results import OrgError, Refused
from simorg.times import parse_datetime, rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROOT = "/_control"
FIRST_MS, LAST_MS = 0, 32_503_680_000_000  # 1970 to 3000


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(f"{ROOT}/state", {"GET": _checked(state)}, auth=False),
        Route(f"{ROOT}/clock", {"POST": _checked(clock)}, auth=False),
        Route(f"{ROOT}/faults", {"GET": list_faults, "POST": _checked(add_fault), "DELETE": clear_faults}, auth=False),
        Route(f"{ROOT}/faults/{{number}}", {"GET": _checked(one_fault), "DELETE": _checked(remove_fault)}, auth=False),
        Route(f"{ROOT}/usage", {"POST": _checked(usage)}, auth=False),
        Route(f"{ROOT}/sessions", {"POST": _checked(sessions)}, auth=False),
        Route(f"{ROOT}/clients", {"POST": _checked(clients)}, auth=False),
        Route(f"{ROOT}/rows", {"POST": _checked(write_rows)}, auth=False),
        Route(f"{ROOT}/rows/{{id}}", {"GET": _checked(row)}, auth=False),
        Route(f"{ROOT}/schema", {"POST": _checked(schema)}, auth=False),
        Route(f"{ROOT}/permissions", {"POST": _checked(permissions)}, auth=False),
        Route(f"{ROOT}/rules", {"POST": _checked(rules)}, auth=False),
        Route(f"{ROOT}/events", {"GET": tell_events, "POST": _checked(change_events)}, auth=False),
        Route(f"{ROOT}/reset", {"POST": reset}, auth=False),
    ]


def _checked(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
    """Turn the mistakes of a caller into 400 with a text that tells him."""

    def checked(call: Call) -> Response:
        try:
            return handler(call)
        except (Refused, OrgError) as refused:
            raise replace(refused.failure, status=400).error() from refused
        except (LookupError, ValueError) as problem:
            raise ApiError(400, "BAD_CONTROL", str(problem)) from problem

    return checked


def _read(call: Call, kind: type[bodies.Kind]) -> bodies.Kind:
    return bodies.read(kind, call.body.read())


def state(call: Call) -> Response:
    """Tell the clock, the API use, the counters and the number of rows."""
    org = call.org
    body = {
        "now": rest_time(org.clock.now_ms()),
        "now_ms": org.clock.now_ms(),
        "frozen": org.clock.frozen,
        "usage": {"used": org.usage.used, "limit": org.usage.limit, "counters": org.usage.counters},
        "rows": {name: org.count(name) for name in org.objects},
        "user_id": org.user_id,
        "org_id": org.org_id,
    }
    return json_response(body)


def clock(call: Call) -> Response:
    """Move the clock: `freeze` (true/false), `set` (ISO or ms), `advance` (seconds)."""
    body, it = _read(call, bodies.Clock), call.org.clock
    start = it.now_ms() if body.set is UNSET else _moment(body.set)
    target = start + round(body.advance * 1000)
    if not FIRST_MS <= target <= LAST_MS:
        raise ValueError(f"the clock runs from {rest_time(FIRST_MS)} to {rest_time(LAST_MS)}")
    if body.freeze is not UNSET:
        (it.freeze if body.freeze else it.thaw)()
    if body.set is not UNSET:
        it.set(start)
    it.advance(body.advance)
    call.org.tick()
    return json_response({"now": rest_time(it.now_ms()), "now_ms": it.now_ms()})


def _moment(value: str | int) -> int:
    ms = parse_datetime(value) if isinstance(value, str) else value
    if ms is None:
        raise ValueError(f"not a datetime: {value}")
    return ms


def add_fault(call: Call) -> Response:
    """Switch a fault on; the keys are those of Fault."""
    return json_response({"number": call.org.faults.add(_read(call, bodies.FaultBody).made())})


def list_faults(call: Call) -> Response:
    """List the faults that are on, with how often each has happened."""
    return json_response(
        [{"number": number, "happened": done, **asdict(fault)} for number, fault, done in call.org.faults.all()]
    )


def one_fault(call: Call) -> Response:
    """Tell how often a fault has happened."""
    return json_response({"happened": call.org.faults.happened(int(call.params["number"]))})


def remove_fault(call: Call) -> Response:
    """Switch a fault off."""
    call.org.faults.remove(int(call.params["number"]))
    return json_response({})


def clear_faults(call: Call) -> Response:
    """Switch all faults off."""
    call.org.faults.clear()
    return json_response({})


def usage(call: Call) -> Response:
    """Set the API calls `used` and the `limit`."""
    body = _read(call, bodies.Usage)
    if body.limit is not UNSET:
        call.org.usage.limit = body.limit
    if body.used is not UNSET:
        call.org.usage.reset(body.used)
    return json_response({"used": call.org.usage.used, "limit": call.org.usage.limit})


def sessions(call: Call) -> Response:
    """End sessions (`expire`: a token or "all"), set `idle_seconds` or the form of `tokens`, be another org behind the
    same address (`other_org`: its id), or `open` a session and return its token."""
    body, them = _read(call, bodies.Sessions), call.org.sessions
    if body.expire == "all":
        them.end_all()
    elif body.expire is not UNSET:
        them.end(body.expire)
    if body.idle_seconds is not UNSET:
        them.idle_seconds = body.idle_seconds
    if body.tokens == "jwt":
        id_tokens.give_jwts(call.org)
    elif body.tokens is not UNSET:
        them.as_jwt = None
    if body.other_org is not UNSET:
        call.org.refresh_sandbox(body.other_org)
    if not body.open:
        return json_response({})
    opened = them.open(call.org.user_id, call.org.clients.first.client_id)
    return json_response({"access_token": opened.token, "instance_url": call.org.url})


def clients(call: Call) -> Response:
    """Change the settings of a connected app (the first, or that of `client_id`), or add it."""
    body = _read(call, bodies.App)
    values = bodies.sent(body)
    if body.run_as is not UNSET and body.run_as is not None:
        values["run_as"] = user_of(call.org, body.run_as)
    if body.redirect_uris is not UNSET:
        values["redirect_uris"] = tuple(body.redirect_uris)
    if body.public_key is not UNSET and body.public_key is not None:
        _check_key(body.public_key)
    known = call.org.clients.by_id.get(values.get("client_id", call.org.clients.first.client_id)) or Client()
    call.org.clients.add(replace(known, **values))
    return json_response(bodies.sent(body))


def _check_key(text: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # heavy

    try:
        load_pem_public_key(text.encode())
    except ValueError as problem:
        raise ValueError("public_key is not a public key in PEM form") from problem


def write_rows(call: Call) -> Response:
    """Write rows: `operation`, `object`, `rows` or `ids`; with `late_seconds` they are seen only then."""
    return json_response(write(call.org, _read(call, bodies.Rows)))


def row(call: Call) -> Response:
    """Show a row's stored values as REST writes them, also of deleted or hidden rows; 404 when it is gone."""
    found = call.org.row(call.params["id"])
    schema = call.org.object_of_id(call.params["id"])
    if found is None or schema is None:
        raise ApiError(404, "NOT_FOUND", "there is no such row")
    shown = {one.name: rest_value(one, found[one.name]) for one in schema.stored_fields if one.type != "base64"}
    return json_response(shown)


def schema(call: Call) -> Response:
    """Let the schema drift: `operation` add_field, remove_field, rename_field, retype_field, add_/remove_object."""
    body, org = _read(call, bodies.Schema), call.org
    name, field = body.object, body.field
    if body.operation == "remove_object":
        org.remove_object(name)
    elif body.declaration is not UNSET and body.operation == "add_object":
        org.add_object(name, msgspec.to_builtins(body.declaration))
    elif field is not UNSET and body.operation == "remove_field":
        org.remove_field(name, field)
    elif field is not UNSET and body.new_name is not UNSET and body.operation == "rename_field":
        org.rename_field(name, field, body.new_name)
    elif field is not UNSET and body.is_ is not UNSET:
        (org.add_field if body.operation == "add_field" else org.retype_field)(name, field, body.is_)
    return json_response({})


def permissions(call: Call) -> Response:
    """Change permissions on `object`: `deny` actions, `hide_fields`, `read_only` fields, or `allow` all again."""
    body, them = _read(call, bodies.Permissions), call.org.permissions
    if body.object is not UNSET:
        name = known(call.org, body.object).name
        for field in (*body.hide_fields, *body.read_only):
            field_of(call.org, name, field)
        if body.allow:
            them.allow(name)
        them.deny(name, *body.deny)
        them.hide_field(name, *body.hide_fields)
        them.make_read_only(name, *body.read_only)
    if body.can_set_audit_fields is not UNSET:
        them.can_set_audit_fields = body.can_set_audit_fields
    if body.can_view_encrypted is not UNSET:
        them.can_view_encrypted = body.can_view_encrypted
    if body.no_bulk is not UNSET:
        them.no_bulk = body.no_bulk
    return json_response({})


def rules(call: Call) -> Response:
    """Add a `validation`, a `duplicate` rule, a `trigger` or a contention; `forget` those of an object, `clear` all."""
    body, org = _read(call, bodies.Rules), call.org
    _check_fields(org, body)
    if body.clear:
        org.rules.clear()
    if body.forget is not UNSET:
        org.rules.forget_object(known(org, body.forget).name)
    if body.trigger is not UNSET:
        TRIGGERS[type(body.trigger)](org, **bodies.sent(body.trigger))
    if body.contend_for_parents is not UNSET:
        schema, one = field_of(org, body.contend_for_parents.object_name, body.contend_for_parents.field)
        org.rules.contend_for_parents(schema.name, one.name)
    if body.reorder_collated_parts is not UNSET:
        org.rules.reorder_collated_parts = body.reorder_collated_parts
    if body.condition_stamp is not UNSET:
        org.rules.condition_stamp = body.condition_stamp
    if body.validation is not UNSET:
        org.rules.add_validation(**bodies.sent(body.validation))
    if body.duplicate is not UNSET:
        org.rules.add_duplicate_rule(**bodies.sent(body.duplicate))
    return json_response({})


def _check_fields(org: "SimOrg", body: bodies.Rules) -> None:
    """Raise LookupError for a field that is not there, before anything has changed."""
    if body.duplicate is not UNSET:
        for field in body.duplicate.fields:
            field_of(org, body.duplicate.object_name, field)
    if body.validation is not UNSET and body.validation.field is not None:
        field_of(org, body.validation.object_name, body.validation.field)
    if body.contend_for_parents is not UNSET:
        field_of(org, body.contend_for_parents.object_name, body.contend_for_parents.field)
    if body.forget is not UNSET:
        known(org, body.forget)


TRIGGERS: dict[type, Callable[..., object]] = {
    bodies.Normalise: triggers.normalise,
    bodies.Fill: triggers.fill,
    bodies.CountOnParent: triggers.count_on_parent,
    bodies.FailWhen: triggers.fail_when,
}


def tell_events(call: Call) -> Response:
    """Tell where events are served, of which objects, and what goes wrong with them."""
    events = call.org.events
    body = {"url": events.url, "selected": sorted(events.selected), "mishaps": asdict(events.mishaps)}
    return json_response(body)


def change_events(call: Call) -> Response:
    """Let events be captured (`select`), GAP events happen, streams be `cut`, and `mishaps` begin or end."""
    body, org, events = _read(call, bodies.EventsBody), call.org, call.org.events
    members = {channel: tuple(known(org, name).name for name in names) for channel, names in body.channels.items()}
    unknown = [topic for topic in body.managed.values() if events.objects_of(topic) is None and topic not in members]
    if unknown:
        raise LookupError(f"there is no topic {unknown[0]}")
    if body.select:
        events.select(*body.select)
    events.channels |= members
    events.managed |= {name: Managed(topic) for name, topic in body.managed.items()}
    for name in ("ping_seconds", "overflow_after", "send_diffs"):
        if getattr(body, name) is not UNSET:
            setattr(events, name, getattr(body, name))
    for name, value in bodies.sent(body.mishaps).items() if body.mishaps is not UNSET else ():
        setattr(events.mishaps, name, value)
    _happen(events, body)
    return tell_events(call)


def _happen(events: Events, body: bodies.EventsBody) -> None:
    if body.gap is not UNSET:
        events.gap(body.gap.id, body.gap.action)
    if body.overflow is not UNSET:
        events.overflow(body.overflow)
    if body.converted is not UNSET:
        events.converted(body.converted)
    if body.cut:
        events.cut()
    events.wake()


def reset(call: Call) -> Response:
    """Switch faults and rules off, give all permissions back and forget the API use; the rows stay."""
    call.org.faults.clear()
    call.org.rules.clear()
    call.org.permissions.reset()
    call.org.usage.reset()
    call.org.events.mishaps = Mishaps()
    return json_response({})
