"""Runs and pushes, each in one line of a log; and what of a push is trouble. Pure."""

from __future__ import annotations

from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Problem, Run, RunRecord


def run_line(run: Run) -> str:
    """A run in one line of a log."""
    parts = [
        f"{each.object_name} {each.counts.changed} changed" if each.problem is None else _problem_line(each)
        for each in run.objects
    ]
    waiting = [f"{name} {count} in the inbox" for name, count in run.undecided.items()]
    sent = [] if run.pushed is None else [push_line(run.pushed)]
    calls = f"{run.calls} API call{'s' if run.calls != 1 else ''}"
    return ", ".join((*parts, *waiting, *sent, f"{run.seconds:.1f} s", calls))


def _problem_line(record: RunRecord) -> str:
    return f"{record.object_name} {record.state.value} ({'' if record.problem is None else record.problem.code})"


def push_line(push: Push) -> str:
    others = ((each.outcome, each.problem) for each in push.changes)
    stopped = [] if push.problem is None else [("stopped", push.problem)]
    why = [f", {what}: {problem.code}: {problem.message}" for what, problem in (*stopped, *others) if problem][:1]
    return f"{push.count('applied')} of {push.total} edits sent{''.join(why)}"


def trouble_of(push: Push) -> Problem | None:
    """What stopped the push, or kept an answer from coming: reasons to try again soon, and not at the next round.

    A change whose answer was lost may be in the org, and nothing else of its record goes before that is known.
    """
    lost = (each.problem for each in push.changes if each.outcome == "lost")
    return push.problem or next(lost, None)
