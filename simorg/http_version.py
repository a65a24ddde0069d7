"""The version list, the resources of a version, and the limits."""

from typing import TYPE_CHECKING, Any

from simorg.http import Call, Response, Route, json_response
from simorg.org import VERSIONS
from simorg.writer import count_rows

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROOT = "/services/data/v{version}"
_RESOURCES = (
    "actions analytics appMenu async-queries chatter commerce compactLayouts composite connect consent contact- "
    "tracing dedupe domino event eventGrid folders identityVerification jobs jsonxform knowledgeManagement "
    "licensing limits localizedvalue match metadata nouns parameterizedSearch payments process query queryAll "
    "quickActions recent scheduling search sobjects support tabs theme tooling ui-api wave"
)
RESOURCES = _RESOURCES.split()
OTHER_LIMITS = {
    "DailyAsyncApexExecutions": 250_000,
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyDeliveredPlatformEvents": 10_000,
    "DailyDurableStreamingApiEvents": 10_000,
    "DailyStreamingApiEvents": 10_000,
    "DailyWorkflowEmails": 1000,
    "DataStorageMB": 1024,
    "DurableStreamingApiConcurrentClients": 20,
    "FileStorageMB": 1024,
    "HourlyAsyncReportRuns": 1200,
    "HourlyDashboardRefreshes": 200,
    "HourlyPublishedPlatformEvents": 50_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 1000,
    "MassEmail": 5000,
    "SingleEmail": 5000,
    "StreamingApiConcurrentClients": 20,
}


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/services/data", {"GET": versions}, auth=False),
        Route(ROOT, {"GET": resources}),
        Route(f"{ROOT}/limits", {"GET": limits}),
        Route(f"{ROOT}/limits/recordCount", {"GET": record_count}),
    ]


def release_label(version: str) -> str:
    """Return the release of an API version: 58.0 is Summer '23; there are three a year."""
    years, season = divmod(int(float(version)) - 31, 3)
    name = ("Summer", "Winter", "Spring")[season]
    return f"{name} '{14 + years + (season > 0):02d}"


def versions(call: Call) -> Response:
    """List the API versions; needs no login and costs no API call."""
    return json_response(
        [{"label": release_label(one), "url": f"/services/data/v{one}", "version": one} for one in VERSIONS]
    )


def resources(call: Call) -> Response:
    """List the resources of a version."""
    root = f"/services/data/v{call.version}"
    named = {name: f"{root}/{name}" for name in RESOURCES}
    return json_response(named | {"identity": f"{call.org.url}/id/{call.org.org_id}/{call.user_id}"})


def limits(call: Call) -> Response:
    """Tell the limits and what is left of them."""
    usage = call.org.usage
    jobs = 10_000 - usage.counters.get(f"POST {ROOT}/jobs/query", 0)
    body: dict[str, Any] = {name: {"Max": size, "Remaining": size} for name, size in OTHER_LIMITS.items()}
    body["DailyApiRequests"] = {"Max": usage.limit, "Remaining": usage.remaining}
    body["DailyBulkV2QueryJobs"] = {"Max": 10_000, "Remaining": jobs}
    body["PermissionSets"] = {"Max": 1500, "Remaining": 1499, "CreateCustom": {"Max": 1000, "Remaining": 999}}
    return json_response(dict(sorted(body.items())))


def record_count(call: Call) -> Response:
    """Count the rows of objects (Salesforce's count is approximate); unknown names are left out."""
    asked = [name for name in call.query.get("sObjects", "").split(",") if name] or list(call.org.objects)
    found = [schema for schema in map(call.org.object, asked) if schema is not None]
    counts = [{"count": count_rows(call.org, one), "name": one.name} for one in found]
    return json_response({"sObjects": sorted(counts, key=lambda one: str(one["name"]))})
