"""Runs, proofs and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict

from salesforce_sync.errors import FieldRefused, SyncError
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import Problem, Run, RunCounts, RunRecord
from salesforce_sync.process.terminal import counted, say, say_table, stamp, warn


def say_run(run: Run) -> None:
    """Say what each object's part came to, then the sum; problems go to standard error."""
    say_table(
        ("object", "state", "rows", "inserted", "updated", "deleted"),
        [(each.object_name, each.state.value, *_counted(each.counts)) for each in run.objects],
    )
    say_run_briefly(run)


def say_run_briefly(run: Run, line: str | None = None) -> None:
    """Say the sum of a run in one line; problems go to standard error."""
    say(line or run_line(run))
    if run.again_at is not None:
        say(f"The next try is at {run.again_at:%H:%M} UTC, when API calls may be free again.")
    for problem, names in _by_problem(run).items():
        _say_problem(problem.code, f"{', '.join(names)}: {problem.message}", problem.hint)
    if run.undecided:
        edits = ", ".join(f"{counted(number, 'edit')} of {name}" for name, number in run.undecided.items())
        warn(f"Not sent, because both sides have changed: {edits}.")
        warn("  What needs a decision waits in the inbox: `salesforce-sync inbox`.")


def _by_problem(run: Run) -> dict[Problem, list[str]]:
    """Each problem once, with the objects that it concerns: an org out of reach concerns all of them alike."""
    concerned: dict[Problem, list[str]] = {}
    for each in run.objects:
        if each.problem is not None:
            concerned.setdefault(each.problem, []).append(each.object_name)
    return concerned


def _counted(counts: RunCounts) -> tuple[int, int, int, int]:
    return counts.rows, counts.inserted, counts.updated, counts.deleted


def run_line(run: Run) -> str:
    """A run in one line."""
    rows = sum(each.counts.rows for each in run.objects)
    rate = f", {rows / run.seconds:,.0f} rows/s" if rows and run.seconds else ""
    return (
        f"{run.state.value}: {counted(rows, 'row')}, {run.changed:,} changed, {run.seconds:.1f} s{rate}, "
        f"{counted(run.calls, 'API call')}"
    )


def run_document(run: Run) -> dict[str, Any]:
    """A run as JSON: its state, its cost, and each object's part."""
    return {
        "state": run.state.value,
        "run_id": run.run_id,
        "seconds": round(run.seconds, 3),
        "api_calls": run.calls,
        "changed": run.changed,
        "undecided": dict(run.undecided),
        "again_at": stamp(run.again_at),
        "objects": [record_document(each) for each in run.objects],
    }


def record_document(record: RunRecord) -> dict[str, Any]:
    """One object's part of a run as JSON."""
    return {
        "object": record.object_name,
        "state": record.state.value,
        **asdict(record.counts),
        "started": stamp(record.started),
        "seconds": round(record.seconds, 3),
        "problem": None if record.problem is None else asdict(record.problem),
    }


# ── Proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_proofs(run: Run, proofs: Sequence[Proof]) -> None:
    """Say what was proved, and what could not be compared."""
    problems = {each.object_name: each.problem for each in run.objects}
    for proof in proofs:
        say(proof.line() + _but_for(problems.get(proof.object_name)))
    say_run_briefly(run, proofs_line(run))


def _but_for(problem: Problem | None) -> str:
    """What the proof does not tell of, as its rows have come without it."""
    return "; not all fields: see below" if problem is not None and problem.code == FieldRefused.code else ""


def proofs_line(run: Run) -> str:
    """A verify in one line: what it brought is not what it compared."""
    cost = f"{run.seconds:.1f} s, {counted(run.calls, 'API call')}"
    return f"{run.state.value}: {counted(run.changed, 'row')} changed or repaired, {cost}"


def proof_document(proof: Proof) -> dict[str, Any]:
    """A proof as JSON."""
    return {
        "object": proof.object_name,
        "at": stamp(proof.at),
        "rows": proof.rows,
        "org_rows": proof.org_rows,
        "repaired": {cause.value: number for cause, number in proof.repaired},
    }


# ── What went wrong ──────────────────────────────────────────────────────────────────────────────────────────────


def say_error(error: SyncError) -> None:
    """Say what went wrong and what to do about it."""
    _say_problem(error.code, error.message, error.hint)


def _say_problem(code: str, message: str, hint: str) -> None:
    warn(f"{code}: {message}")
    if hint:
        warn(f"  {hint}")


def error_document(error: SyncError) -> dict[str, Any]:
    """An error as the JSON document that every command gives in place of its answer."""
    return {"error": error.code, "message": error.message, "hint": error.hint}
