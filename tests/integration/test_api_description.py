"""The read API against its own description, by a client that makes up requests: no fault of ours, and nothing that is not described.

Requests that fit the description and requests that do not; every answer has a described status, type and shape, whatever was asked.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from edge_agent.collector.api_app import api_app
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import load
from edge_agent.collector.states import Phase, SiteNow, States, write_states
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.hq_story import SITES, story
from edge_agent.web.app import WebApp
from edge_agent.web.tokens import Scope, new_token, write_tokens

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
RELATED = ("/api/v1/scans", "/api/v1/days", "/api/v1/kpis")
"""A cursor must be one of ours, and a period in order and bounded: no description of single parameters can say so."""
CONFIG = """
archive = "archive.db"
timezone = "UTC"
[api]
tokens = "tokens.json"
hosts = ["testserver"]
[[site]]
id = "border"
endpoint = "tcp://127.0.0.1:5571"
insecure_loopback_only = true
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebApp, str]]:
    """The application over a day of one site, and a token."""
    folder, clock = tmp_path_factory.mktemp("api"), ManualClock()
    clock.advance(86_400)
    rows = [row for _, row in story(days=1, sites=SITES[2:])]
    with Archive.open(folder / "archive.db", clock) as archive:
        archive.commit([Batch(SiteId("border"), Cursor(rows[0].epoch, Seq(0), rows[0].epoch), tuple(rows))])
    (folder / "collector.toml").write_text(CONFIG)
    text, token = new_token("fuzz", Scope.READ, clock.now() + timedelta(days=1))
    write_tokens(folder / "tokens.json", (token,))
    site = SiteNow(site="border", phase=Phase.CURRENT, phase_since=clock.now())
    write_states(folder / "states.json", States(written_at=clock.now(), started=clock.now(), collector="hq", sites=(site,)))
    with ExitStack() as stack:
        app = api_app(load(folder / "collector.toml"), clock, stack)
        app.gate._rate.take = lambda asker: None  # the rate has its own tests
        schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
        with structlog.testing.capture_logs():
            for path in ("/api/v1/scans", "/api/v1/kpis"):  # what runs on threads has them before the first test counts threads
                assert schema[path]["GET"].Case().call(headers={"Authorization": f"Bearer {text}"}).status_code == 200
        yield app, text


OPERATIONS = [
    *("/api/v1/health", "/api/v1/sites", "/api/v1/sites/{site}", "/api/v1/scans", "/api/v1/scans/{site}/{scan_id}"),
    *("/api/v1/days", "/api/v1/kpis", "/api/v1/transparency", "/metrics", "/api/v1/openapi.json"),
]


def test_the_list_above_is_every_operation(api: tuple[WebApp, str]) -> None:
    assert sorted(api[0].openapi()["paths"]) == sorted(OPERATIONS)
    assert {method for path in api[0].openapi()["paths"].values() for method in path} == {"get"}


POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
ASKED = [(path, POSITIVE) for path in OPERATIONS] + [(path, NEGATIVE) for path in (*RELATED, "/api/v1/sites/{site}", OPERATIONS[4])]
"""An operation that takes nothing can be asked nothing wrong."""


@pytest.mark.parametrize(("path", "mode"), ASKED, ids=lambda value: getattr(value, "value", value))
def test_every_answer_is_as_described(api: tuple[WebApp, str], path: str, mode: schemathesis.GenerationMode) -> None:
    app, token = api
    operation = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)[path]["GET"]

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(answer, checks=CHECKS if path in RELATED else [*CHECKS, positive_data_acceptance])

    with structlog.testing.capture_logs():
        ask()


def test_without_a_token_every_answer_is_as_described_too(api: tuple[WebApp, str]) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api[0])
    statuses = {}
    with structlog.testing.capture_logs():
        for path in OPERATIONS:
            case = schema[path]["GET"].Case(path_parameters={"site": "border", "scan_id": "9bcbd532-6f3b-4641-a733-20cb59cff200"})
            answer = case.call()
            case.validate_response(answer, checks=[not_a_server_error, status_code_conformance, response_schema_conformance])
            statuses[path] = answer.status_code
    assert statuses == dict.fromkeys(OPERATIONS, 401) | {"/api/v1/health": 200, "/api/v1/openapi.json": 200}


def test_examples_of_the_description_are_answers_it_allows(api: tuple[WebApp, str]) -> None:
    """Every model with an example: the example is one of it."""
    from edge_agent.collector import api_views

    shown = 0
    for name, part in api[0].openapi()["components"]["schemas"].items():
        for example in part.get("examples", []):
            if (model := getattr(api_views, name, None)) is not None:
                model.model_validate(example)
                shown += 1
    assert shown >= 4
