"""What `POST /_control/rows` does: one operation on rows, as from Python."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from simorg.control_bodies import Rows, sent
from simorg.drift import known
from simorg.lifecycle import BIN_DAYS
from simorg.results import Result, Saved

if TYPE_CHECKING:
    from simorg.org import SimOrg


def write(org: "SimOrg", body: Rows) -> Any:
    """Do what the body says and return the answer; mistakes are Refused, OrgError, LookupError or ValueError."""
    if body.object is not UNSET:
        known(org, body.object)
    if body.user is not None:
        body.user = user_of(org, body.user)
    act, values = OPERATIONS[body.operation], sent(body)
    if not body.late_seconds:
        return act(org, values)
    with org.late_commit(body.late_seconds):
        return act(org, values)


def user_of(org: "SimOrg", text: str) -> str:
    """Return the id of a user, or raise ValueError."""
    full = org.full_id(text)
    if org.database.get(org.objects["User"], full) is None:
        raise ValueError(f"there is no user {text}")
    return full


def _shown(results: list[Result]) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "success": True, "created": one.created}
        if isinstance(one, Saved)
        else {"success": False, "error": one.code, "message": one.message, "fields": list(one.fields)}
        for one in results
    ]


def _each(act: "Callable[[SimOrg, str], object]") -> "Callable[[SimOrg, dict[str, Any]], Any]":
    def run(org: "SimOrg", body: dict[str, Any]) -> Any:
        full = [org.full_id(record_id) for record_id in body["ids"]]
        for record_id in full:
            if org.object_of_id(record_id) is None:
                raise ValueError(f"no object has ids such as {record_id}")
            act(org, record_id)
        return []

    return run


OPERATIONS: "dict[str, Callable[[SimOrg, dict[str, Any]], Any]]" = {
    "create": lambda org, body: _shown(org.create(body["object"], body["rows"], user=body["user"])),
    "update": lambda org, body: _shown(org.update(body["object"], body["rows"], user=body["user"])),
    "upsert": lambda org, body: _shown(org.upsert(body["object"], body["key"], body["rows"], user=body["user"])),
    "delete": lambda org, body: _shown(org.delete(body["ids"])),
    "undelete": lambda org, body: _shown(org.undelete(body["ids"])),
    "purge": lambda org, body: _shown(org.purge(body["ids"])),
    "merge": lambda org, body: _shown([org.merge(body["master"], body["ids"], body["values"])]),
    "convert": lambda org, body: org.convert_lead(body["ids"][0], body["account"], body["opportunity"]),
    "empty_bin": lambda org, body: {"purged": org.empty_bin(body["days"])},
    "empty_old_bin": lambda org, body: {"purged": org.empty_bin(BIN_DAYS)},
    "hide": _each(lambda org, one: org.hide_record(one)),
    "show": _each(lambda org, one: org.show_record(one)),
    "lock": lambda org, body: _each(lambda org, one: org.rules.lock_row(one, body["times"]))(org, body),
    "unlock": _each(lambda org, one: org.rules.unlock_row(one)),
}
