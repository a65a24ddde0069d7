"""Exit codes: every error and every run has the one that the documentation promises."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from salesforce_sync import errors
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.push import Push, PushedChange
from salesforce_sync.models.run import Problem, Run, RunRecord, RunState
from salesforce_sync.process.exits import Exit, exit_of_error, exit_of_push, exit_of_run

NOW = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), Exit.USAGE),
        (errors.Misuse("x"), Exit.USAGE),
        (errors.NotConnected("x"), Exit.LOGIN),
        (errors.SessionInvalid("x"), Exit.LOGIN),
        (errors.LoginRefused("x", reason="invalid_grant"), Exit.LOGIN),
        (errors.LimitExceeded("x"), Exit.LIMIT),
        (errors.ObjectNotFound("x"), Exit.REFUSED),
        (errors.InsufficientAccess("x"), Exit.REFUSED),
        (errors.MalformedQuery("x"), Exit.REFUSED),
        (errors.Unreachable("x"), Exit.FAILED),
        (errors.StoreBusy("x"), Exit.FAILED),
        (errors.DiskFull("x"), Exit.FAILED),
    ],
)
def test_each_error_has_its_code(error, code):
    assert exit_of_error(error) is code


STATES = {None: RunState.COMPLETE, "REQUEST_LIMIT_EXCEEDED": RunState.PARTIAL}


def run(*codes: str | None) -> Run:
    records = tuple(
        RunRecord(
            "run",
            f"Object{place}",
            STATES.get(code, RunState.FAILED),
            NOW,
            NOW,
            problem=None if code is None else Problem(code, "why"),
        )
        for place, code in enumerate(codes)
    )
    return Run("run", records, calls=1, seconds=1.0)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([None, None], Exit.COMPLETE),
        ([None, "OBJECT_NOT_FOUND"], Exit.PARTIAL),
        ([None, "REQUEST_LIMIT_EXCEEDED"], Exit.PARTIAL),
        (["OBJECT_NOT_FOUND"], Exit.REFUSED),
        (["INSUFFICIENT_ACCESS", "OBJECT_NOT_FOUND"], Exit.REFUSED),
        (["INVALID_SESSION_ID", "NOT_BEGUN"], Exit.LOGIN),
        (["NOT_BEGUN", "INVALID_SESSION_ID"], Exit.LOGIN),
        (["NOT_BEGUN", "REQUEST_LIMIT_EXCEEDED", "NOT_BEGUN"], Exit.LIMIT),
        (["UNREACHABLE", "UNREACHABLE"], Exit.FAILED),
        (["UNREACHABLE", "OBJECT_NOT_FOUND"], Exit.FAILED),
        (["INTERNAL_ERROR"], Exit.FAILED),
    ],
)
def test_a_run_ends_with_its_state_or_its_first_cause(codes, code):
    assert exit_of_run(run(*codes)) is code


def test_too_many_calls_at_once_are_no_used_up_day():
    (record,) = run("REQUEST_LIMIT_EXCEEDED").objects

    assert exit_of_run(replace(run(), objects=(replace(record, state=RunState.FAILED),))) is Exit.FAILED


def test_a_run_that_met_a_conflict_ends_as_a_push_that_did():
    met = replace(run(None, None), undecided={"Contact": 1})

    assert (met.state, exit_of_run(met)) == (RunState.PARTIAL, exit_of_push(push("conflicted")))


def push(*outcomes: str, problem: Problem | None = None) -> Push:
    changes = tuple(PushedChange("Contact", "003", Operation.UPDATE, (), outcome) for outcome in outcomes)
    return Push("push", changes, calls=1, seconds=1.0, problem=problem)


@pytest.mark.parametrize(
    ("pushed", "code"),
    [
        (push(), Exit.COMPLETE),
        (push("applied", "applied"), Exit.COMPLETE),
        (push("applied", "rejected"), Exit.PARTIAL),
        (push("rejected", "blocked"), Exit.PARTIAL),
        (push("conflicted"), Exit.PARTIAL),
        (push("deferred", "blocked"), Exit.FAILED),
        (push("blocked"), Exit.PARTIAL),
        (push("blocked", problem=Problem("UNREACHABLE", "why")), Exit.FAILED),
        (push("lost"), Exit.FAILED),
        (push("applied", problem=Problem("REQUEST_LIMIT_EXCEEDED", "why")), Exit.PARTIAL),
        (push(problem=Problem("REQUEST_LIMIT_EXCEEDED", "why")), Exit.LIMIT),
        (push(problem=Problem("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")), Exit.FAILED),
        (push(problem=Problem("INVALID_SESSION_ID", "why")), Exit.LOGIN),
        (push(problem=Problem("UNREACHABLE", "why")), Exit.FAILED),
    ],
)
def test_a_push_ends_with_what_the_org_answered_or_with_its_cause(pushed, code):
    assert exit_of_push(pushed) is code
