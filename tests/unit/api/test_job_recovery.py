"""What becomes of a Bulk job's orders after a kill, by an org that tells of its jobs in odd ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.models.outcome import Applied, Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.ports import Order
from tests.unit.api.conftest import Script
from tests.unit.api.scripted import Asked, Reply, ScriptedServer, json_reply, refusal
from tests.unit.api.write_orders import create, update

Serve = Callable[[Script], ScriptedServer]
Open = Callable[..., SalesforceOrg]

JOB = "7505e0000000001AAA"
NO_RESULTS = refusal("INVALIDJOBSTATE", "There are no results", 400)
BOTH = b'"sf__Id","sf__Created","Text"\n"003000000000002AAA","true","b"\n"003000000000001AAA","true","a"\n'
ONE = b'"sf__Id","sf__Created","Text"\n003000000000001AAA,true,a\n'
EMPTY = b'"sf__Id","sf__Error","Text"\n'


@dataclass
class JobOrg:
    """An org with one job: its state at each look, and its result files."""

    states: list[str]
    processed: int | None = 0
    failed: int = 0
    files: dict[str, Reply] = field(default_factory=dict)
    given_up: int = 0

    def __call__(self, asked: Asked) -> Reply:
        kind = asked.path.partition(f"{JOB}/")[2]
        if kind:
            return self.files.get(kind, Reply(EMPTY))
        if asked.method == "PATCH":
            self.given_up += 1
            return refusal("INVALIDJOBSTATE", "The job is at work", 400)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        numbers = {"numberRecordsProcessed": self.processed, "numberRecordsFailed": self.failed}
        return json_reply({"id": JOB, "state": state, "errorMessage": "InvalidBatch : odd", **numbers})


def recovered(serve: Serve, open_org: Open, org: JobOrg, orders: list[Order] | None = None) -> list[Outcome]:
    orders = [create(Text="a"), create(Text="b")] if orders is None else orders
    return list(open_org(serve(org)).recover(orders, JOB))


def test_a_job_whose_start_overtakes_the_giving_up_is_read_and_not_sent_again(serve: Serve, open_org: Open) -> None:
    org = JobOrg(["Open", "JobComplete"], 2, files={"successfulResults": Reply(BOTH)})

    outcomes = recovered(serve, open_org, org)

    assert [getattr(each, "record_id", "")[:15] for each in outcomes] == ["003000000000001", "003000000000002"]


def test_a_job_that_had_begun_when_it_was_given_up_tells_what_it_did(serve: Serve, open_org: Open) -> None:
    left = Reply(b'"Text"\n"b"\n')
    org = JobOrg(["Open", "Aborted"], 1, files={"successfulResults": Reply(ONE), "unprocessedrecords": left})

    assert [type(each) for each in recovered(serve, open_org, org)] == [Applied, Deferred]


@pytest.mark.parametrize("state", ["UploadComplete", "InProgress", "Open"])
def test_a_job_that_cannot_be_given_up_is_asked_again_later(state: str, serve: Serve, open_org: Open) -> None:
    outcomes = recovered(serve, open_org, JobOrg(["Open", state]))

    assert [each.job for each in outcomes if isinstance(each, Lost)] == [JOB, JOB]


@pytest.mark.parametrize(("hours", "given_up"), [(1, 0), (7, 1)])
def test_a_job_that_is_at_work_for_longer_than_any_is_given_up(
    hours: int, given_up: int, serve: Serve, open_org: Open
) -> None:
    sent_at = datetime.now(UTC) - timedelta(hours=hours)
    orders = [create(Text=text) for text in "ab"]
    orders = [replace(each, change=replace(each.change, sent_at=sent_at)) for each in orders]
    left = Reply(b'"Text"\n"b"\n')
    org = JobOrg(["InProgress", "Aborted"], 1, files={"successfulResults": Reply(ONE), "unprocessedrecords": left})

    outcomes = recovered(serve, open_org, org, orders)

    assert org.given_up == given_up
    assert [type(each) for each in outcomes] == ([Applied, Deferred] if given_up else [Lost, Lost])


@pytest.mark.parametrize(("hours", "job"), [(1, JOB), (7, None)])
def test_a_job_behind_a_door_that_is_shut_may_be_at_work_still(
    hours: int, job: str | None, serve: Serve, open_org: Open
) -> None:
    """Its creates would be looked for too early, and made twice."""
    sent_at = datetime.now(UTC) - timedelta(hours=hours)
    orders = [create(Text=text) for text in "ab"]
    orders = [replace(each, change=replace(each.change, sent_at=sent_at)) for each in orders]
    shut = serve(lambda asked: refusal("FEATURE_NOT_ENABLED", "Async API not enabled", 403))

    outcomes = open_org(shut).recover(orders, JOB)

    assert [each.job for each in outcomes if isinstance(each, Lost)] == [job, job]


def test_a_failed_job_that_tells_of_no_row_and_did_none_may_be_sent_again(serve: Serve, open_org: Open) -> None:
    outcomes = recovered(serve, open_org, JobOrg(["Failed"], 0), [update(), update()])

    assert [type(each) for each in outcomes] == [Deferred, Deferred]
    assert "InvalidBatch : odd" in str(outcomes[0])


def test_what_a_failed_job_may_have_done_is_looked_for(serve: Serve, open_org: Open) -> None:
    org = JobOrg(["Failed"], 2, files={"successfulResults": Reply(ONE)})

    outcomes = recovered(serve, open_org, org)

    assert [type(each) for each in outcomes] == [Applied, Lost]
    assert [each.job for each in outcomes if isinstance(each, Lost)] == [None]


@pytest.mark.parametrize("refused", [NO_RESULTS, refusal("NOT_FOUND", "gone", 404)])
def test_results_that_are_refused_leave_their_rows_to_be_looked_for(
    refused: Reply, serve: Serve, open_org: Open
) -> None:
    files = dict.fromkeys(("successfulResults", "unprocessedrecords"), refused)
    files["failedResults"] = Reply(b"sf__Id,sf__Error,Text\n,REQUIRED_FIELD_MISSING:no:Text --,b\n")

    outcomes = recovered(serve, open_org, JobOrg(["JobComplete"], 2, 1, files))

    assert [type(each) for each in outcomes] == [Lost, Rejected]
    assert getattr(outcomes[0], "job", JOB) is None


def test_results_that_cannot_be_read_now_are_asked_for_again(serve: Serve, open_org: Open) -> None:
    org = JobOrg(["JobComplete"], 2, files={"successfulResults": Reply(b'"sf__Id","Text"\n"003","a')})

    outcomes = recovered(serve, open_org, org)

    assert [each.job for each in outcomes if isinstance(each, Lost)] == [JOB, JOB]


def test_an_update_is_known_by_its_record_where_its_own_id_is_not_told(serve: Serve, open_org: Open) -> None:
    orders = [update(Text="a"), update(Text="a")]
    first, second = (to_18(each.change.record_id) for each in orders)
    body = f"sf__Id,sf__Error,Text\n{second},ODD:no:Text --,a\n".encode()
    good = f"sf__Id,sf__Created,Text\n{first},false,a\n".encode()
    org = JobOrg(["JobComplete"], 2, 1, {"failedResults": Reply(body), "successfulResults": Reply(good)})

    assert [type(each) for each in recovered(serve, open_org, org, orders)] == [Applied, Rejected]


@pytest.mark.parametrize("status", [403, 404])
def test_a_page_that_is_not_the_orgs_says_nothing_of_a_job(status: int, serve: Serve, open_org: Open) -> None:
    """The job may be at work: what is looked for as if there were none is not found, and would be made twice."""
    server = serve(lambda asked: Reply(b"<html>default backend</html>", status))

    outcomes = open_org(server).recover([create(Text="a")], JOB)

    assert [each.job for each in outcomes if isinstance(each, Lost)] == [JOB]
