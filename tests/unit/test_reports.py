"""Runs, answers and errors in words and as JSON."""

from datetime import UTC, datetime, timedelta

from salesforce_sync.app import Answer
from salesforce_sync.errors import ObjectNotFound
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import overwriting
from salesforce_sync.models.push import Push, PushedChange
from salesforce_sync.models.run import Problem, Run, RunCounts, RunRecord, RunState
from salesforce_sync.process.exits import Exit, exit_of_push
from salesforce_sync.reports.answers import answer_document
from salesforce_sync.reports.edits import push_document, push_line, say_push_briefly
from salesforce_sync.reports.runs import error_document, proofs_line, run_document, run_line, say_run_briefly

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def record(name: str, problem: Problem | None = None, **counts: int) -> RunRecord:
    state = RunState.FAILED if problem else RunState.COMPLETE
    return RunRecord("r1", name, state, NOW, NOW + timedelta(seconds=2), RunCounts(**counts), problem)


def test_a_problem_of_many_objects_is_told_once(capsys):
    away = Problem("UNREACHABLE", "No connection.", "Check the network.")
    gone = Problem("OBJECT_NOT_FOUND", "There is no object 'X'.")

    say_run_briefly(Run("r1", (record("A", away), record("X", gone), record("B", away)), calls=2, seconds=1.5))

    out, err = capsys.readouterr()
    assert out == "failed: 0 rows, 0 changed, 1.5 s, 2 API calls\n"
    assert err.splitlines() == [
        "UNREACHABLE: A, B: No connection.",
        "  Check the network.",
        "OBJECT_NOT_FOUND: X: There is no object 'X'.",
    ]


def test_a_run_as_json_has_each_objects_part():
    run = Run("r1", (record("A", rows=10, inserted=3, updated=2, deleted=1), record("B")), calls=4, seconds=2.0)

    document = run_document(run)

    assert document["state"] == "complete"
    assert (document["api_calls"], document["changed"], document["seconds"]) == (4, 6, 2.0)
    assert document["objects"][0] == {
        "object": "A",
        "state": "complete",
        "rows": 10,
        "inserted": 3,
        "updated": 2,
        "deleted": 1,
        "started": "2026-01-15T10:30:00Z",
        "seconds": 2.0,
        "problem": None,
    }


def test_the_rate_counts_the_rows_that_came():
    assert "20 rows, 5 changed, 2.0 s, 10 rows/s" in run_line(
        Run("r1", (record("A", rows=20, updated=5),), calls=1, seconds=2.0)
    )


def test_columns_of_one_name_stay_apart_in_json():
    document = answer_document(Answer(("Id", "Id", "Id_2"), ((1, 2, 3),), cut=True))

    assert document == {
        "columns": ["Id", "Id_2", "Id_2_2"],
        "rows": [{"Id": 1, "Id_2": 2, "Id_2_2": 3}],
        "cut": True,
        "unfinished": [],
    }


def test_an_error_as_json_names_code_message_and_hint():
    error = ObjectNotFound.named("Contakt", ["Contact", "Lead"])

    assert error_document(error) == {
        "error": "OBJECT_NOT_FOUND",
        "message": "There is no object 'Contakt'.",
        "hint": "Did you mean Contact?",
    }


def test_a_verify_says_what_it_repaired_and_not_how_few_rows_it_brought():
    run = Run("r1", (record("A", rows=22, updated=5),), calls=2, seconds=1.5)

    assert proofs_line(run) == "complete: 5 rows changed or repaired, 1.5 s, 2 API calls"


def test_a_push_that_only_waits_says_until_when():
    held = PushedChange("Account", "001", Operation.UPDATE, (), "held", Problem("PUT_OFF", "Not taken before."))
    push = Push("p1", (held,), calls=0, seconds=0.0, again_at=NOW)

    assert push_line(push) == "partial: 1 change not sent, tried again after 2026-01-15T10:30:00Z"
    document = push_document(push)
    assert (document["push_id"], document["state"], document["again_at"]) == (None, "partial", "2026-01-15T10:30:00Z")
    assert exit_of_push(push) is Exit.PARTIAL


def test_a_push_that_is_kept_has_an_id_even_if_nothing_of_it_is_left_to_tell():
    push = Push("p1", (), calls=1, seconds=0.5)

    assert push_document(push)["push_id"] is None
    assert push_document(Push("p1", (), calls=1, seconds=0.5, at=NOW))["push_id"] == "p1"


def test_a_push_that_overwrote_somebody_points_to_the_inbox(capsys):
    over = PushedChange("Account", "001", Operation.UPDATE, (), "applied", overwriting(("Phone",)))
    push = Push("p1", (over,), calls=1, seconds=0.5, overwrote=1)

    say_push_briefly(push)

    out, err = capsys.readouterr()
    assert out == "partial: 1 change in the org, 0.5 s, 1 API call (push p1)\n"
    assert "OVERWROTE: Account 001: Somebody had changed Phone" in err
    assert "`salesforce-sync inbox`" in err
    assert exit_of_push(push) is Exit.PARTIAL
