"""getUpdated and getDeleted: which rows changed in a window of whole minutes."""

from typing import TYPE_CHECKING

from simorg.database import quote
from simorg.http import ApiError, Call, Response, Route, json_response
from simorg.http_describe import object_of
from simorg.http_version import ROOT
from simorg.times import DAY_MS, parse_datetime, rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

MINUTE_MS = 60_000
UPDATED_DAYS = 30


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(f"{ROOT}/sobjects/{{object}}/updated", {"GET": updated}),
        Route(f"{ROOT}/sobjects/{{object}}/deleted", {"GET": deleted}),
    ]


def _moment(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if len(text) > 19 and text[19:].count(" ") == 1:  # a `+` that the client did not percent-encode
        text = text[:19] + text[19:].replace(" ", "+")
    ms = parse_datetime(text)
    if ms is None:
        raise _bad_date(f"{name} is not a valid date: {text}")
    return ms // MINUTE_MS * MINUTE_MS


def _bad_date(message: str) -> ApiError:
    return ApiError(400, "INVALID_REPLICATION_DATE", message)


def _window(call: Call, earliest: int, shortest: int) -> tuple[int, int]:
    """Return the window of a request; its end lies more than `shortest` ms after its start."""
    start, end = _moment(call, "start"), _moment(call, "end")
    if end - start <= shortest:
        raise _bad_date(
            "endDate must be more than one minute after startDate" if shortest else "startDate must be before endDate"
        )
    if start < earliest // MINUTE_MS * MINUTE_MS:
        raise _bad_date(f"startDate cannot be earlier than {rest_time(earliest)}")
    return start, end


def _covered(call: Call, end: int) -> str:
    """Return the end of what is surely covered: not beyond now, nor beyond the start of an open transaction."""
    now = call.org.clock.now_ms() // MINUTE_MS * MINUTE_MS
    open_since = call.org.oldest_open_transaction_ms()
    covered = min(end, now)
    if open_since is not None:
        covered = min(covered, open_since // MINUTE_MS * MINUTE_MS)
    return rest_time(covered)


def updated(call: Call) -> Response:
    """List the ids of rows created or changed in the window."""
    view = object_of(call)
    _check_replicateable(call)
    start, end = _window(call, call.org.clock.now_ms() - UPDATED_DAYS * DAY_MS, 0)
    alive = ' AND "IsDeleted" = 0' if view.soft_delete else ""
    sql = (
        f'SELECT "Id" FROM {quote(view.name)} WHERE "SystemModstamp" >= ? AND "SystemModstamp" < ?{alive} '
        'AND "Id" NOT IN (SELECT id FROM _invisible WHERE object = ?) LIMIT ?'
    )
    rows = call.org.database.rows(sql, (start, end, view.name, call.org.replication_cap + 1))
    _check_cap(call, len(rows))
    return json_response({"ids": [row[0] for row in rows], "latestDateCovered": _covered(call, end)})


def deleted(call: Call) -> Response:
    """List the rows deleted in the window, from the delete log."""
    view = object_of(call)
    _check_replicateable(call)
    earliest = call.org.clock.now_ms() - int(call.org.delete_log_days * DAY_MS)
    start, end = _window(call, earliest, MINUTE_MS)
    sql = "SELECT id, at FROM _deleted WHERE object = ? AND at >= ? AND at < ? ORDER BY at LIMIT ?"
    rows = call.org.database.rows(sql, (view.name, start, end, call.org.replication_cap + 1))
    _check_cap(call, len(rows))
    body = {
        "deletedRecords": [{"id": record_id, "deletedDate": rest_time(at)} for record_id, at in rows],
        "earliestDateAvailable": rest_time(earliest // MINUTE_MS * MINUTE_MS),
        "latestDateCovered": _covered(call, end),
    }
    return json_response(body)


def _check_replicateable(call: Call) -> None:
    view = object_of(call)
    if not view.replicateable:
        raise ApiError(400, "INVALID_TYPE", f"entity type {view.name} is not replicateable")


def _check_cap(call: Call, count: int) -> None:
    if count > call.org.replication_cap:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", "The number of ids exceeds the limit; use a smaller window")
