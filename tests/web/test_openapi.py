"""The OpenAPI document is true: schemathesis sends what it allows and what it does not, and looks at every answer."""

from typing import cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from salesforce_sync.web.describing import describe
from salesforce_sync.web.house import House
from salesforce_sync.web.making import application
from simorg.org import SimOrg
from tests.web.conftest import settle, start
from tests.web.test_refusals_http import JARGON

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with SimOrg(records=20, seed=7) as org, org.serve():
        for site in start(settle(tmp_path_factory.mktemp("site"), org.url), org):
            api = site.client()
            site.record_id = api.post("/api/sync/Contact").json()["records"][0]["Id"]
            site.session_id = api.get("/api/sync").json()["sessions"][0]["sessionId"]
            yield site


schema = schemathesis.openapi.from_dict(describe(application(cast(House, None))))  # no route asks it for anything yet


def name_what_is_there(case, site):
    """Let the same request be for a connection, an object, a record and a session that are there."""
    case.headers.pop("X-Connection-Id", None)
    case.query.pop("connection", None)
    there = {"objectApiName": "Contact", "recordId": site.record_id, "number": 1, "sessionId": site.session_id}
    case.path_parameters.update({name: there[name] for name in case.path_parameters if name in there})


# A stream of signals has no end that could be waited for; tests/journey/test_daemon.py reads one.
@schema.exclude(path="/api/signals/stream").parametrize()
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
def test_every_answer_is_as_declared(case, site):
    headers = {"Authorization": f"Bearer {site.tokens['ada']}"}

    first = case.call(base_url=site.url, headers=headers, timeout=30)
    name_what_is_there(case, site)
    second = case.call(base_url=site.url, headers=headers, timeout=30)

    for answer in (first, second):
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 400 or not JARGON.search(answer.json()["details"])


def test_the_document_describes_every_route(site):
    described = site.bare().get("/openapi.json").json()

    known = {(path, method) for path, methods in described["paths"].items() for method in methods}
    served = {
        (route.path, method.lower())
        for route in _routes(site.running.app.routes)
        if route.include_in_schema
        for method in route.methods
    }
    assert known == served
    assert all(each.get("description") for methods in described["paths"].values() for each in methods.values())


def _routes(routes):
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)
        elif hasattr(route, "methods"):
            yield route
