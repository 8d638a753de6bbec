"""The HTTP surface against its own OpenAPI, with requests that schemathesis makes up, good and bad ones.

A few a route; more with `SCHEMA_EXAMPLES=2000 python -m pytest tests/agent/server/test_schema.py`.
"""

from __future__ import annotations

import os

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from agent.server.app import build_app
from agent.server.service import Service
from agent.server.settings import ServerSettings
from tests.agent.server.serving import PICTURE, served

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "4"))


def described() -> dict:
    return build_app(Service(ServerSettings(), {"tiny": lambda: None})).openapi()


ROUTES = [(method, path) for path, methods in described()["paths"].items() for method in methods]
WRONG = [(method, path) for method, path in ROUTES if method == "post" or "thread_id" in path]  # what can be got wrong
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def running():
    with served(max_body=1_000_000) as found:
        yield found


def test_the_openapi_has_every_route_and_every_error():
    assert {path for _, path in ROUTES} >= {"/v1/chat/completions", "/v1/ask", "/v1/models", "/metrics", "/readyz"}
    answers = described()["paths"]["/v1/ask"]["post"]["responses"]
    assert set(answers) >= {"200", "400", "401", "413", "415", "429", "503", "504"}


def with_picture(body: dict) -> None:
    """So that some of what is made up gets an answer."""
    if body.get("question"):
        body["picture"] = PICTURE
    if body.get("messages"):
        text = {"type": "text", "text": str(body["messages"][-1].get("content"))[:100] or "What?"}
        image = {"type": "image_url", "image_url": {"url": PICTURE}}
        body["messages"] = [*body["messages"], {"role": "user", "content": [text, image]}]
        body["model"] = "tiny"


@pytest.mark.parametrize(
    ("mode", "method", "path"), [(GOOD, *route) for route in ROUTES] + [(BAD, *route) for route in WRONG]
)
def test_every_reply_is_what_the_openapi_says_and_none_is_a_bug(running, mode, method, path):
    operation = schemathesis.openapi.from_url(f"{running.url}/openapi.json")[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=EXAMPLES < 100,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        if mode is GOOD and isinstance(case.body, dict):
            with_picture(case.body)
        case.call_and_validate(timeout=10, excluded_checks=[positive_data_acceptance])  # more is asked than types

    check()
