"""If these fail, a program that keeps to the API's description is answered with what is not in it, or with a crash."""

import re
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.actors import things
from tests.crm import Crm
from tests.tokens import bearer
from workers.settings import settings
from workers.web.api.routes import OPERATIONS
from workers.web.app import service

CRON_SECRET = "a-long-enough-cron-secret"  # noqa: S105  # the test's own
SCHEDULER = {"Authorization": f"Bearer {CRON_SECRET}"}
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
ADDRESSES = [(method.upper(), path) for path, item in service.openapi()["paths"].items() for method in item]


@pytest.fixture
def client(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """The API, which a scheduler may call too."""
    monkeypatch.setenv("CRON_SECRET", CRON_SECRET)
    settings.cache_clear()
    return client


@pytest.mark.fuzz
def test_whatever_a_user_sends_the_answer_is_as_described_and_never_a_crash(client: httpx.Client, crm: Crm) -> None:
    some = things(crm, "Ours")
    known = {
        "action_id": some.action, "quote_id": str(some.quote), "check_id": str(some.check), "run_id": some.run,
        "template": "deal_follow_up",
    }  # fmt: skip
    headers = bearer(some.people["manager"], exp=2**33) | {"If-Match": "*"}
    described = schemathesis.openapi.from_dict(service.openapi())
    # All of them in one database: some of each, many in `make fuzz`.
    few = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 50)
    for one in OPERATIONS:
        operation = described[f"/api{one.path}"][one.method]
        modes = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @few
        @hypothesis.given(case=st.one_of(modes), is_real=st.booleans())
        def ask(case: Any, is_real: bool) -> None:
            if is_real:
                case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
            case.call_and_validate(base_url=str(client.base_url), headers=headers, checks=CHECKS)

        ask()


def test_a_scheduler_is_answered_as_described(client: httpx.Client) -> None:
    described = schemathesis.openapi.from_dict(service.openapi())
    for method, path in ADDRESSES:
        if "/cron/" in path:
            case = described[path][method].Case()
            answer = case.call_and_validate(base_url=str(client.base_url), headers=SCHEDULER, checks=CHECKS)
            assert answer.status_code == 200


def test_the_page_shows_every_operation_and_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/api/docs")

    assert page.status_code == 200
    assert not re.search(r"<script|src=|https?://|@import", page.text)
    for method, path in ADDRESSES:
        assert f"<code>{method} {path}</code>" in page.text
    for field in ("limit", "scheduled_for", "items[].days_without_activity", "failures[].error", "next", "If-Match"):
        assert f"<code>{field}</code>" in page.text


def test_the_description_is_openapi_and_names_the_fleets_release(client: httpx.Client) -> None:
    description = client.get("/api/openapi.json").json()

    assert description["openapi"].startswith("3.1")
    assert description == service.openapi()
    for item in description["paths"].values():
        for operation in item.values():
            assert operation["description"].endswith(".")
            assert {"401", "503"} <= operation["responses"].keys()


def test_every_answer_bears_the_safe_headers_even_that_of_a_mistake(
    client: httpx.Client, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = crm.profile(crm.tenant())
    crm.execute("ALTER FUNCTION get_stalled_deals(uuid, integer) RENAME TO gone")
    answers = {
        200: client.get("/api/docs"),
        401: client.get("/api/engines/compliance/due"),
        404: client.get("/api/engines"),
        405: client.delete("/api/engines/compliance/due"),
        422: client.get("/api/engines/compliance/due?limit=x", headers=bearer(user)),
    }
    monkeypatch.delenv("CRON_SECRET")
    settings.cache_clear()
    answers[503] = client.get("/api/cron/delivery")
    # The last one: a server that made a mistake may close the connection.
    answers[500] = client.get("/api/engines/deals/stalled", headers=bearer(user))
    for status, answer in answers.items():
        assert answer.status_code == status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        if status >= 400:
            said = answer.json()
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert (said["type"], said["status"]) == ("about:blank", status)
            assert said["detail"].endswith(".")
    assert "get_stalled_deals" not in answers[500].text


def test_a_body_that_nobody_needs_is_not_read_to_its_end(client: httpx.Client) -> None:
    for body in (b" " * 70_000, (b" " * 10_000 for _ in range(100))):
        answer = client.post(
            "/api/engines/feedback/schedule", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["detail"] == "A request's body may have 64 KiB at most."
