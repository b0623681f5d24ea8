"""If these fail, what a search adapter answers is lost, believed too easily, or asked for again and again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.apollo import queue
from tests.crm import NOW, Crm
from tests.provider_server import Call, ProviderServer, Said
from workers.providers import http
from workers.settings import settings


def result(field: str, value: Any, confidence: Any = 0.9) -> dict[str, Any]:
    return {"field": field, "value": value, "source_url": "https://acme.example/team", "confidence": confidence}


def finds(*results: Any) -> Said:
    return Said(200, {"results": list(results)})


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """A search adapter that the fleet's settings point to."""
    monkeypatch.setattr(http, "_FIRST_PAUSE_SECONDS", 0.001)
    with ProviderServer(lambda _: finds(result("title", "CTO"))) as server:
        monkeypatch.setenv("WEB_SEARCH_URL", f"{server.url}/people")
        monkeypatch.setenv("WEB_SEARCH_KEY", "right-key")
        settings.cache_clear()
        yield server


def waiting(crm: Crm, **contact: Any) -> UUID:
    tenant = crm.tenant()
    row = crm.contact(tenant, crm.client(tenant), **{"last_name": "Archer"} | contact)
    return crm.enrichment(tenant, contact_id=row, source="web_search", extracted_data=None)


def test_what_is_found_is_merged_with_its_source(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    crm.run("enrichment")
    (call,) = search.calls
    assert call.path == "/people"
    assert call.headers["authorization"] == "Bearer right-key"
    assert call.payload == {
        "query": {"email": "ann@acme.example", "first_name": "Ann", "last_name": "Archer", "company": "Acme"}
    }
    state = queue(crm, row)
    assert state["extracted_data"] == {"title": "CTO", "sources": {"title": "https://acme.example/team"}}
    assert state["status"] == "completed"
    assert crm.row("contacts", state["contact_id"])["title"] == "CTO"


def test_an_adapter_without_a_key_gets_none(crm: Crm, search: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEB_SEARCH_KEY")
    settings.cache_clear()
    row = waiting(crm)
    crm.run("enrichment")
    assert "authorization" not in search.calls[0].headers
    assert queue(crm, row)["status"] == "completed"


def test_what_a_program_could_run_is_not_even_stored(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    hostile = result("phone", "javascript:alert(1)") | {"source_url": "javascript:alert(2)"}
    search.script = [finds(hostile, result("title", '=HYPERLINK("https://evil.example")'), result("company", "Acme"))]
    crm.run("enrichment")
    sources = {"title": "https://acme.example/team", "company": "https://acme.example/team"}
    assert queue(crm, row)["extracted_data"] == {"company": "Acme", "sources": sources}


def test_the_surest_result_of_a_field_counts_and_doubtful_ones_do_not(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    search.script = [
        finds(
            result("title", "Intern", 0.61),
            result("title", "CTO", 0.95),
            result("title", "Coach", 0.7),
            result("phone", "+4581234567", 0.59),
        )
    ]
    crm.run("enrichment")
    data = queue(crm, row)["extracted_data"]
    assert (data["title"], "phone" in data) == ("CTO", False)


@pytest.mark.parametrize(
    "results",
    [
        [],
        [None, 7, "title", []],
        [result("email", "other@acme.example"), result("is_admin", "yes"), result("title", "")],
        [result("title", "CTO", "high"), result("title", "CTO", 7), result("title", ["CTO"]), {"field": ["title"]}],
        [result("title", "CTO", float("nan"))],
    ],
)
def test_nothing_usable_is_no_match(crm: Crm, search: ProviderServer, results: list[Any]) -> None:
    row = waiting(crm)
    search.script = [finds(*results)]
    crm.run("enrichment")
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == ("skipped", "no match")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"results": {}}'])
def test_a_malformed_answer_leaves_the_row_for_later(crm: Crm, search: ProviderServer, body: bytes) -> None:
    row = waiting(crm)
    search.script = [Said(200, body)]
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "pending"
    assert queue(crm, row)["error_message"].startswith("web_search answered with")
    crm.run("enrichment", at=NOW + timedelta(minutes=30))
    assert queue(crm, row)["status"] == "completed"


def test_429_closes_it_for_as_long_as_it_says(crm: Crm, search: ProviderServer) -> None:
    rows = [waiting(crm), waiting(crm)]
    search.script = [Said(429, {}, {"Retry-After": "3600"})]
    crm.run("enrichment")
    assert {queue(crm, row)["retry_at"] for row in rows} == {NOW + timedelta(hours=1)}
    assert len(search.calls) == 1


def test_a_server_error_is_tried_again_at_once(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    search.script = [Said(500, {}), Said(503, {})]
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "completed"


def test_a_server_error_that_stays_leaves_the_row_for_later(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    search.answer = lambda _: Said(500, {})
    crm.run("enrichment")
    assert len(search.calls) == 3
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == ("pending", "web_search answered 500")


def test_a_slow_adapter_is_given_up(crm: Crm, search: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_TIMEOUT", 0.2)
    row = waiting(crm)
    search.script = [Said(200, {"results": []}, seconds=0.6)]
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "pending"
    assert "gave no answer" in queue(crm, row)["error_message"]


def test_a_wrong_key_is_named(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    search.script = [Said(401, {})]
    crm.run("enrichment")
    assert "check WEB_SEARCH_KEY" in queue(crm, row)["error_message"]


def test_without_a_url_the_row_says_so(crm: Crm) -> None:
    row = waiting(crm)
    crm.run("enrichment")
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == (
        "skipped",
        "web_search is off: WEB_SEARCH_URL is not set",
    )


def test_a_refused_search_fails_its_row(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm)
    search.script = [Said(400, {})]
    crm.run("enrichment")
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == (
        "failed",
        "web_search refuses the request (400)",
    )


def test_nobody_searches_for_a_first_name(crm: Crm, search: ProviderServer) -> None:
    row = waiting(crm, email=None, last_name=None)
    crm.execute("UPDATE contact_enrichment_queue SET email_address = NULL")
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "failed"
    assert search.calls == []


def test_both_providers_work_side_by_side(crm: Crm, search: ProviderServer) -> None:
    def no_results(call: Call) -> Said:
        return finds() if "query" in call.payload else Said(500, {})

    search.answer = no_results
    row = waiting(crm)
    tenant = queue(crm, row)["tenant_id"]
    other = crm.enrichment(tenant, contact_id=queue(crm, row)["contact_id"], source="apollo", extracted_data=None)
    crm.run("enrichment")
    assert queue(crm, row)["error_message"] == "no match"
    assert queue(crm, other)["error_message"] == "apollo is off: APOLLO_API_KEY is not set"
