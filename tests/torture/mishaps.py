"""What goes wrong between the replica and the org."""

from __future__ import annotations

import random
from typing import Any

from tests.torture.world import World

DATA = r"/services/data/"
SOME = (DATA, r"/query", r"/describe", r"/jobs/query", r"/results", r"/query/0r8", r"/oauth2/token")
LOGIN_PAGE = "<html><body>Log in to continue</body></html>"
LIMIT = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
BUSY = [
    {
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
        "message": "ConcurrentPerOrgLongTxn Limit exceeded. Too many concurrent requests.",
    }
]
TIMEOUT = [{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}]
LOCKED = [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access to this record"}]


def server_error(world: World, rng: random.Random) -> None:
    """The org, or a proxy before it, answers that it cannot; a few times or more often than anybody tries."""
    status = rng.choice((500, 502, 503, 503, 504, 429))
    body = rng.choice((None, LOGIN_PAGE))
    headers = rng.choice(({}, {}, {"Retry-After": "7"}))
    _add(world, rng, status=status, body=body, headers=headers, times=rng.choice((1, 1, 2, 4, 7)))


def cut(world: World, rng: random.Random) -> None:
    """The connection breaks in the middle of an answer."""
    _add(world, rng, cut_after=rng.choice((0, 1, 40, 300, 2000)), reset=rng.random() < 0.3, times=rng.choice((1, 1, 3)))


def drop(world: World, rng: random.Random) -> None:
    """No answer at all, before or after the work."""
    _add(world, rng, drop=rng.choice(("before", "after")), reset=rng.random() < 0.3, times=rng.choice((1, 2)))


def slow(world: World, rng: random.Random) -> None:
    """An answer takes its time."""
    _add(world, rng, delay=0.02)


def refused(world: World, rng: random.Random) -> None:
    """A refusal with a code of Salesforce's own."""
    status, body = rng.choice(((403, LIMIT), (403, BUSY), (400, TIMEOUT), (400, LOCKED)))
    _add(world, rng, path=DATA, status=status, body=body, times=rng.choice((1, 1, 3)))


def nonsense(world: World, rng: random.Random) -> None:
    """A success that is none: a login page, or fewer rows than were announced."""
    short = {"totalSize": 9, "done": True, "records": []}
    body: Any = rng.choice((LOGIN_PAGE, short))
    _add(world, rng, path=r"/query(All)?\?", status=200, body=body)


def _add(world: World, rng: random.Random, **values: Any) -> None:
    values = {"path": rng.choice(SOME), "nth": rng.choice((1, 1, 2, 3, 6)), **values}
    world.tell(f"fault {values}")
    world.org.faults.add(**values)


def session_ends(world: World, rng: random.Random) -> None:
    """All sessions end, now or in the middle of a sync."""
    if rng.random() < 0.4:
        world.tell("all sessions end")
        world.org.sessions.end_all()
    else:
        _add(world, rng, path=DATA, expire=True)


def locators_expire(world: World, rng: random.Random) -> None:
    """The org forgets results that were half read."""
    world.tell("fault: locators expire")
    world.org.faults.add(locators="expired", nth=rng.choice((1, 2, 3)), times=rng.choice((1, 2)))


def job_fails(world: World, rng: random.Random) -> None:
    """A Bulk job ends as Failed, or does not end."""
    kind = rng.choice(("failed", "failed", "failed", "stuck"))
    world.tell(f"fault: a job is {kind}")
    world.org.faults.add(job=kind, nth=rng.choice((1, 2)))


def calls_used_up(world: World, rng: random.Random) -> None:
    """Other applications have used the day's calls, all or nearly."""
    left = rng.choice((0, 2, 5, 3000))
    world.tell(f"{left} calls are left")
    world.org.usage.reset(used=world.org.usage.limit - left)


def calm(world: World, rng: random.Random) -> None:
    """What is wrong ends."""
    world.tell("calm")
    world.org.faults.clear()
    world.org.usage.reset()
