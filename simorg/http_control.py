"""The control API: what tests can do from Python, over HTTP. It needs no login and never counts as API use."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from simorg.clients import Client
from simorg.faults import Fault
from simorg.http import ApiError, Call, Response, Route, json_response
from simorg.lifecycle import BIN_DAYS
from simorg.render import rest_value
from simorg.results import Refused, Result, Saved
from simorg.times import parse_datetime, rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROOT = "/_control"


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(f"{ROOT}/state", {"GET": _checked(state)}, auth=False),
        Route(f"{ROOT}/clock", {"POST": _checked(clock)}, auth=False),
        Route(f"{ROOT}/faults", {"GET": list_faults, "POST": _checked(add_fault), "DELETE": clear_faults}, auth=False),
        Route(f"{ROOT}/faults/{{number}}", {"GET": one_fault, "DELETE": remove_fault}, auth=False),
        Route(f"{ROOT}/usage", {"POST": _checked(usage)}, auth=False),
        Route(f"{ROOT}/sessions", {"POST": _checked(sessions)}, auth=False),
        Route(f"{ROOT}/clients", {"POST": _checked(clients)}, auth=False),
        Route(f"{ROOT}/rows", {"POST": _checked(rows)}, auth=False),
        Route(f"{ROOT}/rows/{{id}}", {"GET": _checked(row)}, auth=False),
        Route(f"{ROOT}/schema", {"POST": _checked(schema)}, auth=False),
        Route(f"{ROOT}/permissions", {"POST": _checked(permissions)}, auth=False),
        Route(f"{ROOT}/rules", {"POST": _checked(rules)}, auth=False),
        Route(f"{ROOT}/reset", {"POST": reset}, auth=False),
    ]


def _checked(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
    """Turn the mistakes of a caller into 400 with a text that tells him."""

    def checked(call: Call) -> Response:
        try:
            return handler(call)
        except Refused as refused:
            raise refused.failure.error() from refused
        except (KeyError, LookupError, TypeError, ValueError) as problem:
            raise ApiError(400, "BAD_CONTROL", f"{type(problem).__name__}: {problem}") from problem

    return checked


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
    body, it = call.json_object(), call.org.clock
    if "freeze" in body:
        (it.freeze if body["freeze"] else it.thaw)()
    if "set" in body:
        ms = parse_datetime(body["set"]) if isinstance(body["set"], str) else int(body["set"])
        if ms is None:
            raise ValueError(f"not a datetime: {body['set']}")
        it.set(ms)
    it.advance(float(body.get("advance", 0)))
    call.org.tick()
    return json_response({"now": rest_time(it.now_ms()), "now_ms": it.now_ms()})


def add_fault(call: Call) -> Response:
    """Switch a fault on; the keys are those of Fault."""
    values = call.json_object()
    return json_response({"number": call.org.faults.add(Fault(**_plain(values)))})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: float(value) if key == "delay" else value for key, value in values.items()}


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
    body = call.json_object()
    if "limit" in body:
        call.org.usage.limit = int(body["limit"])
    if "used" in body:
        call.org.usage.reset(int(body["used"]))
    return json_response({"used": call.org.usage.used, "limit": call.org.usage.limit})


def sessions(call: Call) -> Response:
    """End sessions (`expire`: a token or "all"), set `idle_seconds`, or `open` one and return its token."""
    body, them = call.json_object(), call.org.sessions
    if body.get("expire") == "all":
        them.end_all()
    elif "expire" in body:
        them.end(str(body["expire"]))
    if "idle_seconds" in body:
        them.idle_seconds = float(body["idle_seconds"])
    if not body.get("open"):
        return json_response({})
    opened = them.open(call.org.user_id, call.org.clients.first.client_id)
    return json_response({"access_token": opened.token, "instance_url": call.org.url})


def clients(call: Call) -> Response:
    """Change the settings of a connected app (the first, or that of `client_id`), or add it."""
    body = call.json_object()
    known = call.org.clients.by_id.get(body.get("client_id", call.org.clients.first.client_id)) or Client()
    if "redirect_uris" in body:
        body["redirect_uris"] = tuple(body["redirect_uris"])
    call.org.clients.add(replace(known, **body))
    return json_response(body)


def rows(call: Call) -> Response:
    """Write rows: `operation`, `object`, `rows` or `ids`; with `late_seconds` they are seen only then."""
    body = call.json_object()
    act = OPERATIONS[body["operation"]]
    late = float(body.get("late_seconds", 0))
    if not late:
        return json_response(act(call.org, body))
    with call.org.late_commit(late):
        done = act(call.org, body)
    return json_response(done)


def _shown(results: list[Result]) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "success": True, "created": one.created}
        if isinstance(one, Saved)
        else {"success": False, "error": one.code, "message": one.message, "fields": list(one.fields)}
        for one in results
    ]


def _each(act: "Callable[[SimOrg, str], object]") -> "Callable[[SimOrg, dict[str, Any]], Any]":
    def run(org: "SimOrg", body: dict[str, Any]) -> Any:
        for record_id in body["ids"]:
            act(org, record_id)
        return []

    return run


OPERATIONS: "dict[str, Callable[[SimOrg, dict[str, Any]], Any]]" = {
    "create": lambda org, body: _shown(org.create(body["object"], body["rows"], user=body.get("user"))),
    "update": lambda org, body: _shown(org.update(body["object"], body["rows"], user=body.get("user"))),
    "upsert": lambda org, body: _shown(org.upsert(body["object"], body["key"], body["rows"], user=body.get("user"))),
    "delete": lambda org, body: _shown(org.delete(body["ids"])),
    "undelete": lambda org, body: _shown(org.undelete(body["ids"])),
    "purge": lambda org, body: _shown(org.purge(body["ids"])),
    "merge": lambda org, body: _shown([org.merge(body["master"], body["ids"], body.get("values"))]),
    "convert": lambda org, body: org.convert_lead(body["ids"][0], body.get("account"), body.get("opportunity")),
    "empty_bin": lambda org, body: {"purged": org.empty_bin(float(body.get("days", 0)))},
    "empty_old_bin": lambda org, body: {"purged": org.empty_bin(BIN_DAYS)},
    "hide": _each(lambda org, one: org.hide_record(one)),
    "show": _each(lambda org, one: org.show_record(one)),
    "lock": _each(lambda org, one: org.rules.lock_row(org.full_id(one))),
    "unlock": _each(lambda org, one: org.rules.unlock_row(org.full_id(one))),
}


def row(call: Call) -> Response:
    """Show a row's stored values as REST writes them, also of deleted or hidden rows; 404 when it is gone."""
    found = call.org.row(call.params["id"])
    known = call.org.object_of_id(call.params["id"])
    if found is None or known is None:
        raise ApiError(404, "NOT_FOUND", "there is no such row")
    shown = {one.name: rest_value(one, found[one.name]) for one in known.stored_fields if one.type != "base64"}
    return json_response(shown)


def schema(call: Call) -> Response:
    """Let the schema drift: `operation` add_field, remove_field, rename_field, retype_field, add_/remove_object."""
    body, org = call.json_object(), call.org
    match body["operation"]:
        case "add_field":
            org.add_field(body["object"], body["field"], body["is"])
        case "remove_field":
            org.remove_field(body["object"], body["field"])
        case "rename_field":
            org.rename_field(body["object"], body["field"], body["new_name"])
        case "retype_field":
            org.retype_field(body["object"], body["field"], body["is"])
        case "add_object":
            org.add_object(body["object"], body["declaration"])
        case "remove_object":
            org.remove_object(body["object"])
        case other:
            raise ValueError(f"unknown operation {other}")
    return json_response({})


def permissions(call: Call) -> Response:
    """Change permissions on `object`: `deny` actions, `hide_fields`, `read_only` fields, or `allow` all again."""
    body, them = call.json_object(), call.org.permissions
    if "object" in body:
        name = body["object"]
        if body.get("allow"):
            them.allow(name)
        them.deny(name, *body.get("deny", ()))
        them.hide_field(name, *body.get("hide_fields", ()))
        them.make_read_only(name, *body.get("read_only", ()))
    for flag in ("can_set_audit_fields", "can_view_encrypted"):
        if flag in body:
            setattr(them, flag, bool(body[flag]))
    return json_response({})


def rules(call: Call) -> Response:
    """Add a `validation` or a `duplicate` rule (their keys as in Python), or `clear` all rules and locks."""
    body, them = call.json_object(), call.org.rules
    if body.get("clear"):
        them.clear()
    if "validation" in body:
        them.add_validation(**body["validation"])
    if "duplicate" in body:
        them.add_duplicate_rule(**body["duplicate"])
    return json_response({})


def reset(call: Call) -> Response:
    """Switch faults and rules off, give all permissions back and forget the API use; the rows stay."""
    call.org.faults.clear()
    call.org.rules.clear()
    call.org.permissions.reset()
    call.org.usage.reset()
    return json_response({})
